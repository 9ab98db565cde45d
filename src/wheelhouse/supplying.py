"""Following a plan until its wheels are there, and keeping in the lock what that has taught."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wheelhouse.building.answers import declared_fix
from wheelhouse.building.circumstances import circumstances
from wheelhouse.building.downloads import Downloads
from wheelhouse.errors import CheckError, StaleLockError, raise_all
from wheelhouse.events import Notice
from wheelhouse.joining import UndeclaredError
from wheelhouse.locking.current import Freshness, lock_adding, lock_learned, lock_without
from wheelhouse.locking.lockfile import dump_lock, lock_path
from wheelhouse.locking.refusal import told
from wheelhouse.obtain import UntrueTagsError, obtain
from wheelhouse.phases import phase
from wheelhouse.planning import plan_with
from wheelhouse.store import sha256_of
from wheelhouse.weighing import tell_downloads, weighed
from wheelhouse.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.config import Project
    from wheelhouse.locking.model import AddedRequirement, Lock, RefusedFile
    from wheelhouse.locking.requires import BuildInspector
    from wheelhouse.obtain import Obtained
    from wheelhouse.plan import Plan, Planned
    from wheelhouse.run import Run


#: How often a run looks for something else in place of wheels that are not what they say. An index
#: with more of them in a row is one where the user had better choose.
ROUNDS = 10


def supply(
    run: Run, planned: Planned, freshness: Freshness, rounds: int = ROUNDS
) -> tuple[Planned, str, list[Obtained]]:
    """The plan that could be followed, the hash of its lock, and its wheels.

    A wheel of the index that is not what its tag says is refused, and all is planned without it.
    A package that took more to build than its lock says is locked with that. What has a library
    that a built wheel uses becomes one of its requirements.

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
    except UndeclaredError as error:
        planned = _remember(run, planned, workshop)
        other = _plan_adding(error.added, run, planned, freshness, patient=rounds > 0)
    except BaseException:
        _remember(run, planned, workshop)  # others have failed; that is no reason to learn it again
        raise
    else:
        if workshop.learned:
            planned = _remember(run, planned, workshop)
            lock_sha256 = hashlib.sha256(dump_lock(planned.lock).encode()).hexdigest()
        return planned, lock_sha256, wheels
    done, lock_sha256, wheels = supply(run, other, freshness, rounds - 1)
    return replace(done, plan=as_done(planned.plan, done.plan)), lock_sha256, wheels


def as_done(before: Plan, after: Plan) -> Plan:
    """*after*, with the builds of *before* told as such, and not as reused: it was the same run."""
    built = {step.package.name for step in before.steps if step.action == "build"}
    steps = (
        replace(step, action="build")
        if step.action == "reuse" and step.package.name in built
        else step
        for step in after.steps
    )
    return replace(after, steps=tuple(steps))


def _workshop(run: Run, planned: Planned, freshness: Freshness) -> Workshop:
    target, images, interpreter = planned.target, planned.images, planned.interpreter
    learning = freshness is not Freshness.REQUIRE
    return Workshop(
        run.project,
        circumstances(
            *(run.runner, target, images, interpreter, planned.lock.toolkit),
            downloads=Downloads(
                target, runner=run.runner, fetcher=run.fetcher, scheduler=run.scheduler
            ),
        ),
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
    load = weighed(run, planned, everything=False)
    load.check()
    with phase(run, planned.target, "wheels", total=planned.plan.work):
        tell_downloads(run.reporter, planned.target, load.weights)
        return obtain(
            planned.plan,
            planned.target,
            planned.interpreter,
            weights=load.weights,
            workshop=workshop,
            fetcher=run.fetcher,
            scheduler=run.scheduler,
            may_start={name for name, own in run.project.packages.items() if own.allow_pth},
            any_cuda={name for name, own in run.project.packages.items() if own.cuda is False},
            kept={name: own.system_libraries for name, own in run.project.packages.items()},
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


def _plan_adding(
    added: Sequence[AddedRequirement],
    run: Run,
    planned: Planned,
    freshness: Freshness,
    *,
    patient: bool,
) -> Planned:
    """The plan with requirements that wheels turned out to have.

    :param patient: whether others may follow.
    :raises CheckError: they are not to be added by themselves, or were and did not help.
    :raises StaleLockError: the present lock is required.
    """
    target, path = planned.target, lock_path(run.project.root, planned.target.name)
    known = {(each.package, each.requirement) for each in planned.lock.added}
    in_vain = [each for each in added if (each.package, each.requirement) in known]
    raise_all([_without_avail(each, planned.lock) for each in in_vain])
    if run.project.undeclared_libraries == "error" or not patient:
        raise_all(_undeclared(added, run.project))
    if freshness is Freshness.REQUIRE:
        lacking = "; ".join(f"{each.package} {each.use}: {each.requirement}" for each in added)
        raise StaleLockError(
            f"{path.name} lacks what has libraries that built wheels use ({lacking})",
            hint="run `wheelhouse build` without --locked, which adds it to the lock, and commit "
            "that",
        )
    with phase(run, target, "lock"):
        lock = lock_adding(added, run.locker, run.project, planned)
    for each in added:
        run.reporter.emit(
            Notice(
                target=target.name,
                message=str(each),
                hint=f"commit {path.name}, which now has it: then nobody has to find it out again",
            )
        )
    return plan_with(run, target, planned.images, planned.interpreter, lock)


def _without_avail(added: AddedRequirement, lock: Lock) -> CheckError:
    """What is told where what was *added* before has not what it was added for."""
    name = canonicalize_name(Requirement(added.requirement).name)
    found = lock.package(name) or name
    return CheckError(
        f"{added.package} {added.use}, which {found} has not, although {added.requirement} was "
        "added for it",
        hint=f"pin the version that has it, under `[packages.{added.package}] requires`, or have "
        f"{added.package} built for a library that there is",
    )


def _undeclared(added: Sequence[AddedRequirement], project: Project) -> list[CheckError]:
    """What is told of each package that uses libraries of what it does not require."""
    by_package: defaultdict[NormalizedName, list[AddedRequirement]] = defaultdict(list)
    for each in added:
        by_package[each.package].append(each)
    automatic = ""
    if project.undeclared_libraries == "error":
        automatic = ', or have it added by `undeclared-libraries = "add"`'
    return [
        CheckError(
            f"{name} {' and '.join(each.use for each in found)}, and does not require what has it",
            hint=f"declare it in its place{automatic}",
            fix=declared_fix(
                name,
                sorted({*project.settings(name).requires, *(each.requirement for each in found)}),
            ),
        )
        for name, found in by_package.items()
    ]
