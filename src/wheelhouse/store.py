"""The store: files by what they are (SHA-256), records by what they answer (a key).

Content-addressed, shared between projects and concurrent runs, safe against a kill at any
instant: everything is written under a temporary name, flushed, then renamed. What is read is
hashed again on its way, records too, so a flipped bit is found before it is used; the file is then
dropped, and had anew from where it came. Whatever else stands where a file should, a link, a FIFO
or a folder, is dropped likewise, without following it or waiting for it.

Hashes find accidents. Who may write into the store can also write what hashes right, so it belongs
to one user, or to users that trust each other.

Layout under the root::

    blobs/ab/abcdef…      files, by the SHA-256 of their bytes
    records/KIND/KEY.json answers: what a build made, what a probe saw
    locks/                one file per thing that two runs must not do at once
    partial/              what has come of files, by the SHA-256 that all of it is to have
    logs/                 the output of builds
    tmp/                  what is being written; a later run removes what a killed one left
    in-use.lock           what every run shares for its life (:mod:`wheelhouse.inuse`)
    CACHEDIR.TAG          whose it is (:mod:`wheelhouse.storeroot`)
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wheelhouse.durable import (
    check_room,
    check_writable,
    flush,
    flush_path,
    storage_errors,
    temporary,
)
from wheelhouse.inuse import Hold
from wheelhouse.leftovers import leftovers
from wheelhouse.locks import held, locked
from wheelhouse.marks import mark
from wheelhouse.partials import Partial, partial_at
from wheelhouse.storeroot import make_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from io import BufferedReader

#: Bytes of a record at most: the longest, of what a distribution has, take a hundredth of it.
RECORD = 64 << 20


def default_root() -> Path:
    """``$WHEELHOUSE_CACHE``, or ``wheelhouse`` in the user's cache folder."""
    if own := os.environ.get("WHEELHOUSE_CACHE"):
        return Path(own).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("wheelhouse")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(value: object) -> str:
    """The SHA-256 of *value*'s canonical JSON: the key of a record."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """A store under *root*, which is made if it is not there.

    Nobody prunes the store as long as this object lives.

    :param tell: is told once if this has to wait, since the store is being pruned.
    :ivar scratch: a folder for files without a name; see :meth:`workspace` for others.
    """

    def __init__(self, root: Path, tell: Callable[[str], None] = lambda _: None) -> None:
        self.root = root
        self.logs = root / "logs"
        self.scratch = root / "tmp"
        with storage_errors(root):
            make_root(root)
        self._hold = Hold(root, tell)

    def alone(
        self, check: Callable[[], None] = lambda: None, tell: Callable[[str], None] = lambda _: None
    ) -> AbstractContextManager[None]:
        """Within the block no other run has this store open; who opens it waits.

        :param check: called now and then while there are others; raises to wait no longer.
        :param tell: is told once if this waits for longer than a moment.
        :raises StorageError: the file system has no locks by which this could be known.
        """
        return self._hold.alone(check, tell)

    # -- files ---------------------------------------------------------------------------------

    def blob(self, sha256: str) -> Path:
        """Where the file with this hash is, or would be. Raises ValueError if it is no SHA-256."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):  # or it could lead out of the store
            raise ValueError(f"{sha256!r} is no SHA-256")
        return self.root / "blobs" / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether the file is there. Its bytes are checked when it is read, not now."""
        return self.size(sha256) is not None

    def size(self, sha256: str) -> int | None:
        """The bytes of the file with this hash, or None if it is not there."""
        path = self.blob(sha256)
        if (found := _seen(path)) is None:
            return None
        mark(path, found)
        return found.st_size

    def begun(self, sha256: str) -> int:
        """How many bytes have come of the file with this hash, if it is still coming."""
        found = _seen(self._partial_path(sha256))
        return found.st_size if found else 0

    def verified(self, sha256: str) -> Path | None:
        """The file with this hash after reading all of it, or None.

        What is not that file is dropped.

        :raises StorageError: it cannot be dropped.
        """
        path = self.blob(sha256)
        try:
            with _regular(path) as file:
                found = os.fstat(file.fileno())
                mark(path, found)
                if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                    return path
        except FileNotFoundError:
            return None
        except OSError:
            found = None  # nothing that can be read: whatever it is, it is not that file
        self._drop(path, found)
        return None

    def _drop(self, path: Path, found: os.stat_result | None) -> None:
        """Remove what was *found* at *path*, unless another run has put something else there."""
        gone = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        with storage_errors(self.root), self.settling(), gone:
            now = path.lstat()
            if found is None or (now.st_dev, now.st_ino) == (found.st_dev, found.st_ino):
                remove(path)

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
                flush(file)
            found = digest.hexdigest()
            if expected is not None and found != expected:
                raise ValueError(found)
            self._settle(path, self.blob(found))
        return found

    def adopt(self, path: Path) -> str:
        """Move the file at *path* into the store; its SHA-256."""
        with storage_errors(self.root):
            found = sha256_of(path)
            flush_path(path)
            self._settle(path, self.blob(found))
        return found

    @contextmanager
    def partial(self, sha256: str, check: Callable[[], None] = lambda: None) -> Iterator[Partial]:
        """What has come so far of the file with this hash; no other run has it meanwhile.

        :param check: called now and then while another run has it; raises to wait no longer.
        :raises ValueError: it is no SHA-256.
        :raises StorageError: the disk is full or not writable.
        """
        path = self._partial_path(sha256)
        with storage_errors(self.root), partial_at(path, check) as partial:
            yield partial

    def _partial_path(self, sha256: str) -> Path:
        return self.root / "partial" / self.blob(sha256).name

    @contextmanager
    def nameless(self) -> Iterator[Partial]:
        """As :meth:`partial`, for a file whose hash nobody knows; nothing of it is kept."""
        with self.temporary() as path, partial_at(path) as partial:
            yield partial

    def complete(self, partial: Partial) -> str:
        """Have *partial*, all of which has come, be a file of the store; its SHA-256."""
        partial.flush()
        self._settle(partial.path, self.blob(partial.sha256))
        return partial.sha256

    def _settle(self, path: Path, destination: Path) -> None:
        self._name(path, destination, mode=0o444)

    def _name(self, path: Path, destination: Path, mode: int | None = None) -> None:
        """Give what is at *path* its final name, and *mode*."""
        now = time.time_ns()
        os.utime(path, ns=(now, now))  # what was long in coming is none the less new
        with self.settling():
            _make_folder(destination.parent)
            _make_way(destination)
            path.replace(destination)
            if mode is not None:  # not before: a partial file has to stay one that can grow
                destination.chmod(mode)
        flush_path(destination.parent)

    @contextmanager
    def settling(self) -> Iterator[None]:
        """Be the only one that gives final names, or takes them back; for moments only.

        :raises StorageError: there can be no locks in this store.
        """
        with locked(self.root / "locks" / "settling.lock"):
            yield

    # -- records -------------------------------------------------------------------------------

    def record(self, kind: str, key: str) -> dict[str, Any] | None:
        """The record, or None if there is none or it is not what was written."""
        return read_record(self.root, kind, key)

    def write_record(self, kind: str, key: str, value: dict[str, Any]) -> None:
        """Keep *value* under *key*, in place of what was there. Raises StorageError."""
        destination = self._record_path(kind, key)
        told = {"sha256": _record_digest(kind, key, value), "value": value}
        with self.temporary() as path:
            with path.open("xb") as file:
                file.write(json.dumps(told, indent=1, sort_keys=True).encode())
                flush(file)
            self._name(path, destination)

    def forget(self, kind: str, key: str) -> None:
        """Drop the record under *key*, if there is one. Raises StorageError."""
        with storage_errors(self.root), contextlib.suppress(FileNotFoundError):
            remove(self._record_path(kind, key))

    def _record_path(self, kind: str, key: str) -> Path:
        return _record_path(self.root, kind, key)

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
            with temporary(folder), held(folder):  # a process ID says nothing in another container
                yield folder

    @contextmanager
    def lock(self, name: str, check: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the lock *name* among all runs on this store. A killed holder loses it at once.

        :param check: called now and then while another run holds it; raises to wait no longer.
        :raises StorageError: there can be no locks in this store.
        """
        with locked(self.root / "locks" / f"{name}.lock", check):
            yield

    def check(self, needed: int = 0) -> None:
        """Find out whether the store can be written to and has room for *needed* bytes.

        :raises StorageError: it cannot, or has not.
        """
        check_writable(self.root / "tmp")
        check_room(self.root, needed)

    def clean(self, ended: int | None = None) -> None:
        """Remove what killed runs left in ``tmp/``, and what is too old to be wanted any more.

        :param ended: a process ID whose process is known to be no more.
        """
        for left in leftovers(self.root, ended):
            with contextlib.suppress(OSError):  # another user's, or gone: it is no part of the work
                remove(left)


