"""The store: files by what they are (SHA-256), records by what they answer (a key).

Content-addressed, shared between projects and concurrent runs, safe against a kill at any
instant: everything is written under a temporary name, flushed, then renamed. What is read is
hashed again on its way, so a flipped bit is found before it is used; the file is then dropped,
and had anew from where it came.

Layout under the root::

    blobs/ab/abcdef…      files, by the SHA-256 of their bytes
    records/KIND/KEY.json answers: what a build made, what a probe saw
    locks/                one file per thing that two runs must not do at once
    logs/                 the output of builds
    tmp/                  what is being written; a later run removes what a killed one left
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from wheelhouse.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BLOCK = 1 << 20

#: A temporary older than this (seconds) belongs to a run that is no more.
STALE = 24 * 3600

#: Seconds between two questions whether to go on waiting for a lock.
WAIT = 0.2


def default_root() -> Path:
    """``$WHEELHOUSE_CACHE``, or ``wheelhouse`` in the user's cache folder."""
    if own := os.environ.get("WHEELHOUSE_CACHE"):
        return Path(own).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("wheelhouse")


@contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """Turn the errors of a full or unwritable disk into a StorageError that names *place*."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageError(
                f"the disk is full: {place}", hint="make room there, then run the command again"
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}:
            raise StorageError(
                f"cannot write to {place}: {error.strerror}",
                hint="choose a folder that you may write to",
            ) from error
        raise


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(value: object) -> str:
    """The SHA-256 of *value*'s canonical JSON: the key of a record."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """A store under *root*, which is made if it is not there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.logs = root / "logs"
        with storage_errors(root):
            for name in ("blobs", "records", "locks", "logs", "tmp"):
                (root / name).mkdir(parents=True, exist_ok=True)

    # -- files ---------------------------------------------------------------------------------

    def blob(self, sha256: str) -> Path:
        """Where the file with this hash is, or would be. Raises ValueError if it is no SHA-256."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):  # or it could lead out of the store
            raise ValueError(f"{sha256!r} is no SHA-256")
        return self.root / "blobs" / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether the file is there. Its bytes are checked when it is read, not now."""
        return self.blob(sha256).is_file()

    def verified(self, sha256: str) -> Path | None:
        """The file with this hash after reading all of it, or None; a corrupt one is dropped."""
        path = self.blob(sha256)
        try:
            if sha256_of(path) == sha256:
                return path
        except FileNotFoundError:
            return None
        path.unlink(missing_ok=True)
        return None

    def add(self, chunks: Iterable[bytes], expected: str | None = None) -> str:
        """Store bytes; their SHA-256.

        :raises ValueError: they do not have the *expected* hash; nothing is stored.
        :raises StorageError: the disk is full or not writable.
        """
        digest = hashlib.sha256()
        with self.temporary() as path:
            with path.open("xb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    file.write(chunk)
                self._flush(file)
            found = digest.hexdigest()
            if expected is not None and found != expected:
                raise ValueError(found)
            self._settle(path, self.blob(found))
        return found

    def adopt(self, path: Path) -> str:
        """Move the file at *path* into the store; its SHA-256."""
        with storage_errors(self.root):
            found = sha256_of(path)
            with path.open("rb") as file:
                self._flush(file)
            self._settle(path, self.blob(found))
        return found

    def _settle(self, path: Path, destination: Path) -> None:
        destination.parent.mkdir(exist_ok=True)
        path.chmod(0o444)
        path.replace(destination)

    @staticmethod
    def _flush(file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())

    # -- records -------------------------------------------------------------------------------

    def record(self, kind: str, key: str) -> dict[str, Any] | None:
        """The record, or None if there is none or it is damaged."""
        try:
            found = json.loads(self._record_path(kind, key).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def write_record(self, kind: str, key: str, value: dict[str, Any]) -> None:
        """Keep *value* under *key*, in place of what was there."""
        destination = self._record_path(kind, key)
        with self.temporary() as path:
            with path.open("xb") as file:
                file.write(json.dumps(value, indent=1, sort_keys=True).encode())
                self._flush(file)
            destination.parent.mkdir(parents=True, exist_ok=True)
            path.replace(destination)

    def _record_path(self, kind: str, key: str) -> Path:
        return self.root / "records" / kind / f"{key}.json"

    # -- temporaries and locks -------------------------------------------------------------------

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A path for one file that does not exist yet; removed at the end if it is still there."""
        with self.workspace() as folder:
            yield folder / "file"

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """An empty folder on the store's own file system, removed at the end."""
        with storage_errors(self.root):
            folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=self.root / "tmp"))
            try:
                with _held(folder):
                    yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def lock(self, name: str, check: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the lock *name* among all runs on this store. A killed holder loses it at once.

        :param check: called now and then while another run holds it; raises to wait no longer.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.root / "locks" / f"{name}.lock")
        with storage_errors(self.root):
            while not lock.is_locked:
                with contextlib.suppress(Timeout):
                    lock.acquire(timeout=WAIT, poll_interval=WAIT / 4)
                    break
                check()
        try:
            yield
        finally:
            lock.release()

    def clean(self) -> None:
        """Remove what killed runs left in ``tmp/``, and logs nobody will read any more."""
        for folder in (self.root / "tmp").iterdir():
            pid = folder.name.partition("-")[0]
            if (not _alive(pid) or _age(folder) > STALE) and not _is_held(folder):
                shutil.rmtree(folder, ignore_errors=True)
        for log in self.logs.iterdir():
            if _age(log) > 30 * STALE:
                with contextlib.suppress(OSError):
                    log.unlink()


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Mark *folder* as in use, as long as this process lives and the block runs.

    Its name has the process's ID, which means nothing in another container that shares the store.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no such locks
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _is_held(folder: Path) -> bool:
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


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _age(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0
