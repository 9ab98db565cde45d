"""An sdist as an archive, of either kind, read once from front to back.

What comes out of :func:`read_archive` stays in its folder wherever it is unpacked: the agent
unpacks by it, and the host reads by it what an sdist says of itself, so both see the same files.

The specification: https://packaging.python.org/en/latest/specifications/source-distribution-format/
"""

from __future__ import annotations

import calendar
import os
import stat
from typing import IO, TYPE_CHECKING

from . import strictzip
from .streams import ArchiveProblem, Unpacked, bound
from .stricttar import Member, read_tar

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MEMBERS = 100_000
MAX_NAME = 4096
MAX_DEPTH = 100
#: Bytes of one part of a name, on every disk.
MAX_PART = 255
#: Names, and letters of them all, those of folders counted that have no member of their own.
MAX_NAMES = 150_000
MAX_LETTERS = 32 << 20

_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")


def read_archive(path: str, *, one_top: bool = True) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """Each member of the archive at *path* with its content, which is there until the next one.

    Names are clean: relative, without ``.`` and ``..``, each only once, and none lies behind a
    link. Links lead to what is inside, hard ones to a file that has come before. What is wrong
    with a member is told when its turn comes, so all of them have to be read.

    :param one_top: all of it has to be in one folder, as in an sdist.
    :raises ArchiveProblem: what is wrong with it.
    :raises OSError: it cannot be read at all.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ArchiveProblem("it is not a regular file")
        zipped = file.read(4) in _ZIPS
        file.seek(0)
        size = status.st_size
        members = _read_zip(file, size) if zipped else read_tar(Unpacked(file, size))
        yield from _checked(members, size, _Seen(one_top=one_top))


def is_zip(path: str | os.PathLike[str]) -> bool:
    """Whether the archive at *path* is a zip: a tar that ends with one is none."""
    with open(path, "rb") as file:
        return file.read(4) in _ZIPS


def _checked(
    members: Iterator[tuple[Member, Iterator[bytes]]], packed: int, seen: _Seen
) -> Iterator[tuple[Member, Iterator[bytes]]]:
    size = 0
    for count, (member, content) in enumerate(members, 1):
        if count > MAX_MEMBERS:
            raise ArchiveProblem(f"it has more than {MAX_MEMBERS:,} members")
        size += member.size
        bound(size, packed)
        clean = seen.add(member)
        if clean is not None:
            yield clean, content
    if not seen.top:
        raise ArchiveProblem("it has no members")


class _Seen:
    """What has come of an archive so far: its names, by what they are."""

    def __init__(self, *, one_top: bool) -> None:
        self.top = ""
        self._one_top = one_top
        self._letters = 0
        self._kinds: dict[str, str] = {}

    def add(self, member: Member) -> Member | None:
        """*member* with a clean name; None for the folder that everything is in (``./``)."""
        name = _clean(member.name)
        if not name and member.kind == "folder":
            return None
        top, _, rest = name.partition("/")
        if self._one_top and not rest and member.kind != "folder":
            raise ArchiveProblem(
                f"{name} is not in a top folder NAME-VERSION/, as everything is in an sdist"
            )
        if self._one_top and self.top not in ("", top):
            raise ArchiveProblem(f"it has more than one top folder: {self.top}, {top}")
        self.top = top
        self._check_way(name)
        there = self._kinds.get(name)
        if there is not None and (there, member.kind) != ("folder", "folder"):
            raise ArchiveProblem(f"{name} is there twice")
        target = self._target(name, member)
        self._note(name, member.kind)
        return Member(name, member.kind, member.size, member.mode, member.mtime, target)

    def _check_way(self, name: str) -> None:
        """Only through folders; those that have no member of their own become known."""
        at = name.rfind("/")
        while at > 0:
            folder = name[:at]
            kind = self._kinds.get(folder)
            if kind == "folder":
                return
            if kind is not None:
                raise ArchiveProblem(f"{name} lies behind a {kind}")
            self._note(folder, "folder")
            at = name.rfind("/", 0, at)

    def _note(self, name: str, kind: str) -> None:
        if name not in self._kinds:
            self._letters += len(name)
        if len(self._kinds) >= MAX_NAMES or self._letters > MAX_LETTERS:
            raise ArchiveProblem("it has too many files and folders")
        self._kinds[name] = kind

    def _target(self, name: str, member: Member) -> str:
        if member.kind == "link":
            return _inside(name, member.target)
        if member.kind != "hard link":
            return ""
        original = _clean(member.target)
        if self._kinds.get(original) != "file" and self._kinds.get(original) != "hard link":
            raise ArchiveProblem(f"{name} is a second name of {member.target}, which is no file")
        return original


def _clean(name: str) -> str:
    """The path that *name* is below wherever it is unpacked."""
    if len(name) > MAX_NAME:
        raise ArchiveProblem(f"it has a name of {len(name):,} characters")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise ArchiveProblem(f"{name} is outside its folder")
    if len(parts) > MAX_DEPTH or any(len(os.fsencode(part)) > MAX_PART for part in parts):
        raise ArchiveProblem("it has a name that not every disk can hold")
    return "/".join(parts)


def _inside(name: str, target: str) -> str:
    """Only first up, then down: so it stays inside, whatever the links are on its way down."""
    parts = [part for part in target.split("/") if part not in ("", ".")]
    down = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    outside = target.startswith("/") or ".." in parts[down:] or down >= name.count("/")
    if outside or len(target) > MAX_NAME:
        raise ArchiveProblem(f"{name} is a link that leads outside its folder")
    return target


# --- zip ---------------------------------------------------------------------------------------


def _read_zip(file: IO[bytes], size: int) -> Iterator[tuple[Member, Iterator[bytes]]]:
    try:
        entries = strictzip.read_directory(file, size, max_entries=MAX_MEMBERS)
        starts, problems = strictzip.check_tiling(
            file, entries, strictzip.directory_start(file, size)
        )
        if problems:
            raise ArchiveProblem(problems[0])
        for entry in entries:
            content = _zipped(strictzip.stream(file, entry, starts[entry.offset]))
            yield _zip_member(entry), content
            for _ in content:  # whoever does not want it has to know whether it is whole
                pass
    except strictzip.ZipProblem as problem:
        raise ArchiveProblem(str(problem)) from None


def _zipped(content: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from content
    except strictzip.ZipProblem as problem:
        raise ArchiveProblem(str(problem)) from None


def _zip_member(entry: strictzip.Entry) -> Member:
    name, kind = entry.name, stat.S_IFMT(entry.mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveProblem(f"{name} is a link, a device or a pipe")
    if "\\" in name:
        raise ArchiveProblem(f"{name} has a backslash in its name")
    if not entry.is_folder and (entry.marked_folder or kind == stat.S_IFDIR):
        raise ArchiveProblem(f"{name} is a folder by its mode and a file by its name")
    if entry.is_folder and entry.size:
        raise ArchiveProblem(f"{name} is a folder with contents of its own")
    return Member(
        name, "folder" if entry.is_folder else "file", entry.size, entry.mode, _seconds(entry.time)
    )


def _seconds(moment: int) -> int:
    """The seconds since 1970 of a time as DOS has it, which we take for UTC."""
    day, clock = moment >> 16, moment & 0xFFFF
    date = (1980 + (day >> 9), max(1, day >> 5 & 15), max(1, day & 31))
    return calendar.timegm((*date, clock >> 11, clock >> 5 & 63, (clock & 31) * 2))
