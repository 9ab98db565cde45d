"""Writing so that no crash leaves half of anything: flushed first, then renamed.

A rename that a power cut undoes costs nothing but the work. What must never be is a final name
with nothing, or half of it, behind: so a file's bytes are on the disk before it gets its name, and
the name is on the disk (its folder is flushed) before anybody is told that it is there.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import re
import shutil
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.errors import StorageError
from wheelhouse.text import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, BinaryIO

#: What the system says of a disk, or of a user's share of one, that takes no more bytes or files.
_FULL = {errno.ENOSPC, errno.EDQUOT}

#: What it says of a place where nothing can be written at all.
_NO_FOLDER = {errno.ENOTDIR, errno.EEXIST}
_UNWRITABLE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
    *_NO_FOLDER,
}

#: What file systems without a flush of folders, or of anything, say.
_NO_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EROFS}

#: Seconds after which a file that is still being written belongs to a run that is no more.
_STALE = 60.0

#: The names of files that are being written.
_LEFT = re.compile(r"\..+\.(?P<pid>\d+)-\d+\.tmp")

#: Bytes that a place must take to be called writable: enough to need a block of a disk.
_PROBE = 1 << 16


#: The folders that this process removes before it ends.
_temporaries: set[Path] = set()


@contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """Turn the errors of a full or unwritable disk into a StorageError that names *place*.

    What concerns a file elsewhere is not *place*'s fault: if that disk is full, it is named; else
    the error is passed on.
    """
    try:
        yield
    except OSError as error:
        elsewhere = _elsewhere(error, place)
        if error.errno in _FULL:
            raise full(elsewhere or place) from error
        # A refusal that names no file is one of a connection, or of another thing that is no disk.
        if error.errno in _UNWRITABLE and error.filename is not None and elsewhere is None:
            reason = "it is no folder" if error.errno in _NO_FOLDER else error.strerror
            raise StorageError(
                f"cannot write to {place}: {reason}",
                hint="choose a folder that you may write to",
            ) from error
        raise


def _elsewhere(error: OSError, place: Path) -> Path | None:
    """The file that *error* is about, if it names one that is not at or below *place*."""
    if not isinstance(error.filename, str | bytes):
        return None
    path = Path(os.fsdecode(error.filename)).absolute()
    above = place.absolute()
    return None if path.is_relative_to(above) or above.is_relative_to(path) else path


def full(place: Path, more: str = "") -> StorageError:
    """The error of a disk without room, *more* of which may be known."""
    return StorageError(
        f"the disk is full: {place}{more}", hint="make room there, then run the command again"
    )


def flush(file: BinaryIO) -> None:
    """Have all that was written to *file* on the disk. Raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def flush_path(path: Path) -> None:
    """Have the file, or the names in the folder, at *path* on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str) -> None:
    """Put *text* into the file *path* in one step, whoever else does so at this time.

    :raises StorageError: the disk is full, or its folder cannot be written to. The file is then
        as it was.
    """
    mine = f"{os.getpid()}-{threading.get_ident()}"
    temporary = path.with_name(f".{path.name}.{mine}.tmp")
    with storage_errors(path.parent):
        remove_leftovers(path.parent, f".{path.name}.")
        try:
            with temporary.open("wb") as file:
                file.write(text.encode())
                flush(file)
            temporary.replace(path)
            flush_path(path.parent)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, prefix: str = ".", ended: int | None = None) -> None:
    """Remove what runs that were killed in the middle of :func:`replace_text` left in *folder*.

    :param prefix: what its names begin with.
    :param ended: a process ID whose process is known to be no more. Of other processes, who still
        writes took less than a minute.
    :raises OSError: there is no such folder.
    """
    for path in folder.iterdir():
        match = _LEFT.fullmatch(path.name)
        if match and path.name.startswith(prefix):
            with contextlib.suppress(OSError):  # another run may be about the same
                if match["pid"] == str(ended) or time.time() - path.lstat().st_mtime > _STALE:
                    path.unlink()


@contextmanager
def temporary_file(folder: Path | None = None) -> Iterator[IO[bytes]]:
    """A file without a name, in this machine's folder for such if *folder* is not given.

    :param folder: for what is long: a machine's own place may be memory.
    :raises StorageError: the disk is full there.
    """
    folder = folder or Path(tempfile.gettempdir())
    with storage_errors(folder), tempfile.TemporaryFile(dir=folder) as file:
        yield file


def check_writable(folder: Path) -> None:
    """Find out, by writing something, whether *folder* can be written to, or could be made.

    :raises StorageError: it cannot, or its disk is full.
    """
    there = existing(folder)
    # The file has no name, so a kill leaves nothing.
    with storage_errors(there), tempfile.TemporaryFile(dir=there) as file:
        file.write(bytes(_PROBE))
        file.flush()
        os.fsync(file.fileno())


def check_room(folder: Path, needed: int) -> None:
    """Find out whether *needed* bytes have room in *folder*, which need not be there yet.

    :raises StorageError: they have not.
    """
    free = free_room(folder)
    if free is not None and needed > free:
        raise no_room(folder, needed, free)


def free_room(folder: Path) -> int | None:
    """The bytes that have room in *folder*, which need not be there yet; None if none can tell."""
    try:
        found = os.statvfs(existing(folder))
    except OSError:
        return None  # whoever writes there is told what is wrong
    # Some network file systems tell nothing of their size.
    return found.f_bavail * found.f_frsize if found.f_blocks else None


def no_room(folder: Path, needed: int, free: int) -> StorageError:
    """The error of a *folder* that has room for *free* bytes, of which *needed* are to come."""
    return full(folder, f" has room for {human_size(free)}, and {human_size(needed)} are to come")


def existing(folder: Path) -> Path:
    """*folder*, or the nearest of the folders it is to lie in that is there."""
    return next(
        (each for each in (folder, *folder.parents) if os.path.lexists(each)), folder.absolute()
    )


@contextmanager
def temporary(folder: Path) -> Iterator[Path]:
    """Within the block *folder* is this process's own; it is removed at the end, however that is.

    But for a kill: after one, the next run clears up.
    """
    _temporaries.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _temporaries.discard(folder)


@atexit.register
def remove_temporaries() -> None:
    """Remove all of them now, because this process ends without leaving the blocks.

    Threads that nobody waits for are in theirs when a process ends.
    """
    for folder in list(_temporaries):
        shutil.rmtree(folder, ignore_errors=True)
