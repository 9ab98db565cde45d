from __future__ import annotations

import io
import random
import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mutations import mutated
from wheelfactory import compile_library
from wheelhouse.wheels.elf import read_binary
from wheelhouse.wheels.elfimage import BrokenElfError, Steps
from wheelhouse.wheels.gpus import runs_on

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Fat binaries of an empty kernel, as nvcc of CUDA 13.2 makes them. ``many.fatbin`` is compressed,
#: and has intermediate code for 8.9 (``lto_89``), too; ``one.fatbin`` is neither.
DATA = Path(__file__).parents[1] / "data" / "gpu"
MANY, ONE = DATA / "many.fatbin", DATA / "one.fatbin"

IN_MANY = (
    *("sm_75", "sm_80", "sm_90a", "sm_100f", "sm_120"),
    *("compute_80", "compute_90a", "compute_100f"),
)

ENTRY = "<HHIQIIHHIIIQ16x"


def library(folder: Path, *contents: bytes, section: str = ".nv_fatbin") -> bytes:
    """A library with *contents* where nvcc puts them."""
    lines = [f'.section {section}, "a"']
    for number, content in enumerate(contents):
        (folder / f"{number}.bin").write_bytes(content)
        lines += [".balign 8", f'.incbin "{number}.bin"']
    # `Path` has no say in it: the assembler looks from the folder where it runs.
    assembly = "\\n".join(line.replace('"', '\\"') for line in [*lines, ".text"])
    return compile_library(folder, "libgpu.so", f'__asm__("{assembly}");\nint one;\n')


def gpu(data: bytes) -> tuple[str, ...]:
    return read_binary(io.BytesIO(data), "demo/libgpu.so").gpu


def fatbin(*entries: bytes, size: int | None = None, magic: int = 0xBA55ED50) -> bytes:
    content = b"".join(entries)
    return struct.pack("<IHHQ", magic, 1, 16, len(content) if size is None else size) + content


def entry(
    arch: int, *, kind: int = 2, flags: int = 0x11, code: bytes = bytes(8), header: int = 64
) -> bytes:
    fields = (kind, 0x101, header, len(code), 0, 0, 8, 1, arch, 0, 0, flags)
    return struct.pack(ENTRY, *fields) + code


def test_what_nvcc_makes(tmp_path: Path) -> None:
    assert gpu(library(tmp_path, MANY.read_bytes())) == IN_MANY
    assert gpu(library(tmp_path, ONE.read_bytes())) == ("sm_86",)


def test_each_compiled_file_has_its_own(tmp_path: Path) -> None:
    contents = [ONE.read_bytes(), MANY.read_bytes(), b"", ONE.read_bytes()]
    assert gpu(library(tmp_path, *contents)) == ("sm_75", "sm_80", "sm_86", *IN_MANY[2:])


def test_code_that_is_yet_to_be_linked_does_not_count(tmp_path: Path) -> None:
    assert gpu(library(tmp_path, MANY.read_bytes(), section="__nv_relfatbin")) == ()
    assert gpu(library(tmp_path)) == ()


def test_without_section_headers_nothing_is_known(tmp_path: Path) -> None:
    data = bytearray(library(tmp_path, ONE.read_bytes()))
    data[40:48] = bytes(8)  # e_shoff
    data[60:64] = bytes(4)  # e_shnum, e_shstrndx
    assert gpu(bytes(data)) == ()


def test_headers_that_are_longer_than_usual_are_stepped_over(tmp_path: Path) -> None:
    long = entry(90, flags=0x100011, header=64 + 40, code=bytes(40) + bytes(8))
    fixed = long[:8] + struct.pack("<Q", 8) + long[16:]
    assert gpu(library(tmp_path, fatbin(fixed, entry(75)))) == ("sm_75", "sm_90a")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(fatbin(entry(80), magic=0xBA55ED51), id="another magic number"),
        pytest.param(fatbin(entry(80), size=1 << 62), id="longer than its section"),
        pytest.param(fatbin(entry(80, header=16)), id="an entry that is shorter than its header"),
        pytest.param(fatbin(entry(80, header=1 << 30)), id="a header without end"),
        pytest.param(fatbin(entry(80) + bytes(8)), id="half an entry"),
        pytest.param(fatbin(entry(0)), id="no GPU"),
        pytest.param(fatbin(entry(4000)), id="an unlikely GPU"),
        pytest.param(fatbin(entry(80, code=b"")[:8] + b"\xff" * 8 + bytes(56)), id="code too long"),
    ],
)
def test_what_is_not_understood_is_no_code(tmp_path: Path, content: bytes) -> None:
    assert gpu(library(tmp_path, ONE.read_bytes(), content)) == ()


def test_damage_is_never_anything_else_than_broken(tmp_path: Path) -> None:
    chance = random.Random(7)
    data = library(tmp_path, MANY.read_bytes())
    for _ in range(400):
        with suppress(BrokenElfError):
            gpu(mutated(data, chance))


def test_reading_is_bounded(tmp_path: Path) -> None:
    """Entries without code, as many as fit: more than may be looked at."""
    data = library(tmp_path, fatbin(*[entry(80, code=b"")] * 5000))
    assert gpu(data) == ("sm_80",)
    with pytest.raises(BrokenElfError, match="than any linker makes"):
        read_binary(io.BytesIO(data), "demo/libgpu.so", steps=Steps(5000))


def test_a_file_that_leads_to_where_no_file_goes_is_broken(tmp_path: Path) -> None:
    """Unlike memory, a disk refuses some places."""
    data = library(tmp_path, ONE.read_bytes())
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        for at in range(64, 64 + 56 * 8, 8):  # its program headers
            file.seek(0)
            file.write(data[:at] + struct.pack("<Q", 1 << 62) + data[at + 8 :])
            with suppress(BrokenElfError):
                read_binary(file, "demo/libgpu.so")


@pytest.mark.parametrize(
    ("code", "on", "not_on"),
    [
        ("sm_80", (80, 86, 89), (75, 90, 100)),
        ("sm_86", (86, 89), (80, 90)),
        ("sm_90a", (90,), (89, 100)),
        ("sm_100", (100, 103), (90, 120)),
        ("sm_100f", (100, 103), (101, 110, 120)),
        ("sm_103f", (103,), (100, 101)),
        ("sm_101f", (101,), (100, 103)),
        ("sm_120f", (120, 121), (100, 110)),
        ("compute_80", (80, 86, 90, 121), (75,)),
        ("compute_90a", (90,), (80, 100)),
        ("compute_100f", (100, 103), (120,)),
    ],
)
def test_which_gpus_run_what(code: str, on: Sequence[int], not_on: Sequence[int]) -> None:
    assert all(runs_on(code, each) for each in on)
    assert not any(runs_on(code, each) for each in not_on)
