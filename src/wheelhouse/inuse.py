"""Who is using a store: a run shares one lock for its life; who makes it smaller has it alone.

So nothing that a run has seen, or counts on, is removed while that run lives. There is nothing else
to be safe by: no clock, and no list of runs.

The lock is one file that is never removed. It is any user's, since users may share a store. Where
it cannot be had, for whatever reason, the store counts as in use.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from wheelhouse.durable import storage_errors
from wheelhouse.errors import StorageError
from wheelhouse.locks import WAIT, is_at, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: The file, in the root of a store.
NAME = "in-use.lock"

#: Seconds for which one waits without a word.
PATIENCE = 1.0

_OTHERS = "other runs are using the store: waiting until they have ended"
_ANOTHER = "the store is being pruned: waiting until that has ended"

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MODE = 0o666


class Hold:
    """A hold on the store at *root*, shared with other runs, for as long as this object lives.

    :param tell: is told once if it has to wait for longer than a moment.
    :raises StorageError: it cannot be had; the message tells why.
    """

    def __init__(self, root: Path, tell: Callable[[str], None] = lambda _: None) -> None:
        self._path = root / NAME
        with storage_errors(root):
            while True:
                self._descriptor = _opened(self._path)
                end = weakref.finalize(self, os.close, self._descriptor)
                self._take(lambda: None, tell, shared=True)
                if is_at(self._path, self._descriptor):
                    return
                end()  # somebody has removed the whole store meanwhile

    @contextmanager
    def alone(
        self, check: Callable[[], None] = lambda: None, tell: Callable[[str], None] = lambda _: None
    ) -> Iterator[None]:
        """Within the block no other run has a hold; who wants one waits.

        While this waits, and after an error, it has none itself.

        :param check: called now and then while others have one; raises to wait no longer.
        :param tell: is told once if it has to wait for longer than a moment.
        :raises StorageError: it cannot be had.
        """
        try:
            self._take(check, tell, shared=False)
            self._check_there()
            yield
        except BaseException:
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            raise
        self._take(check, tell, shared=True)

    def _check_there(self) -> None:
        if not is_at(self._path, self._descriptor):
            raise StorageError(f"somebody has removed {self._path}", hint="run the command again")

    def _take(
        self, check: Callable[[], None], tell: Callable[[str], None], *, shared: bool
    ) -> None:
        # The same descriptor each time: a second one would wait for this one for ever.
        until, told = time.monotonic() + PATIENCE, False
        while not self._taken(shared=shared):
            check()
            if not told and time.monotonic() >= until:
                told = True
                tell(_ANOTHER if shared else _OTHERS)
            time.sleep(WAIT)

    def _taken(self, *, shared: bool) -> bool:
        try:
            return taken(self._descriptor, self._path, shared=shared)
        except OSError as error:
            raise StorageError(
                f"cannot lock {self._path}: {error.strerror}",
                hint="put the store on a local disk: set WHEELHOUSE_CACHE to a folder there",
            ) from error


def _opened(path: Path) -> int:
    """The file at *path*, open, and made if there is none."""
    descriptor = _open(path)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise StorageError(f"{path} is no file", hint="remove it: a lock has to be there")
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != _MODE:
        with suppress(OSError):  # whatever the umask says: others have to lock it, too
            os.fchmod(descriptor, _MODE)
    return descriptor


def _open(path: Path) -> int:
    with suppress(FileNotFoundError):
        try:
            return os.open(path, os.O_RDWR | _FLAGS)  # a full disk has no room for a new one
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS}:
                raise
            return os.open(path, os.O_RDONLY | _FLAGS)  # enough for the locks of a local disk
    return os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, _MODE)
