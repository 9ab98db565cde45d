"""The CUDA toolkit of a builder, as a build comes to see it.

Where the build environment has parts of CUDA itself, as a build against PyTorch does, they are
found, too: NVIDIA's wheels have headers and libraries in folders below ``nvidia`` where compilers
do not look, and libraries under no name that linkers ask for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: Where an image of the host's choice, or this machine, has its own.
HOME = "/usr/local/cuda"

#: What compilers, and what CMake reads; options on their command lines come before.
HEADERS = ("CPATH", "CMAKE_INCLUDE_PATH")
LIBRARIES = ("LIBRARY_PATH", "CMAKE_LIBRARY_PATH")


def variables(home: str, site_packages: str, present: Mapping[str, str]) -> dict[str, str]:
    """What of the *present* environment variables changes where a toolkit is in the folder *home*.

    Libraries in *site_packages* get the links that linkers need. Nothing changes without a *home*.
    """
    if not home:
        return {}
    headers = list(_folders(site_packages, "include"))
    libraries = list(_folders(site_packages, "lib"))
    for folder in libraries:
        _link(folder)
    return {
        "PATH": _joined([os.path.join(home, "bin")], present.get("PATH")),
        **{
            name: _joined([present[name]] if present.get(name) else [], *folders)
            for names, folders in ((HEADERS, headers), (LIBRARIES, libraries))
            for name in names
            if folders
        },
    }


def programs_without(path: str, system: str) -> str:
    """The folders of *path* that are none of an image's own toolkit, by whatever name.

    Build tools that look for `nvcc` there would find one that was not asked for. Those of *system*
    stay: somebody may have a link that leads from :data:`HOME` there.
    """
    home, always = os.path.realpath(HOME), system.split(os.pathsep)
    folders = path.split(os.pathsep)
    return os.pathsep.join(each for each in folders if each in always or not _is_in(each, home))


def _is_in(path: str, home: str) -> bool:
    """Whether *path* is *home* or below it, before or after its own link is followed."""
    above, name = os.path.split(path.rstrip("/"))
    places = (os.path.realpath(path), os.path.join(os.path.realpath(above), name))
    return any(os.path.commonpath([place, home]) == home for place in places)


def gather(site_packages: str, into: str) -> None:
    """Have all headers and libraries in the folders ``include`` and ``lib`` of *into*, as links.

    For a build that is told folders before its environment is there.
    """
    for name in ("include", "lib"):
        for part in _folders(site_packages, name):
            for folder, _, files in os.walk(part):
                place = os.path.join(into, name, os.path.relpath(folder, part))
                os.makedirs(place, exist_ok=True)
                for each in files:
                    if not os.path.lexists(os.path.join(place, each)):
                        os.symlink(os.path.join(folder, each), os.path.join(place, each))
    libraries = os.path.join(into, "lib")
    if os.path.isdir(libraries):
        _link(libraries)


def _joined(first: Iterable[str], *more: str | None) -> str:
    return os.pathsep.join([*first, *filter(None, more)])


def _folders(site_packages: str, name: str) -> Iterator[str]:
    """``nvidia/cu13/lib``, ``nvidia/cudnn/lib``, …"""
    top = os.path.join(site_packages, "nvidia")
    for part in sorted(os.listdir(top)) if os.path.isdir(top) else ():
        folder = os.path.join(top, part, name)
        if os.path.isdir(folder):
            yield folder


def _link(folder: str) -> None:
    """Have ``libcublas.so`` beside ``libcublas.so.13``."""
    for name in sorted(os.listdir(folder)):
        bare, dot, _ = name.partition(".so.")
        link = os.path.join(folder, f"{bare}.so")
        if dot and bare.startswith("lib") and not os.path.lexists(link):
            os.symlink(name, link)
