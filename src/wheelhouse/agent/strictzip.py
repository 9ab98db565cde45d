"""ZIP as a format, read in the one way that leaves no room for a second reading.

A ZIP file can be read from its front (local headers) or from its end (central directory), and
programs that read it differently see different contents. Here both readings must agree and the
file must be *tiled*: the first member begins at byte 0, each next one where the one before ended,
then the central directory, then the one end record, then nothing. So there is no room for
prepended or trailing bytes, hidden or overlapping members, or a second directory.

Pure but for the file that is handed in. The host reads wheels and sdists with it, the agent sdists.
Format: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STORED, DEFLATED = 0, 8
CHUNK = 1 << 20

#: Bytes of a central directory that are read: it has to be in memory as a whole.
MAX_DIRECTORY = 64 << 20
#: The newest version of the format (times ten) whose archives common tools open at all.
NEWEST = 63

_EOCD = struct.Struct("<4s4H2LH")
_EOCD64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_EXTRA = struct.Struct("<2H")

_ENCRYPTED, _DESCRIPTOR, _STRONG, _UTF8, _MASKED = 1, 1 << 3, 1 << 6, 1 << 11, 1 << 13
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075
_DOS_FOLDER = 0x10


class ZipProblem(Exception):  # noqa: N818  (told as one problem of the wheel, never to a user)
    """The file, or one member of it, is not an unambiguous ZIP; the message says how."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One member as the central directory has it.

    :ivar offset: where its local header begins.
    :ivar mode: its Unix mode. Some tools believe it whatever machine the archive says it is of.
    :ivar marked_folder: whether it is a folder by its DOS attributes.
    :ivar time: of its last change, as DOS has it: the day in the upper 16 bits.
    """

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    mode: int
    marked_folder: bool
    time: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder's own entry."""
        return self.name.endswith("/")


@dataclass(frozen=True, kw_only=True, slots=True)
class _End:
    count: int
    start: int
    size: int


def read_directory(file: IO[bytes], size: int, *, max_entries: int) -> tuple[Entry, ...]:
    """The members of *file*, which is *size* bytes long, in the order of their data.

    :raises ZipProblem: where there is no single, whole central directory at the file's end.
    """
    end = _read_end(file, size)
    if not end.count:
        raise ZipProblem("it has no members")
    if end.count > max_entries:
        raise ZipProblem(f"it has {end.count} members; at most {max_entries} are read")
    if end.size > MAX_DIRECTORY:
        raise ZipProblem(f"its directory has {end.size} bytes; at most {MAX_DIRECTORY} are read")
    data = _read_at(file, end.start, end.size)
    entries = []
    at = 0
    for _ in range(end.count):
        entry, at = _entry(data, at)
        entries.append(entry)
    if at != len(data):
        raise ZipProblem("its central directory has bytes that belong to no member")
    return tuple(sorted(entries, key=lambda entry: entry.offset))


def check_tiling(
    file: IO[bytes], entries: Sequence[Entry], directory: int
) -> tuple[dict[int, int], list[str]]:
    """Compare the two readings of the file.

    Gives where each member's data begins, by the offset of its local header, and all differences.

    :param entries: as :func:`read_directory` gives them.
    :param directory: where the central directory begins (see :func:`directory_start`).
    """
    starts: dict[int, int] = {}
    problems: list[str] = []
    ends = [*(entry.offset for entry in entries[1:]), directory]
    if entries[0].offset != 0:
        problems.append("bytes stand before its first member")
    for entry, end in zip(entries, ends, strict=True):
        try:
            starts[entry.offset] = _check_local(file, entry, end)
        except ZipProblem as problem:
            problems.append(f"member {entry.name!r}: {problem}")
    return starts, problems


def directory_start(file: IO[bytes], size: int) -> int:
    """Where the central directory begins.

    :raises ZipProblem: as :func:`read_directory` does.
    """
    return _read_end(file, size).start


def stream(file: IO[bytes], entry: Entry, start: int) -> Iterator[bytes]:
    """The contents of *entry*, whose data begins at *start*, in pieces of 1 byte to 1 MiB.

    Never gives more bytes than the directory says the member has.

    :raises ZipProblem: where the data is cut short, damaged, longer than said, or of another CRC.
    """
    pieces = _inflate(file, entry, start) if entry.method == DEFLATED else _copy(file, entry, start)
    crc = size = 0
    for piece in filter(None, pieces):
        size += len(piece)
        if size > entry.size:
            raise ZipProblem("it unpacks to more than its header says")
        crc = zlib.crc32(piece, crc)
        yield piece
    if size != entry.size:
        raise ZipProblem("it unpacks to less than its header says")
    if crc != entry.crc:
        raise ZipProblem("its CRC does not match its contents")


# --- the end records ---------------------------------------------------------------------------


