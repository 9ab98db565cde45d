"""Who has a store open, and who has it alone: real processes, real locks."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import pytest

from otherusers import open_to_all
from wheelhouse import inuse, uptodate
from wheelhouse.errors import StorageError
from wheelhouse.inuse import NAME, Hold
from wheelhouse.locks import taken
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOBODY = 65534

#: Opens the store, as another user if there is a second argument; says so; ends with its input.
READER = """
import os, pathlib, sys
from wheelhouse.store import Store
if len(sys.argv) > 2: os.setuid(int(sys.argv[2]))
store = Store(pathlib.Path(sys.argv[1]), lambda words: print(words, flush=True))
print("open", flush=True)
sys.stdin.read()
"""

#: Has the store alone, says so, and ends with its input.
ALONE = """
import pathlib, sys
from wheelhouse.store import Store
tell = lambda words: print(words, flush=True)
with Store(pathlib.Path(sys.argv[1]), tell).alone(tell=tell):
    print("alone", flush=True)
    sys.stdin.read()
print("not alone", flush=True)
"""


class RefusedError(Exception):
    """Raised by who does not want to wait."""


def refuse() -> None:
    raise RefusedError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def output(running: subprocess.Popen[str]) -> IO[str]:
    assert running.stdout
    return running.stdout


def end(running: subprocess.Popen[str]) -> None:
    assert running.stdin
    running.stdin.close()


def test_nobody_has_it_alone_while_a_run_has_it_open(root: Path) -> None:
    Store(root)
    with process(READER, root) as reader:
        assert output(reader).readline() == "open\n"
        with pytest.raises(RefusedError), Store(root).alone(refuse):
            pytest.fail("a run has the store open")
        reader.kill()
        reader.wait()
        with Store(root).alone(refuse):
            pass


def test_who_wants_it_alone_says_so_and_waits_and_who_opens_it_then_does_likewise(
    root: Path,
) -> None:
    with process(READER, root) as reader:
        assert output(reader).readline() == "open\n"
        with process(ALONE, root) as alone:
            assert output(alone).readline().startswith("other runs are using the store: waiting")
            end(reader)
            assert output(alone).readline() == "alone\n"
            with process(READER, root) as later:
                assert output(later).readline().startswith("the store is being pruned: waiting")
                end(alone)
                assert output(alone).readline() == "not alone\n"
                assert output(later).readline() == "open\n"


@pytest.mark.parametrize("code", [ALONE, READER])
def test_who_waits_can_be_stopped(root: Path, code: str) -> None:
    with process(READER if code == ALONE else ALONE, root) as first:
        output(first).readline()
        with process(code, root) as waiting:
            assert "waiting" in output(waiting).readline()
            waiting.send_signal(signal.SIGINT)
            assert waiting.wait(10) == -signal.SIGINT


def test_afterwards_it_is_shared_again_and_after_an_error_it_is_free(root: Path) -> None:
    store = Store(root)
    with store.alone(refuse):
        pass
    with process(READER, root) as reader:
        assert output(reader).readline() == "open\n"
    with pytest.raises(RefusedError), Store(root).alone(refuse):
        pytest.fail("the first still has it open")
    with pytest.raises(ZeroDivisionError), store.alone(refuse):
        raise ZeroDivisionError
    with Store(root).alone(refuse):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("mode", [0o666, 0o644])
def test_another_user_is_no_less_a_run(tmp_path: Path, mode: int) -> None:
    root = tmp_path / "store"
    Store(root)
    open_to_all(tmp_path)
    assert (root / NAME).stat().st_mode & 0o777 == 0o666
    (root / NAME).chmod(mode)
    with process(READER, root, NOBODY) as reader:
        assert output(reader).readline() == "open\n"
        with pytest.raises(RefusedError), Store(root).alone(refuse):
            pytest.fail("another user has the store open")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EBADF, errno.EIO])
def test_without_locks_it_counts_as_in_use(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As on network file systems. There is none here, so the answer is put in its place."""
    hold = Store(root)

    def fail(descriptor: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(StorageError, match="lock"), hold.alone(refuse):
        pytest.fail("there are no locks")
    with pytest.raises(StorageError, match="lock"):
        Hold(root)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_file_is_no_lock(root: Path, kind: str) -> None:
    Store(root)
    path = root / NAME
    path.unlink()
    if kind == "link":
        (root.parent / "elsewhere").touch()
        path.symlink_to(root.parent / "elsewhere")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(StorageError):
        Store(root)


def test_who_waited_for_a_store_that_was_removed_opens_the_one_that_is_there(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(root)

    def removed_once(descriptor: int, path: Path, *, shared: bool) -> bool:
        monkeypatch.setattr(inuse, "taken", taken)
        path.unlink()
        return taken(descriptor, path, shared=shared)

    monkeypatch.setattr(inuse, "taken", removed_once)
    run = Store(root)
    with pytest.raises(RefusedError), Store(root).alone(refuse):
        pytest.fail("the first has it open")
    del run


def test_a_build_with_nothing_to_do_waits_for_nobody_and_makes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHEELHOUSE_CACHE", str(root))
    file = root.parent / "wheelhouse.toml"
    file.touch()
    question = uptodate.Question(file=file, targets=(), engine="docker")
    assert uptodate.unchanged(question) is None
    assert not root.exists()
    stamp: dict[str, object] = {"inputs": {}, "folders": [], "houses": []}
    Store(root).write_record(uptodate.KIND, question.key, stamp)
    with process(ALONE, root) as alone:
        assert output(alone).readline() == "alone\n"
        assert uptodate.unchanged(question) == []
