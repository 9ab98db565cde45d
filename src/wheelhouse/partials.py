"""Files that are still coming.

What has come stays, whatever ends the run, and the next one goes on from there. It vouches for
nothing: all of it is hashed, what came earlier too, before it is a file of the store.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheelhouse.durable import flush
from wheelhouse.locks import is_at, locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO
    from pathlib import Path


class Partial:
    """The first bytes of a file, of which there will be more. Raises OSError where it writes.

    :ivar path: where they are.
    :ivar size: how many.
    """

    def __init__(self, path: Path, file: FileIO) -> None:
        self.path = path
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._digest = hashlib.file_digest(file, "sha256")

    @property
    def sha256(self) -> str:
        """The SHA-256 of what there is."""
        return self._digest.hexdigest()

    def append(self, piece: bytes) -> None:
        """Put *piece* at its end."""
        left = memoryview(piece)
        while left:
            left = left[self._file.write(left) :]
        self.size += len(piece)
        self._digest.update(piece)

    def restart(self) -> None:
        """Forget all of it."""
        self._file.truncate(0)
        self._file.seek(0)
        self.size = 0
        self._digest = hashlib.sha256()

    def flush(self) -> None:
        """Have it on the disk."""
        flush(self._file)

    def drop(self) -> None:
        """Remove it. Nobody else waits for the same file but would begin anew anyway."""
        self.path.unlink(missing_ok=True)


@contextmanager
def partial_at(path: Path, check: Callable[[], None] = lambda: None) -> Iterator[Partial]:
    """The partial file at *path*, made if there is none; nobody else has it meanwhile.

    If nothing came, or it cannot be written, nothing is left of it.

    :param check: called now and then while another run has it; raises to wait no longer.
    :raises StorageError: there can be no locks there.
    """
    _clear(path)
    with (
        locked(path, check) as descriptor,
        os.fdopen(os.dup(descriptor), "r+b", buffering=0) as file,
    ):
        partial = Partial(path, file)
        try:
            yield partial
        except OSError:
            if is_at(path, descriptor):  # or it is a file of the store by now
                partial.restart()
            raise
        finally:
            if not partial.size and is_at(path, descriptor):
                partial.drop()


def _clear(path: Path) -> None:
    """Remove what is at *path* unless it is a file."""
    with contextlib.suppress(OSError):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            shutil.rmtree(path)
        elif not stat.S_ISREG(mode):
            path.unlink()
