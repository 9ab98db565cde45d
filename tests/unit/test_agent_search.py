"""Folders that compilers are told of, because they do not look there by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheelhouse.agent import search

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(search, "HEADERS", (str(tmp_path / "include"),))
    monkeypatch.setattr(search, "LIBRARIES", (str(tmp_path / "lib"),))
    return tmp_path


def put(root: Path, *files: str) -> None:
    for each in files:
        (root / each).parent.mkdir(parents=True, exist_ok=True)
        (root / each).touch()


def test_a_header_in_a_folder_of_its_own(root: Path) -> None:
    put(root, "include/hdf5/serial/hdf5.h")
    found = search.variables(["header hdf5.h"])
    assert found == {"CPATH": str(root / "include/hdf5/serial")}


def test_a_header_that_is_named_with_its_folder(root: Path) -> None:
    put(root, "include/libxml2/libxml/parser.h")
    found = search.variables(["header libxml/parser.h"])
    assert found == {"CPATH": str(root / "include/libxml2")}


def test_the_nearest_of_several_and_each_folder_once(root: Path) -> None:
    put(root, "include/b/deep/x.h", "include/c/x.h", "include/c/y.h", "include/d/x.h")
    found = search.variables(["header x.h", "header y.h"])
    assert found == {"CPATH": str(root / "include/c")}


def test_a_library(root: Path) -> None:
    put(root, "lib/x86_64-linux-gnu/hdf5/serial/libhdf5.so", "lib/x86_64-linux-gnu/other/libz.a")
    found = search.variables(["library hdf5", "library z"])
    assert found == {
        "LIBRARY_PATH": f"{root}/lib/x86_64-linux-gnu/hdf5/serial:{root}/lib/x86_64-linux-gnu/other"
    }


def test_what_is_of_a_compiler_for_itself_is_passed_over(root: Path) -> None:
    put(root, "include/klibc/x.h", "lib/gcc-cross/libx.so", "lib/python3/libx.so")
    assert search.variables(["header x.h", "library x"]) == {}


def test_what_is_nowhere_or_of_another_kind_adds_nothing(root: Path) -> None:
    put(root, "include/a/b/c/d/e/f/deep.h")
    assert search.variables(["header deep.h", "header gone.h", "program x", ""]) == {}
