"""Locks among processes and threads, which the kernel takes back when their holder ends.

A lock is a file that somebody has locked (`flock`); what is in the file means nothing, and that it
is there means nothing. So there is no stale lock: a killed holder has lost it with its life. A file
that nobody holds may be removed (:func:`unheld`): who has just opened it opens it again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from wheelhouse.durable import storage_errors
from wheelhouse.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Seconds between two tries to get a lock that another has: at first, as most are held for moments,
#: and at most.
SOON, WAIT = 0.001, 0.05

#: What a file system without locks says.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


@contextmanager
def locked(path: Path, check: Callable[[], None] = lambda: None) -> Iterator[int]:
    """Hold the lock that is the file *path* while the block runs; its file descriptor.

    :param check: called now and then while another holds it; raises to wait no longer.
    :raises StorageError: the file cannot be made, or its file system has no locks.
    """
    pause = SOON
    while True:
        descriptor = _opened(path)
        try:
            while not taken(descriptor, path):
                check()
                time.sleep(pause)
                pause = min(2 * pause, WAIT)
            if is_at(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Within the block, somebody holds *folder*, as far as its file system has such locks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def unheld(path: Path) -> Iterator[bool]:
    """Whether nobody holds the file or folder *path*; then nobody gets it in the block.

    Where there is none, or it cannot be told, somebody may hold it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        yield _is_free(descriptor) and is_at(path, descriptor)
    finally:
        os.close(descriptor)


def is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still, and is, what is at *path*."""
    found = os.fstat(descriptor)
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (found.st_dev, found.st_ino)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _opened(path: Path) -> int:
    # Without O_NONBLOCK a FIFO that somebody put there is waited for until it has a reader.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with storage_errors(path):
        return os.open(path, flags, 0o666)


def taken(descriptor: int, path: Path, *, shared: bool = False) -> bool:
    """Whether the lock that is the open file *path* could be had at once.

    Where the descriptor had it in the other way, it has lost that if not.

    :param shared: with others that share it, and with none that does not.
    :raises OSError: it cannot be told.
    :raises StorageError: its file system has no locks.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise StorageError(
            f"the file system of {path.parent} has no locks, by which runs wait for one another",
            hint="put the store on a local disk: set WHEELHOUSE_CACHE to a folder there",
        ) from error
    return True
