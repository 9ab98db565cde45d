"""Who asks for which versions of what, and where that first leads nowhere.

What the user's lines ask for is followed from package to package, each in the newest version that
all that ask for it so far allow, until no version is left of one. That is no search for a
solution: uv has found that there is none. It is the shortest way to see why.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse.errors import InterruptedRunError, WheelhouseError
from wheelhouse.locking.requiring import holds, requirements_in, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from packaging.version import Version

    from wheelhouse.inputs.model import Asked
    from wheelhouse.locking.stock import Stock
    from wheelhouse.locking.view import View

#: How many packages are looked at, again and again where others change, until it is given up.
STEPS = 2000


class Dependencies(Protocol):
    """What a version of a project depends on, on the target."""

    def __call__(
        self, name: NormalizedName, version: Version, extras: Sequence[str]
    ) -> Iterable[Requirement]:
        """Without markers. Nothing, where it cannot be known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """A requirement, and whose it is: a line's, or a package's.

    :ivar line: what the user asks for, if it is a line's.
    :ivar constraint: whether that line only limits what others ask for.
    :ivar by: the package that requires it.
    :ivar version: the version of that.
    :ivar sole: whether that is the only one that fits.
    """

    requirement: Requirement
    line: Asked | None = None
    constraint: bool = False
    by: NormalizedName | None = None
    version: Version | None = None
    sole: bool = True

    @property
    def name(self) -> NormalizedName:
        """The normalised name of what is asked for."""
        return canonicalize_name(self.requirement.name)

    @property
    def certain(self) -> bool:
        """Whether it is made whichever versions are chosen."""
        return self.line is not None or self.sole

    def __str__(self) -> str:
        text = told(self.requirement)
        return text if self.line else text.replace(self.requirement.name, self.name, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A demand, and the demands that led to it, from the user's line on."""

    demand: Demand
    chain: tuple[Demand, ...] = ()

    @property
    def line(self) -> Asked | None:
        """The line at the beginning."""
        return (self.chain[0] if self.chain else self.demand).line


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A project of which no version is all that is *wanted* of it.

    :ivar wanted: as few as it takes.
    """

    name: NormalizedName
    wanted: tuple[Wanted, ...]

    @property
    def certain(self) -> bool:
        """Whether that is so whichever versions are chosen of others."""
        return all(link.certain for each in self.wanted for link in (*each.chain, each.demand))

    @property
    def lines(self) -> list[Asked]:
        """The lines that lead to it, each once; the nearest first."""
        nearest = sorted(self.wanted, key=lambda each: len(each.chain))
        return list({id(each.line): each.line for each in nearest if each.line}.values())


def demands_of(
    lines: Iterable[Asked], environment: Mapping[str, str], *, constraint: bool = False
) -> list[Demand]:
    """Those of *lines* that hold on the target."""
    return [
        Demand(requirement=each.requirement, line=each, constraint=constraint)
        for each in lines
        if holds(each.requirement.marker, environment, ())
    ]


def dependencies(view: View) -> Dependencies:
    """What *view* shows of dependencies."""
    environment = view.interpreter.environment

    def of(name: NormalizedName, version: Version, extras: Sequence[str]) -> Iterable[Requirement]:
        try:
            text = view.shown_metadata(name, version)
        except InterruptedRunError:
            raise
        except WheelhouseError:
            return ()  # only a backend can tell, or its index cannot be reached any more
        wanted = set(extras)
        while True:  # an extra may ask for others of the same project
            found = [
                each
                for each in requirements_in(text)
                if not each.url and holds(each.marker, environment, wanted)
            ]
            own = (each.extras for each in found if canonicalize_name(each.name) == name)
            if wanted.issuperset(more := set().union(*own)):
                return found
            wanted |= more

    return of


class Following:
    """Follows *demands* and what these lead to.

    :param stock_of: what there is of a project.
    :param check: called now and then; what it raises ends it.
    """

    def __init__(
        self,
        stock_of: Callable[[NormalizedName], Stock],
        depends: Dependencies,
        demands: Iterable[Demand],
        *,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._stock_of = stock_of
        self._depends = depends
        self._check = check
        self._chosen: dict[NormalizedName, tuple[Version, tuple[str, ...]]] = {}
        self._demands: dict[NormalizedName, list[Demand]] = {}
        self._limits: dict[NormalizedName, list[Demand]] = {}
        for each in demands:
            place = self._limits if each.constraint else self._demands
            place.setdefault(each.name, []).append(each)

    def at_once(self) -> list[Finding]:
        """What the lines alone make impossible, each project by itself."""
        names = list(self._demands)
        return [found for name in names if (found := self._look_at(name)) is not None]

    def to_the_end(self) -> Finding | None:
        """The first project of which no version is left; None if that does not come about."""
        waiting = deque(self._demands)
        for _ in range(STEPS):
            if not waiting:
                return None
            self._check()
            name = waiting.popleft()
            if not self._demands.get(name):
                continue
            if (found := self._look_at(name)) is not None:
                return found
            waiting.extend(each for each in self._choose(name) if each not in waiting)
        return None

    def _all_of(self, name: NormalizedName) -> list[Demand]:
        return [*self._demands.get(name, ()), *self._limits.get(name, ())]

    def _choices(self, stock: Stock, demands: Sequence[Demand]) -> list[Version]:
        return stock.choices([each.requirement.specifier for each in demands])

    def _look_at(self, name: NormalizedName) -> Finding | None:
        stock, demands = self._stock_of(name), self._all_of(name)
        if self._choices(stock, demands):
            return None
        return Finding(
            name=name,
            wanted=tuple(
                Wanted(demand=each, chain=self._chain(each)) for each in self._few(stock, demands)
            ),
        )

    def _few(self, stock: Stock, demands: list[Demand]) -> list[Demand]:
        """As few of *demands* as leave no version; what is furthest from a line goes first.

        Where lines name hashes, one of these stays: without it, other files would do.
        """
        kept = list(demands)
        hashed = any(_names_hashes(each) for each in demands)
        for each in sorted(demands, key=lambda each: (each.certain, -len(self._chain(each)))):
            rest = [other for other in kept if other is not each]
            if hashed and not any(map(_names_hashes, rest)):
                continue
            if rest and not self._choices(stock, rest):
                kept = rest
        return kept

    def _chain(
        self, demand: Demand, beyond: frozenset[NormalizedName] = frozenset()
    ) -> tuple[Demand, ...]:
        """The shortest way from a line to *demand*."""
        if demand.by is None or demand.by in beyond:
            return ()
        beyond = beyond | {demand.by}
        ways = [
            (*self._chain(each, beyond), each)
            for each in self._demands.get(demand.by, ())
            if each.by not in beyond
        ]
        return min(ways, key=len, default=())

    def _choose(self, name: NormalizedName) -> list[NormalizedName]:
        """Choose the newest version of *name*; the projects of which something else is asked."""
        demands = self._all_of(name)
        fitting = self._choices(self._stock_of(name), demands)
        extras = tuple(sorted({extra for each in demands for extra in each.requirement.extras}))
        chosen = (fitting[-1], extras)
        if self._chosen.get(name) == chosen:
            return []
        changed = self._forget(name)
        self._chosen[name] = chosen
        certain = self._choices(self._stock_of(name), [each for each in demands if each.certain])
        sole = len(certain) == 1
        for requirement in self._depends(name, *chosen):
            demand = Demand(requirement=requirement, by=name, version=chosen[0], sole=sole)
            if demand.name != name:  # its own extras
                self._demands.setdefault(demand.name, []).append(demand)
                changed.append(demand.name)
        return changed

    def _forget(self, name: NormalizedName) -> list[NormalizedName]:
        """What the version of *name* that was chosen before required is not asked for any more."""
        if self._chosen.pop(name, None) is None:
            return []
        changed = []
        for other, demands in self._demands.items():
            if any(each.by == name for each in demands):
                changed.append(other)
        for other in changed:
            self._demands[other] = [each for each in self._demands[other] if each.by != name]
        for other in list(changed):
            if not self._demands[other]:
                changed += self._forget(other)
        return changed


def _names_hashes(demand: Demand) -> bool:
    return demand.line is not None and bool(demand.line.hashes)


def without(lines: Sequence[Asked], line: Asked) -> list[Asked]:
    """*lines* but for *line* itself: another may say the same."""
    return [each for each in lines if each is not line]


def asking(line: Asked, text: str) -> Asked:
    """*line*, asking for *text* in place of what it asks for; its marker stays."""
    requirement = Requirement(text)
    requirement.marker = line.requirement.marker
    return replace(line, requirement=requirement)
