"""What a store holds, and what that takes of its disk. Only looks; nothing counts as used by it."""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from wheelhouse.durable import storage_errors
from wheelhouse.leases import used_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Kind = Literal["downloads", "built", "records", "partial", "logs", "temporary", "damaged"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: The records of when images were used. They are of use as long as the images are there.
IMAGE_USES = "image"

#: Bytes of what ``st_blocks`` counts, on whatever file system.
_BLOCK = 512

_BLOB = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """One thing in a store.

    :ivar kind: ``damaged`` is what is no file where one should be.
    :ivar size: the bytes of the disk that it takes.
    :ivar used: when it was last used or written, in nanoseconds since 1970.
    :ivar shared: whether it has other names, in wheelhouses: to remove this one frees nothing.
    """

    kind: Kind
    path: Path
    size: int
    used: int
    shared: bool = False


def holdings(root: Path, builds: Iterable[str]) -> list[Holding]:
    """All that the store at *root* holds, but for its locks and leases.

    :param builds: the kinds of records that tell of what was built.
    :raises OSError: it cannot be read.
    """
    built = {sha256 for kind in builds for sha256 in _built(root / "records" / kind)}
    with storage_errors(root):
        return [
            *_blobs(root / "blobs", built),
            *_in_folders(root / "records", "records", ".json", without=IMAGE_USES),
            *(_holding("partial", each) for each in _entries(root / "partial")),
            *(_holding("logs", each) for each in _entries(root / "logs")),
            *_below(root / "tmp"),
        ]


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        yield from found


def _blobs(folder: Path, built: set[str]) -> Iterator[Holding]:
    for each in _in_folders(folder, "downloads", ""):
        if not _BLOB.fullmatch(each.path.name):
            continue  # nobody knows what it is, so nobody touches it
        if each.kind == "downloads" and each.path.name in built:
            yield Holding(
                kind="built",
                path=each.path,
                size=each.size,
                used=each.used,
                shared=each.shared,
            )
        else:
            yield each


def _in_folders(folder: Path, kind: Kind, suffix: str, without: str = "") -> Iterator[Holding]:
    """What is in the folders of *folder* and ends in *suffix*; no link is followed."""
    for inner in _entries(folder):
        if inner.name != without and inner.is_dir(follow_symlinks=False):
            for each in _entries(Path(inner)):
                if each.name.endswith(suffix):
                    yield _holding(kind, each)


def _holding(kind: Kind, entry: os.DirEntry[str]) -> Holding:
    found = entry.stat(follow_symlinks=False)
    regular = stat.S_ISREG(found.st_mode)
    return Holding(
        kind=kind if regular else "damaged",
        path=Path(entry),
        size=found.st_blocks * _BLOCK,
        used=used_at(found),
        shared=regular and found.st_nlink > 1,
    )


def _below(folder: Path) -> Iterator[Holding]:
    """What is being written now, or was when a run was killed."""
    for each in _entries(folder):
        if each.is_dir(follow_symlinks=False):
            yield from _below(Path(each))
        else:
            with suppress(FileNotFoundError):
                yield _holding("temporary", each)


def _built(folder: Path) -> Iterator[str]:
    """The SHA-256 of what the records in *folder* tell of, as far as they can be read."""
    for each in _entries(folder):
        with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
            if each.is_file(follow_symlinks=False):
                yield from _told(json.loads(Path(each).read_bytes())["value"])


def _told(record: dict[str, Any]) -> Iterator[str]:
    yield str(record["sha256"])
    yield str(record.get("facts", {}).get("unrepaired", ""))
