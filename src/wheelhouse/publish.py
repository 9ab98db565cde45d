"""The switch: a finished wheelhouse takes the place of the one before it, in one step.

A wheelhouse is made in a *staging folder* beside its final place, on the same file system. Who
makes one holds a lock on that folder, which the kernel takes back when its process ends, however
it ends. So a staging folder that can be locked belongs to nobody, and is removed.

What is in the final place is never half of anything: Linux exchanges the two folders in one step
(``renameat2`` with ``RENAME_EXCHANGE``). Where the file system cannot, the old wheelhouse is
renamed away and the new one renamed in, one right after the other.
"""

from __future__ import annotations

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

from wheelhouse.durable import check_room, check_writable, flush_path, storage_errors, temporary
from wheelhouse.errors import StorageError
from wheelhouse.manifest import FILENAME as MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGING = ".wheelhouse-staging"

#: An old wheelhouse between the two renames, where the file system cannot exchange.
PREVIOUS = ".wheelhouse-previous"

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2

#: What says that a file system, a kernel or a C library has no RENAME_EXCHANGE.
_NO_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}


@contextmanager
def staging_folder(destination: Path, needed: int = 0) -> Iterator[Path]:
    """A new, empty folder beside *destination*, removed at the end if it is still there.

    The folders in which *destination* is to lie are made.

    :param needed: bytes that will be put there.
    :raises StorageError: *destination* is something that must not be replaced, or nothing can
        be written there, or not as much.
    """
    check_room(destination.parent, needed)
    with _publishing(destination), storage_errors(destination.parent):
        destination.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(destination.parent):
            check_replaceable(destination)
            folder = _new_folder(destination, STAGING)
            lock = _lock(folder)
    try:
        with temporary(folder):
            yield folder
    finally:
        os.close(lock)


def publish(staging: Path, destination: Path) -> None:
    """Put the wheelhouse in *staging* in the place of *destination*; remove the old one.

    When this returns, the new wheelhouse is on the disk, not merely on its way there.

    :raises StorageError: *destination* is something that must not be replaced, or the disk is
        full or not writable. Then *destination* is as it was.
    """
    with _publishing(destination), storage_errors(destination.parent):
        _flush_tree(staging)
        with _alone_in(destination.parent):
            check_replaceable(destination)
            _switch(staging, destination)
            flush_path(destination.parent)
        shutil.rmtree(staging, ignore_errors=True)


def clean_leftovers(output: Path) -> int:
    """Clear away what killed runs left in *output*; how many folders there were.

    A wheelhouse whose replacement was stopped between two renames is put back.

    :raises StorageError: *output* cannot be read.
    """
    if not output.is_dir():
        return 0
    with storage_errors(output), _alone_in(output):
        previous = _folders(output, PREVIOUS)
        for folder in previous:
            _put_back(folder, output / folder.name[1:].removesuffix(PREVIOUS).rpartition(".")[0])
        return len(previous) + sum(map(_remove_dead, _folders(output, STAGING)))


def check_replaceable(destination: Path) -> None:
    """Raise StorageError unless *destination* is nothing, empty, or a wheelhouse."""
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise StorageError(
            f"{destination} is not a folder, and is not replaced",
            hint="move it away, or choose another output folder",
        )
    with storage_errors(destination):
        if (destination / MANIFEST).is_file() or not destination.exists():
            return
        if any(destination.iterdir()):
            raise StorageError(
                f"{destination} holds something that is no wheelhouse, and is not replaced",
                hint="move it away, or choose another output folder",
            )


def check_output(destination: Path) -> None:
    """Find out, before any work, whether a wheelhouse could be put in *destination*.

    :raises StorageError: it is something that must not be replaced, or nothing can be written
        there.
    """
    with _publishing(destination):
        check_replaceable(destination)
        check_writable(destination.parent)


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


# -- folders and their locks ---------------------------------------------------------------------


def _new_folder(destination: Path, suffix: str) -> Path:
    name = tempfile.mkdtemp(prefix=f".{destination.name}.", suffix=suffix, dir=destination.parent)
    folder = Path(name)
    folder.chmod(0o755)
    return folder


def _folders(output: Path, suffix: str) -> list[Path]:
    found = output.glob(f".*{suffix}")
    return [path for path in found if path.is_dir() and not path.is_symlink()]


def _put_back(previous: Path, destination: Path) -> None:
    try:
        previous.rename(destination)
    except OSError:  # there is a newer one in its place
        shutil.rmtree(previous, ignore_errors=True)


def _remove_dead(staging: Path) -> bool:
    """Remove a staging folder that nobody holds; whether it was one."""
    try:
        lock = _lock(staging, wait=False)
    except OSError:
        return False
    shutil.rmtree(staging, ignore_errors=True)
    os.close(lock)
    return True


@contextmanager
def _alone_in(output: Path) -> Iterator[None]:
    """Among all runs that publish in *output*, be the only one; for moments only."""
    lock = _lock(output)
    try:
        yield
    finally:
        os.close(lock)


def _lock(folder: Path, *, wait: bool = True) -> int:
    """Lock *folder* until the returned descriptor is closed.

    A file system without locks is put up with when waiting: nobody can have one there. Raises
    OSError, without *wait* also where another holds the lock or there can be none.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if not wait:
            os.close(descriptor)
            raise
    return descriptor


# -- the step itself -----------------------------------------------------------------------------


def _switch(staging: Path, destination: Path) -> None:
    """Put *staging* in place. What was there is in *staging* afterwards, or gone."""
    try:
        staging.rename(destination)  # replaces nothing, or an empty folder
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
    else:
        return
    try:
        _exchange(staging, destination)
    except OSError as error:
        if error.errno not in _NO_EXCHANGE:
            raise
        _switch_in_two(staging, destination)


def _switch_in_two(staging: Path, destination: Path) -> None:
    """The same with two renames, for file systems that cannot exchange."""
    previous = _new_folder(destination, PREVIOUS)
    destination.rename(previous)
    try:
        staging.rename(destination)
    except OSError:
        previous.rename(destination)
        raise
    shutil.rmtree(previous, ignore_errors=True)


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
        list(pool.map(flush_path, paths))
