"""The root of a store: what makes a folder one, and what tells that it is.

A root that we make says that it is a cache (https://bford.info/cachedir/), so that backups leave it
out; by the same file it is known for ours.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from wheelhouse.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = ("blobs", "records", "locks", "partial", "logs", "tmp")

#: The file that tells of a cache, and what it begins with.
TAG = "CACHEDIR.TAG"
_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55\n"
_OURS = _SIGNATURE + b"# This is wheelhouse's store: `wheelhouse store show` tells of it.\n"


def make_root(root: Path) -> None:
    """Have all folders of a store be at *root*; if there was nothing, tell whose it is.

    :raises OSError: they cannot be made.
    """
    root.mkdir(parents=True, exist_ok=True)
    if _is_empty(root):
        with suppress(FileExistsError), (root / TAG).open("xb") as file:
            file.write(_OURS)
    for name in FOLDERS:
        (root / name).mkdir(exist_ok=True)


def is_there(root: Path) -> bool:
    """Whether there is a store at *root*; if there is nothing at all, there is none.

    :raises StorageError: something else is there.
    :raises OSError: it cannot be read.
    """
    if not os.path.lexists(root) or _is_empty(root):
        return False
    if not _has_tag(root) and not all(_is_folder(root / name) for name in ("blobs", "records")):
        raise StorageError(
            f"{root} is no store: it has other files, and nothing of wheelhouse's",
            hint="set WHEELHOUSE_CACHE to the folder of the store",
        )
    return True


def _is_empty(root: Path) -> bool:
    with os.scandir(root) as found:
        return next(found, None) is None


def _has_tag(root: Path) -> bool:
    with suppress(OSError):
        descriptor = os.open(root / TAG, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(len(_OURS)) == _OURS
    return False


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
