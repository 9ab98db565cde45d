"""Folders of headers and libraries that are installed where compilers do not look by themselves.

Distributions keep some apart, such as Debian its HDF5 for one process and for many. Whoever builds
without `pkg-config` is expected to know where.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADERS = ("/usr/include", "/usr/local/include")
LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")

#: What compilers bring along for themselves, or for other machines.
FOREIGN = ("gcc", "gcc-cross", "clang", "klibc", "python3", "debug")

#: How deep below those folders headers and libraries are looked for.
DEPTH = 4


def variables(wanted: Iterable[str]) -> dict[str, str]:
    """Environment variables for compilers, by which they find all of *wanted*.

    :param wanted: lines such as ``header hdf5.h`` or ``library hdf5``. What is nowhere adds
        nothing: the compiler tells.
    """
    headers: dict[str, None] = {}
    libraries: dict[str, None] = {}
    for line in wanted:
        kind, _, name = line.partition(" ")
        if kind == "header":
            headers.update(dict.fromkeys(_header_folder(name)))
        elif kind == "library":
            libraries.update(dict.fromkeys(_library_folder(name)))
    found = {"CPATH": headers, "LIBRARY_PATH": libraries}
    return {name: os.pathsep.join(folders) for name, folders in found.items() if folders}


def _header_folder(name: str) -> list[str]:
    """The folder from which ``#include <name>`` leads to a file, if there is one: the nearest."""
    places = (folder for top in HEADERS for folder in _below(top))
    return _nearest(folder for folder in places if os.path.isfile(os.path.join(folder, name)))


def _library_folder(name: str) -> list[str]:
    files = (f"lib{name}.so", f"lib{name}.a")
    places = (folder for top in LIBRARIES for folder in _below(top))
    return _nearest(
        folder
        for folder in places
        if any(os.path.isfile(os.path.join(folder, file)) for file in files)
    )


def _nearest(folders: Iterable[str]) -> list[str]:
    return sorted(set(folders), key=lambda folder: (folder.count("/"), folder))[:1]


def _below(top: str) -> Iterator[str]:
    for folder, names, _ in os.walk(top):
        yield folder
        deep = folder.count("/") - top.count("/") >= DEPTH
        names[:] = [] if deep else sorted(name for name in names if not name.startswith(FOREIGN))