def read_record(root: Path, kind: str, key: str, *, using: bool = True) -> dict[str, Any] | None:
    """See :meth:`Store.record`. For a look at one record, nothing has to be opened or made.

    :param using: whether it counts as used by this.
    """
    try:
        path = _record_path(root, kind, key)
        with _regular(path) as file:
            seen, found = os.fstat(file.fileno()), json.loads(file.read(RECORD))
        value = found["value"]
        if isinstance(value, dict) and found["sha256"] == _record_digest(kind, key, value):
            if using:
                mark(path, seen)
            return value
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    return None


def _record_path(root: Path, kind: str, key: str) -> Path:
    return root / "records" / kind / f"{key}.json"


def _seen(path: Path) -> os.stat_result | None:
    """What the regular file at *path* is like, or None if there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _record_digest(kind: str, key: str, value: dict[str, Any]) -> str:
    """What tells that a record is the one that was written, under this key and no other."""
    return digest_of([kind, key, value])


@contextmanager
def _regular(path: Path) -> Iterator[BufferedReader]:
    """The regular file at *path*, opened to be read. Raises OSError if it is anything else.

    A link is not followed, and a FIFO not waited for.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file")
        yield file


def _make_folder(folder: Path) -> None:
    """Have *folder*, in the store, be there. What else has its name is no folder, and goes."""
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        remove(folder)
        folder.mkdir(exist_ok=True)


def _make_way(destination: Path) -> None:
    """Remove a folder from where a file is to be; anything else is replaced by the rename."""
    if destination.is_dir() and not destination.is_symlink():
        remove(destination)


def remove(path: Path) -> None:
    """Remove whatever is at *path*, a folder with all that is in it, as far as that goes."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
