"""The lock to use now: the present one if it is fresh, else a new one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from wheelhouse.durable import check_writable, replace_text
from wheelhouse.errors import (
    ConfigError,
    FetchError,
    LockError,
    StaleLockError,
    WheelhouseError,
    raise_all,
)
from wheelhouse.inputs import read_inputs
from wheelhouse.locking.agreeing import disagreements
from wheelhouse.locking.freshness import changes, cutoff, input_digests, is_fresh
from wheelhouse.locking.lockfile import dump_lock, load_lock, lock_path
from wheelhouse.locking.refusal import broken_promise
from wheelhouse.locking.system import merged
from wheelhouse.wording import did_you_mean, listed, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.config import Project
    from wheelhouse.engine import TargetImages
    from wheelhouse.inputs.model import Requirements
    from wheelhouse.locking.lock import Locker
    from wheelhouse.locking.model import (
        AddedRequirement,
        Lock,
        LockedPackage,
        RefusedFile,
        SystemRequirement,
    )
    from wheelhouse.plan import Planned
    from wheelhouse.targets import Interpreter, Target


class Freshness(Enum):
    """How to treat the present lock."""

    #: Keep it if it belongs to the present requirements, else renew it, keeping its pins.
    RENEW_IF_STALE = "renew if stale"
    #: Refuse to go on if it does not belong to the present requirements.
    REQUIRE = "require"
    #: Choose all versions anew.
    UPGRADE = "upgrade"


@dataclass(frozen=True, kw_only=True, slots=True)
class Renewal:
    """What is asked of a new lock beside its :class:`Freshness`, this once.

    :ivar packages: those whose versions are chosen anew; the others' are kept where possible.
    :ivar before: what counts in place of the project's ``exclude_newer``.
    :ivar written: whether the new lock gets into its file.
    """

    packages: frozenset[NormalizedName] = frozenset()
    before: datetime | timedelta | None = None
    written: bool = True

    @property
    def changes_a_fresh_lock(self) -> bool:
        """Whether a lock is to be made although the present one is fresh."""
        return bool(self.packages) or self.before is not None


#: Nothing.
AS_EVER = Renewal()


def current_lock(
    locker: Locker,
    project: Project,
    target: Target,
    interpreter: Interpreter,
    images: TargetImages,
    freshness: Freshness,
    renewal: Renewal = AS_EVER,
) -> Lock:
    """The lock of *target*; a new one is written before it is used.

    :raises StaleLockError: there is none that is fresh, and one is required.
    :raises ConfigError: what is to be upgraded is pinned by a lock among the inputs.
    :raises LockError: a new one cannot be made, or what it has is not made for one CUDA.
    """
    path = lock_path(project.root, target.name)
    requirements = read_inputs(project.root, project.requirements)
    anew = freshness is Freshness.UPGRADE or renewal.changes_a_fresh_lock
    present = load_lock(path)
    if present is not None and is_fresh(present, project, target, requirements) and not anew:
        raise_all(disagreements(present, target, project))
        return present
    if freshness is Freshness.REQUIRE:
        raise _refusal(path, present, project, target, requirements)
    _refuse_pinned(renewal, requirements, interpreter)
    with locker.alone(path):
        old = load_lock(path)
        if old != present and is_fresh(old, project, target, requirements) and not anew:
            assert old is not None
            return old  # another run has just made it
        setting = project.exclude_newer if renewal.before is None else renewal.before
        before = cutoff(setting, datetime.now(UTC))
        if renewal.written:
            check_writable(path.parent)  # before minutes of work that could not be kept
        lock = locker.lock(
            *(target, interpreter, images, requirements),
            _kept(old, freshness, renewal),
            old.refused if old else (),
            taught=old,
            before=before,
        )
        lock = _with_origin(lock, project, target, requirements, before)
        if old is not None and replace(lock, before=old.before) == old:
            lock = old  # a later moment alone makes no new lock
        if renewal.written:
            replace_text(path, dump_lock(lock))
    return lock


def _kept(old: Lock | None, freshness: Freshness, renewal: Renewal) -> Lock | None:
    """What of *old* is kept, if nothing speaks against it."""
    if old is None or freshness is Freshness.UPGRADE:
        return None
    kept = (each for each in old.packages if each.name not in renewal.packages)
    return replace(old, packages=tuple(kept))


def _with_origin(
    lock: Lock,
    project: Project,
    target: Target,
    requirements: Requirements,
    before: datetime | None,
) -> Lock:
    """*lock* with what it was made from."""
    return replace(lock, sources=input_digests(project, target, requirements), before=before)


def _refuse_pinned(renewal: Renewal, requirements: Requirements, interpreter: Interpreter) -> None:
    """Refuse to upgrade what another tool's lock pins. Raises ConfigError."""
    if not renewal.packages or not requirements.locks:
        return
    chosen = requirements.chosen_for(interpreter.environment)
    for each in chosen.asked:
        if each.closed and each.name in renewal.packages:
            raise ConfigError(
                f"{each.name} cannot be upgraded here: {each.origin} pins it",
                hint=f"have the tool that made {each.origin} upgrade it there, then run "
                "`wheelhouse lock`",
            )


def check_upgradable(
    project: Project, targets: Iterable[Target], names: Iterable[NormalizedName]
) -> None:
    """Find out whether the locks of *targets* have packages of these *names*.

    A target without a lock may come to have any.

    :raises ConfigError: none of the locks has some of them.
    """
    known: set[str] = set()
    for target in targets:
        lock = load_lock(lock_path(project.root, target.name))
        if lock is None:
            return
        known |= {each.name for each in lock.packages}
    unknown = sorted(name for name in names if name not in known)
    if unknown:
        guess = did_you_mean(unknown[0], sorted(known)) if len(unknown) == 1 else ""
        raise ConfigError(
            f"no lock has {listed([quoted(name) for name in unknown])}{guess}",
            hint="`wheelhouse tree` shows what is locked",
        )