def _read_end(file: IO[bytes], size: int) -> _End:
    if size < _EOCD.size:
        raise ZipProblem("it is not a ZIP file")
    at = size - _EOCD.size
    signature, disk, start_disk, here, count, length, start, comment = _EOCD.unpack(
        _read_at(file, at, _EOCD.size)
    )
    if signature != b"PK\x05\x06" or comment:
        raise ZipProblem(
            "it does not end with one end-of-central-directory record "
            "(not a ZIP file, cut short, or with bytes or a comment behind it)"
        )
    if disk or start_disk or here != count:
        raise ZipProblem("it says that it is one part of a ZIP in several parts")
    end = _End(count=count, start=start, size=length)
    end, at = _widened(file, at, end)
    if end.start + end.size != at:
        raise ZipProblem(
            "its central directory does not end where its end record begins "
            "(prepended bytes, or a second end record)"
        )
    return end


def _widened(file: IO[bytes], at: int, end: _End) -> tuple[_End, int]:
    """*end* as the ZIP64 records before *at* have it, if there are any, and where they begin."""
    base = at - _LOCATOR64.size - _EOCD64.size
    tail = _read_at(file, at - _LOCATOR64.size, _LOCATOR64.size) if base >= 0 else b""
    if tail[:4] != b"PK\x06\x07":
        if end.count == _MAX16 or _MAX32 in (end.start, end.size):
            raise ZipProblem("its end record points at a ZIP64 record that is not there")
        return end, at
    _, disk, where, disks = _LOCATOR64.unpack(tail)
    signature, length, _, _, disk64, start_disk, here, count, size, start = _EOCD64.unpack(
        _read_at(file, base, _EOCD64.size)
    )
    if where != base or signature != b"PK\x06\x06" or length != _EOCD64.size - 12:
        raise ZipProblem("its ZIP64 end record is not where its locator says")
    if disk or disk64 or start_disk or disks > 1 or here != count:
        raise ZipProblem("it says that it is one part of a ZIP in several parts")
    wide = _End(count=count, start=start, size=size)
    for narrow, cap, value in (
        (end.count, _MAX16, count),
        (end.size, _MAX32, size),
        (end.start, _MAX32, start),
    ):
        if narrow not in (cap, value):
            raise ZipProblem("its two end records contradict each other")
    return wide, base


# --- the central directory ---------------------------------------------------------------------


def _entry(data: bytes, at: int) -> tuple[Entry, int]:
    if len(data) - at < _CENTRAL.size:
        raise ZipProblem("its central directory is shorter than its end record says")
    fields = _CENTRAL.unpack_from(data, at)
    signature, _, needed, flags, method, clock, day, crc, packed, size, n, m, k, *rest = fields
    disk, _, external, offset = rest
    if signature != b"PK\x01\x02":
        raise ZipProblem("its central directory is damaged")
    name_at, extra_at = at + _CENTRAL.size, at + _CENTRAL.size + n
    end = extra_at + m + k
    if end > len(data):
        raise ZipProblem("its central directory is damaged")
    raw_name = data[name_at:extra_at]
    name = _decode(raw_name, flags)
    try:
        extras = _extras(data[extra_at : extra_at + m])
        size, packed, offset, disk = _wide_fields(
            extras.get(_ZIP64, b""), ((size, 8), (packed, 8), (offset, 8), (disk, 4))
        )
        _check_unicode_path(extras, raw_name)
    except ZipProblem as problem:
        raise ZipProblem(f"member {name!r}: {problem}") from None
    if disk:
        raise ZipProblem("it says that it is one part of a ZIP in several parts")
    if needed & 0xFF > NEWEST:
        raise ZipProblem(f"member {name!r} needs a newer version of the format")
    entry = Entry(
        name=name,
        raw_name=raw_name,
        flags=flags,
        method=method,
        crc=crc,
        compressed=packed,
        size=size,
        offset=offset,
        mode=external >> 16,
        marked_folder=bool(external & _DOS_FOLDER),
        time=day << 16 | clock,
    )
    return entry, end


