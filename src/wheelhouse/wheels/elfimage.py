"""An ELF file as the loader would see it: the tables that its dynamic segment leads to.

Every walk is bounded, and so is all of them together (:class:`Steps`), because the file may have
been made to mislead.
"""

from __future__ import annotations

import contextlib
import struct
from collections import defaultdict
from typing import IO, TYPE_CHECKING, Any

from wheelhouse.wheels.cpulevel import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from elftools.elf.elffile import ELFFile

_MOST_TAGS = 4096
_MOST_VERSIONS = 8192
_MOST_SYMBOLS = 1 << 17
_SHOWN_SYMBOLS = 3
_SHORT_STRING = 4096
#: Of a list of folders, mostly: TensorFlow's has 20,000 bytes.
_LONGEST_STRING = 1 << 17
_LONGEST_CHAIN = 1 << 20
#: What a loader has to map; linkers make four of them, other tools add a few.
_MOST_LOADED = 64
_WEAK = 0x2
#: Of a definition that names the file itself, not a version.
_BASE = 0x1
#: Of a symbol's entry in DT_VERSYM; the bit above hides a definition.
_VERSION_INDEX = 0x7FFF


class BrokenElfError(Exception):
    """The file begins as ELF does, but cannot be read as such."""


class Steps:
    """How much may be looked at yet, in all files that share it: numbers, pieces of strings.

    A file of a few kilobytes can ask for days of reading, and an archive can have many of those.
    """

    #: What it takes to begin with a file.
    FILE = 400

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, number: int) -> None:
        """Use up *number* of them.

        :raises BrokenElfError: there are none left.
        """
        self._left -= number
        if self._left < 0:
            raise BrokenElfError("there is more to follow than any linker makes")


