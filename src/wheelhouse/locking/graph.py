"""Who needs whom in a lock: trees of it, and the ways from a person's files to a package. Pure.

A lock names, for each package, who asks for it: other packages, lines of requirements files, or
whole files that are locks themselves. Those ask for every package that they have, which says
nothing; so they count only for packages that no other package asks for.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.utils import NormalizedName

    from wheelhouse.locking.model import BuildRequirement, Lock, LockedBuild, LockedPackage

#: ``requirements.txt:3`` or ``pyproject.toml: dependencies``, and not ``uv.lock``.
_LINE = re.compile(r":\d+$|: ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """A package, and the requirement by which another or a line of a file asks for it.

    :ivar requirement: such as ``click>=8``; its name alone where the lock does not say more.
    """

    package: LockedPackage
    requirement: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """One way from a line of a file to a package.

    :ivar origin: the line, such as ``requirements.txt:3``.
    :ivar needs: what it asks for, what that needs, and so on to the package itself.
    """

    origin: str
    needs: tuple[Need, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildUse:
    """A package that is built with another.

    :ivar package: the one of the lock that is built.
    :ivar through: build requirements that are built first, and take it for that; outermost first.
    :ivar requirement: the build requirement that asks for it; empty where only others of the same
        environment do.
    :ivar version: that which is used.
    """

    package: LockedPackage
    through: tuple[str, ...]
    requirement: str
    version: str


class Graph:
    """The packages of *lock* and who needs whom."""

    def __init__(self, lock: Lock) -> None:
        self.lock = lock
        self.packages: Mapping[NormalizedName, LockedPackage] = {
            each.name: each for each in lock.packages
        }

    def requirers(self, name: NormalizedName) -> tuple[LockedPackage, ...]:
        """The packages that need *name*, in order."""
        wanted = (self._package(each) for each in self.packages[name].required_by)
        return tuple(sorted((each for each in wanted if each), key=lambda each: each.name))

    def needs(self, name: NormalizedName) -> tuple[Need, ...]:
        """What the package *name* needs, in order."""
        asking = self.packages[name]
        return tuple(
            Need(package=each, requirement=_requirement(asking.requires, each.name))
            for each in self._needed.get(name, ())
        )

    def requirement(self, asking: NormalizedName, name: NormalizedName) -> str:
        """By which requirement *asking* needs *name*."""
        return _requirement(self.packages[asking].requires, name)

    def asked(self, name: NormalizedName) -> str:
        """By which requirement the person's files ask for *name*."""
        return _requirement(self.lock.requested, name)

    @cached_property
    def roots(self) -> tuple[NormalizedName, ...]:
        """The packages that files ask for, in the order of their lines."""
        return tuple(sorted(self.origins, key=lambda name: _place(self.origins[name][0])))

    @cached_property
    def origins(self) -> Mapping[NormalizedName, tuple[str, ...]]:
        """By name, the lines of files that ask for a package, in order."""
        found = {
            name: lines
            for name, package in self.packages.items()
            if (lines := self._lines(package, alone=not self.requirers(name)))
        }
        reached = self._reached(found)
        for name, package in self.packages.items():
            if name not in reached and (lines := self._lines(package, alone=True)):
                found[name] = lines  # of a circle, which a lock has and no line asks for
                reached |= self._reached([name])
        return found

    def chains(self, name: NormalizedName) -> Iterator[Chain]:
        """The shortest ways from each line to the package *name*, those of all lines by length."""
        distances = self._distances(name)
        starts = [
            (distances[root], _place(origin), origin, root)
            for root in self.origins
            if root in distances
            for origin in self.origins[root]
        ]
        for _, _, origin, root in sorted(starts):
            first = Need(package=self.packages[root], requirement=self.asked(root))
            for needs in self._ways(first, distances):
                yield Chain(origin=origin, needs=needs)

    def _ways(
        self, need: Need, distances: Mapping[NormalizedName, int]
    ) -> Iterator[tuple[Need, ...]]:
        """The ways from *need* that come nearer with each step."""
        left = distances[need.package.name]
        if not left:
            yield (need,)
        for after in self.needs(need.package.name) if left else ():
            if distances.get(after.package.name) == left - 1:
                for rest in self._ways(after, distances):
                    yield (need, *rest)

    def _distances(self, name: NormalizedName) -> Mapping[NormalizedName, int]:
        """How many steps lead from each package to *name*; those without a way are missing."""
        found = {name: 0}
        pending = deque([name])
        while pending:
            current = pending.popleft()
            for each in self.requirers(current):
                if each.name not in found:
                    found[each.name] = found[current] + 1
                    pending.append(each.name)
        return found

    def _reached(self, names: Iterable[NormalizedName]) -> set[NormalizedName]:
        """*names* and all that they need."""
        found: set[NormalizedName] = set()
        pending = list(names)
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += [each.name for each in self._needed.get(name, ())]
        return found

    @cached_property
    def _needed(self) -> Mapping[NormalizedName, tuple[LockedPackage, ...]]:
        """By name, the packages that a package needs."""
        needed: dict[NormalizedName, list[LockedPackage]] = {}
        for name in sorted(self.packages):
            for each in self.requirers(name):
                needed.setdefault(each.name, []).append(self.packages[name])
        return {name: tuple(found) for name, found in needed.items()}

    def _package(self, wanting: str) -> LockedPackage | None:
        """The package that *wanting* names; None if it names a line of a file.

        Those have a dot or a slash somewhere, or a colon, which no normalized name has.
        """
        name = canonicalize_name(wanting)
        return self.packages.get(name) if name == wanting else None

    def _lines(self, package: LockedPackage, *, alone: bool) -> tuple[str, ...]:
        """The lines that ask for *package*.

        :param alone: whether whole files count, too.
        """
        lines = [each for each in package.required_by if self._package(each) is None]
        return tuple(sorted((each for each in lines if alone or _LINE.search(each)), key=_place))


