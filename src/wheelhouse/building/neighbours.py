"""Which libraries a built wheel takes from the other wheels of its house. Pure.

What one of those has is not copied into the wheel, which looks for it there instead; and what has
it must be among the wheel's requirements. That holds for CUDA's libraries and PyTorch's as for any
others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse import cuda
from wheelhouse.alignment.frameworks import parts
from wheelhouse.locking.model import AddedRequirement
from wheelhouse.wheels import policy
from wheelhouse.wheels.case import sonames
from wheelhouse.wheels.sharing import all_required, meant_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.building.repairs import Repair
    from wheelhouse.cuda import Cuda
    from wheelhouse.locking.model import LockedPackage
    from wheelhouse.targets import Target
    from wheelhouse.wheels.archive import Wheel
    from wheelhouse.wheels.sharing import Library

    Libraries = Mapping[str, Sequence[Library]]


#: A soname that tells the version of its interface.
_NUMBERED = re.compile(r"\.so\.\d|-\d[\d.]*\.so\Z")


def never_grafted() -> tuple[str, ...]:
    """The libraries that no wheel gets a copy of: the GPU driver's, and CUDA's."""
    return tuple(sorted(policy.DRIVER_SONAMES | cuda.sonames()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbourhood:
    """The wheels of a house, as one of them sees the others.

    :ivar libraries: see :func:`wheelhouse.wheels.sharing.libraries_of`.
    :ivar packages: what is locked.
    :ivar kept: by package, the sonames of libraries that it takes from the distribution, as it is
        said, whoever has them, too.
    """

    libraries: Libraries
    packages: Mapping[NormalizedName, LockedPackage]
    target: Target
    kept: Mapping[NormalizedName, Collection[str]] = field(default_factory=dict)

    def offered(self, wheel: Wheel, repair: Repair) -> dict[str, Library]:
        """By soname, what *wheel* can take from others, after *repair* without them.

        What its requirements have comes first, then what its build requirements have. What was
        copied into it, because its builder has it, is taken only from who has all of it that the
        wheel uses.
        """
        found = {}
        for soname, versions in self._wanted(wheel, repair).items():
            suppliers = repair.suppliers.get(soname, ())
            candidates = [
                each
                for each in self.libraries.get(soname, ())
                if each.is_provided and each.project != wheel.name and _has(each, versions)
            ]
            candidates.sort(key=lambda each: each.project not in suppliers)
            if candidates:
                near = self.required_by(wheel.name)
                if soname in repair.grafted and not _is_numbered(soname):
                    # A bare name says little: that is another library as likely as not.
                    known = {*near, *suppliers}
                    candidates = [each for each in candidates if each.project in known]
                if meant := meant_for(candidates, near):
                    found[soname] = meant
        return found

    def _wanted(self, wheel: Wheel, repair: Repair) -> Mapping[str, tuple[str, ...]]:
        """The sonames of all that *wheel* needs beyond the platform's; the versions of some."""
        kept = self.kept.get(wheel.name, ())
        copied = {each: found for each, found in repair.grafted.items() if each not in kept}
        return {**dict.fromkeys(self.needed(wheel), ()), **copied}

    def needed(self, wheel: Wheel) -> tuple[str, ...]:
        """The sonames that neither *wheel* nor the platform has."""
        target = self.target
        known = (
            policy.system_sonames(target.preset.libc, target.arch)
            | policy.DRIVER_SONAMES
            | frozenset(sonames(wheel, target.arch))
        )
        asked = (
            soname
            for binary in wheel.binaries
            if binary.machine == target.arch and binary.is_loadable
            for soname in binary.needed
        )
        return tuple(
            soname
            for soname in dict.fromkeys(asked)
            if soname not in known and not policy.is_loader(soname)
        )

    def required_by(self, name: NormalizedName) -> frozenset[NormalizedName]:
        """All that the package of this *name* requires, and what these require in turn."""
        asks = {each: _names(package.requires) for each, package in self.packages.items()}
        return all_required(name, asks)

    # -- What the lock lacks for it ----------------------------------------------------------

    def undeclared(self, wheel: Wheel, taken: Iterable[Library]) -> Iterator[AddedRequirement]:
        """A requirement for each project that *wheel* uses a library of and does not require.

        :param taken: what it takes from others.
        """
        near, told = self.required_by(wheel.name), set()
        for library in taken:
            if library.project not in near and library.project not in told:
                told.add(library.project)
                yield AddedRequirement(
                    package=wheel.name, requirement=library.project, library=library.name
                )

    def unsupplied(
        self, wheel: Wheel, repair: Repair, offered: Mapping[str, Library]
    ) -> Iterator[AddedRequirement | Unsupplied | Ambiguous]:
        """What *wheel* lacks of what it was linked with, which its build requirements have.

        A library whose name does not tell the version of its interface is that of the very version
        that the build had. Each project is told of once, for such a library if there is one.

        :param repair: what was done to it first; *offered*: what it can take from others then.
        """
        told: set[tuple[str, ...]] = set()
        for soname in sorted(repair.suppliers, key=_is_numbered):
            lacking = self._lacking_supply(wheel, soname, repair.suppliers[soname], offered)
            projects = tuple(sorted(repair.suppliers[soname]))
            if lacking and projects not in told:
                told.add(projects)
                yield lacking

    def _lacking_supply(
        self,
        wheel: Wheel,
        soname: str,
        suppliers: Mapping[str, str],
        offered: Mapping[str, Library],
    ) -> AddedRequirement | Unsupplied | Ambiguous | None:
        library, is_bare = offered.get(soname), not _is_numbered(soname)
        if soname in self.kept.get(wheel.name, ()):
            return None
        if library and library.project in suppliers:
            package = self.packages[library.project]
            if is_bare and package.version != Version(suppliers[library.project]):
                return Unsupplied(soname=soname, project=library.project)
            return None
        if library and library.project in self.required_by(wheel.name):
            return None  # another one, which it asks for itself
        known = [each for each in suppliers if canonicalize_name(each) in self.packages]
        if known:
            return Unsupplied(soname=soname, project=known[0])
        if len(suppliers) > 1:
            return Ambiguous(soname=soname, projects=suppliers)
        ((project, version),) = suppliers.items()
        requirement = f"{project}=={version}" if is_bare else project
        return AddedRequirement(package=wheel.name, requirement=requirement, library=soname)

    def lacking(self, wheel: Wheel) -> Iterator[AddedRequirement | Misfit]:
        """What has those of CUDA's libraries that *wheel* needs and nobody in the house has.

        Of a wheel that is for another CUDA than the target's, or a target without, there is nothing
        to be said here: the gate refuses it.
        """
        wanted = self.target.cuda
        for soname in self.needed(wheel) if wanted else ():
            library = cuda.library(soname)
            if library is None or wanted is None or wanted.major not in library.majors:
                continue
            if any(each.is_provided for each in self.libraries.get(soname, ())):
                continue
            requirement = requirement_for(library, wanted)
            if other := self._of_another_major(soname, wanted):
                yield Misfit(soname=soname, requirement=requirement, other=other)
            else:
                yield AddedRequirement(package=wheel.name, requirement=requirement, library=soname)

    def _of_another_major(self, soname: str, wanted: Cuda) -> Library | None:
        """The library that is *soname* but for its version, and is not for the *wanted* CUDA."""
        stem = _stem(soname)
        for name, others in self.libraries.items():
            known = cuda.library(name)
            if known is not None and _stem(name) == stem and wanted.major not in known.majors:
                return next((each for each in others if each.is_provided), None)
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Misfit:
    """A library of CUDA's that a wheel needs, where the house has that of another CUDA.

    :ivar requirement: what has the one that is needed.
    """

    soname: str
    requirement: str
    other: Library


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsupplied:
    """A library that a wheel is linked with, and that *project* of its build does not have here.

    Or it has it in another version, and its name does not tell whether that is the same.
    """

    soname: str
    project: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ambiguous:
    """A library that a wheel is linked with, and that several projects of its build have.

    :ivar projects: these, with their versions; none of them is locked.
    """

    soname: str
    projects: Mapping[str, str]


