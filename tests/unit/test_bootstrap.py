"""Whatever moment bootstrapping is stopped at, nothing of it lives on and nothing stays."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import TYPE_CHECKING

import pytest

from wheelhouse import bootstrap

if TYPE_CHECKING:
    from pathlib import Path

#: Says so if it lives to its end. Everything that it starts has its standard output.
PROGRAM = "sleep 20 && echo lived on"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(bootstrap, "_POLL", 0.005)
    return folder


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_memory_free", lambda: 0)


def program(folder: Path, name: str, script: str) -> None:
    """Put *script* before all other programs called *name*."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "bin"


def said_when_stopped(*, after: float = 0.0, once: Path | None = None) -> str:
    """What mmdebstrap and all its children said until the last of them had ended.

    :param after: seconds until it is stopped; or *once* that file is there.
    """
    recipe = bootstrap.Recipe(suite="bookworm", arch="x86_64", packages=())
    with bootstrap.root_archive(
        recipe, mirror="http://nowhere", on_line=lambda _: None, stopping=threading.Event()
    ) as root:
        output = os.fdopen(os.dup(root._pipe.fileno()))
        deadline = time.monotonic() + 10
        while once is not None and not once.exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(after)
    with output:
        return output.read()


def test_on_a_tmpfs_nothing_lives_on_whenever_it_is_stopped(
    temporary: Path, programs: Path
) -> None:
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare")
    program(programs, "mmdebstrap", PROGRAM)
    for milliseconds in range(30):
        assert said_when_stopped(after=milliseconds / 1000) == ""
    assert list(temporary.iterdir()) == []


def test_what_is_not_yet_tied_to_its_parent_ends_too(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment in which `unshare` has a child that would not yet end with it."""
    forked = tmp_path / "forked"
    program(programs, "unshare", f"({PROGRAM}) &\n: > {forked}\nwait")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(bootstrap, "_memory_free", lambda: 1 << 40)
    assert said_when_stopped(once=forked) == ""


@pytest.mark.usefixtures("no_memory")
def test_on_a_disk_it_is_asked_and_can_remove_its_root(tmp_path: Path, programs: Path) -> None:
    """`mmdebstrap` looks at what it was asked when what it started has ended, as a shell does."""
    begun, asked = tmp_path / "begun", tmp_path / "asked"
    script = f"trap ': > {asked}' TERM; sh -c ': > {begun}; {PROGRAM}'; true"
    program(programs, "mmdebstrap", script)
    assert said_when_stopped(once=begun) == ""
    assert asked.exists()


@pytest.mark.usefixtures("no_memory")
def test_a_root_that_was_not_removed_is_removed(
    temporary: Path, tmp_path: Path, programs: Path
) -> None:
    made = tmp_path / "made"
    script = f'mkdir "$TMPDIR/root" && pwd > "$TMPDIR/root/file" && : > {made}; {PROGRAM}'
    program(programs, "mmdebstrap", script)
    assert said_when_stopped(once=made) == ""
    assert made.exists()
    assert list(temporary.iterdir()) == []
