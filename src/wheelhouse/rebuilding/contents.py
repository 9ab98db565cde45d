"""In what two versions of a file differ, in one clause. Pure."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from wheelhouse.rebuilding.sections import MAGIC, read_sections
from wheelhouse.text import counted
from wheelhouse.wording import listed, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes in which differences are looked for.
LOOKED_AT = 32 << 20

#: Sections that follow from others: a hash of all, and where things lie.
FOLLOWING = frozenset({".note.gnu.build-id", ".gnu_debuglink", ".shstrtab"})

#: Characters of a line that are shown, and bytes around the first one that differs.
SHOWN, AROUND = 60, 24

#: Sections that are named.
NAMED = 6

#: Bytes that are compared at once; only where they differ, one by one.
BLOCK = 1 << 12


def content_difference(before: bytes, after: bytes) -> str:
    """What of *after* is other than in *before*, which is not the same."""
    if before.startswith(MAGIC) and after.startswith(MAGIC):
        return _elf(before, after) or _binary(before, after)
    try:
        return _text(before.decode("utf-8"), after.decode("utf-8")) or _binary(before, after)
    except UnicodeDecodeError:
        return _binary(before, after)


def _text(before: str, after: str) -> str:
    """The first line that differs; empty if it is no text."""
    if "\0" in before + after:
        return ""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if sorted(old) == sorted(new):
        return f"the same {counted(len(old), 'line')} in another order"
    lines = [
        (number, one, other)
        for number, (one, other) in enumerate(zip_longest(old, new, fillvalue=""), 1)
        if one != other
    ]
    number, one, other = lines[0]
    if one.endswith("\n") and other.endswith("\n"):
        one, other = one[:-1], other[:-1]
    more = f"; {counted(len(lines), 'line')} in all" if len(lines) > 1 else ""
    start = _shared(one, other)
    return f"line {number}: {_clip(one, start)} became {_clip(other, start)}{more}"


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next(at for at, (a, b) in enumerate(zip_longest(one, other)) if a != b)


def _clip(line: str, start: int) -> str:
    """*line* in quotes; of a long one what is around *start*."""
    if not line:
        return "nothing"
    begin = max(0, start - SHOWN // 3) if len(line) > SHOWN else 0
    part = printable(line[begin : begin + SHOWN])
    return '"' + ("…" if begin else "") + part + ("…" if begin + SHOWN < len(line) else "") + '"'


def _elf(before: bytes, after: bytes) -> str:
    """The sections that differ, but for those that follow from others; empty if none does."""
    old, new = read_sections(before), read_sections(after)
    parts = []
    differing = [name for name in old if name in new and old[name] != new[name]]
    told = [name for name in differing if name not in FOLLOWING] or differing
    if told:
        named = [printable(name) for name in told[:NAMED]]
        named += [f"{len(told) - NAMED} more"] if len(told) > NAMED else []
        first = told[0]
        noun = "section" if len(told) == 1 else "sections"
        parts.append(f"{noun} {listed(named)} ({_binary(old[first], new[first])})")
    for what, names in (
        ("new", [name for name in new if name not in old]),
        ("missing", [name for name in old if name not in new]),
    ):
        if names:
            parts.append(f"{what}: {listed([printable(name) for name in names[:NAMED]])}")
    return "; ".join(parts)


def _binary(before: bytes, after: bytes) -> str:
    """Where bytes differ, how many, and the text there, if it is some."""
    size = "" if len(before) == len(after) else f"{len(before):,} bytes became {len(after):,}"
    offsets = _differing(before, after)
    first = next(offsets, None)
    if first is None:
        return size or f"differs after {LOOKED_AT:,} bytes"
    where = f"from offset {first:,}"
    told = f"{size}, {where}" if size else f"{counted(1 + sum(1 for _ in offsets), 'byte')} {where}"
    shown = [_printed(data, first) for data in (before, after)]
    return told + (f": {shown[0]} became {shown[1]}" if all(shown) else "")


def _differing(before: bytes, after: bytes) -> Iterator[int]:
    """The offsets of bytes that differ, as far as both go."""
    for start in range(0, min(len(before), len(after), LOOKED_AT), BLOCK):
        one, other = before[start : start + BLOCK], after[start : start + BLOCK]
        if one != other:
            pairs = enumerate(zip(one, other, strict=False), start)
            yield from (at for at, (a, b) in pairs if a != b)


def _printed(data: bytes, at: int) -> str:
    """The printable text of *data* around *at*, in quotes; empty if there is hardly any."""
    start = at
    while start > max(0, at - AROUND) and 32 <= data[start - 1] < 127:
        start -= 1
    end = at
    while end < min(len(data), at + AROUND) and 32 <= data[end] < 127:
        end += 1
    return f'"{printable(data[start:end].decode())}"' if end - start >= 4 else ""
