"""What a store holds, and what that takes of its disk. Only looks; nothing counts as used by it.

All that runs have put there is counted, and nothing else. What vanishes meanwhile, or may not be
looked into, is left out.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from wheelhouse.leftovers import NAMES, entries, leftovers
from wheelhouse.marks import used_at
from wheelhouse.store import read_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Kind = Literal[
    "downloads", "built", "records", "images", "partial", "logs", "temporary", "locks", "damaged"
]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: The records of when images were used. They are of use as long as the images are there.
IMAGE_USES = "image"

#: Bytes of what ``st_blocks`` counts, on whatever file system.
_BLOCK = 512

_SHARD = re.compile(r"[0-9a-f]{2}")
_BLOB = re.compile(r"[0-9a-f]{64}")
_RECORDS = re.compile(r"[a-z][a-z-]*")
_RECORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.json")

#: All but the one that is held while others are dropped or made.
_LOCK = re.compile(r"(?!settling\.)[A-Za-z0-9][A-Za-z0-9._-]*\.lock")


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """One thing in a store.

    :ivar kind: ``damaged`` is what is no file where one should be.
    :ivar size: the bytes of the disk that it takes.
    :ivar used: when it was last used or written, in nanoseconds since 1970.
    :ivar shared: whether it has other names, in wheelhouses: to remove this one frees nothing.
    :ivar over: whether any run would remove it: see :mod:`wheelhouse.leftovers`.
    """

    kind: Kind
    path: Path
    size: int
    used: int
    shared: bool = False
    over: bool = False


def holdings(root: Path, builds: Iterable[str]) -> list[Holding]:
    """All that runs have put into the store at *root*.

    :param builds: the kinds of records that tell of what was built.
    """
    built = {sha256 for kind in builds for sha256 in _built(root, kind)}
    over = set(leftovers(root))
    found = [
        *_in_folders(root / "blobs", _SHARD, _BLOB, "downloads"),
        *_in_folders(root / "records", _RECORDS, _RECORD, "records"),
        *_in(root / "partial", NAMES["partial"], "partial"),
        *_in(root / "logs", NAMES["logs"], "logs"),
        *_in(root / "locks", _LOCK, "locks"),
        *(_whole(each) for each in _in(root / "tmp", NAMES["tmp"], "temporary")),
    ]
    return [replace(each, kind=_kind(each, built), over=each.path in over) for each in found]


def _kind(holding: Holding, built: set[str]) -> Kind:
    if holding.kind == "downloads" and holding.path.name in built:
        return "built"
    if holding.kind == "records" and holding.path.parent.name == IMAGE_USES:
        return "images"
    return holding.kind


def _in_folders(
    folder: Path, inner: re.Pattern[str], name: re.Pattern[str], kind: Kind
) -> Iterator[Holding]:
    for each in entries(folder, inner):
        yield from _in(Path(each), name, kind)


def _in(folder: Path, name: re.Pattern[str], kind: Kind) -> Iterator[Holding]:
    for each in entries(folder, name):
        with suppress(OSError):
            yield _holding(kind, Path(each), each.stat(follow_symlinks=False))


def _holding(kind: Kind, path: Path, found: os.stat_result) -> Holding:
    regular = stat.S_ISREG(found.st_mode)
    return Holding(
        kind=kind if regular or kind == "temporary" else "damaged",
        path=path,
        size=found.st_blocks * _BLOCK,
        used=used_at(found),
        shared=regular and found.st_nlink > 1,
    )


def _whole(holding: Holding) -> Holding:
    """A folder with what is in it."""
    return replace(holding, size=holding.size + _size_below(holding.path), shared=False)


def _size_below(folder: Path) -> int:
    size, pending = 0, [folder]
    while pending:
        with suppress(OSError), os.scandir(pending.pop()) as found:
            for each in found:
                with suppress(OSError):
                    size += each.stat(follow_symlinks=False).st_blocks * _BLOCK
                    if each.is_dir(follow_symlinks=False):
                        pending.append(Path(each))
    return size


def _built(root: Path, kind: str) -> Iterator[str]:
    """The SHA-256 of what the records of this *kind* tell of, as far as they can be read."""
    for each in entries(root / "records" / kind, _RECORD):
        record = read_record(root, kind, each.name.removesuffix(".json"), using=False)
        if record is not None:
            yield from _told(record)


def _told(record: dict[str, Any]) -> Iterator[str]:
    yield str(record.get("sha256", ""))
    if isinstance(facts := record.get("facts"), dict):
        yield str(facts.get("unrepaired", ""))
