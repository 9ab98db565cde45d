"""Resolving again with a line less, or another: a few times, and for a while."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse.errors import InterruptedRunError, LockError, WheelhouseError
from wheelhouse.locking.demands import asking, dependencies, without
from wheelhouse.locking.requiring import extras_in
from wheelhouse.locking.resolver import UnsolvableError, resolve
from wheelhouse.locking.stock import bounds
from wheelhouse.locking.telling import Way

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from packaging.version import Version

    from wheelhouse.inputs.model import Asked
    from wheelhouse.locking.demands import Finding
    from wheelhouse.locking.stock import Stocks
    from wheelhouse.locking.view import View

#: How often uv is run, and for how many seconds in all, to explain one failure.
RUNS = 24
SECONDS = 20.0

#: How many of these runs may go into finding the lines that matter.
FOR_LINES = 10

#: How many versions are looked at for the next one that may do, and how many times further away
#: than the nearest a version may be and still be told.
LIKELY = 40
FURTHER = 8

#: The operators that set a lower limit, and an upper one.
_LOWER = ("==", "===", "~=", ">", ">=")
_UPPER = ("==", "===", "~=", "<", "<=")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lines:
    """What is resolved: requirements, and constraints on what they lead to."""

    asked: tuple[Asked, ...]
    constraints: tuple[Asked, ...] = ()

    def all(self) -> list[Asked]:
        """Both."""
        return [*self.asked, *self.constraints]

    def without(self, *lines: Asked) -> Lines:
        """The same but for *lines*."""
        asked, constraints = list(self.asked), list(self.constraints)
        for each in lines:
            asked, constraints = without(asked, each), without(constraints, each)
        return Lines(asked=tuple(asked), constraints=tuple(constraints))

    def only(self, lines: Sequence[Asked]) -> Lines:
        """What of it is among *lines*."""
        kept = {id(each) for each in lines}
        return self.without(*(each for each in self.all() if id(each) not in kept))

    def and_asking(self, line: Asked) -> Lines:
        """The same, with one more requirement."""
        return Lines(asked=(*self.asked, line), constraints=self.constraints)


class Trials:
    """Resolves variations of what was asked for, over rehearsals of *view*.

    :param workspace: gives an empty folder for each.
    :param check: called time and again; what it raises ends everything.
    """

    def __init__(
        self,
        view: View,
        stocks: Stocks,
        *,
        workspace: Callable[[], AbstractContextManager[Path]],
        prereleases: bool,
        check: Callable[[], None],
    ) -> None:
        self._view = view
        self._stocks = stocks
        self._depends = dependencies(view.rehearsal())
        self._workspace = workspace
        self._prereleases = prereleases
        self._check = check
        self._left = RUNS
        self._until = time.monotonic() + SECONDS

    def check(self) -> None:
        """Raise what ends everything, or LockError if this has taken long enough."""
        self._check()
        if time.monotonic() > self._until:
            raise LockError("finding out why has taken too long")

    def core(self, lines: Lines, likely: Sequence[Asked]) -> Lines:
        """As few of *lines* as cannot be had together, as far as that can be found out.

        :param likely: those that matter, in the resolver's opinion.
        """
        core = lines.only(likely)
        if not self._is_hopeless(core):
            core = lines
        for each in core.all() if len(core.all()) <= self._left else ():
            if self._left <= RUNS - FOR_LINES:
                break
            rest = core.without(each)
            if rest.asked and self._is_hopeless(rest):
                core = rest
        return core

    def ways(self, lines: Lines, of: Sequence[Asked], finding: Finding | None) -> list[Way]:
        """Which of the lines *of*, asking for other versions, would let all *lines* be had.

        As far as that can be found out.
        """
        found = []
        for each in of if self._left else ():
            try:
                way = self._way(lines, each, finding) if _can_change(each) else None
            except InterruptedRunError:
                raise
            except WheelhouseError:
                continue
            if way is not None:
                found.append(way)
        return found

    def _way(self, lines: Lines, line: Asked, finding: Finding | None) -> Way | None:
        rest = lines.without(line)
        limits = sorted(bounds(line.requirement.specifier))
        operators = {each.operator for each in line.requirement.specifier}
        below = above = None
        if limits and operators.intersection(_LOWER):
            below = self._solve(rest.and_asking(_limited(line, f"<={limits[0].public}")))
        if limits and operators.intersection(_UPPER):
            above = self._above(rest, line, limits[-1], finding)
        there = [each for each in (below, above) if each and self._has(line, each)]
        if not there:
            return None
        other = finding.name if finding and finding.name != line.name else None
        pinned = any(each.name == other and _is_pin(each) for each in lines.all())
        beside = there[0].get(other) if other and not pinned and len(there) == 1 else None
        versions = self._near(line.name, limits, [each[line.name] for each in there])
        return Way(line=line, versions=versions, other=other, beside=beside)

    def among(self, exists: Callable[[NormalizedName, Version], bool]) -> Trials:
        """The same, for which only releases are there that *exist*."""
        other = copy.copy(self)
        other._view = self._view.among(exists)  # noqa: SLF001  (it is a copy)
        return other

    def together(self, lines: Lines, of: Sequence[Asked]) -> Way | None:
        """What two lines *of* could ask for instead, both of them, to let all *lines* be had."""
        if len(of) != 2 or not all(map(_can_change, of)):
            return None
        changed = lines.without(*of)
        for each in of:
            changed = changed.and_asking(_limited(each, ""))
        found = self._solve(changed)
        try:
            if found is None or not all(self._has(each, found) for each in of):
                return None
        except InterruptedRunError:
            raise
        except WheelhouseError:
            return None
        one, other = of
        return Way(
            line=one,
            versions=(found[one.name],),
            other=other.name,
            beside=found[other.name],
        )

    def _has(self, line: Asked, found: Mapping[NormalizedName, Version]) -> bool:
        """Whether *found* has a version of *line*'s project that has the extras it asks for."""
        if line.name not in found:
            return False
        wanted = set(map(canonicalize_name, line.requirement.extras))
        if not wanted:
            return True
        text = self._view.rehearsal().metadata(line.name, found[line.name])
        return wanted <= extras_in(text)

    def _near(
        self, name: NormalizedName, limits: Sequence[Version], found: Sequence[Version]
    ) -> tuple[Version, ...]:
        """Those of *found* that are not much further from *limits* than the nearest of them."""
        order = sorted({*self._stocks.of(name).everything, *limits})
        places = [order.index(each) for each in limits]
        steps = {each: min(abs(order.index(each) - place) for place in places) for each in found}
        most = FURTHER * min(steps.values())
        return tuple(sorted(each for each, number in steps.items() if number <= most))

    def _above(
        self, rest: Lines, line: Asked, limit: Version, finding: Finding | None
    ) -> Mapping[NormalizedName, Version] | None:
        """A solution with a version of *line*'s project that is not much above *limit*."""
        likely = finding and self._first_likely(line, limit, finding)
        if likely and (found := self._solve(rest.and_asking(_limited(line, f"=={likely}")))):
            return found
        highest = self._solve(rest.and_asking(_limited(line, f">={limit.public}")))
        if highest is None or line.name not in highest:
            return None
        if self._stocks.of(line.name).above(limit)[:1] == [highest[line.name]]:
            return highest
        pinned = tuple(
            asking(each, f"{_named(each)}=={highest[each.name]}")
            if each.name in highest and each.name != line.name
            else each
            for each in rest.asked
        )
        between = _limited(line, f">={limit.public},<={highest[line.name].public}")
        fixed = Lines(asked=(*pinned, between), constraints=rest.constraints)
        return self._solve(fixed, lowest=True) or highest

    def _first_likely(self, line: Asked, limit: Version, finding: Finding) -> Version | None:
        """The first version not below *limit* that lets *finding* be, if that can be told."""
        stock = self._stocks.of(line.name)
        others = [
            each.demand.requirement.specifier for each in finding.wanted if each.line is not line
        ]
        for version in stock.above(limit)[:LIKELY]:
            self.check()
            if line.name == finding.name:
                fits = all(each.contains(version, prereleases=True) for each in others)
            else:
                depends = self._depends(line.name, version, sorted(line.requirement.extras))
                wanted = [
                    each.specifier
                    for each in depends
                    if canonicalize_name(each.name) == finding.name
                ]
                contested = self._stocks.of(finding.name)
                fits = bool(contested.choices([*wanted, *others]))
            if fits:
                return version
        return None

    def _is_hopeless(self, lines: Lines) -> bool:
        """Whether it is certain that *lines* cannot be had together."""
        try:
            self._resolve(lines, any_hash=False)
        except UnsolvableError:
            return True
        except InterruptedRunError:
            raise
        except WheelhouseError:
            return False
        return False

    def _solve(
        self, lines: Lines, *, lowest: bool = False
    ) -> Mapping[NormalizedName, Version] | None:
        """The versions that are chosen for *lines*, as far as they are known to do."""
        try:
            return self._resolve(lines, lowest=lowest, any_hash=True)
        except InterruptedRunError:
            raise
        except WheelhouseError:
            return None

    def _resolve(
        self, lines: Lines, *, any_hash: bool, lowest: bool = False
    ) -> Mapping[NormalizedName, Version]:
        if self._left <= 0:
            raise LockError("finding out why has taken too many attempts")
        self._left -= 1
        view = self._view.rehearsal(any_hash=any_hash)
        with self._workspace() as folder:
            pins = resolve(
                view,
                view.interpreter,
                [str(each.requirement) for each in lines.asked],
                folder=folder,
                constraints=[str(each.requirement) for each in lines.constraints],
                prereleases=self._prereleases,
                lowest=lowest,
                check=self.check,
            )
        # What is only taken to do must not be told to do.
        return {
            pin.name: pin.version for pin in pins if (pin.name, pin.version) not in view.guessed
        }


def _can_change(line: Asked) -> bool:
    """Whether it is the user's to say otherwise: not what a lock pins, or what has no versions."""
    return bool(line.requirement.specifier) and not line.closed and line.direct is None


def _is_pin(line: Asked) -> bool:
    return any(each.operator in ("==", "===") for each in line.requirement.specifier)


def _named(line: Asked) -> str:
    extras = f"[{','.join(sorted(line.requirement.extras))}]" if line.requirement.extras else ""
    return f"{line.requirement.name}{extras}"


def _limited(line: Asked, specifier: str) -> Asked:
    """*line* with another *specifier*, in which only ``==`` may have a local version."""
    return asking(line, f"{_named(line)}{specifier}")