def lock_without(
    refused: Sequence[RefusedFile],
    locker: Locker,
    project: Project,
    planned: Planned,
    freshness: Freshness,
) -> Lock:
    """The lock of *planned* without *refused*, which were found out; written before it is used.

    :raises StaleLockError: the present lock is required.
    :raises LockError: there is no other.
    """
    target = planned.target
    path = lock_path(project.root, target.name)
    if freshness is Freshness.REQUIRE:
        raise StaleLockError(
            f"{path.name} has what cannot be used: {'; '.join(map(broken_promise, refused))}",
            hint="run `wheelhouse build` without --locked, which puts something else into the "
            "lock, and commit it",
        )
    requirements = read_inputs(project.root, project.requirements)
    with locker.alone(path):
        old = load_lock(path) or planned.lock
        if is_fresh(old, project, target, requirements) and set(refused) <= set(old.refused):
            return old  # another run has just found out the same
        known = (*planned.lock.refused, *old.refused, *refused)
        lock = locker.lock(
            *(target, planned.interpreter, planned.images, requirements, old, known),
            before=old.before,
        )
        lock = _with_origin(lock, project, target, requirements, old.before)
        replace_text(path, dump_lock(lock))
    return lock


def lock_adding(
    added: Sequence[AddedRequirement], locker: Locker, project: Project, planned: Planned
) -> Lock:
    """The lock of *planned* with requirements that packages do not declare; written.

    :raises LockError: they cannot be had, or conflict with what is asked for.
    """
    target = planned.target
    path = lock_path(project.root, target.name)
    requirements = read_inputs(project.root, project.requirements)
    with locker.alone(path):
        old = load_lock(path) or planned.lock
        if is_fresh(old, project, target, requirements) and set(added) <= set(old.added):
            return old  # another run has just found out the same
        known = (*planned.lock.added, *added)
        try:
            lock = locker.lock(
                *(target, planned.interpreter, planned.images, requirements, old, old.refused),
                added=known,
                before=old.before,
            )
        except FetchError:
            raise
        except LockError as error:
            raise _unaddable(added, error) from error
        lock = _with_origin(lock, project, target, requirements, old.before)
        replace_text(path, dump_lock(lock))
    return lock


def _unaddable(added: Iterable[AddedRequirement], error: LockError) -> LockError:
    """*error* with what it comes from: the resolver takes what is added for declared."""
    causes = "; ".join(
        f"{each.package} {each.use}, so it was to get {each.requirement}" for each in added
    )
    return LockError(f"{causes}: {error.message}", hint=error.hint)


def lock_noting(
    system: Sequence[SystemRequirement], locker: Locker, project: Project, planned: Planned
) -> Lock:
    """The lock of *planned* with packages of the distribution that the server needs; written.

    :raises StorageError: the folder cannot be written to.
    """

    def noted(lock: Lock) -> Lock:
        return replace(lock, system=merged((*lock.system, *system)))

    _write_known(noted, locker, project, planned)
    return noted(planned.lock)


def lock_learned(
    learned: Mapping[NormalizedName, LockedPackage],
    locker: Locker,
    project: Project,
    planned: Planned,
) -> Lock:
    """The lock that was followed: that of *planned*, with packages as they were built in the end.

    It is written.

    :raises StorageError: the folder cannot be written to.
    """
    _write_known(lambda lock: _as_built(lock, learned), locker, project, planned)
    return _as_built(planned.lock, learned)


def _write_known(
    change: Callable[[Lock], Lock], locker: Locker, project: Project, planned: Planned
) -> None:
    """Write the present lock as *change* makes it, unless that is of other inputs by now.

    Then somebody has changed what is asked for and locked that; this run is of before.
    """
    path = lock_path(project.root, planned.target.name)
    with locker.alone(path):
        present = load_lock(path) or planned.lock
        if present.inputs == planned.lock.inputs:
            replace_text(path, dump_lock(change(present)))


def _as_built(lock: Lock, learned: Mapping[NormalizedName, LockedPackage]) -> Lock:
    """*lock* with those of *learned* of which it has the same sdist."""

    def learnt(package: LockedPackage) -> LockedPackage:
        built = learned.get(package.name)
        if built is None or built.sdist != package.sdist or package.build is None:
            return package
        return replace(package, build=built.build)

    return replace(lock, packages=tuple(map(learnt, lock.packages)))


def _refusal(
    path: Path,
    present: Lock | None,
    project: Project,
    target: Target,
    requirements: Requirements,
) -> StaleLockError:
    if present is None:
        return StaleLockError(f"there is no {path.name}", hint="run `wheelhouse lock`, commit it")
    changed = "; ".join(changes(present, project, target, requirements))
    return StaleLockError(
        f"{path.name} does not belong to the present requirements or settings"
        + (f": {changed}" if changed else ""),
        hint="run `wheelhouse lock` and commit the result",
    )


def check_locks(project: Project, targets: Iterable[Target]) -> None:
    """Compare locks with what they were made from; neither engine nor index is needed.

    :raises StaleLockError: for each lock that is missing or stale.
    :raises LockError: what one has is not made for one CUDA.
    """
    requirements = read_inputs(project.root, project.requirements)
    errors: list[WheelhouseError] = []
    for target in targets:
        path = lock_path(project.root, target.name)
        present = load_lock(path)
        if present is None or not is_fresh(present, project, target, requirements):
            error = _refusal(path, present, project, target, requirements)
            error.target = target.name
            errors.append(error)
        else:
            errors += disagreements(present, target, project)
    raise_all(errors)
