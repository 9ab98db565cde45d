"""What an ELF file asks of the machine that loads it.

Reads the program headers and the dynamic segment, with pyelftools; no code, and section headers,
which a file may lack, only to find code for GPUs. Nothing is loaded or executed. Every walk is
bounded, and so is all of them together (:class:`Steps`), because the file may have been made to
mislead.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from wheelhouse.wheels.cpulevel import declared_level
from wheelhouse.wheels.elfimage import BrokenElfError, Image, Steps
from wheelhouse.wheels.fatbin import gpu_code

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

_MOST_SEGMENTS = 4096
_STEPS = 4_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Binary:
    """One ELF member of a wheel.

    :ivar member: its path in the archive.
    :ivar machine: as `platform.machine()` says, such as ``x86_64``.
    :ivar kind: ``ET_DYN`` (a library or a position-independent program), ``ET_EXEC``, ``ET_REL``.
    :ivar soname: the name that others ask for it by.
    :ivar needed: the sonames that the loader must find for it (DT_NEEDED), in order.
    :ivar rpath: the folders of its DT_RPATH, in order.
    :ivar runpath: those of its DT_RUNPATH; where there are some, the loader ignores the others.
    :ivar versions: (soname, symbol version) pairs that it requires, weak ones left out.
    :ivar symbols: for each of these pairs, the first few symbols that it requires it for.
    :ivar defines: the symbol versions that it has for others; empty if none, or none are known.
    :ivar interpreter: the loader that it names as a program, or None.
    :ivar executable_stack: whether it asks for one.
    :ivar cpu_level: the level of x86-64 that it declares to need, such as 3; 0 for none.
    :ivar initializes: whether it exports the ``PyInit_…`` of the module that its name says.
    :ivar gpu: what GPUs it has code for (see :func:`wheels.fatbin.gpu_code`); empty if for none.
    """

    member: str
    machine: str
    kind: str
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    symbols: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    defines: tuple[str, ...] = ()
    interpreter: str | None = None
    executable_stack: bool = False
    cpu_level: int = 0
    initializes: bool = False
    gpu: tuple[str, ...] = ()

    @property
    def is_loadable(self) -> bool:
        """Whether a loader could load it: object files and GPU code never pass through one."""
        return self.kind in ("ET_DYN", "ET_EXEC")

    @property
    def search(self) -> tuple[str, ...]:
        """The folders of its DT_RPATH and DT_RUNPATH, heeded or not."""
        return self.rpath + self.runpath

    @property
    def heeded(self) -> tuple[str, ...]:
        """Those of them where the loader looks for what it needs."""
        return self.runpath or self.rpath


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
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise BrokenElfError("it leads to where no file goes") from error
    except (ValueError, KeyError, AttributeError, TypeError, AssertionError) as error:
        # pyelftools trusts its input in places; what it trips over is a broken file all the same.
        raise BrokenElfError(f"unreadable ({error})") from error


def _read(elf: ELFFile, file: IO[bytes], member: str, module: str | None, steps: Steps) -> Binary:
    header: Any = elf.header
    machine = MACHINES.get((str(header["e_machine"]), int(elf.elfclass)), str(header["e_machine"]))
    segments = list(_segments(elf, file, steps))
    image = Image(elf, file, segments, steps)
    dynamic = image.dynamic()
    strings = [(tag, image.string(value)) for tag, value in dynamic if tag in _STRING_TAGS]
    required = list(image.required_versions())
    return Binary(
        member=member,
        machine=machine,
        kind=str(header["e_type"]),
        soname=next((text for tag, text in strings if tag == "DT_SONAME"), None),
        needed=tuple(text for tag, text in strings if tag == "DT_NEEDED"),
        rpath=_folders(strings, "DT_RPATH"),
        runpath=_folders(strings, "DT_RUNPATH"),
        versions=tuple(dict.fromkeys((soname, version) for soname, version, _ in required)),
        symbols=image.required_symbols(
            {index: (soname, version) for soname, version, index in required}
        ),
        defines=image.defined_versions(),
        interpreter=image.interpreter(),
        executable_stack=_wants_executable_stack(segments),
        cpu_level=declared_level(image.properties()) if machine == "x86_64" else 0,
        initializes=module is not None and image.exports(_init_function(module)),
        gpu=gpu_code(elf, file, steps),
    )


_STRING_TAGS = frozenset({"DT_NEEDED", "DT_SONAME", "DT_RPATH", "DT_RUNPATH"})


def _folders(strings: Sequence[tuple[str, str]], wanted: str) -> tuple[str, ...]:
    # An empty RPATH is ignored by the loader, though an empty folder within one is not.
    paths = [path for tag, path in strings if tag == wanted and path]
    return tuple(folder for path in paths for folder in path.split(":"))


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
