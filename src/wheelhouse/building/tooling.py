"""Build requirements that were built here, and use libraries of others in their environment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wheelhouse.building.connecting import connect
from wheelhouse.building.failed import check_located
from wheelhouse.building.neighbours import Neighbourhood
from wheelhouse.building.recipe import Supply
from wheelhouse.building.repairs import AS_IT_WAS, Repair
from wheelhouse.wheels.archive import read_wheel
from wheelhouse.wheels.sharing import libraries_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.building.runner import Runner
    from wheelhouse.locking.model import BuildRequirement
    from wheelhouse.plan import Built, Step
    from wheelhouse.store import Store
    from wheelhouse.targets import Target
    from wheelhouse.wheels.archive import Wheel


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A build requirement that has no wheel: how it is built, and what came of that."""

    step: Step
    built: Built


def supply_of(requirement: BuildRequirement, built: Built, store: Store) -> Supply:
    """The wheel that was *built* of *requirement*."""
    return Supply(
        name=requirement.name,
        version=requirement.version,
        filename=built.filename,
        sha256=built.sha256,
        path=store.blob(built.sha256),
    )


def connected(
    supplies: Sequence[Supply], tools: Mapping[NormalizedName, Tool], target: Target, runner: Runner
) -> list[Supply]:
    """*supplies* of one environment, where those that were built find what others have for them.

    :param tools: these. What was copied into them stays: they serve one build.
    :raises FailedBuildError: one needs what neither its builder nor another of them has.
    """
    alone = {name for name, tool in tools.items() if not Repair.of(tool.built.facts["repair"]).left}
    if tools.keys() <= alone:
        return list(supplies)
    scratch = runner.store.scratch
    wheels = {
        each.name: read_wheel(each.path, filename=each.filename, scratch=scratch)
        for each in supplies
    }
    there = Neighbourhood(
        libraries=libraries_of(wheels.values(), target), packages={}, target=target
    )
    return [
        each
        if each.name in alone or each.name not in tools
        else _connected(each, tools[each.name], there, wheels[each.name], runner)
        for each in supplies
    ]


def _connected(
    supply: Supply, tool: Tool, there: Neighbourhood, wheel: Wheel, runner: Runner
) -> Supply:
    """*supply*, the *wheel* of *tool*, with its ways to the others."""
    offered = there.offered(wheel, AS_IT_WAS)
    check_located(tool.step, tool.built, offered, runner.limits)
    if not offered:
        return supply
    ways = {soname: library.folder or "." for soname, library in offered.items()}
    built = connect(tool.step, tool.built, ways, there.target, runner)
    path = runner.store.blob(built.sha256)
    return replace(supply, filename=built.filename, sha256=built.sha256, path=path)
