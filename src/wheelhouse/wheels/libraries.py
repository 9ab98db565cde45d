"""The shared libraries of a wheel: which it has, which it needs, and where it looks. Pure."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING

from wheelhouse.wheels import policy
from wheelhouse.wheels.case import and_others, names_of, sonames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wheelhouse.targets import Target
    from wheelhouse.wheels.archive import Wheel
    from wheelhouse.wheels.case import Case
    from wheelhouse.wheels.findings import Finding, Level, Origin

#: Folders where anyone may put a library for the loader to find.
_WORLD_WRITABLE = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  (looked for, not used)
#: Folders that the system's own packages fill; an RPATH to them changes nothing.
_SYSTEM_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_SHOWN_NAMES = 8


def provided_sonames(wheels: Iterable[Wheel], target: Target) -> dict[str, str]:
    """Which wheel has which shared library for *target*, by soname and by file name."""
    return {soname: wheel.filename for wheel in wheels for soname in sonames(wheel, target.arch)}


def system_needs(wheel: Wheel, target: Target) -> frozenset[str]:
    """The sonames that *wheel* takes from the target's system beyond what every Linux has.

    A policy may allow them (X11, OpenGL, GLib) although a small installation lacks them, so they
    belong to the stated requirements of a wheelhouse. Includes those of the GPU's driver.
    """
    own = frozenset(sonames(wheel, target.arch))
    allowed = policy.system_sonames(target.preset.libc, target.arch) | policy.DRIVER_SONAMES
    needed = {
        soname
        for binary in wheel.binaries
        if binary.machine == target.arch
        for soname in binary.needed
    }
    libc = {name for name in needed if name.startswith("libc.musl-")}
    return frozenset((needed & allowed) - own - policy.BASE_SONAMES - libc)


# --- rules ---------------------------------------------------------------------------------------


def check_libraries(case: Case) -> Iterator[Finding]:
    """Each library that it needs is in the wheel, in the house, or on the target."""
    missing = _missing_sonames(case)
    for soname in [name for name in missing if name in policy.DRIVER_SONAMES]:
        yield _driver(case, soname, missing.pop(soname))
    if missing and case.origin == "fetched":
        if not _is_useless_without(case, missing):
            yield _partly_missing(case, missing)
            return
        if _proof_can_help(case, missing):
            yield _left_to_the_proof(case, missing)
            return
    for soname, members in missing.items():
        if policy.is_libpython(soname):
            yield _linked_libpython(case, soname, members)
        else:
            yield _missing(case, soname, members)


def _missing_sonames(case: Case) -> dict[str, list[str]]:
    """The libraries that nobody provides, and the members that need them."""
    known = (
        policy.system_sonames(case.target.preset.libc, case.target.arch)
        | case.own_sonames
        | case.provided.keys()
        | frozenset(case.system)
    )
    missing: dict[str, list[str]] = {}
    for binary in case.binaries:
        for soname in dict.fromkeys(binary.needed):
            if soname not in known and not policy.is_loader(soname):
                missing.setdefault(soname, []).append(binary.member)
    return missing


def _is_useless_without(case: Case, missing: Mapping[str, Sequence[str]]) -> bool:
    """Whether none of the wheel's extension modules (or binaries, if it has none) would load.

    Authors leave libraries out on purpose where only a part needs them that few use (numba's
    OpenMP and TBB pools, Qt's plugins). What of it matters, importing in the proof shows.
    """
    binaries = list(case.binaries)
    lame = {member for members in missing.values() for member in members}
    while True:
        names = {name for b in binaries if b.member in lame for name in names_of(b)}
        more = {b.member for b in binaries if names.intersection(b.needed)} - lame
        if not more:
            break
        lame |= more
    entries = {b.member for b in binaries if b.initializes} or {b.member for b in binaries}
    return entries <= lame


def _proof_can_help(case: Case, missing: Mapping[str, Sequence[str]]) -> bool:
    """Whether the proof will miss *missing*, and may have the server get what it is in.

    It loads every extension module, and no other library by itself.
    """
    loaded = any(binary.initializes for binary in case.binaries)
    return loaded and case.target.runtime_system and not any(map(policy.is_libpython, missing))


def _missing(case: Case, soname: str, members: Sequence[str]) -> Finding:
    return case.find(
        "missing-library",
        f"needs {soname}, which neither this wheel, another wheel of the house nor the target's "
        f"platform has{and_others(members)}",
        member=members[0],
        hint=case.way_out(
            f"Let repair graft it: name the system package that has {soname} in "
            f"[packages.{case.wheel.name}] system, or require the wheel that has it."
        ),
    )


def _left_to_the_proof(case: Case, missing: Mapping[str, Sequence[str]]) -> Finding:
    return case.find(
        "missing-library",
        f"needs {_names(missing)}, which nothing in the house has",
        member=next(iter(missing.values()))[0],
        level="warning",
        hint="The server must have the distribution's packages of it; the proof finds out which.",
    )


def _names(missing: Mapping[str, Sequence[str]]) -> str:
    names = sorted(missing)
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more


def _partly_missing(case: Case, missing: Mapping[str, Sequence[str]]) -> Finding:
    return case.find(
        "missing-library",
        f"a part of it needs {_names(missing)}, which nothing in the house has; it works without "
        "that part at best",
        member=next(iter(missing.values()))[0],
        level="warning",
        hint="Install these libraries on the machines you deploy to, if you use that part.",
    )


def _linked_libpython(case: Case, soname: str, members: Sequence[str]) -> Finding:
    return case.find(
        "libpython",
        f"is linked to {soname}, which many Pythons do not have as a file{and_others(members)}",
        member=members[0],
        hint=case.way_out("Build it without linking libpython: an extension needs none."),
    )


def _driver(case: Case, soname: str, members: Sequence[str]) -> Finding:
    return case.find(
        "driver",
        f"needs {soname} of the GPU's driver{and_others(members)}",
        member=members[0],
        level="warning",
        hint="Install the NVIDIA driver on the machines you deploy to.",
    )


def check_search_paths(case: Case) -> Iterator[Finding]:
    """It makes the loader look only in the wheel itself, or where nobody else can put anything."""
    leading: defaultdict[str, list[str]] = defaultdict(list)
    for binary in case.binaries:
        for folder in dict.fromkeys(binary.search):
            if not folder.startswith(("$ORIGIN", "${ORIGIN}")):
                leading[folder].append(binary.member)
    for folder, members in leading.items():
        level = _search_level(folder, case.origin)
        if level:
            yield case.find(
                "search-path",
                f"looks for libraries in {_shown_folder(folder)}, which is not part of the wheel"
                f"{and_others(members)}",
                member=members[0],
                level=level,
                hint=case.way_out("Build it without that RPATH, or let repair rewrite it."),
            )


def _search_level(folder: str, origin: Origin) -> Level | None:
    """How bad it is that the loader looks in *folder*.

    Published wheels often keep paths of the machines that made them. Where only root could put a
    library there, that is harmless (scipy, shapely). A path from the current folder is worth a
    word, but too common to refuse (LLVM's programs). Our own wheels must be clean.
    """
    place = posixpath.normpath(folder) if folder.startswith("/") else None
    if place is not None and _is_below(place, _SYSTEM_FOLDERS):
        return None
    if origin == "built" or (place is not None and _is_below(place, _WORLD_WRITABLE)):
        return "error"
    return "warning" if place is None else None


def _shown_folder(folder: str) -> str:
    if not folder:
        return "the current folder"
    return folder if folder.startswith("/") else f"{folder}, seen from the current folder"


def _is_below(place: str, folders: Iterable[str]) -> bool:
    return any(place == folder or place.startswith(f"{folder}/") for folder in folders)
