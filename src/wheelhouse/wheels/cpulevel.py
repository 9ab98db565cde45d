"""The level of x86-64 that a file declares to need, in its GNU property note. Pure.

Spec: the x86-64 psABI, "GNU_PROPERTY_X86_ISA_1_NEEDED". glibc loads no library whose level the
machine's CPU has not; what a file needs without declaring it, nobody can tell from outside.
"""

from __future__ import annotations

import struct

#: Bytes of a note that are looked at: real ones have 32 to 80.
LONGEST = 1024

_PROPERTIES = 5  # NT_GNU_PROPERTY_TYPE_0
_NEEDED = 0xC0008002  # GNU_PROPERTY_X86_ISA_1_NEEDED


def declared_level(note: bytes) -> int:
    """``3`` for x86-64-v3; 1 is what every one has; 0 where nothing is said.

    :param note: the content of the segment PT_GNU_PROPERTY of a 64-bit little-endian file.
    """
    at = 0
    while len(note) - at >= 12:
        name, size, kind = struct.unpack_from("<3I", note, at)
        start = at + 12 + _padded(name, 4)
        if kind == _PROPERTIES and note[at + 12 : start] == b"GNU\0":
            return _level(note[start : start + size])
        at = start + _padded(size, 8)
    return 0


def _level(properties: bytes) -> int:
    at = 0
    while len(properties) - at >= 12:
        kind, size, value = struct.unpack_from("<3I", properties, at)
        if kind == _NEEDED and size == 4:
            return int(value).bit_length()  # a bit for each level, from the first on
        at += 8 + _padded(size, 8)
    return 0


def _padded(size: int, to: int) -> int:
    return -(-size // to) * to
