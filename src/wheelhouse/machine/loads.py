"""What of a wheelhouse would load from where, once it is installed. Pure.

Each file is tried in a process of its own, in which nothing but Python was loaded before: what the
loader finds then is found by itself, and not because another package was imported first.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from wheelhouse.machine.loader import Found, Loadable, Process, Way
from wheelhouse.wheels import all_required, libraries_of, meant_for
from wheelhouse.wheels.layout import installed_as
from wheelhouse.wheels.policy import BASE_SONAMES, is_loader, is_of_compiler

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.machine.loader import Need, Surroundings
    from wheelhouse.targets import Target
    from wheelhouse.wheels import Binary, Wheel


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """A library that files of some wheels take from outside of these wheels.

    :ivar wheels: the projects of these wheels, sorted.
    :ivar found: where the loader finds it; None if it does not.
    :ivar provider: the file name of the wheel in the house that has it for them; None if it is the
        system's to have.
    :ivar is_foreign: whether they get one from outside of the house although that has it.
    """

    name: str
    wheels: tuple[str, ...]
    found: Found | None
    provider: str | None
    is_foreign: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Rival:
    """Libraries beside the house that who asks for them by name gets instead of the house's.

    :ivar names: what these are asked for by, and where each is.
    """

    way: Way
    folder: str
    names: Mapping[str, str]


class Installed:
    """The wheels of a house as they would be installed, at a place where nothing is.

    :ivar files: what of them the loader may load, by path.
    """

    def __init__(
        self,
        wheels: Sequence[Wheel],
        target: Target,
        venv: str,
        *,
        asks: Mapping[NormalizedName, Collection[NormalizedName]] = MappingProxyType({}),
    ) -> None:
        """Put *wheels* into the folder *venv*.

        :param asks: which projects each of them requires (:func:`wheels.sharing.who_asks`).
        """
        self._venv = venv
        self._site = f"{venv}/lib/python{target.python}/site-packages"
        self._wheels = {wheel.filename: wheel for wheel in wheels}
        self._libraries = libraries_of(wheels, target)
        self._required = {each.name: all_required(each.name, asks) for each in wheels}
        self._own: dict[str, dict[str, Binary]] = {}
        for wheel in wheels:
            binaries = (b for b in wheel.binaries if b.is_loadable and b.machine == target.arch)
            found = {self.path_of(binary.member): binary for binary in binaries}
            self._own[wheel.filename] = found
        self._owners = {path: name for name, found in self._own.items() for path in found}
        self.files: Mapping[str, Loadable] = {
            path: _loadable(path, binary)
            for found in self._own.values()
            for path, binary in found.items()
        }

    def path_of(self, member: str) -> str:
        """Where the file *member* of a wheel would be."""
        if place := installed_as(member):
            return posixpath.join(self._site, place)
        _, _, inner = member.partition(".data/data/")
        return posixpath.join(self._venv, inner or member)

    def loads(self, program: Loadable | None, around: Surroundings) -> list[Load]:
        """What the files of each wheel take from elsewhere, by name.

        :param around: knows :attr:`files`.
        """
        found: defaultdict[Load, set[str]] = defaultdict(set)
        for wheel in self._wheels.values():
            for need in self._needs(wheel, program, around):
                load = self._load(wheel, need)
                if load is not None:
                    found[load].add(wheel.name)
        loads = (replace(load, wheels=tuple(sorted(by))) for load, by in found.items())
        return sorted(loads, key=lambda load: (load.name, load.wheels))

    def rivals(self, around: Surroundings) -> list[Rival]:
        """What by the environment and the cache is found in place of a library of the house."""
        found: defaultdict[tuple[Way, str], dict[str, str]] = defaultdict(dict)
        for name, libraries in self._libraries.items():
            if not libraries[0].is_provided:
                continue
            for path, way, folder in _by_name(name, around):
                if path not in self.files and around.open(path):
                    found[way, folder].setdefault(name, path)
        return [Rival(way=way, folder=of, names=names) for (way, of), names in found.items()]

    def _needs(
        self, wheel: Wheel, program: Loadable | None, around: Surroundings
    ) -> Iterator[Need]:
        """What its own files need: extension modules first, then what none of those has loaded."""
        own = self._own[wheel.filename]
        met: set[str] = set()
        for path in sorted(own, key=lambda path: (not own[path].initializes, path)):
            if path in met:
                continue
            for need in Process(program, around).open(self.files[path]):
                if need.by in own:
                    yield need
                met |= {need.by, *([need.found.path] if need.found else [])}

    def _load(self, wheel: Wheel, need: Need) -> Load | None:
        """What is worth telling of *need*, without whose it is."""
        if is_loader(need.name) or need.name in BASE_SONAMES or is_of_compiler(need.name):
            return None
        found = replace(need.found, owner="") if need.found else None
        inside = self._owners.get(found.path) if found else None
        provider = inside or self._meant(wheel, need.name)
        is_foreign = found is not None and inside is None and provider is not None
        if provider == wheel.filename and not is_foreign:
            return None  # one that is not found by itself, another file of the wheel loads first
        return Load(
            name=need.name, wheels=(), found=found, provider=provider, is_foreign=is_foreign
        )

    def _meant(self, wheel: Wheel, name: str) -> str | None:
        """The wheel whose library *name* is meant by *wheel*: itself, or who provides it for it."""
        libraries = self._libraries.get(name, ())
        if any(each.wheel == wheel.filename for each in libraries):
            return wheel.filename
        meant = meant_for(libraries, self._required[wheel.name])
        return meant.wheel if meant else None


def _loadable(path: str, binary: Binary) -> Loadable:
    return Loadable(
        path=path,
        soname=binary.soname,
        needed=binary.needed,
        rpath=binary.rpath,
        runpath=binary.runpath,
    )


def _by_name(name: str, around: Surroundings) -> Iterator[tuple[str, Way, str]]:
    """Where *name* would be found for an object without paths of its own."""
    for path in around.preload:
        if posixpath.basename(path) == name:
            yield path, Way.PRELOAD, path
    for folder in around.library_path:
        yield posixpath.join(folder, name), Way.LIBRARY_PATH, folder
    if name in around.cache:
        yield around.cache[name], Way.CACHE, posixpath.dirname(around.cache[name])
