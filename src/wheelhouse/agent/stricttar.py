"""Tar as a format, read in the one way that leaves no room for a second reading.

Tar has grown: two ways to say a long name, two to say a large number, headers for the next member
and for all that follow, sparse files. Programs differ in which of these they know, so an archive
can hold other files for one than for the other. Here a header that contradicts another is refused,
and so is everything that source distributions have no use for.

Pure but for the stream that is handed in. Format: POSIX.1-2017, "pax", with what GNU tar adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .streams import ArchiveProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .streams import Unpacked

BLOCK = 512
CHUNK = 1 << 20

#: Bytes of a header for another one: a long name, or what pax has to say.
MAX_HEADER = 1 << 20

_FILE, _OLD_FILE, _HARD_LINK, _LINK, _FOLDER, _CONTIGUOUS = b"0", b"\0", b"1", b"2", b"5", b"7"
_KINDS = {
    _FILE: "file",
    _OLD_FILE: "file",
    _CONTIGUOUS: "file",
    _HARD_LINK: "hard link",
    _LINK: "link",
    _FOLDER: "folder",
}
_DEVICES = {b"3", b"4", b"6"}
_PAX, _PAX_FOR_ALL, _LONG_NAME, _LONG_TARGET = b"x", b"g", b"L", b"K"

#: What the header for one member says that says it otherwise, too.
_DECISIVE = frozenset({"path", "linkpath", "size"})
_ENCODINGS = frozenset({"BINARY", "ISO-IR 10646 2000 UTF-8"})


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    :ivar name: as it is written there, with whatever it leads to.
    :ivar kind: ``file``, ``folder``, ``link`` or ``hard link``.
    :ivar size: bytes of its content.
    :ivar mtime: seconds since 1970.
    :ivar target: where a link leads.
    """

    name: str
    kind: str
    size: int
    mode: int
    mtime: int
    target: str = ""


def read_tar(stream: Unpacked) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """Each member of the tar in *stream* with its content, which is there until the next one.

    :raises ArchiveProblem: it is not an unambiguous tar, or not a whole one.
    """
    extended: dict[str, str] = {}
    while (block := stream.read(BLOCK)).strip(b"\0"):
        header = _Header(block)
        if header.type in (_PAX, _PAX_FOR_ALL, _LONG_NAME, _LONG_TARGET):
            _extend(extended, header, _data(stream, header.size))
            continue
        member = header.member(extended)
        extended = {}
        content = _Content(stream, member.size)
        yield member, content
        content.skip()
    if extended:
        raise ArchiveProblem("it ends with the header of a member that does not follow")
    while rest := stream.some(CHUNK):
        if rest.strip(b"\0"):
            raise ArchiveProblem("something follows its end")


class _Header:
    """One block of 512 bytes."""

    def __init__(self, block: bytes) -> None:
        if _number(block[148:156]) not in _sums(block[:148] + b" " * 8 + block[156:]):
            raise ArchiveProblem("it is no tar, or a header of it is damaged")
        self.type = block[156:157]
        self.size = _number(block[124:136])
        self._mode = _number(block[100:108])
        self._mtime = _number(block[136:148], signed=True)
        self._name = _text(block[:100])
        self._target = _text(block[157:257])
        prefix = _text(block[345:500])
        if prefix and block[257:263] != b"ustar\0":
            raise ArchiveProblem(f"{self._name!r}: part of its name is there for some readers only")
        if prefix and self.type not in (_LONG_NAME, _LONG_TARGET):
            self._name = f"{prefix}/{self._name}"

    def member(self, extended: Mapping[str, str]) -> Member:
        """The member that this header is of, with what *extended* ones have said of it."""
        name = extended.get("path", self._name)
        target = extended.get("linkpath", self._target)
        if self.type in _DEVICES:
            raise ArchiveProblem(f"{name} is a device or a pipe")
        kind = _KINDS.get(self.type)
        if kind is None:
            raise ArchiveProblem(f"{name} is of a type that not every reader knows")
        if name.endswith("/") and kind == "file":
            if self.type != _OLD_FILE:
                raise ArchiveProblem(f"{name} is a file by its type and a folder by its name")
            kind = "folder"
        if kind != "file" and self.size:
            raise ArchiveProblem(f"{name} is no file, and has content")
        if extended.get("size", str(self.size)) != str(self.size):
            raise ArchiveProblem(f"{name} has two sizes")
        if bool(target) != (kind in ("link", "hard link")):
            raise ArchiveProblem(f"{name} is a link by half")
        mtime = extended.get("mtime", str(self._mtime)).partition(".")[0]
        return Member(name, kind, self.size, self._mode, _decimal(mtime), target)


