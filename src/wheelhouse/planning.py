"""From a target to its plan: images, interpreter, lock, plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.building.circumstances import circumstances
from wheelhouse.locking.current import current_lock
from wheelhouse.phases import phase, tell_stand_in
from wheelhouse.plan import Planned, plan_target
from wheelhouse.probe import probe

if TYPE_CHECKING:
    from wheelhouse.engine import TargetImages
    from wheelhouse.locking.current import Freshness
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
        here = circumstances(run.runner, target, images, interpreter)
        plan = plan_target(lock, run.project, here)
    return Planned(target=target, images=images, interpreter=interpreter, lock=lock, plan=plan)


def locked(
    run: Run, target: Target, freshness: Freshness
) -> tuple[TargetImages, Interpreter, Lock]:
    """The target's images, what its Python says of itself, and its lock. Raises WheelhouseError."""
    with phase(run, target, "images"):
        images = run.engine.images(target)
        tell_stand_in(run, target, images)
        interpreter = probe(run.runner, target, images)
    with phase(run, target, "lock"):
        lock = current_lock(run.locker, run.project, target, interpreter, images, freshness)
    return images, interpreter, lock
