"""The level of x86-64 that a file declares, in the note as linkers write it."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from wheelhouse.wheels.cpulevel import declared_level
from wheelhouse.wheels.elf import read_binary

if TYPE_CHECKING:
    from pathlib import Path

NEEDED, USED, FEATURES = 0xC0008002, 0xC0010002, 0xC0000002


def properties(*pairs: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<4I", kind, 4, value, 0) for kind, value in pairs)


def note(content: bytes, *, name: bytes = b"GNU\0", kind: int = 5) -> bytes:
    return struct.pack("<3I", len(name), len(content), kind) + name + content


@pytest.mark.parametrize(
    ("content", "level"),
    [
        (note(properties((NEEDED, 1))), 1),
        (note(properties((NEEDED, 0b111))), 3),
        (note(properties((NEEDED, 0b1000))), 4),
        (note(properties((FEATURES, 3), (NEEDED, 0b11))), 2),
        (note(b"other", name=b"X\0\0\0") + b"\0\0\0" + note(properties((NEEDED, 7))), 3),
        (note(properties((USED, 0b111), (FEATURES, 3))), 0),
        (note(properties((NEEDED, 7)), kind=1), 0),
        (note(properties((NEEDED, 7)))[:20], 0),
        (struct.pack("<3I", 0xFFFFFFFF, 0xFFFFFFFF, 5), 0),
        (note(struct.pack("<2I", NEEDED, 0xFFFFFFFF) + b"\0" * 8), 0),
        (b"", 0),
    ],
)
def test_the_highest_level_that_is_declared(content: bytes, level: int) -> None:
    assert declared_level(content) == level


@pytest.mark.parametrize(("option", "level"), [("x86-64-v3", 3), ("x86-64-v2", 2), ("", 0)])
def test_as_a_linker_writes_it(tmp_path: Path, option: str, level: int) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    (tmp_path / "a.c").write_text("int a(void) { return 0; }\n")
    link = [f"-Wl,-z,{option}"] if option else []
    command = ["gcc", "-shared", "-fPIC", "-nostdlib", "a.c", *link, "-o", "a.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    content = (tmp_path / "a.so").read_bytes()
    assert read_binary(io.BytesIO(content), "a.so").cpu_level == level
