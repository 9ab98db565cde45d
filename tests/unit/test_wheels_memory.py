"""Reading a wheel takes no more memory than a few pieces of it, however long it is."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import pytest

from wheelfactory import compile_library, members, zip_bytes
from wheelhouse.errors import StorageError
from wheelhouse.wheels.archive import read_wheel

if TYPE_CHECKING:
    from pathlib import Path

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


def test_it_passes_through_the_folder_for_that(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        read_wheel(wheel, scratch=tmp_path / "gone")
    assert list(tmp_path.glob("tmp*")) == []
