"""What is cleared up after a process that was killed, by the process that outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wheelhouse.store import Store

#: A run on a store, an output and a project, in the middle of everything; with a helper.
RUN = """
import pathlib, subprocess, sys
from wheelhouse.aftercare import companion
from wheelhouse.publish import staging_folder
from wheelhouse.store import Store

root = pathlib.Path(sys.argv[1])
store = Store(root / "store")
output = root / "dist"
with companion("local", store.root, output, root):
    with store.workspace() as folder, staging_folder(output / "web"):
        (root / f".pylock.web.toml.{__import__('os').getpid()}-7.tmp").touch()
        helper = subprocess.Popen(["sleep", "600"], cwd=folder)
        print(helper.pid, flush=True)
        input()
        helper.kill()
        helper.wait()
    next(root.glob(".pylock*")).unlink()
"""


@pytest.fixture
def run(tmp_path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def left(root: Path) -> list[str]:
    """Temporary files below *root*."""
    found = [*(root / "store" / "tmp").iterdir(), *(root / "dist").glob(".*"), *root.glob(".*")]
    return [path.name for path in found]


def is_alive(pid: int) -> bool:
    """Whether that process runs; one whose status nobody asks for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_after_a_kill_nothing_is_left_soon(run: subprocess.Popen[str], tmp_path: Path) -> None:
    """Though nobody has asked for the killed process's status: it is there, in a way."""
    with run:
        assert run.stdout is not None
        helper = int(run.stdout.readline())
        assert len(left(tmp_path)) == 3
        os.kill(run.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while left(tmp_path) or is_alive(helper):
            assert time.monotonic() < deadline, left(tmp_path)
            time.sleep(0.02)


def test_of_other_runs_nothing_is_touched(run: subprocess.Popen[str], tmp_path: Path) -> None:
    with run:
        assert run.stdout is not None
        run.stdout.readline()
        with Store(tmp_path / "store").workspace() as mine:
            os.kill(run.pid, signal.SIGKILL)
            deadline = time.monotonic() + 10
            while left(tmp_path) != [mine.name]:
                assert time.monotonic() < deadline, left(tmp_path)
                time.sleep(0.02)


def test_a_run_that_ends_well_is_not_cleared_up_after(
    run: subprocess.Popen[str], tmp_path: Path
) -> None:
    said, _ = run.communicate("\n", timeout=30)
    assert run.returncode == 0
    assert left(tmp_path) == []
    assert not is_alive(int(said))
