"""The main job, from requirement files to proven wheelhouses. Each line is explained elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.events import step
from wheelhouse.house import House, assemble
from wheelhouse.locking.lockfile import lock_path
from wheelhouse.phases import phase, telling_the_end
from wheelhouse.planning import locked, plan_one
from wheelhouse.prove import prove
from wheelhouse.publish import check_replaceable, clean_leftovers, publish, staging_folder
from wheelhouse.story import contents
from wheelhouse.supplying import supply

if TYPE_CHECKING:
    from wheelhouse.locking.current import Freshness
    from wheelhouse.locking.model import Lock
    from wheelhouse.plan import Planned
    from wheelhouse.run import Run
    from wheelhouse.targets import Target


def build_target(run: Run, target: Target, freshness: Freshness) -> House:
    """Leave a proven wheelhouse in the project's output. Raises WheelhouseError."""
    destination = run.project.output / target.name
    with telling_the_end(run.reporter, target) as end:
        check_replaceable(destination)
        clean_leftovers(run.project.output)
        planned, lock_sha256, wheels = supply(run, plan_one(run, target, freshness), freshness)
        end.plan = planned.plan
        with staging_folder(destination) as staging:
            with phase(run, target, "assemble"):
                house = assemble(contents(run.project, planned, lock_sha256, wheels), staging)
            with phase(run, target, "prove"):
                _prove(run, planned, house)
            publish(staging, destination)
        end.house = House(path=destination, manifest=house.manifest)
    return end.house


def _prove(run: Run, planned: Planned, house: House) -> None:
    target = planned.target.name
    with (
        run.runner.listening(target, "prove") as (listener, _),
        step(run.reporter, target, "proof", "prove") as report,
    ):
        proof = prove(
            house,
            run.engine,
            planned.images,
            limits=run.runner.limits,
            skip_imports={each.name: each.skip_imports for each in house.manifest.wheels},
            listener=listener,
            cancellation=run.cancellation,
        )
        report.detail = str(proof)


def lock_target(run: Run, target: Target, freshness: Freshness) -> Lock:
    """Write the target's lock. Raises WheelhouseError."""
    with telling_the_end(run.reporter, target) as end:
        _, _, lock = locked(run, target, freshness)
        end.path = lock_path(run.project.root, target.name)
    return lock
