"""Writing whole files or none, and whose fault it is when a disk takes no more."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import pytest

from wheelhouse.durable import (
    check_room,
    check_writable,
    flush_path,
    replace_text,
    storage_errors,
)
from wheelhouse.errors import StorageError

FULL = "the disk is full: /place"


@pytest.mark.parametrize(
    ("number", "name", "words"),
    [
        (errno.ENOSPC, None, "the disk is full: /place"),
        (errno.EDQUOT, None, "the disk is full: /place"),
        (errno.ENOSPC, "/place/in/it", "the disk is full: /place"),
        (errno.ENOSPC, "/elsewhere/file", "the disk is full: /elsewhere/file"),
        (errno.EROFS, "/place/file", "cannot write to /place: Read-only file system"),
        (errno.EACCES, "/place", "cannot write to /place: Permission denied"),
        (errno.ENOTDIR, "/place/file", "cannot write to /place: it is no folder"),
        (errno.ENAMETOOLONG, "/place/file", "cannot write to /place: File name too long"),
    ],
)
def test_which_errors_mean_the_disk(number: int, name: str | None, words: str) -> None:
    with (
        pytest.raises(StorageError, match=f"^{words}$") as told,
        storage_errors(Path("/place")),
    ):
        raise OSError(number, os.strerror(number), name)
    assert told.value.hint


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (errno.ECONNRESET, None),
        (errno.EPERM, None),  # what a firewall may have a connection end with
        (errno.EACCES, "/source/unreadable"),
        (errno.ENOENT, "/place/file"),
    ],
)
def test_other_errors_keep_their_meaning(number: int, name: str | None) -> None:
    error = OSError(number, os.strerror(number), name)
    with (
        pytest.raises(OSError, match=os.strerror(number)) as raised,
        storage_errors(Path("/place")),
    ):
        raise error
    assert raised.value is error


def test_a_text_takes_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "lock.toml"
    for text in ("one", "zwei \u00fc", ""):
        replace_text(path, text)
        assert path.read_text("utf-8") == text
    assert os.listdir(tmp_path) == ["lock.toml"]  # noqa: PTH208
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


def test_a_text_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock.toml"
    replace_text(path, "before")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=re.escape(f"the disk is full: {tmp_path}")):
        replace_text(path, "after")
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["lock.toml"]  # noqa: PTH208


def test_what_the_dead_left_beside_it_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "lock[1].toml"  # no pattern of file names
    old, new = tmp_path / ".lock[1].toml.7-7.tmp", tmp_path / ".lock[1].toml.8-8.tmp"
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    replace_text(path, "text")
    assert not old.exists()
    assert new.exists(), "its writer may be alive"


def test_a_file_system_that_flushes_no_folders_is_put_up_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", refuse)
    flush_path(tmp_path)


def test_what_can_be_written_to_is_left_as_it_was(tmp_path: Path) -> None:
    check_writable(tmp_path)
    check_writable(tmp_path / "to" / "come")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["file", "file/below", "file/far/below"])
def test_what_cannot_be_a_folder_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=re.escape(f"cannot write to {tmp_path / 'file'}")):
        check_writable(tmp_path / place)


def test_room_that_is_not_there_is_told_beforehand(tmp_path: Path) -> None:
    check_room(tmp_path / "to" / "come", 1)
    with pytest.raises(StorageError, match=r"has room for [\d.]+ .B, and 1152922 TB are to come"):
        check_room(tmp_path, 1 << 60)
