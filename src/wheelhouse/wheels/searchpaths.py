"""Where a wheel's files make the loader look for libraries: RPATH and RUNPATH. Pure.

Spec: ld.so(8), "Dynamic string tokens". Places are told from site-packages on, where pip puts what
is to be imported. Where scripts and data go from there depends on the installation scheme, so
nothing is said of the relative paths of those.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from wheelhouse.wheels.case import and_others
from wheelhouse.wheels.layout import installed_as

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheelhouse.wheels.case import Case
    from wheelhouse.wheels.findings import Finding, Level

_ORIGIN = re.compile(r"\$(?:ORIGIN|\{ORIGIN\})(?=/|\Z)")
#: Stands for `lib64`, `lib` or `lib/x86_64-linux-gnu`.
_LIB = re.compile(r"\$(?:LIB|\{LIB\})(?=/|\Z)")

#: Folders where anyone may put a library for the loader to find.
_WORLD_WRITABLE = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  (looked for, not used)
#: Folders that the system's own packages fill; an RPATH to them changes nothing.
_SYSTEM_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")


def is_relative_to_file(entry: str) -> bool:
    """Whether *entry* of an RPATH starts from the folder of the file that has it."""
    return bool(_ORIGIN.match(entry))


def folder_meant(entry: str, member: str) -> str | None:
    """The folder that *entry* of *member*'s RPATH means, from site-packages on.

    It begins with ``..`` if it leads out of there; None if *entry* or *member* has no such place.
    """
    match, place = _ORIGIN.match(entry), installed_as(member)
    if match is None or not place:
        return None
    way = entry[match.end() :].lstrip("/")
    folder = posixpath.normpath(posixpath.join(posixpath.dirname(place), way))
    return "" if folder == "." else folder


def leads_out(entry: str, member: str) -> bool:
    """Whether *entry* of *member*'s RPATH leads out of site-packages by way of its parents."""
    folder = folder_meant(entry, member)
    return folder is not None and folder.split("/")[0] == ".."


def is_roundabout(entry: str) -> bool:
    """Whether *entry* goes into some folder and out again, which fails if that is not there."""
    way = [part for part in entry.split("/")[1:] if part not in ("", ".")]
    return any(inner != ".." == outer for inner, outer in pairwise(way))


def check_search_paths(case: Case) -> Iterator[Finding]:
    """It makes the loader look only in the house, or where nobody else can put anything."""
    leading: defaultdict[tuple[str, Level, str], list[str]] = defaultdict(list)
    for binary in case.binaries:
        for entry in dict.fromkeys(binary.search):
            if found := _judged(case, entry, binary.member):
                leading[entry, *found].append(binary.member)
    for (entry, level, reason), members in leading.items():
        yield case.find(
            "search-path",
            f"looks for libraries in {entry or 'the current folder'}, {reason}"
            f"{and_others(members)}",
            member=members[0],
            level=level,
            hint=case.way_out(
                "Build it without that RPATH: wheelhouse itself adds those that lead to the "
                "libraries of other wheels."
            ),
        )


def _judged(case: Case, entry: str, member: str) -> tuple[Level, str] | None:
    """How bad it is that the loader looks in *entry*, and why; None if it is not.

    Published wheels often keep paths of the machines that made them, and many have entries for
    other layouts than that of site-packages, too (torch, JAX). Where only root could put a library
    there, that is harmless. A path from the current folder is worth a word, but too common to
    refuse (LLVM's programs). Our own wheels must be clean.
    """
    built = case.origin == "built"
    if is_relative_to_file(entry):
        out = built and leads_out(entry, member)
        return (
            ("error", "which leads out of site-packages, to nothing on a server") if out else None
        )
    if not entry.startswith("/"):
        in_current = entry and not entry.startswith("$")
        reason = "seen from the current folder" if in_current else "which is not part of the wheel"
        return "error" if built else "warning", reason
    place = posixpath.normpath("/" + _LIB.sub("lib64", entry).lstrip("/"))
    if _is_below(place, _SYSTEM_FOLDERS):
        return None
    if _is_below(place, _WORLD_WRITABLE):
        return "error", "where anyone may put them"
    return ("error", "which leads to the machine that built it") if built else None


def _is_below(place: str, folders: Iterable[str]) -> bool:
    return any(place == folder or place.startswith(f"{folder}/") for folder in folders)