def build_uses(lock: Lock, name: NormalizedName) -> Iterator[BuildUse]:
    """The packages of *lock* that are built with *name*."""
    for package in lock.packages:
        if package.build is not None:
            for use in _uses(package.build, name):
                yield BuildUse(
                    package=package,
                    through=use[0],
                    requirement=use[1],
                    version=str(use[2].version),
                )


def built_with(lock: Lock) -> set[NormalizedName]:
    """The names of all build requirements in *lock*."""

    def names(build: LockedBuild) -> Iterator[NormalizedName]:
        for each in build.environment:
            yield each.name
            if each.build is not None:
                yield from names(each.build)

    return {name for each in lock.packages if each.build for name in names(each.build)}


def _uses(
    build: LockedBuild, name: NormalizedName, through: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, BuildRequirement]]:
    for each in build.environment:
        if each.name == name:
            asking = (*build.static, *build.dynamic, *build.provision.requires)
            yield through, _requirement(asking, name, otherwise=""), each
        if each.build is not None:
            yield from _uses(each.build, name, (*through, f"{each.name} {each.version}"))


def _requirement(lines: Iterable[str], name: NormalizedName, otherwise: str | None = None) -> str:
    """Those of *lines* that are about *name*, or what there is *otherwise*: *name*."""
    found = dict.fromkeys(each for each in lines if _name_of(each) == name)
    return " and ".join(found) or (name if otherwise is None else otherwise)


def _name_of(line: str) -> NormalizedName | None:
    try:
        return canonicalize_name(Requirement(line).name)
    except InvalidRequirement:
        return None


def _place(origin: str) -> tuple[str, int]:
    """By what *origin* is sorted: the file, and the number of the line."""
    file, _, line = origin.rpartition(":")
    return (file, int(line)) if line.isdigit() else (origin, 0)
