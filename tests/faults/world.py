"""Where a case happens: a project, a store, a home with secrets in it, and the command to run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from faults.shop import Shop

TARGET = "d12"

#: What nobody but this machine's user may see; each case has them all around it.
SECRETS = {
    "environment": "planted-in-the-environment-5b1d",
    "pypirc": "planted-in-pypirc-77c0",
    "netrc": "planted-in-netrc-e2a9",
    "docker": base64.b64encode(b"me:planted-in-docker-config-18f4").decode(),
    "index": "planted-for-an-index-c4e7",
    "index as it is sent": base64.b64encode(b"me:planted-for-an-index-c4e7").decode(),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """A command that has ended.

    :ivar seconds: how long it ran.
    """

    arguments: tuple[str, ...]
    status: int
    out: str
    err: str
    seconds: float

    @property
    def said(self) -> str:
        return self.out + self.err


class World:
    """One case's own folders, and what it ran.

    :ivar shop: what it shares with others: images, a wheelhouse to :meth:`plant`.
    :ivar root: an empty folder, with spaces in its path.
    :ivar store: the store of its runs: its own, or the one that cases share.
    :ivar figures: where it counts.
    :ivar finished: the commands that have ended, in order.
    :ivar before: what was in ``dist`` by :meth:`plant`; it has to stay unless :attr:`replaces`.
    :ivar killed: whether the case killed a run by force, so that only the next cleans up.
    """

    def __init__(self, shop: Shop, root: Path, store: Path) -> None:
        self.shop = shop
        self.root = root
        self.project = root / "project"
        self.home = root / "home"
        self.store = store
        self.figures = shop.figures
        self.finished: list[Finished] = []
        self.before: dict[str, str] | None = None
        self.replaces = False
        self.killed = False
        self.project.mkdir(parents=True)
        self._plant_secrets()

    def _plant_secrets(self) -> None:
        files = {
            ".pypirc": f"[pypi]\nusername = me\npassword = {SECRETS['pypirc']}\n",
            ".netrc": f"machine files.example.com login me password {SECRETS['netrc']}\n",
            ".docker/config.json": json.dumps(
                {"auths": {"registry.example.com": {"auth": SECRETS["docker"]}}}
            ),
        }
        for name, text in files.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o600)

    @property
    def dist(self) -> Path:
        """Where wheelhouses appear."""
        return self.project / "dist"

    @property
    def house(self) -> Path:
        """The wheelhouse of the one target."""
        return self.dist / TARGET

    def own_store(self) -> Path:
        """From now on, a new, empty store of the case's own; build requirements are not in it."""
        self.store = self.root / "store"
        return self.store

    def configure(
        self,
        requirements: str = "",
        *,
        index: str = "",
        more: str = "",
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Write the project: one target, Debian 12 with Python 3.11.

        :param index: the URL of its index; else the default one.
        :param more: goes to the end of ``wheelhouse.toml``.
        :param files: others of the project, by their names.
        """
        head = f'index = "{index}"\n' if index else ""
        target = f'[targets.{TARGET}]\nplatform = "debian12"\npython = "3.11"\n'
        contents = {
            "wheelhouse.toml": head + target + textwrap.dedent(more),
            "requirements.txt": requirements,
            **(files or {}),
        }
        for name, text in contents.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def plant(self) -> None:
        """Put a wheelhouse of another project in the target's place; it must survive."""
        shutil.copytree(self.shop.house, self.house)
        self.before = digests(self.dist)

    # -- commands ------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """That of the commands: this one, with a home and secrets of the case."""
        return {
            **os.environ,
            "HOME": str(self.home),
            "WHEELHOUSE_CACHE": str(self.store),
            "COLUMNS": "200",
            "AWS_SECRET_ACCESS_KEY": SECRETS["environment"],
            "TWINE_PASSWORD": SECRETS["environment"],
            "INDEX_TOKEN": SECRETS["index"],
        }

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start ``wheelhouse`` with *arguments*; give it to :meth:`ended` in the end."""
        return subprocess.Popen(
            [sys.executable, "-m", "wheelhouse", *arguments],
            cwd=self.project,
            env={**self.environment(), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def ended(self, process: subprocess.Popen[str], timeout: float = 300) -> Finished:
        """Wait for the end of what :meth:`start` started."""
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"it did not end within {timeout} s: {out}{err}") from None
        done = Finished(
            arguments=tuple(map(str, process.args))[3:],  # type: ignore[arg-type]
            status=process.returncode,
            out=out,
            err=err,
            seconds=time.monotonic() - began,
        )
        self.finished.append(done)
        return done

    def run(self, *arguments: str, timeout: float = 300, **variables: str) -> Finished:
        """Run ``wheelhouse`` with *arguments* to its end.

        :param timeout: seconds, after which the case has failed.
        :param variables: more of the environment.
        """
        return self.ended(self.start(*arguments, **variables), timeout)

    def build(self, *arguments: str, timeout: float = 300, **variables: str) -> Finished:
        """``wheelhouse build --plain``."""
        return self.run("build", "--plain", *arguments, timeout=timeout, **variables)


def succeeded(done: Finished) -> Finished:
    """*done*, which must have succeeded."""
    assert done.status == 0, done.said
    return done


def refused(done: Finished, status: int, *words: str) -> Finished:
    """*done*, which must have failed with *status* and errors that have all of *words* in them.

    Lines are joined before: where a message is broken depends on its length.
    """
    assert done.status == status, f"exit status {done.status} instead of {status}: {done.said}"
    said = " ".join(done.said.split())
    missing = [word for word in words if " ".join(word.split()) not in said]
    assert not missing, f"{missing} not in: {done.said}"
    return done


def digests(folder: Path) -> dict[str, str]:
    """What *folder* holds: the hash of each file, and where links lead, by relative path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
