"""Real containers for tests: an engine that answers, and images made where they are missing.

Everything a test leaves in the engine carries our labels; after each test, none may be left.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from projects import LocalIndex, serving
from wheelhouse.engine.docker import LABEL, OWNER, is_orphan
from wheelhouse.engine.docker_connect import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Finished:
    """A finished command."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


class Workplace:
    """A folder with a project, a store of its own, and the command to run there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = root / "project"
        self.store = root / "store"
        self.project.mkdir()

    def environment(self) -> dict[str, str]:
        return {**os.environ, "WHEELHOUSE_CACHE": str(self.store), "COLUMNS": "200"}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "wheelhouse", *arguments]

    def run(self, *arguments: str, timeout: float = 300, **variables: str) -> Finished:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.project,
            env={**self.environment(), **variables},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert "\nTraceback" not in f"\n{done.stderr}", done.stderr
        return Finished(done.returncode, done.stdout, done.stderr)

    def house(self, target: str = "d12") -> Path:
        return self.project / "dist" / target

    def blobs(self) -> set[str]:
        return {path.name for path in (self.store / "blobs").glob("*/*")}

    def logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.store.glob("logs/*"))


def wait_for(text: str, workplace: Workplace) -> None:
    """Return once *text* is in a log of a build."""
    deadline = time.monotonic() + 60
    while text not in workplace.logs():
        assert time.monotonic() < deadline, workplace.logs()
        time.sleep(0.1)


@pytest.fixture(scope="session", autouse=True)
def _images() -> None:
    """The images of Debian 12, made here if the engine does not have them.

    Tests of single parts find the runtime image's name in the environment.
    """
    done = subprocess.run(
        [sys.executable, "-m", "wheelhouse", "images", "bootstrap", "debian12"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    names = [line.split()[0] for line in done.stdout.splitlines()]
    os.environ["WHEELHOUSE_TEST_RUNTIME_IMAGE"] = next(each for each in names if "runtime" in each)


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture
def index() -> Iterator[LocalIndex]:
    with serving(LocalIndex()) as found:
        yield found


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No container outlives the process that started it."""
    yield
    deadline = time.monotonic() + 8
    while left := orphans():
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def orphans() -> list[dict[str, str]]:
    """The labels of containers whose run is no more. Others' runs do not count."""
    client = connect()
    try:
        found = client.containers(all=True, filters={"label": LABEL})
        labels: list[dict[str, str]] = [each["Labels"] for each in found]
    finally:
        client.close()
    mine = f"{socket.gethostname()}:"
    return [each for each in labels if is_orphan(each[OWNER], mine)]