def _decode(raw: bytes, flags: int) -> str:
    try:
        return raw.decode("utf-8" if flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        shown = raw.decode("ascii", "backslashreplace")
        raise ZipProblem(
            f"the name of member '{shown}' is not UTF-8, or not marked as such"
        ) from None


def _extras(data: bytes) -> dict[int, bytes]:
    extras: dict[int, bytes] = {}
    at = 0
    while at + _EXTRA.size <= len(data):
        kind, length = _EXTRA.unpack_from(data, at)
        at += _EXTRA.size
        if at + length > len(data) or (kind in extras and kind in (_ZIP64, _UNICODE_PATH)):
            raise ZipProblem("its extra fields are damaged")
        extras[kind] = data[at : at + length]
        at += length
    return extras


def _wide_fields(extra: bytes, fields: Sequence[tuple[int, int]]) -> list[int]:
    """*fields* (value, width in ZIP64), with those that say "see ZIP64" taken from *extra*.

    Some programs believe what else *extra* says, others do not: it must be the same.
    """
    values = []
    left = extra
    for value, width in fields:
        if value != (_MAX32 if width == 8 else _MAX16):
            values.append(value)
            continue
        if len(left) < width:
            raise ZipProblem("its ZIP64 field is missing")
        values.append(int.from_bytes(left[:width], "little"))
        left = left[width:]
    whole = b"".join(
        value.to_bytes(width, "little") for value, (_, width) in zip(values, fields, strict=True)
    )
    if left and not whole.startswith(extra):
        raise ZipProblem("its ZIP64 field says something else than its header")
    return values


def _check_unicode_path(extras: dict[int, bytes], raw_name: bytes) -> None:
    """Info-ZIP's second name for a member; some programs believe it, others do not."""
    if _UNICODE_PATH in extras and extras[_UNICODE_PATH][5:] != raw_name:
        raise ZipProblem("an extra field gives it another name")


# --- the members ---------------------------------------------------------------------------------


def _check_local(file: IO[bytes], entry: Entry, end: int) -> int:
    """Compare the local header with *entry*; give where the data begins.

    :param end: where the next thing in the file begins.
    """
    header = _read_at(file, entry.offset, _LOCAL.size)
    signature, _, flags, method, _, _, crc, packed, size, n, m = _LOCAL.unpack(header)
    if signature != b"PK\x03\x04":
        raise ZipProblem("its local header is missing")
    raw_name = _read_at(file, entry.offset + _LOCAL.size, n)
    extras = _extras(_read_at(file, entry.offset + _LOCAL.size + n, m))
    if raw_name != entry.raw_name:
        shown = raw_name.decode("utf-8", "backslashreplace")
        raise ZipProblem(f"its local header has another name, {shown!r}")
    _check_unicode_path(extras, raw_name)
    _check_flags(entry, flags)
    _check_method(entry, method)
    size, packed = _wide_fields(extras.get(_ZIP64, b""), ((size, 8), (packed, 8)))
    _check_sizes(entry, (crc, packed, size))
    start = entry.offset + _LOCAL.size + n + m
    gap = end - start - entry.compressed
    if gap < 0:
        raise ZipProblem("it overlaps what follows it")
    if gap and not _is_descriptor(entry, _read_at(file, end - gap, min(gap, 25))):
        raise ZipProblem("bytes that belong to no member follow it")
    if entry.flags & _DESCRIPTOR and not gap:
        raise ZipProblem("the sizes that should follow it are missing")
    return int(start)


def _check_flags(entry: Entry, flags: int) -> None:
    if (entry.flags | flags) & (_ENCRYPTED | _STRONG | _MASKED):
        raise ZipProblem("it is encrypted")
    if (entry.flags ^ flags) & _UTF8:
        raise ZipProblem("its local header has another name encoding")
    if entry.flags != flags:
        raise ZipProblem("its local header has other flags")


def _check_method(entry: Entry, method: int) -> None:
    if method != entry.method:
        raise ZipProblem("its local header has another compression method")
    if method not in (STORED, DEFLATED):
        raise ZipProblem(f"compression method {method} is not one that every installer can read")
    if method == STORED and entry.compressed != entry.size:
        raise ZipProblem("it is stored, but has two different sizes")
    if method == STORED and entry.size and entry.flags & _DESCRIPTOR:
        raise ZipProblem("only its directory tells where it ends")


def _check_sizes(entry: Entry, local: tuple[int, int, int]) -> None:
    true = (entry.crc, entry.compressed, entry.size)
    later = bool(entry.flags & _DESCRIPTOR)
    for there, here in zip(true, local, strict=True):
        if there != here and not (later and here == 0):
            raise ZipProblem("its local header has another size or CRC")


def _is_descriptor(entry: Entry, data: bytes) -> bool:
    """Whether *data* is the data descriptor that *entry*'s flags announce, in any of its forms."""
    if not entry.flags & _DESCRIPTOR:
        return False
    wide = struct.pack("<L2Q", entry.crc, entry.compressed, entry.size)
    forms = [wide]
    if max(entry.compressed, entry.size) <= _MAX32:
        forms.append(struct.pack("<3L", entry.crc, entry.compressed, entry.size))
    return any(data in (form, b"PK\x07\x08" + form) for form in forms)


def _inflate(file: IO[bytes], entry: Entry, start: int) -> Iterator[bytes]:
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in _copy(file, entry, start):
            rest = piece
            while rest and not decoder.eof:
                yield decoder.decompress(rest, CHUNK)
                rest = decoder.unconsumed_tail
            if decoder.unused_data or rest:
                raise ZipProblem("bytes follow the end of its compressed data")
        while not decoder.eof:
            # Everything has gone in; what is still inside comes out in pieces too.
            piece = decoder.decompress(b"", CHUNK)
            if not piece:
                raise ZipProblem("its compressed data is cut short")
            yield piece
    except zlib.error:
        raise ZipProblem("its compressed data is damaged") from None


def _copy(file: IO[bytes], entry: Entry, start: int) -> Iterator[bytes]:
    file.seek(start)
    left = entry.compressed
    while left:
        piece = file.read(min(left, CHUNK))
        if not piece:
            raise ZipProblem("the file is cut short")
        left -= len(piece)
        yield piece


def _read_at(file: IO[bytes], offset: int, length: int) -> bytes:
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise ZipProblem("the file is cut short")
    return data
