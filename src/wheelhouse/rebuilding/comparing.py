"""In what two wheels differ, member by member. Pure, but for reading them."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from wheelhouse.rebuilding.contents import content_difference
from wheelhouse.store import sha256_of
from wheelhouse.text import counted
from wheelhouse.wording import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

RECORD = ".dist-info/RECORD"

Kind = Literal["name", "missing", "added", "order", "time", "mode", "content", "archive"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One way in which a wheel is not as the one before.

    :ivar member: the path in the archive; empty for the archive itself.
    :ivar detail: what it is, in one clause without a subject.
    """

    member: str
    kind: Kind
    detail: str

    def __str__(self) -> str:
        return f"{printable(self.member)}: {self.detail}" if self.member else self.detail

    def to_dict(self) -> dict[str, str]:
        """For ``--json``."""
        return asdict(self)


def compare_wheels(before: Path, after: Path) -> tuple[Difference, ...]:
    """In what the wheel *after* is not as *before*; nothing if their bytes are the same.

    Both have been through the gate, so what their directories say of their members is true. A
    difference in RECORD that only follows from others is left out.

    :raises zipfile.BadZipFile: one of them is no archive after all.
    """
    found = []
    if before.name != after.name:
        detail = f"its file is {printable(after.name)} instead of {printable(before.name)}"
        found.append(Difference(member="", kind="name", detail=detail))
    if sha256_of(before) == sha256_of(after):
        return tuple(found)
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(after) as new:
        found += _archives(old, new)
    if not found:
        detail = "all members are the same, but not how they are compressed"
        found.append(Difference(member="", kind="archive", detail=detail))
    return tuple(found)


def _archives(old: zipfile.ZipFile, new: zipfile.ZipFile) -> Iterator[Difference]:
    before = {each.filename: each for each in old.infolist()}
    after = {each.filename: each for each in new.infolist()}
    for name in sorted(before.keys() - after.keys()):
        yield Difference(member=name, kind="missing", detail="is missing")
    for name in sorted(after.keys() - before.keys()):
        yield Difference(member=name, kind="added", detail="is new")
    shared = [name for name in before if name in after]
    changed = [name for name in shared if _content(before[name]) != _content(after[name])]
    explained = {*changed, *(before.keys() ^ after.keys())}
    for name in changed:
        data = old.read(name), new.read(name)
        if not (name.endswith(RECORD) and _follows(*data, explained - {name})):
            yield Difference(member=name, kind="content", detail=content_difference(*data))
    yield from _order(shared, [name for name in after if name in before])
    yield from _attributes("time", [(n, _time(before[n]), _time(after[n])) for n in shared])
    yield from _attributes("mode", [(n, _mode(before[n]), _mode(after[n])) for n in shared])


def _content(member: zipfile.ZipInfo) -> tuple[int, int]:
    return member.CRC, member.file_size


def _time(member: zipfile.ZipInfo) -> str:
    year, month, day, hour, minute, second = member.date_time
    return f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"


def _mode(member: zipfile.ZipInfo) -> str:
    mode, system = member.external_attr >> 16, member.external_attr & 0xFFFF
    return f"{mode:o}" + (f" and {system:#x}" if system else "")


def _follows(before: bytes, after: bytes, changed: Collection[str]) -> bool:
    """Whether two RECORDs differ in nothing but the lines of what has *changed*."""
    lines = [data.decode("utf-8", "replace").splitlines() for data in (before, after)]
    rows = [[row for row in csv.reader(each) if row and row[0] not in changed] for each in lines]
    return rows[0] == rows[1]


def _order(before: Sequence[str], after: Sequence[str]) -> Iterator[Difference]:
    for one, other in zip(before, after, strict=True):
        if one != other:
            detail = f"its members are in another order: {printable(other)} before {printable(one)}"
            yield Difference(member="", kind="order", detail=detail)
            return


def _attributes(kind: Kind, told: Sequence[tuple[str, str, str]]) -> Iterator[Difference]:
    """One for all members whose attribute *kind*, told as (member, before, after), differs."""
    differing = [(name, old, new) for name, old, new in told if old != new]
    if differing:
        name, old, new = differing[0]
        more = f" (and of {counted(len(differing) - 1, 'member')} more)" if differing[1:] else ""
        yield Difference(member=name, kind=kind, detail=f"its {kind}{more}: {old} became {new}")
