"""The main job, from requirement files to proven wheelhouses. Each line is explained elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.building.build import known_build
from wheelhouse.engine.jobs import agent_digest
from wheelhouse.events import step
from wheelhouse.house import House, assemble
from wheelhouse.locking.current import current_lock
from wheelhouse.locking.lockfile import lock_path
from wheelhouse.obtain import obtain
from wheelhouse.phases import phase, telling_the_end
from wheelhouse.plan import Circumstances, Planned, plan_target
from wheelhouse.probe import probe
from wheelhouse.prove import prove
from wheelhouse.publish import check_replaceable, clean_leftovers, publish, staging_folder
from wheelhouse.store import sha256_of
from wheelhouse.story import contents

if TYPE_CHECKING:
    from wheelhouse.engine import TargetImages
    from wheelhouse.locking.current import Freshness
    from wheelhouse.locking.model import Lock
    from wheelhouse.run import Run
    from wheelhouse.targets import Interpreter, Target


def build_target(run: Run, target: Target, freshness: Freshness) -> House:
    """Leave a proven wheelhouse in the project's output. Raises WheelhouseError."""
    destination = run.project.output / target.name
    with telling_the_end(run.reporter, target) as end:
        check_replaceable(destination)
        clean_leftovers(run.project.output)
        planned = plan_one(run, target, freshness)
        lock_sha256 = sha256_of(lock_path(run.project.root, target.name))  # before anyone edits it
        end.plan = planned.plan
        with phase(run, target, "wheels", total=len(planned.plan.steps)):
            wheels = obtain(
                planned.plan,
                run.project,
                target,
                planned.interpreter,
                runner=run.runner,
                fetcher=run.fetcher,
                scheduler=run.scheduler,
            )
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


def plan_one(run: Run, target: Target, freshness: Freshness) -> Planned:
    """Everything up to the plan, and nothing of what it says. Raises WheelhouseError."""
    images, interpreter, lock = _locked(run, target, freshness)
    with phase(run, target, "plan"):
        circumstances = Circumstances(
            target=target,
            interpreter=interpreter,
            images=images,
            builder=lambda system: run.engine.with_system(target, system),
            known=lambda key: known_build(run.store, key),
            versions={"agent": agent_digest("build")},
        )
        plan = plan_target(lock, run.project, circumstances)
    return Planned(target=target, images=images, interpreter=interpreter, lock=lock, plan=plan)


def lock_target(run: Run, target: Target, freshness: Freshness) -> Lock:
    """Write the target's lock. Raises WheelhouseError."""
    with telling_the_end(run.reporter, target) as end:
        _, _, lock = _locked(run, target, freshness)
        end.path = lock_path(run.project.root, target.name)
    return lock


def _locked(
    run: Run, target: Target, freshness: Freshness
) -> tuple[TargetImages, Interpreter, Lock]:
    with phase(run, target, "images"):
        images = run.engine.images(target)
        interpreter = probe(run.runner, target, images)
    with phase(run, target, "lock"):
        lock = current_lock(run.locker, run.project, target, interpreter, images, freshness)
    return images, interpreter, lock
