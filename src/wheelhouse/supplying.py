"""Following a plan until its wheels are there, and keeping in the lock what that has taught."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from wheelhouse.building.circumstances import circumstances
from wheelhouse.events import Notice
from wheelhouse.locking.current import Freshness, lock_learned, lock_without
from wheelhouse.locking.lockfile import dump_lock, lock_path
from wheelhouse.locking.refusal import told
from wheelhouse.obtain import UntrueTagsError, obtain
from wheelhouse.phases import phase
from wheelhouse.planning import plan_with
from wheelhouse.store import sha256_of
from wheelhouse.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.locking.model import RefusedFile
    from wheelhouse.locking.requires import BuildInspector
    from wheelhouse.obtain import Obtained
    from wheelhouse.plan import Planned
    from wheelhouse.run import Run


#: How often a run looks for something else in place of wheels that are not what they say. An index
#: with more of them in a row is one where the user had better choose.
ROUNDS = 10


def supply(
    run: Run, planned: Planned, freshness: Freshness, rounds: int = ROUNDS
) -> tuple[Planned, str, list[Obtained]]:
    """The plan that could be followed, the hash of its lock, and its wheels.

    A wheel of the index that is not what its tag says is refused, and all is planned without it.
    A package that took more to build than its lock says is locked with that.

    :raises WheelhouseError: everything that failed.
    """
    workshop = _workshop(run, planned, freshness)
    lock_sha256 = sha256_of(lock_path(run.project.root, planned.lock.target))  # as it is now
    try:
        wheels = _wheels(run, planned, workshop)
    except UntrueTagsError as error:
        planned = _remember(run, planned, workshop)
        if not rounds:
            raise
        other = _plan_without(error.refused, run, planned, freshness)
    except BaseException:
        _remember(run, planned, workshop)  # others have failed; that is no reason to learn it again
        raise
    else:
        if workshop.learned:
            planned = _remember(run, planned, workshop)
            lock_sha256 = hashlib.sha256(dump_lock(planned.lock).encode()).hexdigest()
        return planned, lock_sha256, wheels
    return supply(run, other, freshness, rounds - 1)


def _workshop(run: Run, planned: Planned, freshness: Freshness) -> Workshop:
    target, images, interpreter = planned.target, planned.images, planned.interpreter
    learning = freshness is not Freshness.REQUIRE
    return Workshop(
        run.project,
        circumstances(run.runner, target, images, interpreter),
        runner=run.runner,
        fetcher=run.fetcher,
        mender=run.locker.mender(target, images, learning=learning),
        inspector=cache(partial(_inspector, run, planned, learning)),
    )


def _inspector(run: Run, planned: Planned, learning: bool) -> BuildInspector:
    """What finds out how the packages of the lock are built with something more."""
    target, images, interpreter = planned.target, planned.images, planned.interpreter
    lock = planned.lock
    inspector = run.locker.inspector(
        *(target, interpreter, images, lock), learning=learning, before=lock.before
    )
    inspector.build_against({each.name: each.version for each in lock.packages})
    return inspector


def _wheels(run: Run, planned: Planned, workshop: Workshop) -> list[Obtained]:
    with phase(run, planned.target, "wheels", total=planned.plan.work):
        return obtain(
            planned.plan,
            planned.target,
            planned.interpreter,
            workshop=workshop,
            fetcher=run.fetcher,
            scheduler=run.scheduler,
            may_start={name for name, own in run.project.packages.items() if own.allow_pth},
        )


def _remember(run: Run, planned: Planned, workshop: Workshop) -> Planned:
    """*planned* with a lock that has what was learned."""
    if not workshop.learned:
        return planned
    lock = lock_learned(workshop.learned, run.locker, run.project, planned)
    names = ", ".join(sorted(workshop.learned))
    run.reporter.emit(
        Notice(
            target=planned.target.name,
            message=f"{lock_path(run.project.root, lock.target).name} now has what building "
            f"{names} took",
            hint="commit it: then nobody has to find it out again",
        )
    )
    return replace(planned, lock=lock)


def _plan_without(
    refused: Sequence[RefusedFile], run: Run, planned: Planned, freshness: Freshness
) -> Planned:
    target = planned.target
    with phase(run, target, "lock"):
        lock = lock_without(refused, run.locker, run.project, planned, freshness)
    for file in refused:
        run.reporter.emit(Notice(target=target.name, message=told(file, lock)))
    return plan_with(run, target, planned.images, planned.interpreter, lock)