class Image:
    """The file as the loader would see it: addresses instead of offsets."""

    def __init__(
        self, elf: ELFFile, file: IO[bytes], segments: Sequence[Any], steps: Steps
    ) -> None:
        self._elf = elf
        self._structs: Any = elf.structs
        self._file = file
        self._segments = segments
        self._loaded = [
            (s["p_vaddr"], s["p_filesz"], s["p_offset"])
            for s in segments
            if s["p_type"] == "PT_LOAD"
        ]
        if len(self._loaded) > _MOST_LOADED:
            raise BrokenElfError(f"it has {len(self._loaded)} segments to load")
        self._steps = steps
        self._order = "<" if elf.little_endian else ">"
        self._wide = elf.elfclass == 64
        self._tags: dict[str, int] = {}

    def dynamic(self) -> list[tuple[str, int]]:
        """The dynamic segment's (tag, value) pairs, up to its end mark."""
        from elftools.common.utils import struct_parse

        segment = next((s for s in self._segments if s["p_type"] == "PT_DYNAMIC"), None)
        if segment is None:
            return []
        entry_size = 16 if self._wide else 8
        count = min(int(segment["p_filesz"]) // entry_size, _MOST_TAGS)
        pairs: list[tuple[str, int]] = []
        for index in range(count):
            offset = segment["p_offset"] + index * entry_size
            self._steps.take(10)
            entry = struct_parse(self._structs.Elf_Dyn, self._file, stream_pos=offset)
            if entry["d_tag"] == "DT_NULL":
                break
            pairs.append((str(entry["d_tag"]), int(entry["d_val"])))
        self._tags = dict(reversed(pairs))
        return pairs

    def string(self, index: int) -> str:
        """The string at *index* of the dynamic string table."""
        return self._bytes_at(self._address("DT_STRTAB") + index).decode(
            "utf-8", "backslashreplace"
        )

    def interpreter(self) -> str | None:
        """The program interpreter."""
        for segment in self._segments:
            if segment["p_type"] == "PT_INTERP":
                self._file.seek(segment["p_offset"])
                raw = self._file.read(min(int(segment["p_filesz"]), _SHORT_STRING))
                return raw.split(b"\0")[0].decode("utf-8", "backslashreplace")
        return None

    def properties(self) -> bytes:
        """The note with its GNU properties; empty if it has none."""
        for segment in self._segments:
            if segment["p_type"] == "PT_GNU_PROPERTY":
                self._file.seek(segment["p_offset"])
                return self._file.read(min(int(segment["p_filesz"]), LONGEST))
        return b""

    def required_versions(self) -> Iterator[tuple[str, str, int]]:
        """(soname, version, index) of each version requirement (.gnu.version_r)."""
        if "DT_VERNEED" not in self._tags:
            return
        at = self._tags["DT_VERNEED"]
        budget = _MOST_VERSIONS
        for _ in range(min(self._tags.get("DT_VERNEEDNUM", 0), _MOST_VERSIONS)):
            _, count, name, first, following = self._unpack("HHLLL", at)
            soname = self.string(name)
            each = at + first
            for _ in range(min(count, budget)):
                _, flags, index, version, step = self._unpack("LHHLL", each)
                if not flags & _WEAK:
                    yield soname, self.string(version), index & _VERSION_INDEX
                each += step
            budget -= count
            if not following or budget <= 0:
                return
            at += following

    def defined_versions(self) -> tuple[str, ...]:
        """The symbol versions that it has for others (.gnu.version_d).

        Empty where it has none, or none that can be read: others are then not held against them.
        """
        found: list[str] = []
        with contextlib.suppress(BrokenElfError, struct.error):
            at = self._tags.get("DT_VERDEF", 0)
            for _ in range(min(self._tags.get("DT_VERDEFNUM", 0), _MOST_VERSIONS)):
                _, flags, _, _, _, first, following = self._unpack("4H3L", at)
                if not flags & _BASE:
                    found.append(self.string(self._unpack("2L", at + first)[0]))
                if not following:
                    return tuple(dict.fromkeys(found))
                at += following
        return ()

    def required_symbols(
        self, versions: Mapping[int, tuple[str, str]]
    ) -> dict[tuple[str, str], tuple[str, ...]]:
        """The first few symbols of each of *versions*, which are given by their index.

        They only explain; what of them cannot be read is left out.
        """
        found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        with contextlib.suppress(BrokenElfError, struct.error, UnicodeDecodeError):
            for symbol, index in enumerate(self._version_indexes()):
                names = found[versions[index]] if index in versions else None
                if names is not None and len(names) < _SHOWN_SYMBOLS:
                    names.append(self._symbol_name(symbol).decode("ascii"))
        return {version: tuple(names) for version, names in found.items()}

    def _version_indexes(self) -> Iterator[int]:
        """The version index of each symbol that is required of other libraries."""
        if "DT_GNU_HASH" in self._tags:  # what is defined here comes last, and only that is hashed
            _, count = self._unpack("2L", self._tags["DT_GNU_HASH"])
        else:
            _, count = self._unpack("2L", self._address("DT_HASH"))
        self._file.seek(self._offset(self._address("DT_VERSYM")))
        data = self._file.read(2 * min(count, _MOST_SYMBOLS))
        self._steps.take(len(data) // 32)
        for (index,) in struct.iter_unpack(self._order + "H", data):
            yield index & _VERSION_INDEX

    def _symbol_name(self, index: int) -> bytes:
        size = 24 if self._wide else 16
        (string,) = self._unpack("L", self._address("DT_SYMTAB") + size * index)
        return self._bytes_at(self._address("DT_STRTAB") + string)

    def exports(self, name: bytes) -> bool:
        """Whether the dynamic symbol *name* is defined here, by either kind of hash table."""
        if "DT_GNU_HASH" in self._tags:
            candidates = self._gnu_candidates(name)
        elif "DT_HASH" in self._tags:
            candidates = self._sysv_candidates(name)
        else:
            return False
        return any(self._is_defined(index, name) for index in candidates)

    def _gnu_candidates(self, name: bytes) -> Iterator[int]:
        table = self._tags["DT_GNU_HASH"]
        buckets, first, bloom, _ = self._unpack("4L", table)
        if not buckets:
            return
        start = table + 16 + bloom * (8 if self._wide else 4)
        wanted = _gnu_hash(name)
        (index,) = self._unpack("L", start + 4 * (wanted % buckets))
        if index < first:
            return
        chain = start + 4 * buckets
        for _ in range(_LONGEST_CHAIN):
            (value,) = self._unpack("L", chain + 4 * (index - first))
            if value | 1 == wanted | 1:
                yield index
            if value & 1:
                return
            index += 1

    def _sysv_candidates(self, name: bytes) -> Iterator[int]:
        table = self._tags["DT_HASH"]
        buckets, symbols = self._unpack("2L", table)
        if not buckets:
            return
        (index,) = self._unpack("L", table + 8 + 4 * (_sysv_hash(name) % buckets))
        for _ in range(min(symbols, _LONGEST_CHAIN)):
            if index == 0:
                return
            yield index
            (index,) = self._unpack("L", table + 8 + 4 * (buckets + index))

    def _is_defined(self, index: int, name: bytes) -> bool:
        table = self._address("DT_SYMTAB")
        if self._wide:
            string, _, _, section, _, _ = self._unpack("LBBHQQ", table + 24 * index)
        else:
            string, _, _, _, _, section = self._unpack("LLLBBH", table + 16 * index)
        return bool(section) and self._bytes_at(self._address("DT_STRTAB") + string) == name

    def _address(self, tag: str) -> int:
        if tag not in self._tags:
            raise BrokenElfError(f"its dynamic segment has no {tag}")
        return self._tags[tag]

    def _unpack(self, layout: str, address: int) -> tuple[int, ...]:
        form = struct.Struct(self._order + layout)
        self._steps.take(1)
        self._file.seek(self._offset(address))
        return form.unpack(self._file.read(form.size))

    def _bytes_at(self, address: int) -> bytes:
        self._file.seek(self._offset(address))
        text, end, _ = self._file.read(_SHORT_STRING).partition(b"\0")
        if not end and len(text) == _SHORT_STRING:
            more, end, _ = self._file.read(_LONGEST_STRING - _SHORT_STRING).partition(b"\0")
            text += more
        if not end:
            raise BrokenElfError("it has a string without end")
        self._steps.take(1 + len(text) // 64)
        return text

    def _offset(self, address: int) -> int:
        for start, size, offset in self._loaded:
            if 0 <= address - start < size:
                return int(offset + address - start)
        raise BrokenElfError(f"address {address:#x} is not in the file")


def _gnu_hash(name: bytes) -> int:
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


def _sysv_hash(name: bytes) -> int:
    value = 0
    for byte in name:
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return value