def requirement_for(library: cuda.Library, wanted: Cuda) -> str:
    """What has *library* for the *wanted* CUDA: ``nvidia-cuda-runtime==13.2.*``.

    What is numbered as CUDA is must be of that version. Other projects are numbered as their
    libraries are.
    """
    project = library.projects[wanted.major]
    if project.removesuffix(f"-cu{wanted.major}") in parts().releases:
        return f"{project}=={wanted.version}.*"
    number = re.search(r"\.so\.([1-9]\d*)", library.soname)
    return f"{project}>={number[1]},<{int(number[1]) + 1}" if number else project


def still_meant(
    added: Iterable[AddedRequirement], wanted: Cuda | None
) -> tuple[AddedRequirement, ...]:
    """Those of *added* that are not for a library of another CUDA than the *wanted* one.

    The target's may have changed since they were learnt. What is needed now is learnt again.
    """
    return tuple(each for each in added if _is_meant(each, wanted))


def _is_meant(added: AddedRequirement, wanted: Cuda | None) -> bool:
    library = cuda.library(added.library)
    if library is None:
        return True
    if wanted is None or wanted.major not in library.projects:
        return False
    return added.requirement in {requirement_for(library, wanted), library.projects[wanted.major]}


def still_built_with(
    added: Iterable[AddedRequirement], packages: Mapping[NormalizedName, LockedPackage]
) -> tuple[AddedRequirement, ...]:
    """*added* without versions that a build had and will not have again.

    :param packages: those whose builds are to stay as they are locked.
    """
    return tuple(each for each in added if _is_built_with(each, packages.get(each.package)))


def _is_built_with(added: AddedRequirement, package: LockedPackage | None) -> bool:
    wanted = Requirement(added.requirement)
    exact = [each.version for each in wanted.specifier if each.operator == "=="]
    if not added.library or not exact or exact[0].endswith(".*"):
        return True
    environment = package.build.environment if package and package.build else ()
    had = (canonicalize_name(wanted.name), Version(exact[0]))
    return had in {(each.name, each.version) for each in environment}


def reached(wheel: Wheel, offered: Mapping[str, Library]) -> tuple[Library, ...]:
    """What of *offered* the repaired *wheel* takes indeed: what its files still need."""
    needed = {soname for binary in wheel.binaries for soname in binary.needed}
    return tuple(offered[soname] for soname in sorted(offered) if soname in needed)


def lost(repair: Repair, offered: Collection[str]) -> tuple[str, ...]:
    """The libraries that neither the builder has, nor another wheel, nor any wheel ever could."""
    return tuple(soname for soname in repair.unlocated if soname not in offered)


def _has(library: Library, versions: Iterable[str]) -> bool:
    """Whether *library* has the symbol *versions*; one without any has them all, for the loader."""
    return not library.defines or {*versions} <= {*library.defines}


@lru_cache(maxsize=4096)  # each package's, for every wheel that is built
def _names(requirements: tuple[str, ...]) -> frozenset[NormalizedName]:
    return frozenset(canonicalize_name(Requirement(line).name) for line in requirements)


def _is_numbered(soname: str) -> bool:
    return bool(_NUMBERED.search(soname))


def _stem(soname: str) -> str:
    return soname.partition(".so")[0]
