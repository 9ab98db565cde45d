"""What a wheel uses of its neighbours, the other wheels of the house. Pure.

Spec: ld.so(8), for glibc. The RPATH of a file holds for what that needs in turn, too, unless one
of them has a RUNPATH; a RUNPATH holds for its own file alone. What is loaded already is not looked
for again. (`LD_LIBRARY_PATH`, which comes before a RUNPATH, is the machine's: nothing is said of
it.)
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from wheelhouse.wheels import policy
from wheelhouse.wheels.case import and_others, names_of
from wheelhouse.wheels.layout import installed_as
from wheelhouse.wheels.searchpaths import folder_meant, is_roundabout
from wheelhouse.wheels.sharing import meant_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelhouse.wheels.case import Case
    from wheelhouse.wheels.elf import Binary
    from wheelhouse.wheels.findings import Finding
    from wheelhouse.wheels.sharing import Library


def check_reach(case: Case) -> Iterator[Finding]:
    """A wheel that was built here reaches what it needs of its neighbours.

    Published ones have ways of their own, such as loading a library before what needs it (torch,
    CuPy); whether these work, the proof shows.
    """
    if case.origin != "built":
        return
    house = _House(case)
    unreached: defaultdict[str, list[str]] = defaultdict(list)
    for binary, soname in _borrowed(case):
        if installed_as(binary.member) and not house.reached(binary, soname):
            unreached[soname].append(binary.member)
    for soname, members in unreached.items():
        library = _meant(case, soname)
        here = posixpath.dirname(installed_as(members[0]))
        way = posixpath.relpath(f"/{library.folder}", f"/{here}")
        yield case.find(
            "unreached-library",
            f"needs {soname}, which {library.wheel} has, but looks for it in no folder where "
            f"that is{and_others(members)}",
            member=members[0],
            hint=f"Link it with -Wl,-rpath,'$ORIGIN/{way}', or let repair add that.",
        )


def check_library_versions(case: Case) -> Iterator[Finding]:
    """The libraries of its neighbours have the symbol versions that it needs of them."""
    house = _House(case)
    lacking: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for binary, soname in _borrowed(case):
        wanted = [version for name, version in binary.versions if name == soname]
        meant = house.meant(binary, soname)
        for version in wanted:
            # Of one without any, the loader takes symbols of whatever version.
            if all(each.defines and version not in each.defines for each in meant):
                lacking[soname, version].append(binary.member)
    for (soname, version), members in lacking.items():
        library = _meant(case, soname)
        yield case.find(
            "library-version",
            f"needs {version} of {soname}, which that of {library.wheel} does not have"
            f"{and_others(members)}",
            member=members[0],
            level="error" if case.origin == "built" else "warning",
            hint=f"Pin a version of {library.project} that has it, or have {case.wheel.name} built "
            f"with the {library.project} of the lock.",
        )


def _meant(case: Case, soname: str) -> Library:
    required = {canonicalize_name(each.name) for each in case.wheel.metadata.requires_dist}
    libraries = case.provided[soname]
    return meant_for(libraries, required) or libraries[0]


def _borrowed(case: Case) -> Iterator[tuple[Binary, str]]:
    """Each binary with each soname that only another wheel of the house has for it."""
    elsewhere = (
        case.own_sonames
        | policy.system_sonames(case.target.preset.libc, case.target.arch)
        | frozenset(case.system)
    )
    borrowed = case.available - elsewhere
    for binary in case.binaries:
        for soname in dict.fromkeys(binary.needed):
            if soname in borrowed:
                yield binary, soname


class _House:
    """A wheel's files, installed beside its neighbours."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._users: defaultdict[str, list[Binary]] = defaultdict(list)
        for binary in case.binaries:
            for soname in dict.fromkeys(binary.needed):
                self._users[soname].append(binary)

    def meant(self, binary: Binary, soname: str) -> Sequence[Library]:
        """The libraries that *binary* may get as *soname*: those it reaches itself, else all."""
        libraries = self._case.provided[soname]
        if self._case.origin == "fetched":
            return libraries
        first = next(self._found(binary.heeded, binary, soname), None)
        return [first] if first else [each for each in libraries if each.is_provided]

    def reached(self, binary: Binary, soname: str) -> bool:
        """Whether the loader finds *soname* for *binary*, whatever has it loaded."""
        if any(self._found(binary.heeded, binary, soname)):
            return True
        return self._from_users(binary, soname, inherits=not binary.runpath, seen=set())

    def _from_users(
        self, binary: Binary, soname: str, *, inherits: bool, seen: set[tuple[str, bool]]
    ) -> bool:
        """Whether all files of the wheel that load *binary* have found *soname* before, or lend
        it their RPATH. An extension module is loaded by Python, too, and so by none of them."""
        if (binary.member, inherits) in seen:
            return True  # round in a circle: another way in decides
        seen.add((binary.member, inherits))
        users = [] if binary.initializes else self._users_of(binary)
        return bool(users) and all(
            self._serves(user, soname, inherits=inherits, seen=seen) for user in users
        )

    def _serves(
        self, user: Binary, soname: str, *, inherits: bool, seen: set[tuple[str, bool]]
    ) -> bool:
        lends = inherits and not user.runpath
        if soname in user.needed and any(self._found(user.heeded, user, soname)):
            return True
        if lends and any(self._found(user.rpath, user, soname)):
            return True
        return self._from_users(user, soname, inherits=lends, seen=seen)

    def _users_of(self, binary: Binary) -> list[Binary]:
        return [user for name in dict.fromkeys(names_of(binary)) for user in self._users[name]]

    def _found(self, entries: Sequence[str], binary: Binary, soname: str) -> Iterator[Library]:
        """The libraries called *soname* in the folders that *entries* of *binary* mean."""
        for entry in entries:
            folder = None if is_roundabout(entry) else folder_meant(entry, binary.member)
            for library in self._case.provided[soname]:
                if library.is_provided and library.folder == folder:
                    yield library
