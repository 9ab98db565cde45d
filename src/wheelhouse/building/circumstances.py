"""What plans and builds of a target depend on, as it is in a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wheelhouse.building import cibuildwheel
from wheelhouse.building.build import known_build
from wheelhouse.building.downloads import Downloads
from wheelhouse.building.durations import Pace
from wheelhouse.building.history import last_build
from wheelhouse.building.neighbours import never_grafted
from wheelhouse.engine.jobs import agent_digest
from wheelhouse.plan import Circumstances
from wheelhouse.store import digest_of
from wheelhouse.toolkit import toolkit_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelhouse.building.runner import Runner
    from wheelhouse.engine import TargetImages
    from wheelhouse.fetch import Fetcher
    from wheelhouse.locking.model import BuildRequirement
    from wheelhouse.scheduler import Scheduler
    from wheelhouse.targets import Interpreter, Target


def circumstances(
    runner: Runner,
    target: Target,
    images: TargetImages,
    interpreter: Interpreter,
    toolkit: Iterable[BuildRequirement] = (),
    *,
    fetcher: Fetcher,
    scheduler: Scheduler,
) -> Circumstances:
    """Those of building for *target* with *runner*.

    :param toolkit: that of CUDA, as it is locked.
    """
    return Circumstances(
        target=target,
        interpreter=interpreter,
        images=images,
        toolkit=toolkit_for(target, images, toolkit),
        downloads=Downloads(target, runner=runner, fetcher=fetcher, scheduler=scheduler),
        builder=partial(runner.engine.with_system, target),
        known=lambda key: known_build(runner.store, key),
        last=lambda name, version: last_build(runner.store, name, version, target.place),
        for_cibuildwheel=partial(runner.engine.for_cibuildwheel, target),
        versions={"agent": agent_digest("build"), "left alone": digest_of(never_grafted())},
        cibuildwheel=cibuildwheel.version,
        pace=Pace.of(runner.engine, runner.store, target),
    )
