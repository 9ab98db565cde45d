"""What an ELF file asks of the machine that loads it.

Reads the program headers and the dynamic segment, with pyelftools; never section headers, which
a file may lack, nor code. Nothing is loaded or executed. Every walk is bounded, and so is all of
them together (:class:`Steps`), because the file may have been made to mislead.
"""

from __future__ import annotations

import contextlib
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from wheelhouse.wheels.cpulevel import LONGEST, declared_level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from elftools.elf.elffile import ELFFile

MAGIC = b"\x7fELF"

#: `e_machine` as `platform.machine()` says it; others keep pyelftools' name.
MACHINES = {
    ("EM_X86_64", 64): "x86_64",
    ("EM_386", 32): "i686",
    ("EM_AARCH64", 64): "aarch64",
    ("EM_ARM", 32): "armv7l",
    ("EM_PPC64", 64): "ppc64le",
    ("EM_S390", 64): "s390x",
    ("EM_RISCV", 64): "riscv64",
    ("EM_LOONGARCH", 64): "loongarch64",
}

_MOST_TAGS = 4096
_MOST_SEGMENTS = 4096
_MOST_VERSIONS = 8192
_MOST_SYMBOLS = 1 << 17
_SHOWN_SYMBOLS = 3
_LONGEST_STRING = 4096
_LONGEST_CHAIN = 1 << 20
#: What a loader has to map; linkers make four of them, other tools add a few.
_MOST_LOADED = 64
_STEPS = 4_000_000
_WEAK = 0x2
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Binary:
    """One ELF member of a wheel.

    :ivar member: its path in the archive.
    :ivar machine: as `platform.machine()` says, such as ``x86_64``.
    :ivar kind: ``ET_DYN`` (a library or a position-independent program), ``ET_EXEC``, ``ET_REL``.
    :ivar soname: the name that others ask for it by.
    :ivar needed: the sonames that the loader must find for it (DT_NEEDED), in order.
    :ivar search: the folders of its RPATH and RUNPATH, in order.
    :ivar versions: (soname, symbol version) pairs that it requires, weak ones left out.
    :ivar symbols: for each of these pairs, the first few symbols that it requires it for.
    :ivar interpreter: the loader that it names as a program, or None.
    :ivar executable_stack: whether it asks for one.
    :ivar cpu_level: the level of x86-64 that it declares to need, such as 3; 0 for none.
    :ivar initializes: whether it exports the ``PyInit_…`` of the module that its name says.
    """

    member: str
    machine: str
    kind: str
    soname: str | None = None
    needed: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    symbols: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    interpreter: str | None = None
    executable_stack: bool = False
    cpu_level: int = 0
    initializes: bool = False

    @property
    def is_loadable(self) -> bool:
        """Whether a loader could load it: object files and GPU code never pass through one."""
        return self.kind in ("ET_DYN", "ET_EXEC")


def read_binary(
    file: IO[bytes], member: str, *, module: str | None = None, steps: Steps | None = None
) -> Binary:
    """Read the ELF *file*, which is *member* of some wheel.

    :param module: the module it would be imported as, if its name is that of one.
    :param steps: how much may be looked at, if other files have a share in that.
    :raises BrokenElfError: where the file contradicts itself or ends too early.
    """
    from elftools.common.exceptions import ELFError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile

    steps = steps or Steps(_STEPS)
    steps.take(Steps.FILE)
    try:
        elf = ELFFile(file)
        return _read(elf, file, member, module, steps)
    except (ELFError, ConstructError, struct.error, UnicodeDecodeError, OverflowError) as error:
        raise BrokenElfError(str(error) or type(error).__name__) from error
    except (ValueError, KeyError, AttributeError, TypeError, AssertionError) as error:
        # pyelftools trusts its input in places; what it trips over is a broken file all the same.
        raise BrokenElfError(f"unreadable ({error})") from error


def _read(elf: ELFFile, file: IO[bytes], member: str, module: str | None, steps: Steps) -> Binary:
    header: Any = elf.header
    machine = MACHINES.get((str(header["e_machine"]), int(elf.elfclass)), str(header["e_machine"]))
    segments = list(_segments(elf, file, steps))
    image = _Image(elf, file, segments, steps)
    dynamic = image.dynamic()
    strings = [(tag, image.string(value)) for tag, value in dynamic if tag in _STRING_TAGS]
    # An empty RPATH is ignored by the loader, though an empty folder within one is not.
    search = [path for tag, path in strings if tag in ("DT_RPATH", "DT_RUNPATH") and path]
    required = list(image.required_versions())
    return Binary(
        member=member,
        machine=machine,
        kind=str(header["e_type"]),
        soname=next((text for tag, text in strings if tag == "DT_SONAME"), None),
        needed=tuple(text for tag, text in strings if tag == "DT_NEEDED"),
        search=tuple(folder for path in search for folder in path.split(":")),
        versions=tuple(dict.fromkeys((soname, version) for soname, version, _ in required)),
        symbols=image.required_symbols(
            {index: (soname, version) for soname, version, index in required}
        ),
        interpreter=image.interpreter(),
        executable_stack=_wants_executable_stack(segments),
        cpu_level=declared_level(image.properties()) if machine == "x86_64" else 0,
        initializes=module is not None and image.exports(_init_function(module)),
    )


_STRING_TAGS = frozenset({"DT_NEEDED", "DT_SONAME", "DT_RPATH", "DT_RUNPATH"})


def _init_function(module: str) -> bytes:
    """The function that initializes *module*, as PEP 489 names it."""
    if module.isascii():
        return b"PyInit_" + module.encode()
    return b"PyInitU_" + module.encode("punycode").replace(b"-", b"_")


def _segments(elf: ELFFile, file: IO[bytes], steps: Steps) -> Iterator[Any]:
    from elftools.common.utils import struct_parse

    header: Any = elf.header
    structs: Any = elf.structs
    # Not `iter_segments`: for the dynamic segment's strings it would read section headers too.
    for index in range(min(int(header["e_phnum"]), _MOST_SEGMENTS)):
        at = header["e_phoff"] + index * header["e_phentsize"]
        steps.take(10)
        yield struct_parse(structs.Elf_Phdr, file, stream_pos=at)


def _wants_executable_stack(segments: Sequence[Any]) -> bool:
    return any(s["p_type"] == "PT_GNU_STACK" and s["p_flags"] & 1 for s in segments)


class _Image:
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
                raw = self._file.read(min(int(segment["p_filesz"]), _LONGEST_STRING))
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
        text, end, _ = self._file.read(_LONGEST_STRING).partition(b"\0")
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
