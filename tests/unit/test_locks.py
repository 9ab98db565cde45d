"""Locks that nobody can leave behind."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from wheelhouse.errors import StorageError
from wheelhouse.locks import locked

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_in_the_file_means_nothing(tmp_path: Path) -> None:
    """Neither does that it is there: a killed run leaves it."""
    path = tmp_path / "a.lock"
    path.write_bytes(b"\xff 4711 held since 1970")
    with locked(path), pytest.raises(TimeoutError), locked(path, check=_lose_patience):
        pytest.fail("two have it")
    with locked(path):
        pass


def _lose_patience() -> None:
    raise TimeoutError


def test_a_fifo_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.lock")
    with locked(tmp_path / "a.lock"):
        pass


@pytest.mark.parametrize("thing", ["folder", "link"])
def test_what_can_be_no_lock_is_named(tmp_path: Path, thing: str) -> None:
    path = tmp_path / "a.lock"
    if thing == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match=f"cannot write to {path}"), locked(path):
        pytest.fail("it was got")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError, match="has no locks") as told, locked(tmp_path / "a.lock"):
        pytest.fail("it was got")
    assert "WHEELHOUSE_CACHE" in str(told.value.hint)
