"""Having the wheels of a house use each other's libraries, once all of them are there.

A build cannot wait for the others, so a wheel is first repaired as if it were alone. Here it is
seen what the others have for it: that is left out, in a second repair; and what has it must be
among the wheel's requirements.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from wheelhouse.building.connecting import connect
from wheelhouse.building.neighbours import (
    Ambiguous,
    Misfit,
    Neighbourhood,
    Unsupplied,
    lost,
    reached,
)
from wheelhouse.building.repairs import Repair
from wheelhouse.errors import CheckError, raise_all
from wheelhouse.scheduler import gather
from wheelhouse.wheels.sharing import libraries_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.building.runner import Runner
    from wheelhouse.locking.model import AddedRequirement
    from wheelhouse.obtain import Obtained
    from wheelhouse.plan import Built, Step
    from wheelhouse.scheduler import Scheduler
    from wheelhouse.targets import Target
    from wheelhouse.wheels import Wheel
    from wheelhouse.wheels.sharing import Library


class UndeclaredError(Exception):
    """Wheels use libraries of projects that they do not require.

    :ivar added: what they would have to require.
    """

    def __init__(self, added: Sequence[AddedRequirement]) -> None:
        super().__init__(", ".join(map(str, added)))
        self.added = tuple(added)


class Joining:
    """The wheels of one target, on their way into one house.

    :param repair: reports the second repair of a step's wheel, does it and checks what came of it.
    :param build: builds a step again, knowing which libraries other wheels have for it.
    :param kept: see :class:`~wheelhouse.building.neighbours.Neighbourhood`.
    """

    def __init__(
        self,
        target: Target,
        runner: Runner,
        scheduler: Scheduler,
        *,
        repair: Callable[[Step, Callable[[], Built]], Obtained],
        build: Callable[[Step, Collection[str] | None], Obtained],
        kept: Mapping[NormalizedName, Collection[str]],
    ) -> None:
        self._target = target
        self._runner = runner
        self._scheduler = scheduler
        self._repair = repair
        self._build = build
        self._kept = kept

    def join(self, obtained: Sequence[Obtained]) -> list[Obtained]:
        """*obtained*, each of those that were built with its ways to the others.

        :raises UndeclaredError: some use what they do not require.
        :raises WheelhouseError: some lack what nobody has; all that failed, at once.
        """
        found = self._with_all_they_need(obtained)
        there = self._neighbourhood(found)
        offers = [self._offered(there, each) for each in found]
        _check_supplied(there, found, offers)
        joined = self._each(
            [
                partial(self._connected, *pair) if pair[1] else None
                for pair in zip(found, offers, strict=True)
            ],
            found,
        )
        _check_declared(there, joined)
        return joined

    def _with_all_they_need(self, obtained: Sequence[Obtained]) -> list[Obtained]:
        """*obtained*, those built again that need what neither their builder nor another has."""
        there = self._neighbourhood(obtained)
        offers = [self._offered(there, each) for each in obtained]
        work = [
            partial(self._build, each.step, known) if _lacks(each, known) else None
            for each, offered in zip(obtained, offers, strict=True)
            for known in [{*offered, *_repair(each).suppliers}]
        ]
        return self._each(work, obtained)

    def _each(
        self, work: Iterable[Callable[[], Obtained] | None], obtained: Sequence[Obtained]
    ) -> list[Obtained]:
        """*obtained*, with what comes of *work* in place of those that have any."""
        futures = {
            place: self._scheduler.submit("containers", each, cost=0)
            for place, each in enumerate(work)
            if each is not None
        }
        done = dict(zip(futures, gather(futures.values()), strict=True))
        return [done.get(place, each) for place, each in enumerate(obtained)]

    def _neighbourhood(self, obtained: Iterable[Obtained]) -> Neighbourhood:
        return Neighbourhood(
            libraries=libraries_of([each.wheel for each in obtained], self._target),
            packages={each.step.package.name: each.step.package for each in obtained},
            target=self._target,
            kept=self._kept,
        )

    def _offered(self, there: Neighbourhood, each: Obtained) -> Mapping[str, Library]:
        return there.offered(each.wheel, _repair(each)) if each.built else {}

    def _connected(self, each: Obtained, offered: Mapping[str, Library]) -> Obtained:
        """*each* with its ways to the *offered* libraries."""
        assert each.built is not None
        ways = {soname: library.folder or "." for soname, library in offered.items()}
        again = partial(connect, each.step, each.built, ways, self._target, self._runner)
        found = self._repair(each.step, again)
        return replace(found, taken=reached(found.wheel, offered))


def _repair(each: Obtained) -> Repair:
    return Repair.of(each.built.facts["repair"] if each.built else None)


def _lacks(each: Obtained, known: Collection[str]) -> bool:
    return bool(lost(_repair(each), known))


def as_built(wheel: Wheel, built: Built) -> Wheel:
    """*wheel* with the search paths that it was built with, also those that repair has taken out.

    So the gate refuses one that leads to the builder whatever else the file needs.
    """
    search = Repair.of(built.facts["repair"]).search
    return replace(
        wheel,
        binaries=tuple(
            replace(each, rpath=(*each.rpath, *search.get(each.member, ())))
            for each in wheel.binaries
        ),
    )


def _check_supplied(
    there: Neighbourhood, found: Iterable[Obtained], offers: Iterable[Mapping[str, Library]]
) -> None:
    """Raise who has the libraries that *found* were linked with, unless other wheels offer them."""
    added: list[AddedRequirement] = []
    errors: list[CheckError] = []
    for each, offered in zip(found, offers, strict=True):
        for lacking in there.unsupplied(each.wheel, _repair(each), offered):
            if isinstance(lacking, Unsupplied):
                errors.append(_unsupplied(each, lacking))
            elif isinstance(lacking, Ambiguous):
                errors.append(_ambiguous(each, lacking))
            else:
                added.append(lacking)
    raise_all(errors)
    if added:
        raise UndeclaredError(added)


def _check_declared(there: Neighbourhood, joined: Iterable[Obtained]) -> None:
    """Raise what the requirements of *joined*, or the house, lack for the libraries they use."""
    added: list[AddedRequirement] = []
    errors: list[CheckError] = []
    for each in joined:
        if each.built is None:
            continue
        added += there.undeclared(each.wheel, each.taken)
        for lacking in there.lacking(each.wheel):
            if isinstance(lacking, Misfit):
                errors.append(_misfit(each, lacking, there.target))
            else:
                added.append(lacking)
    raise_all(errors)
    if added:
        raise UndeclaredError(added)


def _unsupplied(each: Obtained, lacking: Unsupplied) -> CheckError:
    package, project = each.step.package, lacking.project
    tools = each.step.recipe.environment if each.step.recipe else ()
    built_with = next((f"{tool.name} {tool.version}" for tool in tools if tool.name == project), "")
    return CheckError(
        f"{package} is linked with {lacking.soname} of {built_with or project}, with which it was "
        f"built, and no wheel of the house has that library as it needs it",
        hint=f"have it built with the {project} of the lock; if the distribution's library is "
        f"meant, say so in `[packages.{package.name}] system-libraries`",
        fix=f'[packages.{package.name}]\nbuild-against = ["{project}"]',
    )


def _ambiguous(each: Obtained, lacking: Ambiguous) -> CheckError:
    package = each.step.package
    projects = [f'"{name}=={version}"' for name, version in lacking.projects.items()]
    return CheckError(
        f"{package} is linked with {lacking.soname}, which several of its build requirements "
        f"have: {', '.join(lacking.projects)}",
        hint=f"say which one it is to run with, under `[packages.{package.name}] requires`, as "
        f"{' or '.join(projects)}; if the distribution's library is meant, name that in "
        "`system-libraries` there",
    )


def _misfit(each: Obtained, misfit: Misfit, target: Target) -> CheckError:
    other = misfit.other
    return CheckError(
        f"{each.step.package} needs {misfit.soname} of {target.cuda}, and the house has that "
        f"library for another CUDA: {other.name} in {other.wheel}",
        hint=f"choose releases of one CUDA (`wheelhouse why {other.project}` tells who asks for "
        f"the other), or have the target name that one; if the house is to have both, put "
        f"{misfit.requirement} into `[packages.{each.step.package.name}] requires`",
    )
