"""Leases: what tells that a run is using the store, and since when.

A run marks what it uses with the present time. So what has an older mark than the lease of any run
that lives is used by none of them, and may be removed.

A mark is a file's time of access, which says when somebody last read it anyway. The time of change
is none: wheelhouses have hard links to files of the store, and who copies those looks at it.

A lease is a folder that its run holds a lock on, which ends with the run, whatever ends that. All
times are by the clock of the run, so that its marks are never older than its lease.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
import weakref
from pathlib import Path


class Lease:
    """A lease in *folder*, which lasts as long as this object. Raises OSError.

    To be made where nobody asks for the :func:`oldest`.

    :ivar since: when it began, in nanoseconds since 1970.
    """

    def __init__(self, folder: Path) -> None:
        path = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=folder))
        self._path = path
        self._end = weakref.finalize(self, _give_up, path, hold(path), os.getpid())
        self.since = time.time_ns()
        os.utime(path, ns=(self.since, self.since))

    def is_marked(self, found: os.stat_result) -> bool:
        """Whether what was *found* has been marked since this lease began."""
        return used_at(found) >= self.since

    def mark(self, path: Path, found: os.stat_result) -> None:
        """Mark what was *found* at *path* as used now. Raises FileNotFoundError."""
        now = max(time.time_ns(), self.since)  # clocks may be put back
        try:
            os.utime(path, ns=(now, found.st_mtime_ns), follow_symlinks=False)
        except PermissionError:  # another user's: as long as this lease lasts, all is to be kept
            os.utime(self._path, ns=(0, 0))


def used_at(found: os.stat_result) -> int:
    """When the file that was *found* was last used, or written, in nanoseconds since 1970."""
    return max(found.st_atime_ns, found.st_mtime_ns)


def oldest(folder: Path) -> int | None:
    """When the oldest living lease in *folder* began, in nanoseconds since 1970; None: none lives.

    :raises OSError: the folder cannot be read.
    """
    living = [path.lstat().st_mtime_ns for path in folder.iterdir() if is_held(path)]
    return min(living, default=None)


def hold(folder: Path) -> int:
    """Hold *folder* until what this returns is closed, or this process ends. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    with contextlib.suppress(OSError):  # some network file systems have no such locks
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_held(folder: Path) -> bool:
    """Whether somebody who lives holds *folder*."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _give_up(path: Path, descriptor: int, pid: int) -> None:
    if pid == os.getpid():  # in a fork it is the parent's
        with contextlib.suppress(OSError):
            path.rmdir()
    os.close(descriptor)
