"""From a target to its plan: images, interpreter, lock, plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.building.circumstances import circumstances
from wheelhouse.building.downloads import Downloads
from wheelhouse.events import LockCompared
from wheelhouse.locking.current import AS_EVER, current_lock
from wheelhouse.locking.difference import difference
from wheelhouse.locking.lockfile import load_lock, lock_path
from wheelhouse.phases import phase, tell_doubt, tell_stand_in
from wheelhouse.plan import Planned, plan_target
from wheelhouse.probe import probe

if TYPE_CHECKING:
    from wheelhouse.engine import TargetImages
    from wheelhouse.locking.current import Freshness, Renewal
    from wheelhouse.locking.model import Lock
    from wheelhouse.run import Run
    from wheelhouse.targets import Interpreter, Target


def plan_one(run: Run, target: Target, freshness: Freshness) -> Planned:
    """Everything up to the plan, and nothing of what it says. Raises WheelhouseError."""
    return plan_with(run, target, *locked(run, target, freshness))


def plan_with(
    run: Run, target: Target, images: TargetImages, interpreter: Interpreter, lock: Lock
) -> Planned:
    """The plan for *lock*. Raises WheelhouseError."""
    with phase(run, target, "plan"):
        here = circumstances(
            *(run.runner, target, images, interpreter, lock.toolkit),
            downloads=Downloads(
                target, runner=run.runner, fetcher=run.fetcher, scheduler=run.scheduler
            ),
        )
        plan = plan_target(lock, run.project, here)
    return Planned(target=target, images=images, interpreter=interpreter, lock=lock, plan=plan)


def locked(
    run: Run, target: Target, freshness: Freshness, renewal: Renewal = AS_EVER
) -> tuple[TargetImages, Interpreter, Lock]:
    """The target's images, what its Python says of itself, and its lock. Raises WheelhouseError."""
    with phase(run, target, "images"):
        images = run.engine.images(target)
        tell_stand_in(run, target, images)
        tell_doubt(run, target)
        interpreter = probe(run.runner, target, images)
    path = lock_path(run.project.root, target.name)
    with phase(run, target, "lock"):
        old = load_lock(path)
        lock = current_lock(
            *(run.locker, run.project, target, interpreter, images, freshness), renewal
        )
    found = difference(old, lock)
    run.reporter.emit(
        LockCompared(
            target=target.name,
            path=path,
            changed=bool(found),
            written=renewal.written,
            summary=found.summary(),
            changes=found.to_dict(),
        )
    )
    return images, interpreter, lock
