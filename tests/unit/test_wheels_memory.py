"""Reading a wheel takes no more memory than a few pieces of it, however long it is."""

from __future__ import annotations

import ast
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

import wheelhouse
from wheelfactory import compile_library, members, zip_bytes
from wheelhouse.errors import StorageError
from wheelhouse.wheels.archive import read_wheel

MIB = 1 << 20
LONG = 24 * MIB
LIBRARY = "demo/libdemo.so"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with a long library, not compressed."""
    library = compile_library(tmp_path, "libdemo.so", "int demo;\n")
    library += b"".join(struct.pack(">Q", number) for number in range((LONG - len(library)) // 8))
    content = members({"demo/__init__.py": b"", LIBRARY: library})
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(zip_bytes(list(content.items()), method=zipfile.ZIP_STORED))
    return path


def test_a_long_library_is_read_in_pieces(wheel: Path, tmp_path: Path) -> None:
    read_wheel(wheel, scratch=tmp_path)  # what is imported for it is imported
    tracemalloc.start()
    try:
        found = read_wheel(wheel, scratch=tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [binary.member for binary in found.binaries] == [LIBRARY]
    assert peak < LONG // 2


def test_everybody_says_where() -> None:
    """Who does not has a library of a gigabyte in the folder for temporary files."""
    calls = [
        (path.name, call.lineno, {keyword.arg for keyword in call.keywords})
        for path in Path(wheelhouse.__file__).parent.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "read_wheel"
    ]
    assert len(calls) > 4
    assert [call[:2] for call in calls if "scratch" not in call[2]] == []


def test_it_passes_through_the_folder_for_that(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        read_wheel(wheel, scratch=tmp_path / "gone")
    assert list(tmp_path.glob("tmp*")) == []
