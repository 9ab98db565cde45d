"""A source as a tar that is the same on every machine: names sorted, nobody's files, no times.

One folder at its top, of which nothing but regular files and links that stay inside is made.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelhouse.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: The name of the folder at the top.
TOP = "source"

#: The time of everything in it: the first that a wheel can hold, too.
MOMENT = 315_532_800

#: What one source may have: files, bytes of all.
MAX_FILES = 200_000
MAX_BYTES = 2 << 30

#: What says how a project is built.
PROJECT_FILES = ("pyproject.toml", "setup.py")

BLOCK = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A file of a source.

    :ivar path: below the top, with slashes.
    :ivar size: bytes.
    :ivar content: gives just so many bytes; raises FetchError.
    :ivar target: of a link, where it leads; it has no content then.
    """

    path: str
    size: int
    content: Callable[[], Iterable[bytes]]
    executable: bool = False
    target: str | None = None


def text_entry(path: str, text: str) -> Entry:
    """A file whose whole text is known."""
    data = text.encode()
    return Entry(path=path, size=len(data), content=lambda: [data])


def with_entries(entries: Iterable[Entry], more: Iterable[Entry]) -> list[Entry]:
    """*entries*, those of *more* in place of what has their paths."""
    return list({each.path: each for each in (*entries, *more)}.values())


def packed(entries: Iterable[Entry], check: Callable[[], None]) -> Iterator[bytes]:
    """The tar of *entries*.

    :param check: called for each; raises to stop it.
    """
    for entry in sorted(entries, key=lambda each: each.path):
        check()
        yield _header(entry)
        if entry.target is None:
            yield from entry.content()
            yield bytes(-entry.size % BLOCK)
    yield bytes(2 * BLOCK)


def _header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(f"{TOP}/{entry.path}")
    info.mtime = MOMENT
    info.mode = 0o755 if entry.executable or entry.target is not None else 0o644
    info.size = entry.size
    if entry.target is not None:
        info.type, info.linkname, info.size = tarfile.SYMTYPE, entry.target, 0
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def check_entries(entries: list[Entry], name: str, subdirectory: str) -> None:
    """See that *entries* are a project of reasonable size.

    :param name: of the source, for a person.
    :raises FetchError: they are not; or a link leads out of it.
    """
    _check_size(entries, name)
    for entry in entries:
        if entry.target is not None and not stays_inside(entry.path, entry.target):
            raise FetchError(
                f"{name}: the link {entry.path} leads out of it, to {entry.target}",
                hint="replace it by what it leads to, or exclude it from version control",
            )
    prefix = f"{subdirectory}/" if subdirectory else ""
    if not {each.path for each in entries} & {f"{prefix}{each}" for each in PROJECT_FILES}:
        place = f"{name}: {subdirectory}" if subdirectory else name
        raise FetchError(
            f"{place} is no Python project: it has neither pyproject.toml nor setup.py",
            hint="name the folder of a project; of a repository's, as `#subdirectory=…`",
        )


def _check_size(entries: list[Entry], name: str) -> None:
    size = sum(entry.size for entry in entries)
    if len(entries) <= MAX_FILES and size <= MAX_BYTES:
        return
    too_many = len(entries) > MAX_FILES
    weights: Counter[str] = Counter()
    for entry in entries:
        weights[entry.path.partition("/")[0]] += 1 if too_many else entry.size
    ((culprit, weight),) = weights.most_common(1)
    what = f"{len(entries):,} files" if too_many else f"{size >> 20:,} MiB"
    part = f"{weight:,} of them" if too_many else f"{weight >> 20:,} MiB of them"
    most = f"{MAX_FILES:,} files" if too_many else f"{MAX_BYTES >> 20:,} MiB"
    raise FetchError(
        f"{name} has {what}, {part} in {culprit}; a source may have {most}",
        hint=f"move {culprit} elsewhere, or have git ignore it",
    )


def stays_inside(path: str, target: str) -> bool:
    """Whether the link *path* leads only up, then down, and never out of the source."""
    parts = [part for part in target.split("/") if part not in ("", ".")]
    up = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    return not target.startswith("/") and ".." not in parts[up:] and up <= path.count("/")


def read(entry: Entry) -> str:
    """The text of a small file; of a link, none."""
    if entry.target is not None:
        return ""
    return b"".join(entry.content()).decode("utf-8", "replace")
