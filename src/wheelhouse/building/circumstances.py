"""What plans and builds of a target depend on, as it is in a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wheelhouse.building import cibuildwheel
from wheelhouse.building.build import known_build
from wheelhouse.building.durations import Pace
from wheelhouse.building.history import last_build
from wheelhouse.engine.jobs import agent_digest
from wheelhouse.plan import Circumstances

if TYPE_CHECKING:
    from wheelhouse.building.runner import Runner
    from wheelhouse.engine import TargetImages
    from wheelhouse.targets import Interpreter, Target


def circumstances(
    runner: Runner, target: Target, images: TargetImages, interpreter: Interpreter
) -> Circumstances:
    """Those of building for *target* with *runner*."""
    return Circumstances(
        target=target,
        interpreter=interpreter,
        images=images,
        builder=lambda system: runner.engine.with_system(target, system),
        known=lambda key: known_build(runner.store, key),
        last=lambda name, version: last_build(runner.store, name, version, target.place),
        for_cibuildwheel=partial(runner.engine.for_cibuildwheel, target),
        versions={"agent": agent_digest("build")},
        cibuildwheel=cibuildwheel.version,
        pace=Pace.of(runner.engine, runner.store, target),
    )
