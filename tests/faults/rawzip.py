"""ZIP files with any number in any place, so that each of them can be wrong."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Bits of the flags.
ENCRYPTED, DESCRIPTOR, STRONG, UTF8, MASKED = 1, 1 << 3, 1 << 6, 1 << 11, 1 << 13


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One member; numbers that are not given are the true ones.

    :ivar packed: what stands in the file instead of the packed *data*.
    :ivar local: numbers of its local header that are to be others, by their names.
    :ivar central: the same for its entry in the directory.
    :ivar local_name: its name in its local header, if it has another there.
    :ivar after: what follows its data.
    :ivar listed: whether the directory has it.
    """

    name: bytes
    data: bytes = b""
    method: int = 8
    packed: bytes | None = None
    flags: int = 0
    mode: int = 0o100644
    local: Mapping[str, int] = field(default_factory=dict)
    central: Mapping[str, int] = field(default_factory=dict)
    local_name: bytes | None = None
    local_extra: bytes = b""
    central_extra: bytes = b""
    after: bytes = b""
    listed: bool = True

    @property
    def body(self) -> bytes:
        """What stands in the file."""
        if self.packed is not None:
            return self.packed
        return deflated(self.data) if self.method == 8 else self.data

    def numbers(self, offset: int) -> dict[str, int]:
        """All numbers of its headers."""
        return {
            "made_by": 3 << 8 | 20,
            "needed": 20,
            "flags": self.flags,
            "method": self.method,
            "time": 0x58664A42 & 0xFFFF,
            "date": 0x5866,
            "crc": zlib.crc32(self.data),
            "packed": len(self.body),
            "size": len(self.data),
            "disk": 0,
            "internal": 0,
            "external": self.mode << 16,
            "offset": offset,
        }

    def header(self, offset: int) -> bytes:
        """Its local header."""
        n = {**self.numbers(offset), **self.local}
        name = self.name if self.local_name is None else self.local_name
        fixed = struct.pack(
            "<4s5H3L2H",
            b"PK\x03\x04",
            *(n["needed"], n["flags"], n["method"], n["time"], n["date"]),
            *(n["crc"], n["packed"], n["size"], len(name), len(self.local_extra)),
        )
        return fixed + name + self.local_extra

    def entry(self, offset: int) -> bytes:
        """Its entry in the directory."""
        n = {**self.numbers(offset), **self.central}
        fixed = struct.pack(
            "<4s6H3L5H2L",
            b"PK\x01\x02",
            *(n["made_by"], n["needed"], n["flags"], n["method"], n["time"], n["date"]),
            *(n["crc"], n["packed"], n["size"], len(self.name), len(self.central_extra), 0),
            *(n["disk"], n["internal"], n["external"], n["offset"]),
        )
        return fixed + self.name + self.central_extra


def deflated(data: bytes) -> bytes:
    """*data* as a member has it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def zip64_extra(*numbers: int) -> bytes:
    """The field with 64-bit numbers."""
    return struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers)


def assemble(
    parts: Sequence[Part],
    *,
    front: bytes = b"",
    between: bytes = b"",
    behind: bytes = b"",
    before_end: bytes = b"",
    end: Mapping[str, int] | None = None,
    comment: bytes = b"",
) -> bytes:
    """The file of *parts*.

    :param front: bytes before the first; offsets are from the file's beginning all the same.
    :param between: bytes before the directory.
    :param behind: bytes of the directory that are no entry's.
    :param before_end: what stands between the directory and the end record: ZIP64's records.
    :param end: numbers of the end record that are to be others.
    """
    file, directory, count = bytearray(front), bytearray(), 0
    for part in parts:
        offset = len(file)
        file += part.header(offset) + part.body + part.after
        if part.listed:
            directory += part.entry(offset)
            count += 1
    file += between
    directory += behind
    n = {
        "disk": 0,
        "start_disk": 0,
        "here": count,
        "count": count,
        "size": len(directory),
        "start": len(file),
        **(end or {}),
    }
    n["here"], n["count"] = min(n["here"], 0xFFFF), min(n["count"], 0xFFFF)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", *n.values(), len(comment))
    return bytes(file + directory + before_end + last + comment)


def zip64_end(parts: Sequence[Part], *, shift: int = 0, **other: int) -> bytes:
    """ZIP64's records for the file of *parts*, with *other* numbers.

    :param shift: by how many bytes the locator misses the record.
    """
    size, start = struct.unpack("<2L", assemble(parts)[-10:-2])
    count = sum(part.listed for part in parts)
    n = {
        "length": 44,
        "made_by": 45,
        "needed": 45,
        "disk": 0,
        "start_disk": 0,
        "here": count,
        "count": count,
        "size": size,
        "start": start,
        "disks": 1,
        **other,
    }
    disks = n.pop("disks")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", *n.values())
    return record + struct.pack("<4sLQL", b"PK\x06\x07", 0, start + size + shift, disks)
