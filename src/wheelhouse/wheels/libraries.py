"""The shared libraries that a wheel needs, and whether somebody has them. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from wheelhouse.wheels import policy
from wheelhouse.wheels.case import and_others, names_of, sonames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wheelhouse.targets import Target
    from wheelhouse.wheels.archive import Wheel
    from wheelhouse.wheels.case import Case
    from wheelhouse.wheels.elf import Binary
    from wheelhouse.wheels.findings import Finding

_SHOWN_NAMES = 8


def system_needs(wheel: Wheel, target: Target) -> frozenset[str]:
    """The sonames that *wheel* takes from the target's system beyond what every Linux has.

    A policy may allow them (X11, OpenGL, GLib) although a small installation lacks them, so they
    belong to the stated requirements of a wheelhouse. Includes those of the GPU's driver, and
    Python's own library where a program is linked to it: many Pythons do without that file.
    """
    own = frozenset(sonames(wheel, target.arch))
    allowed = policy.system_sonames(target.preset.libc, target.arch) | policy.DRIVER_SONAMES
    binaries = [binary for binary in wheel.binaries if binary.machine == target.arch]
    needed = {soname for binary in binaries for soname in binary.needed}
    libc = {name for name in needed if name.startswith("libc.musl-")}
    python = {name for binary in binaries for name in _python_of(binary, target)}
    return frozenset((needed & allowed | python) - own - policy.BASE_SONAMES - libc)


def _python_of(binary: Binary, target: Target) -> frozenset[str]:
    """The target's own libpython, if *binary* may count on it.

    A program may, for nobody else brings Python's symbols along. Whatever Python loads has them
    already.
    """
    if binary.interpreter is None:
        return frozenset()
    return frozenset({policy.libpython_of(target.python)}.intersection(binary.needed))


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
        | case.available
        | frozenset(case.system)
    )
    missing: dict[str, list[str]] = {}
    for binary in case.binaries:
        for soname in dict.fromkeys(binary.needed):
            if policy.is_loader(soname) or soname in _python_of(binary, case.target):
                continue
            if soname not in known:
                missing.setdefault(soname, []).append(binary.member)
    return missing


def _is_useless_without(case: Case, missing: Mapping[str, Sequence[str]]) -> bool:
    """Whether none of the wheel's extension modules (or binaries, if it has none) would load.

    Authors leave libraries out on purpose where only a part needs them that few use (numba's
    OpenMP and TBB pools, Qt's plugins). What of it matters, importing in the proof shows.
    """
    binaries = list(case.binaries)
    users: defaultdict[str, list[Binary]] = defaultdict(list)
    for binary in binaries:
        for name in binary.needed:
            users[name].append(binary)
    lame = {member for members in missing.values() for member in members}
    waiting = [binary for binary in binaries if binary.member in lame]
    while waiting:
        more = [user for name in names_of(waiting.pop()) for user in users[name]]
        waiting += [user for user in more if user.member not in lame]
        lame |= {user.member for user in more}
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
        f"platform has{and_others(members)}{_of_other_version(case, soname)}",
        member=members[0],
        hint=case.way_out(
            f"Let repair graft it: name the system package that has {soname} in "
            f"[packages.{case.wheel.name}] system, or require the wheel that has it."
        ),
    )


def _of_other_version(case: Case, soname: str) -> str:
    """A clause on who has the library in another version, if anybody in the house does."""
    stem = soname.partition(".so")[0] + ".so"
    found = (name for name in case.provided if name.startswith(f"{stem}."))
    other = next((name for name in found if case.provided[name][0].is_provided), None)
    return f"; {case.provided[other][0].wheel} has {other}" if other else ""


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
    programs = {binary.member for binary in case.binaries if binary.interpreter is not None}
    if programs.issuperset(members):
        message = (
            f"has a program that is linked to {soname}, which is not of the target's Python "
            f"{case.target.python}"
        )
        hint = f"Have its build link {policy.libpython_of(case.target.python)}."
    else:
        message = f"is linked to {soname}, which many Pythons do not have as a file"
        hint = "Build it without linking libpython: an extension needs none."
    return case.find(
        "libpython",
        f"{message}{and_others(members)}",
        member=next((each for each in members if each not in programs), members[0]),
        hint=case.way_out(hint),
    )


def _driver(case: Case, soname: str, members: Sequence[str]) -> Finding:
    return case.find(
        "driver",
        f"needs {soname} of the GPU's driver{and_others(members)}",
        member=members[0],
        level="warning",
        hint="Install the NVIDIA driver on the machines you deploy to.",
    )
