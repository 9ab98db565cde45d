"""What a wheel uses of its neighbours, the other wheels of the house. Pure.

Spec: ld.so(8), for glibc. The RPATH of a file holds for what that needs in turn, too, unless one
of them has a RUNPATH; a RUNPATH holds for its own file alone. What is loaded already is not looked
for again. (`LD_LIBRARY_PATH`, which comes before a RUNPATH, is the machine's: nothing is said of
it.)
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelhouse.wheels import policy
from wheelhouse.wheels.case import and_others, names_of
from wheelhouse.wheels.layout import installed_as
from wheelhouse.wheels.searchpaths import folder_meant, is_roundabout
from wheelhouse.wheels.sharing import all_required, meant_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

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
    for soname, members in unreached(case).items():
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


def unreached(case: Case) -> Mapping[str, Sequence[str]]:
    """By soname, the members that need it, and are not led to the neighbour that has it."""
    house = _House(case)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for binary, soname in _borrowed(case):
        if installed_as(binary.member) and not house.reached(binary, soname):
            found[soname].append(binary.member)
    return found


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
    libraries = case.provided[soname]
    return meant_for(libraries, all_required(case.wheel.name, case.asks)) or libraries[0]


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


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A file that was loaded for what needs it.

    :ivar inherits: whether the RPATHs of those that loaded it still hold.
    """

    member: str
    inherits: bool


class _House:
    """A wheel's files, installed beside its neighbours."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._users: defaultdict[str, list[Binary]] = defaultdict(list)
        self._files = {binary.member: binary for binary in case.binaries}
        self._served: dict[str, Collection[_Loaded]] = {}
        for binary in self._files.values():
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
        if soname not in self._served:
            self._served[soname] = self._lent(soname)
        return _Loaded(binary.member, inherits=not binary.runpath) in self._served[soname]

    def _lent(self, soname: str) -> Collection[_Loaded]:
        """Of the files that do not find *soname* themselves, those of which each way serves it: a
        file on that way has found *soname* before, or lends its RPATH.

        A way begins at a file that nothing else loads, or at an extension module, which Python
        loads, too. Files that only load each other have no way that serves: any may be the first.
        """
        users: dict[_Loaded, list[_Loaded]] = {}  # of what is not served by itself
        entered: list[_Loaded] = []
        waiting = [
            _Loaded(asker.member, inherits=not asker.runpath)
            for asker in self._users[soname]
            if not any(self._found(asker.heeded, asker, soname))
        ]
        while waiting:
            at = waiting.pop()
            if at in users:
                continue
            binary = self._files[at.member]
            all_users = [] if binary.initializes else self._users_of(binary)
            others = [user for user in all_users if not self._serves(user, soname, at)]
            users[at] = [
                _Loaded(user.member, inherits=at.inherits and not user.runpath) for user in others
            ]
            waiting += users[at]
            if len(others) < len(all_users):
                entered.append(at)
        served = _followers(entered, users)
        return users.keys() - _followers(users.keys() - served, users)

    def _serves(self, user: Binary, soname: str, loaded: _Loaded) -> bool:
        """Whether *user* has found *soname* before what it has *loaded*, or lends that its way."""
        if soname in user.needed and any(self._found(user.heeded, user, soname)):
            return True
        lends = loaded.inherits and not user.runpath
        return lends and any(self._found(user.rpath, user, soname))

    def _users_of(self, binary: Binary) -> list[Binary]:
        return [user for name in dict.fromkeys(names_of(binary)) for user in self._users[name]]

    def _found(self, entries: Sequence[str], binary: Binary, soname: str) -> Iterator[Library]:
        """The libraries called *soname* in the folders that *entries* of *binary* mean."""
        for entry in entries:
            folder = None if is_roundabout(entry) else folder_meant(entry, binary.member)
            for library in self._case.provided[soname]:
                if library.is_provided and library.folder == folder:
                    yield library


def _followers(entered: Iterable[_Loaded], users: Mapping[_Loaded, list[_Loaded]]) -> set[_Loaded]:
    """*entered*, and all that has one of these among its *users*, or among theirs."""
    loads: defaultdict[_Loaded, list[_Loaded]] = defaultdict(list)
    for loaded, by in users.items():
        for user in by:
            loads[user].append(loaded)
    found: set[_Loaded] = set()
    waiting = list(entered)
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting += loads[at]
    return found
