"""The main job, from requirement files to proven wheelhouses. Each line is explained elsewhere."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wheelhouse.building import cibuildwheel
from wheelhouse.building.build import known_build
from wheelhouse.building.durations import Pace
from wheelhouse.engine.jobs import agent_digest
from wheelhouse.events import Notice, step
from wheelhouse.house import House, assemble
from wheelhouse.locking.current import current_lock, lock_without
from wheelhouse.locking.lockfile import lock_path
from wheelhouse.locking.refusal import told
from wheelhouse.obtain import UntrueTagsError, obtain
from wheelhouse.phases import phase, tell_stand_in, telling_the_end
from wheelhouse.plan import Circumstances, Planned, plan_target
from wheelhouse.probe import probe
from wheelhouse.prove import prove
from wheelhouse.publish import check_replaceable, clean_leftovers, publish, staging_folder
from wheelhouse.store import sha256_of
from wheelhouse.story import contents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.engine import TargetImages
    from wheelhouse.locking.current import Freshness
    from wheelhouse.locking.model import Lock, RefusedFile
    from wheelhouse.obtain import Obtained
    from wheelhouse.run import Run
    from wheelhouse.targets import Interpreter, Target


#: How often a run looks for something else in place of wheels that are not what they say. An index
#: with more of them in a row is one where the user had better choose.
ROUNDS = 10


def build_target(run: Run, target: Target, freshness: Freshness) -> House:
    """Leave a proven wheelhouse in the project's output. Raises WheelhouseError."""
    destination = run.project.output / target.name
    with telling_the_end(run.reporter, target) as end:
        check_replaceable(destination)
        clean_leftovers(run.project.output)
        planned, lock_sha256, wheels = _supply(run, plan_one(run, target, freshness), freshness)
        end.plan = planned.plan
        with staging_folder(destination) as staging:
            with phase(run, target, "assemble"):
                house = assemble(contents(run.project, planned, lock_sha256, wheels), staging)
            with phase(run, target, "prove"):
                _prove(run, planned, house)
            publish(staging, destination)
        end.house = House(path=destination, manifest=house.manifest)
    return end.house


def _supply(
    run: Run, planned: Planned, freshness: Freshness, rounds: int = ROUNDS
) -> tuple[Planned, str, list[Obtained]]:
    """The plan that could be followed, the hash of its lock, and its wheels.

    A wheel of the index that is not what its tag says is refused, and all is planned without it.
    """
    lock_sha256 = sha256_of(lock_path(run.project.root, planned.lock.target))  # as it is now
    try:
        return planned, lock_sha256, _wheels(run, planned)
    except UntrueTagsError as error:
        if not rounds:
            raise
        other = _plan_without(error.refused, run, planned, freshness)
    return _supply(run, other, freshness, rounds - 1)


def _wheels(run: Run, planned: Planned) -> list[Obtained]:
    with phase(run, planned.target, "wheels", total=len(planned.plan.steps)):
        return obtain(
            planned.plan,
            run.project,
            planned.target,
            planned.interpreter,
            runner=run.runner,
            fetcher=run.fetcher,
            scheduler=run.scheduler,
        )


def _plan_without(
    refused: Sequence[RefusedFile], run: Run, planned: Planned, freshness: Freshness
) -> Planned:
    target = planned.target
    with phase(run, target, "lock"):
        lock = lock_without(refused, run.locker, run.project, planned, freshness)
    for file in refused:
        run.reporter.emit(Notice(target=target.name, message=told(file, lock)))
    return _plan(run, target, planned.images, planned.interpreter, lock)


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
    return _plan(run, target, *_locked(run, target, freshness))


def _plan(
    run: Run, target: Target, images: TargetImages, interpreter: Interpreter, lock: Lock
) -> Planned:
    with phase(run, target, "plan"):
        circumstances = Circumstances(
            target=target,
            interpreter=interpreter,
            images=images,
            builder=lambda system: run.engine.with_system(target, system),
            known=lambda key: known_build(run.store, key),
            for_cibuildwheel=partial(run.engine.for_cibuildwheel, target),
            versions={"agent": agent_digest("build")},
            cibuildwheel=cibuildwheel.version,
            pace=Pace.of(run.engine, run.store, target),
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
        tell_stand_in(run, target, images)
        interpreter = probe(run.runner, target, images)
    with phase(run, target, "lock"):
        lock = current_lock(run.locker, run.project, target, interpreter, images, freshness)
    return images, interpreter, lock
