"""The sections of an ELF file, to say where two of them differ. Pure.

The form: https://gabi.xinuos.com/elf/03-sheader.html
"""

from __future__ import annotations

import struct

MAGIC = b"\x7fELF"

#: What has a place in the section table and none in the file.
_NOBITS = 8

#: By the class byte: the fields of the ELF header from `e_shoff` on that are asked for, where they
#: lie, and one entry of the section table as (name, type, offset, size).
_FORMS = {1: ("I", 0x20, 0x2E, "IIIIII", 40), 2: ("Q", 0x28, 0x3A, "IIQQQQ", 64)}


def read_sections(data: bytes) -> dict[str, bytes]:
    """Each section of the ELF file *data*, by name; the table of sections itself is none.

    Of several with one name, the later have a number added. Empty for what cannot be read so.
    """
    try:
        return _read(data)
    except (struct.error, IndexError, KeyError, UnicodeDecodeError):
        return {}


def _read(data: bytes) -> dict[str, bytes]:
    order = {1: "<", 2: ">"}[data[5]]
    offset_code, at_offset, at_counts, entry, size = _FORMS[data[4]]
    (table,) = struct.unpack_from(order + offset_code, data, at_offset)
    step, count, names_index = struct.unpack_from(order + "HHH", data, at_counts)
    if step < size or table + step * count > len(data):
        return {}
    rows = [struct.unpack_from(order + entry, data, table + step * at) for at in range(count)]
    names = _content(data, rows[names_index])
    found: dict[str, bytes] = {}
    for row in rows[1:]:  # the first stands for none
        name = names[row[0] : names.index(b"\0", row[0])].decode()
        found[_free(name, found)] = _content(data, row)
    return found


def _content(data: bytes, row: tuple[int, ...]) -> bytes:
    _, kind, _, _, offset, size = row
    return b"" if kind == _NOBITS else data[offset : offset + size]


def _free(name: str, taken: dict[str, bytes]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free
