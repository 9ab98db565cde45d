"""What does not agree among the packages of a lock, or with its target's CUDA. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from wheelhouse.alignment.frameworks import meet, parts
from wheelhouse.alignment.statements import Statement, is_part, statements
from wheelhouse.locking.graph import Graph
from wheelhouse.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.cuda import Cuda
    from wheelhouse.locking.model import Lock, LockedPackage
    from wheelhouse.targets import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """Packages that do not agree.

    :ivar message: who, in one sentence; *context*: why each of them is held to be made so.
    :ivar ways: by the major version of CUDA to agree on, those that would have to change.
    :ivar cudnn: if cuDNN is what they do not agree on, the versions of it that each framework would
        have to load instead.
    """

    message: str
    context: tuple[tuple[str, str], ...]
    ways: Mapping[int, Sequence[Statement]]
    cudnn: Sequence[tuple[Statement, SpecifierSet]] = ()


class Alignment:
    """The packages of *lock*, held against each other and the CUDA of *target*, if it has one.

    :param is_exempt: whether the settings of a package say that it has nothing to do with CUDA;
        what only such packages require does not count either.
    """

    def __init__(
        self, lock: Lock, target: Target, is_exempt: Callable[[NormalizedName], bool]
    ) -> None:
        self.lock = lock
        self.target = target
        self.graph = Graph(lock)
        self._is_exempt = is_exempt

    def of_another(self, lock: Lock) -> Alignment:
        """The same of another *lock* of the target."""
        return Alignment(lock, self.target, self._is_exempt)

    def of_cuda(self, cuda: Cuda | None) -> Alignment:
        """The same, if the target had this *cuda*, or none."""
        return Alignment(self.lock, replace(self.target, cuda=cuda), self._is_exempt)

    @cached_property
    def counting(self) -> Sequence[LockedPackage]:
        """The packages that have to agree."""
        found: set[NormalizedName] = set()
        pending = [*self.graph.roots]
        while pending:
            name = pending.pop()
            if name not in found and not self._is_exempt(name):
                found.add(name)
                pending += [need.package.name for need in self.graph.needs(name)]
        return [each for each in self.lock.packages if each.name in found]

    @cached_property
    def made_for(self) -> Mapping[NormalizedName, tuple[Statement, ...]]:
        """By name, what each of them is made for."""
        return statements(self.counting, self.target.arch)

    @cached_property
    def sides(self) -> Mapping[int, Sequence[Statement]]:
        """By CUDA's major version, the packages that are made for it.

        Without parts of CUDA, and what its name alone tells apart, where another of the same CUDA
        requires them: that one stands for them.
        """
        by_major: dict[int, dict[NormalizedName, Statement]] = {}
        for found in self.made_for.values():
            for each in found:
                by_major.setdefault(each.cuda.major, {})[each.name] = each
        return {major: self._first(found) for major, found in sorted(by_major.items())}

    def _first(self, found: Mapping[NormalizedName, Statement]) -> Sequence[Statement]:
        first = [
            each
            for each in found.values()
            if not (each.kind in ("name", "version") or is_part(each.name))
            or not any(asking.name in found for asking in self.graph.requirers(each.name))
        ]
        return first or [*found.values()]  # each requires another, in a circle

    def conflicts(self) -> Sequence[Conflict]:
        """All of them."""
        if self.target.cuda is None:
            return [*self._mixed()]
        return [*self._foreign(), *self._cudnn()]

    def _foreign(self) -> Iterator[Conflict]:
        """Packages that are made for another CUDA than the target's."""
        cuda = self.target.cuda
        assert cuda is not None
        foreign = {major: found for major, found in self.sides.items() if major != cuda.major}
        if foreign:
            sides = [each for found in foreign.values() for each in found]
            told = listed([_made(found) for found in foreign.values()])
            yield Conflict(
                message=f"{told}, but the target {self.target.name} has {cuda}",
                context=(
                    *map(self._why, sides),
                    *self._beside(cuda.major),
                    *self._overlapping({each.name for each in sides}),
                ),
                ways={cuda.major: sides},
            )

    def _beside(self, major: int) -> Iterator[tuple[str, str]]:
        """The packages that are made for CUDA *major* as they should be."""
        if agreeing := self.sides.get(major):
            yield f"made for CUDA {major}", listed(list(map(str, agreeing)))

    def _mixed(self) -> Iterator[Conflict]:
        """Packages that are made for different CUDAs, where the target names none.

        What says so only by a table may be there for what it does without a GPU.
        """
        firm = {
            major: found
            for major, sides in self.sides.items()
            if (found := [each for each in sides if each.is_firm])
        }
        if len(firm) > 1:
            told = [_made(found) for _, found in sorted(firm.items(), reverse=True)]
            sides = [each for found in firm.values() for each in found]
            yield Conflict(
                message=f"{told[0]}, but {listed(told[1:])}",
                context=(
                    *map(self._why, sides),
                    *self._overlapping({each.name for each in sides}),
                ),
                ways={
                    major: [each for each in sides if each.cuda.major != major] for major in firm
                },
            )

    def _why(self, side: Statement) -> tuple[str, str]:
        """What says that *side* is made so, and who asks for it."""
        chain = next(self.graph.chains(side.name), None)
        way = [chain.origin, *(str(need.package) for need in chain.needs[:-1])] if chain else []
        return str(side), f"{side.reason}; asked for by {' → '.join(way)}" if way else side.reason

    # --- cuDNN --------------------------------------------------------------------------------

    def cudnn_beside(self, name: NormalizedName, major: int) -> Sequence[SpecifierSet]:
        """The versions of cuDNN that *name*, made for CUDA *major*, would have to do with."""
        if (locked := self._locked_cudnn(major)) is not None:
            return [SpecifierSet(f"=={locked.version}")]
        return [wanted for side, wanted in self._needing_cudnn(major) if side.name != name]

    def _locked_cudnn(self, major: int) -> LockedPackage | None:
        return self.graph.packages.get(canonicalize_name(f"nvidia-cudnn-cu{major}"))

    def _needing_cudnn(self, major: int) -> Sequence[tuple[Statement, SpecifierSet]]:
        """The frameworks for CUDA *major* of which the table tells what they can load."""
        return [
            (side, side.cudnn)
            for found in self.made_for.values()
            for side in found
            if side.cudnn is not None and side.cuda.major == major
        ]

    def _cudnn(self) -> Iterator[Conflict]:
        """Frameworks that cannot load the cuDNN that is there, or not the same one."""
        assert self.target.cuda is not None
        needing = self._needing_cudnn(self.target.cuda.major)
        if (locked := self._locked_cudnn(self.target.cuda.major)) is not None:
            wrong = [each for each in needing if not each[1].contains(locked.version, True)]
            yield from (self._wrong_cudnn(*each, locked) for each in wrong)
            return
        for (one, wanted), (other, also) in combinations(needing, 2):
            if not meet(wanted, also):
                yield Conflict(
                    message=f"{one} needs cuDNN {wanted}, but {other} needs cuDNN {also}",
                    context=(self._why(one), self._why(other)),
                    ways={},
                    cudnn=((one, also), (other, wanted)),
                )

    def _wrong_cudnn(
        self, side: Statement, wanted: SpecifierSet, locked: LockedPackage
    ) -> Conflict:
        asking = [
            f"{each} requires {self.graph.requirement(each.name, locked.name)}"
            for each in self.graph.requirers(locked.name)
        ]
        return Conflict(
            message=f"{side} needs cuDNN {wanted}, but {locked} is locked",
            context=(self._why(side), (str(locked), "; ".join(asking) or "is asked for")),
            ways={},
            cudnn=((side, SpecifierSet(f"=={locked.version}")),),
        )

    # --- files in one place -------------------------------------------------------------------

    def overlaps(self) -> Sequence[tuple[LockedPackage, ...]]:
        """Packages that are installed in the same place, each for another CUDA."""
        found: dict[str, list[LockedPackage]] = {}
        for package in self.lock.packages:
            stem, _, number = package.name.rpartition("-cu")
            if number.isdigit() and stem in parts().overlapping:
                found.setdefault(stem, []).append(package)
        return [tuple(each) for each in found.values() if len(each) > 1]

    def overlaps_of(self, names: set[NormalizedName]) -> Sequence[tuple[LockedPackage, ...]]:
        """Those of them that the packages *names* are, or require."""
        return [
            packages
            for packages in self.overlaps()
            if any(
                names & {one.name, *(each.name for each in self.graph.requirers(one.name))}
                for one in packages
            )
        ]

    def _overlapping(self, names: set[NormalizedName]) -> Iterator[tuple[str, str]]:
        """What is said of those that the packages *names* require."""
        for packages in self.overlaps_of(names):
            text = "are installed in one place: one would overwrite the other"
            yield listed([each.name for each in packages]), text


def is_built(package: LockedPackage) -> bool:
    """Whether *package* is built, as far as its lock tells."""
    return package.build is not None or (package.sdist is not None and not package.wheels)


def may_take_toolkit(package: LockedPackage) -> bool:
    """Whether *package* is built with the target's CUDA toolkit, or may turn out to be.

    Before that is found out, it is taken to be so of what the user has at hand.
    """
    if package.build is not None:
        return package.build.cuda
    return package.direct is not None and is_built(package)


def _made(sides: Sequence[Statement]) -> str:
    """``torch 2.15.0 is made for CUDA 13.2``."""
    releases = {each.cuda for each in sides}
    major = f"CUDA {sides[0].cuda.major}"
    verb = "is" if len(sides) == 1 else "are"
    cuda = str(releases.pop()) if len(releases) == 1 else major
    return f"{listed(list(map(str, sides)))} {verb} made for {cuda}"


def requested(requirement: str) -> str:
    """*requirement* without versions: ``jax[cuda12]``."""
    found = Requirement(requirement)
    extras = f"[{','.join(sorted(found.extras))}]" if found.extras else ""
    return f"{canonicalize_name(found.name)}{extras}"
