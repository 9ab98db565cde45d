"""The lock to use now: the present one if it is fresh, else a new one."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from wheelhouse.errors import (
    FetchError,
    LockError,
    StaleLockError,
    WheelhouseError,
    raise_all,
)
from wheelhouse.inputs import read_inputs
from wheelhouse.locking.lock import inputs_digest
from wheelhouse.locking.lockfile import dump_lock, load_lock, lock_path
from wheelhouse.locking.refusal import broken_promise
from wheelhouse.locking.system import merged
from wheelhouse.store import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
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


def current_lock(
    locker: Locker,
    project: Project,
    target: Target,
    interpreter: Interpreter,
    images: TargetImages,
    freshness: Freshness,
) -> Lock:
    """The lock of *target*; a new one is written before it is used.

    :raises StaleLockError: there is none that is fresh, and one is required.
    :raises LockError: a new one cannot be made.
    """
    path = lock_path(project.root, target.name)
    requirements = read_inputs(project.root, project.requirements)
    present = load_lock(path)
    fresh = _is_fresh(present, project, target, requirements)
    if freshness is Freshness.REQUIRE and not fresh:
        raise _refusal(path, present)
    if present is not None and fresh and freshness is not Freshness.UPGRADE:
        return present
    with locker.alone(path):
        old = load_lock(path)
        if old is not None and old != present and _is_fresh(old, project, target, requirements):
            return old  # another run has just made it
        kept = None if freshness is Freshness.UPGRADE else old
        refused = old.refused if old else ()
        lock = locker.lock(target, interpreter, images, requirements, kept, refused, taught=old)
        write_lock(path, dump_lock(lock))
    return lock


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
        if _is_fresh(old, project, target, requirements) and set(refused) <= set(old.refused):
            return old  # another run has just found out the same
        known = (*planned.lock.refused, *old.refused, *refused)
        lock = locker.lock(target, planned.interpreter, planned.images, requirements, old, known)
        write_lock(path, dump_lock(lock))
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
        if _is_fresh(old, project, target, requirements) and set(added) <= set(old.added):
            return old  # another run has just found out the same
        known = (*planned.lock.added, *added)
        try:
            lock = locker.lock(
                *(target, planned.interpreter, planned.images, requirements, old, old.refused),
                added=known,
            )
        except FetchError:
            raise
        except LockError as error:
            raise _unaddable(added, error) from error
        write_lock(path, dump_lock(lock))
    return lock


def _unaddable(added: Iterable[AddedRequirement], error: LockError) -> LockError:
    """*error* with what it comes from: the resolver takes what is added for declared."""
    causes = "; ".join(
        f"{each.package} imports {each.module}, so it was to get {each.requirement}"
        for each in added
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
            write_lock(path, dump_lock(change(present)))


def _as_built(lock: Lock, learned: Mapping[NormalizedName, LockedPackage]) -> Lock:
    """*lock* with those of *learned* of which it has the same sdist."""

    def learnt(package: LockedPackage) -> LockedPackage:
        built = learned.get(package.name)
        if built is None or built.sdist != package.sdist or package.build is None:
            return package
        return replace(package, build=built.build)

    return replace(lock, packages=tuple(map(learnt, lock.packages)))


def _is_fresh(
    present: Lock | None, project: Project, target: Target, requirements: Requirements
) -> bool:
    """Whether *present* was made for *target* from what is asked for now."""
    return (
        present is not None
        and present.target == target.name  # and not copied from another's
        and present.inputs == inputs_digest(project, target, requirements)
    )


def _refusal(path: Path, present: Lock | None) -> StaleLockError:
    if present is None:
        return StaleLockError(f"there is no {path.name}", hint="run `wheelhouse lock`, commit it")
    return StaleLockError(
        f"{path.name} does not belong to the present requirements or settings",
        hint="run `wheelhouse lock` and commit the result",
    )


def write_lock(path: Path, text: str) -> None:
    """Put *text* into *path* in one step, whoever else does so at this time.

    :raises StorageError: the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    with storage_errors(path.parent):
        _remove_leftovers(path)
        try:
            temporary.write_text(text, "utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Of runs that were killed while they wrote. Who still writes took less than a minute."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(FileNotFoundError):  # another run may be about the same
            if time.time() - left.stat().st_mtime > 60:
                left.unlink()


def check_locks(project: Project, targets: Iterable[Target]) -> None:
    """Compare locks with what they were made from; neither engine nor index is needed.

    :raises StaleLockError: for each lock that is missing or stale.
    """
    requirements = read_inputs(project.root, project.requirements)
    errors: list[WheelhouseError] = []
    for target in targets:
        path = lock_path(project.root, target.name)
        present = load_lock(path)
        if not _is_fresh(present, project, target, requirements):
            errors.append(_refusal(path, present))
    raise_all(errors)
