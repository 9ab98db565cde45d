"""The lock of one target, as the rest of the program sees it. Pure data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.inputs.model import Direct


def is_file_name(name: str) -> bool:
    """Whether *name* can be that of a wheel or an sdist, and not a path: it becomes part of one."""
    return re.fullmatch(r"\w[\w.+!-]*", name) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedFile:
    """A wheel or a source, by its hash.

    :ivar url: where it is: an address, or a location as :mod:`wheelhouse.sources` has it.
    """

    filename: str
    url: str
    sha256: str
    size: int | None = None
    upload_time: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Provision:
    """What a build is given although nobody asked for it: what its failures have taught.

    :ivar system: by the name of the builder's platform, packages of that distribution, sorted.
    :ivar constraints: on its build requirements, such as ``setuptools<82``, sorted.
    :ivar requires: build requirements that it needs and does not declare, sorted.
    :ivar before: its build requirements were all on the index before this time.
    :ivar relaxed: upper limits and pins that it sets to its build requirements do not count.
    :ivar search: headers and libraries that the builder has where compilers do not look, such as
        ``header hdf5.h``, sorted; their folders are added to where they do.
    :ivar regenerate: C code that Cython generated for its sdist is generated again.
    """

    system: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    before: datetime | None = None
    relaxed: bool = False
    search: tuple[str, ...] = ()
    regenerate: bool = False

    def with_system(self, platform: str, packages: Iterable[str]) -> Provision:
        """The same with *packages* of *platform* too."""
        known = {*self.system.get(platform, ()), *packages}
        return replace(self, system={**self.system, platform: tuple(sorted(known))})


#: A build that got nothing but what it asked for.
NOTHING_MORE = Provision()


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRequirement:
    """One distribution of a build environment.

    :ivar file: its wheel; or, where none fits the builder, the sdist that is built first.
    :ivar build: what building that sdist takes; None for a wheel.
    :ivar index: the URL of the index that it comes from; None if that is the default one.
    """

    name: NormalizedName
    version: Version
    file: LockedFile
    build: LockedBuild | None = None
    index: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedBuild:
    """What building a package's sdist takes.

    :ivar static: ``build-system.requires`` of its pyproject.toml, or the legacy default.
    :ivar dynamic: what its backend's hook asked for in the container.
    :ivar environment: the closure of both.
    :ivar system: the distribution's packages its builder has in addition, where that is of the
        declared platform; a stand-in's may be called otherwise.
    :ivar provision: what it got beyond all that, and how *environment* was chosen.
    :ivar cuda: whether its builder has the target's CUDA toolkit.
    """

    static: tuple[str, ...]
    dynamic: tuple[str, ...]
    environment: tuple[BuildRequirement, ...]
    system: tuple[str, ...] = ()
    provision: Provision = NOTHING_MORE
    cuda: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemRequirement:
    """A package of the distribution that the server must have beside Python.

    :ivar platform: the name of the platform whose package it is.
    :ivar libraries: sonames that it is needed for; :ivar programs: names of commands.
    :ivar required_by: the locked packages that need it.
    """

    package: str
    platform: str
    libraries: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedRequirement:
    """A requirement that a package has and does not declare, as its proof or its wheel has shown.

    :ivar package: the locked package that needs it.
    :ivar requirement: such as ``setuptools<82``.
    :ivar module: what it failed to import without it; or
    :ivar library: the soname of the shared library that it uses.
    """

    package: NormalizedName
    requirement: str
    module: str = ""
    library: str = ""

    @property
    def use(self) -> str:
        """What shows it, in words: ``imports pkg_resources``, ``uses libcudart.so.13``."""
        return f"uses {self.library}" if self.library else f"imports {self.module}"

    def __str__(self) -> str:
        lacks = f"{self.package} {self.use} and declares nothing that has it"
        return f"{lacks}: {self.requirement} is added"


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedPackage:
    """One pinned package.

    :ivar wheels: those the target can install, best first.
    :ivar required_by: names of packages, or lines of requirements files.
    :ivar build: present where the plan is to build it.
    :ivar yanked: the reason its release was yanked, or None.
    :ivar index: the URL of the index that it comes from; None if it comes from none.
    :ivar direct: where it comes from instead, as it was asked for: then it has one wheel, or one
        source, which is called its *sdist* here.
    :ivar requires: what it requires on the target, extras that are wanted included.
    :ivar provided: how it comes to the server, if not in the wheelhouse: ``image``,
        ``system:PACKAGE``, or ``wheel``. In the first two cases it has no files.
    :ivar place: where it comes from, for messages, while only its backend could tell its name and
        version: those that it has here are made up.
    """

    name: NormalizedName
    version: Version
    wheels: tuple[LockedFile, ...] = ()
    sdist: LockedFile | None = None
    required_by: tuple[str, ...] = ()
    build: LockedBuild | None = None
    yanked: str | None = None
    index: str | None = None
    direct: Direct | None = None
    requires: tuple[str, ...] = ()
    provided: str = ""
    place: str = ""

    @property
    def files(self) -> tuple[LockedFile, ...]:
        """Its wheels, and then its sdist."""
        return (*self.wheels, *((self.sdist,) if self.sdist else ()))

    def __str__(self) -> str:
        return self.place or f"{self.name} {self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedFile:
    """A wheel of an index that does not do what its tag promises, as reading it has shown.

    :ivar reason: what it does not do, as the check of wheels says it.
    :ivar platform: the limits that it was held against; on another platform it may do.
    """

    filename: str
    sha256: str
    reason: str
    platform: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """Everything pinned for one target.

    :ivar inputs: digest of what it was made from; another digest now means it is stale.
    :ivar environment: the target's marker environment, as its image says.
    :ivar refused: files that earlier builds have found out; nothing of it is made of them.
    :ivar system: what the server needs, as proofs have shown; settings may say more.
    :ivar added: requirements that earlier proofs have found to be missing.
    :ivar sources: the same as *inputs* in parts: short digests, by what a person calls each part.
    :ivar before: nothing was chosen that came to its index at this time or later.
    :ivar toolkit: the wheels of the CUDA toolkit that builds have, if any of them needs it.
    """

    target: str
    inputs: str
    python: str
    environment: dict[str, str]
    packages: tuple[LockedPackage, ...]
    requested: tuple[str, ...] = field(default=())
    refused: tuple[RefusedFile, ...] = ()
    system: tuple[SystemRequirement, ...] = ()
    added: tuple[AddedRequirement, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    before: datetime | None = None
    toolkit: tuple[BuildRequirement, ...] = ()

    @property
    def homes(self) -> Mapping[NormalizedName, str]:
        """By name, the index that it comes from, as far as that is told: see ``index``.

        Build requirements and the toolkit are among them, unless they are packages, too.
        """
        builds = [each.build for each in self.packages if each.build is not None]
        found = {each.name: each.index for each in self.toolkit if each.index is not None}
        while builds:
            for each in builds.pop().environment:
                if each.index is not None:
                    found[each.name] = each.index
                if each.build is not None:
                    builds.append(each.build)
        return found | {each.name: each.index for each in self.packages if each.index is not None}

    @property
    def names(self) -> frozenset[NormalizedName]:
        """Of all that is pinned: packages, build requirements and the toolkit's wheels."""
        found = {each.name for each in self.packages} | {each.name for each in self.toolkit}
        builds = [each.build for each in self.packages if each.build is not None]
        while builds:
            for each in builds.pop().environment:
                found.add(each.name)
                if each.build is not None:
                    builds.append(each.build)
        return frozenset(found)

    def package(self, name: NormalizedName) -> LockedPackage | None:
        """The package of that name, if it is locked."""
        return next((each for each in self.packages if each.name == name), None)
