"""Code for GPUs in an ELF file: which of them it was compiled for.

nvcc puts all of it into the section `.nv_fatbin`: *fat binaries*, each a header and its entries. An
entry is machine code for one compute capability, or PTX, from which the driver makes that of other
GPUs. Headers tell the sizes, so what they head is stepped over, never read. `__nv_relfatbin` is not
looked at: it has what `-rdc` leaves of code that is yet to be linked, and runs nowhere.

The format has no public specification; this is how CUDA 11 to 13 write it, and how `cuobjdump`
lists it. What looks otherwise counts as no code: nothing is refused for what is not understood.
"""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from elftools.elf.elffile import ELFFile

    from wheelhouse.wheels.elfimage import Steps

_SECTION = b".nv_fatbin\0"
#: Of a section's header, in 64 bits: where its name is, its kind, and its place in the file.
_PLACE = struct.Struct("<II16xQQ24x")
_EMPTY = 8  # SHT_NOBITS
_MOST_SECTIONS = 4096
_LONGEST_NAMES = 1 << 20

#: Magic number, version, bytes of this header, bytes of all entries.
_BINARY = struct.Struct("<IHHQ")
_MAGIC = 0xBA55ED50
#: Of an entry: its kind, bytes of this header, bytes of the code, compute capability, flags.
_ENTRY = struct.Struct("<H2xIQ12xI8xQ")
_PREFIXES = {1: "compute_", 2: "sm_"}
_LONGEST_HEADER = 1 << 16
#: Of an entry's flags: that it is for this very GPU, or for its family.
_ONLY, _FAMILY = 0x100000, 0x200000
_ALIGNMENT = 8


class _OddError(Exception):
    """This is not as nvcc makes it."""


def gpu_code(elf: ELFFile, file: IO[bytes], steps: Steps) -> tuple[str, ...]:
    """Which GPUs *elf* has code for, as nvcc names them: ``sm_80``, ``sm_90a``, ``compute_90``.

    :param file: that of *elf*.
    :param steps: how much may be looked at.
    :raises BrokenElfError: there is more than that.
    """
    if elf.elfclass != 64 or not elf.little_endian:
        return ()
    found: set[str] = set()
    try:
        for start, size in _sections(elf, file, steps):
            found.update(_codes(file, start, start + size, steps))
    except (_OddError, struct.error):
        return ()
    return tuple(sorted(found, key=order))


def order(code: str) -> tuple[bool, int, str]:
    """By kind, machine code first, and by the GPU's number."""
    kind, _, arch = code.partition("_")
    return kind != "sm", int(arch.rstrip("af")), arch


def _sections(elf: ELFFile, file: IO[bytes], steps: Steps) -> Iterator[tuple[int, int]]:
    """Where each section of fat binaries begins, and its bytes."""
    header: Any = elf.header
    count, names = int(header["e_shnum"]), int(header["e_shstrndx"])
    if not names < count <= _MOST_SECTIONS or header["e_shentsize"] != _PLACE.size:
        return
    steps.take(count)
    file.seek(header["e_shoff"])
    places = list(_PLACE.iter_unpack(file.read(count * _PLACE.size)))
    _, _, start, size = places[names] if len(places) == count else (0, 0, 0, 0)
    file.seek(start)
    text = file.read(min(size, _LONGEST_NAMES))
    steps.take(len(text) // 64)
    for name, kind, start, size in places:
        if kind != _EMPTY and text.startswith(_SECTION, name):
            yield start, size


def _codes(file: IO[bytes], at: int, end: int, steps: Steps) -> Iterator[str]:
    """What the fat binaries between two places are for."""
    while end - at >= _BINARY.size:
        magic, _, header, size = _read(file, at, _BINARY, steps)
        first, following = at + header, at + header + size
        if magic != _MAGIC or header < _BINARY.size or following > end:
            raise _OddError
        yield from _entries(file, first, following, steps)
        at = following + -size % _ALIGNMENT


def _entries(file: IO[bytes], at: int, end: int, steps: Steps) -> Iterator[str]:
    while at < end:
        kind, header, size, arch, flags = _read(file, at, _ENTRY, steps)
        at += header + size
        if not _ENTRY.size <= header <= _LONGEST_HEADER or at > end or not 10 <= arch < 1000:
            raise _OddError
        if kind in _PREFIXES:
            only = "a" if flags & _ONLY else "f" if flags & _FAMILY else ""
            yield f"{_PREFIXES[kind]}{arch}{only}"


def _read(file: IO[bytes], at: int, form: struct.Struct, steps: Steps) -> tuple[int, ...]:
    steps.take(2)
    file.seek(at)
    return form.unpack(file.read(form.size))
