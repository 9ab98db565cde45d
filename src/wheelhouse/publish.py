"""The switch: a finished wheelhouse takes the place of the one before it, in one step.

A wheelhouse is made in a *staging folder* beside its final place, on the same file system. Who
makes one holds a lock on that folder, which the kernel takes back when its process ends, however
it ends. So a staging folder that can be locked belongs to nobody, and is removed.

What is in the final place is never half of anything: Linux exchanges the two folders in one step
(``renameat2`` with ``RENAME_EXCHANGE``). Where the file system cannot, the old wheelhouse is
renamed away and the new one renamed in, one right after the other.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.errors import StorageError
from wheelhouse.manifest import FILENAME as MANIFEST
from wheelhouse.store import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGING = ".wheelhouse-staging"

#: An old wheelhouse between the two renames, where the file system cannot exchange.
PREVIOUS = ".wheelhouse-previous"

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2

#: What says that a file system, a kernel or a C library has no RENAME_EXCHANGE.
_NO_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}

#: Runs that publish to the same place at the same time can make each other's step fail so often.
_ATTEMPTS = 50


@contextmanager
def staging_folder(destination: Path) -> Iterator[Path]:
    """A new, empty folder beside *destination*, removed at the end if it is still there.

    The folders in which *destination* is to lie are made.

    :raises StorageError: *destination* is something that must not be replaced, or nothing can
        be written there.
    """
    check_replaceable(destination)
    with storage_errors(destination.parent):
        destination.parent.mkdir(parents=True, exist_ok=True)
        folder, lock = _locked_folder(destination)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def publish(staging: Path, destination: Path) -> None:
    """Put the wheelhouse in *staging* in the place of *destination*; remove the old one.

    When this returns, the new wheelhouse is on the disk, not merely on its way there.

    :raises StorageError: *destination* is something that must not be replaced, or the disk is
        full or not writable. Then *destination* is as it was.
    """
    with _publishing(destination), storage_errors(destination.parent):
        _flush_tree(staging)
        for _ in range(_ATTEMPTS):
            check_replaceable(destination)
            if _switch(staging, destination):
                break
        else:
            raise StorageError(
                f"{destination} is being replaced by others all the time",
                hint="let one run at a time write there",
            )
        _flush(destination.parent)
        shutil.rmtree(staging, ignore_errors=True)


def clean_leftovers(output: Path) -> int:
    """Clear away what killed runs left in *output*; how many folders there were.

    A wheelhouse whose replacement was stopped between two renames is put back.
    """
    cleaned = 0
    for folder in _folders(output, PREVIOUS):
        cleaned += 1
        with contextlib.suppress(OSError):
            folder.rename(output / folder.name[1:].removesuffix(PREVIOUS).rpartition(".")[0])
            continue  # there was nothing in its place
        shutil.rmtree(folder, ignore_errors=True)
    for folder in _folders(output, STAGING):
        lock = _try_lock(folder)
        if lock is not None:
            cleaned += 1
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    return cleaned


def check_replaceable(destination: Path) -> None:
    """Raise StorageError unless *destination* is nothing, empty, or a wheelhouse."""
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise StorageError(
            f"{destination} is not a folder, and is not replaced",
            hint="move it away, or choose another output folder",
        )
    if (destination / MANIFEST).is_file():
        return
    with contextlib.suppress(FileNotFoundError), storage_errors(destination):
        if any(destination.iterdir()):
            raise StorageError(
                f"{destination} holds something that is no wheelhouse, and is not replaced",
                hint="move it away, or choose another output folder",
            )


def _folders(output: Path, suffix: str) -> list[Path]:
    found = output.glob(f".*{suffix}")
    return [path for path in found if path.is_dir() and not path.is_symlink()]


@contextmanager
def _publishing(destination: Path) -> Iterator[None]:
    """Tell every other trouble of the operating system's too: a busy mount point, a bad disk."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the wheelhouse cannot be put in {destination}: {error.strerror}",
            hint="choose another output folder",
        ) from error


# -- staging folders -----------------------------------------------------------------------------


def _locked_folder(destination: Path) -> tuple[Path, int]:
    """A new staging folder and the descriptor that holds its lock."""
    while True:
        name = tempfile.mkdtemp(
            prefix=f".{destination.name}.", suffix=STAGING, dir=destination.parent
        )
        folder = Path(name)
        folder.chmod(0o755)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        # Where a file system has no locks, nobody can take this one for a dead run's either.
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_same(folder, lock):
            return folder, lock
        os.close(lock)  # another run found it before it was locked, and has removed it


def _is_same(folder: Path, descriptor: int) -> bool:
    try:
        return folder.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _try_lock(folder: Path) -> int | None:
    """The descriptor of the lock on *folder*, or None if it is another's or not to be had."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


# -- the step itself -----------------------------------------------------------------------------


def _switch(staging: Path, destination: Path) -> bool:
    """Put *staging* in place; False if the place changed meanwhile, so that it is tried anew.

    What was in the place is in *staging* afterwards, or gone.
    """
    try:
        staging.rename(destination)  # replaces nothing, or an empty folder
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
    else:
        return True
    try:
        _exchange(staging, destination)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in _NO_EXCHANGE:
            raise
        return _switch_in_two(staging, destination)
    return True


def _switch_in_two(staging: Path, destination: Path) -> bool:
    """The same with two renames, for file systems that cannot exchange."""
    previous = Path(
        tempfile.mkdtemp(prefix=f".{destination.name}.", suffix=PREVIOUS, dir=staging.parent)
    )
    try:
        destination.rename(previous)
    except FileNotFoundError:
        previous.rmdir()
        return False
    try:
        staging.rename(destination)
    except OSError as error:
        with contextlib.suppress(OSError):
            previous.rename(destination)
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    finally:
        # Gone already where it was put back; else there is a newer one in its place.
        if destination.exists():
            shutil.rmtree(previous, ignore_errors=True)
    return True


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _exchange(one: Path, other: Path) -> None:
    """Exchange two folders in one step. Raises OSError; ENOSYS where the C library cannot."""
    renameat2 = getattr(_libc(), "renameat2", None)
    if renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    done = renameat2(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE)
    )
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one), None, str(other))


def _flush_tree(folder: Path) -> None:
    """Have every file and folder below *folder* on the disk.

    In parallel, as the file system then writes many with one commit of its journal.
    """
    paths = [folder, *folder.rglob("*")]
    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(_flush, paths))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