class _Content:
    """The content of the present member, in pieces."""

    def __init__(self, stream: Unpacked, size: int) -> None:
        self._stream = stream
        self._left = size
        self._padding = -size % BLOCK

    def __iter__(self) -> _Content:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        piece = self._stream.some(min(self._left, CHUNK))
        if not piece:
            raise ArchiveProblem("it is cut short")
        self._left -= len(piece)
        return piece

    def skip(self) -> None:
        """Go to where the next header begins."""
        for _ in self:
            pass
        self._stream.read(self._padding)


def _data(stream: Unpacked, size: int) -> bytes:
    if size > MAX_HEADER:
        raise ArchiveProblem(f"a header of it has {size:,} bytes")
    return stream.read(size + -size % BLOCK)[:size]


def _extend(extended: dict[str, str], header: _Header, data: bytes) -> None:
    """Add to *extended* what a header for another one says in *data*."""
    if header.type == _PAX_FOR_ALL:
        if _DECISIVE & dict(_records(data)).keys():
            raise ArchiveProblem("it has one name or size for all that follow")
        return
    if header.type == _PAX:
        said = dict(_records(data))
        said = {key: said[key] for key in (*_DECISIVE, "mtime") if key in said}
    else:
        key = "path" if header.type == _LONG_NAME else "linkpath"
        said = {key: _text(data)}
    if extended.keys() & said.keys():
        raise ArchiveProblem("a member of it has two headers that say the same of it")
    extended.update(said)


def _records(data: bytes) -> Iterator[tuple[str, str]]:
    """What a pax header says. Raises ArchiveProblem: it is damaged, or says one thing twice."""
    seen = set()
    at = 0
    while at < len(data):
        digits, space, _ = data[at : at + 10].partition(b" ")
        end = at + int(digits) if space and digits.isdigit() else at
        key, equals, value = data[at + len(digits) + 1 : end].partition(b"=")
        if not equals or end > len(data) or not value.endswith(b"\n"):
            raise ArchiveProblem("a pax header of it is damaged")
        name, text = key.decode("utf-8", "replace"), _decoded(value[:-1])
        if name in seen or name.startswith("GNU.sparse."):
            raise ArchiveProblem(f"a pax header of it says {name!r} twice, or of a sparse file")
        if name == "hdrcharset" and text not in _ENCODINGS:
            raise ArchiveProblem("its names are in an encoding that not every reader knows")
        if name in _DECISIVE and (not text or "\0" in text):
            raise ArchiveProblem(f"a pax header of it has a {name} that is none")
        seen.add(name)
        yield name, text
        at = end


def _sums(block: bytes) -> tuple[int, int]:
    """The sum of *block*, and what it is for programs of old that took bytes for signed numbers."""
    total = sum(block)
    return total, total if block.isascii() else total - 256 * sum(byte > 127 for byte in block)


def _text(field: bytes) -> str:
    return _decoded(field.partition(b"\0")[0])


def _decoded(data: bytes) -> str:
    """As `os.fsdecode` has it in every locale that a build has, so that every byte is kept."""
    return data.decode("utf-8", "surrogateescape")


def _number(field: bytes, *, signed: bool = False) -> int:
    """A number of a header: in octal, or in binary where it begins with a set bit (GNU)."""
    if field[0] in (0x80, 0xFF):
        if field[0] == 0xFF and not signed:
            raise ArchiveProblem("a header of it has a negative number")
        return int.from_bytes(field[1:], "big", signed=field[0] == 0xFF)
    text = field.partition(b"\0")[0].strip(b" ")
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise ArchiveProblem("it is no tar, or a header of it is damaged")
    return int(text, 8)


def _decimal(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 12:
        raise ArchiveProblem("a pax header of it has a time that is none")
    return int(text)
