"""Realising a plan: every wheel of a target fetched, built or reused, and each one checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from wheelhouse.building.build import is_whole
from wheelhouse.building.history import BUILD
from wheelhouse.errors import CheckError, SeveralErrors
from wheelhouse.events import Notice
from wheelhouse.events import step as report_step
from wheelhouse.joining import Joining, as_built
from wheelhouse.locking.model import RefusedFile
from wheelhouse.locking.refusal import limits
from wheelhouse.mismatch import held_against_lock
from wheelhouse.scheduler import gather
from wheelhouse.text import sanitize
from wheelhouse.wheels import (
    Wheel,
    check_house,
    check_wheel,
    lost_extension,
    read_wheel,
    refuse,
    who_asks,
)
from wheelhouse.wheels.findings import TAG_RULES, as_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.building.runner import Runner
    from wheelhouse.errors import WheelhouseError
    from wheelhouse.events import Reporter
    from wheelhouse.events import Step as Report
    from wheelhouse.fetch import Fetcher
    from wheelhouse.plan import Built, Plan, Step
    from wheelhouse.scheduler import Scheduler
    from wheelhouse.targets import Interpreter, Target
    from wheelhouse.weights import Weights
    from wheelhouse.wheels import Finding
    from wheelhouse.wheels.sharing import Library
    from wheelhouse.workshop import Workshop


@dataclass(frozen=True, kw_only=True, slots=True)
class Obtained:
    """A wheel in the store whose archive is sound. *built* is None for a fetched one.

    :ivar taken: the libraries that a built one uses of other wheels.
    """

    step: Step
    wheel: Wheel
    sha256: str
    built: Built | None
    taken: tuple[Library, ...] = ()


class UntrueTagsError(SeveralErrors):
    """Wheels of the index do not do what their tags promise; other files may.

    :ivar refused: these wheels; *errors* has whatever else the check found, too.
    """

    def __init__(self, errors: Sequence[WheelhouseError], refused: Sequence[RefusedFile]) -> None:
        super().__init__(errors)
        self.refused = tuple(refused)


def obtain(
    plan: Plan,
    target: Target,
    interpreter: Interpreter,
    *,
    weights: Weights,
    workshop: Workshop,
    fetcher: Fetcher,
    scheduler: Scheduler,
    may_start: Collection[NormalizedName] = (),
    any_cuda: Collection[NormalizedName] = (),
    kept: Mapping[NormalizedName, Collection[str]] | None = None,
) -> list[Obtained]:
    """Do every step of *plan*, in parallel; a failed one stops no other.

    :param weights: of *plan*.
    :param may_start: packages whose wheels may have files that run at every start of Python.
    :param any_cuda: packages whose wheels may be made for another CUDA than the target's.
    :param kept: by package, the sonames of libraries that it takes from the distribution.

    What has been learned from failures is in *workshop* afterwards, and in the steps returned.

    :raises UntrueTagsError: wheels of the index are not what they say.
    :raises UndeclaredError: built ones use libraries of projects that they do not require.
    :raises WheelhouseError: everything that failed, all at once.
    """
    workshop.runner.store.check()
    work = _Work(
        target=target,
        interpreter=interpreter,
        workshop=workshop,
        fetcher=fetcher,
    )
    first = _build_first(plan, work, scheduler)
    futures: list[Future[Obtained]] = []
    for step in plan.steps:
        if step.action == "build":
            assert step.recipe is not None
            after = [first[tool.key] for tool in step.recipe.built if tool.key in first]
            build = partial(work.build, step)
            futures.append(scheduler.submit("containers", build, cost=step.seconds, after=after))
        elif step.action == "reuse":
            # Over in a moment, unless a bit has flipped in the store: then it is a build.
            futures.append(scheduler.submit("containers", partial(work.reuse, step), cost=math.inf))
        else:
            # The longest first, or everybody waits for it in the end.
            size = weights.size(step.file.sha256) or 0
            futures.append(scheduler.submit("downloads", partial(work.fetch, step), cost=size))
    gathered: list[Any] = gather([*first.values(), *futures])
    joining = Joining(
        *(target, workshop.runner, scheduler),
        repair=work.repair,
        build=work.build,
        kept=kept or {},
    )
    obtained = joining.join(gathered[len(first) :])
    _check(obtained, target, interpreter, workshop.runner.reporter, may_start, any_cuda)
    return obtained


def _build_first(plan: Plan, work: _Work, scheduler: Scheduler) -> dict[str | None, Future[Built]]:
    """By their keys, the builds of build requirements, each after those that it takes itself."""
    futures: dict[str | None, Future[Built]] = {}
    for tool in plan.first:
        if tool.action == "build":
            assert tool.recipe is not None
            after = [futures[each.key] for each in tool.recipe.built if each.key in futures]
            build = partial(work.build_tool, tool)
            futures[tool.key] = scheduler.submit("containers", build, cost=math.inf, after=after)
    return futures


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    """What each of a target's steps needs."""

    target: Target
    interpreter: Interpreter
    workshop: Workshop
    fetcher: Fetcher

    @property
    def runner(self) -> Runner:
        return self.workshop.runner

    def fetch(self, step: Step) -> Obtained:
        file = step.file
        with self._reporting(step, "fetch") as report, self._as_locked(step):
            report.how = "stored" if self.fetcher.store.has(file.sha256) else ""
            path = self.fetcher.fetch(
                file.url, file.sha256, size=file.size, progress=report.progress
            )
            wheel = read_wheel(path, filename=step.file.filename, scratch=self.runner.store.scratch)
        return Obtained(step=step, wheel=wheel, sha256=step.file.sha256, built=None)

    def reuse(self, step: Step) -> Obtained:
        built = step.built
        assert built is not None
        store = self.runner.store
        if not is_whole(built, store):
            return self.build(step)
        wheel = _wheel_of(store.blob(built.sha256), built, step, store.scratch)
        if wheel is None:
            assert step.key is not None
            store.forget(BUILD, step.key)  # it leads to the wheel of another
            return self.build(step)
        with self._reporting(step, "fetch") as report:
            report.outcome = "reused"
            self._check_built(wheel, step)
        return Obtained(step=step, wheel=wheel, sha256=built.sha256, built=built)

    def build(self, step: Step, offered: Collection[str] | None = None) -> Obtained:
        """The wheel of *step*; *offered* is what other wheels have for it, once that is known."""
        with self._reporting(step, "build") as report, self._as_locked(step):
            done, built = self.workshop.build(step, offered)
            report.detail = _told(built.facts["grafted"])
            return self._finished(done, built)

    def repair(self, step: Step, again: Callable[[], Built]) -> Obtained:
        """What comes of the wheel of *step* when it is repaired *again*."""
        with self._reporting(step, "repair"):
            return self._finished(step, again())

    def _finished(self, step: Step, built: Built) -> Obtained:
        store = self.runner.store
        path = store.blob(built.sha256)
        wheel = read_wheel(path, filename=built.filename, scratch=store.scratch)
        _check_identity(wheel, step)
        self._check_built(wheel, step)
        wheel = as_built(wheel, built)
        return Obtained(step=step, wheel=wheel, sha256=built.sha256, built=built)

    def build_tool(self, step: Step) -> Built:
        """The wheel of a build requirement; it never enters the wheelhouse."""
        with self._reporting(step, "build") as report, self._as_locked(step, "--upgrade"):
            report.detail = "for other builds"
            return self.workshop.build_as_planned(step)

    def _reporting(self, step: Step, phase: str) -> AbstractContextManager[Report]:
        self.runner.cancellation.check()
        return report_step(self.runner.reporter, self.target.name, step.package.name, phase)

    def _as_locked(self, step: Step, upgrade: str | None = None) -> AbstractContextManager[None]:
        """What *step* fetches is held against the lock; *upgrade* is what helps if it differs."""
        upgrade = upgrade or f"--upgrade-package {step.package.name}"
        return held_against_lock(step.package, self.target.name, upgrade=upgrade)

    def _check_built(self, wheel: Wheel, step: Step) -> None:
        """Refuse what a build gave, unless it is what was wanted; asked each time.

        What only the whole house can tell, such as who has its libraries, is asked later.
        """
        finding = lost_extension(wheel, expected=False)
        if finding and not step.may_be_pure:
            refuse([finding])
        findings = check_wheel(wheel, self.target, self.interpreter, {}, origin="built")
        refuse(each for each in findings if each.rule in TAG_RULES)


def _wheel_of(path: Path, built: Built, step: Step, scratch: Path) -> Wheel | None:
    """The wheel that *step* has given before, if *path* is it: a record can be of another file."""
    try:
        wheel = read_wheel(path, filename=built.filename, scratch=scratch)
        _check_identity(wheel, step)
    except CheckError:
        return None
    return as_built(wheel, built)


def _told(grafted: Sequence[str]) -> str:
    """``with libldap-2.5-0, libsasl2-2 and 9 more``: the manifest has all, with versions."""
    names = [each.partition(" ")[0] for each in grafted]
    if len(names) > 3:
        return f"with {', '.join(names[:2])} and {len(names) - 2} more"
    return f"with {', '.join(names)}" if names else ""


def _check_identity(wheel: Wheel, step: Step) -> None:
    """A backend may hand out any wheel; only that of the locked package will do."""
    package = step.package
    if (wheel.name, wheel.version.public) != (package.name, package.version.public):
        raise CheckError(
            f"{package}: its build gave the wheel of {wheel.name} {wheel.version}",
            hint="pin another version, and tell the project's maintainers",
        )


def _check(
    obtained: Sequence[Obtained],
    target: Target,
    interpreter: Interpreter,
    reporter: Reporter,
    may_start: Collection[NormalizedName],
    any_cuda: Collection[NormalizedName],
) -> None:
    expected = {each.wheel.filename for each in obtained if each.wheel.name in may_start}
    built = {each.wheel.filename for each in obtained if each.built is not None}
    findings = check_house(
        [each.wheel for each in obtained],
        target,
        interpreter,
        built=built,
        system=target.captured.libraries if target.captured else (),
        any_cuda=any_cuda,
        asks=who_asks({each.step.package.name: each.step.package.required_by for each in obtained}),
    )
    if untrue := _untrue(obtained, findings, target):
        raise UntrueTagsError(as_errors(findings), untrue)
    for finding in findings:
        if finding.level == "warning" and not (finding.rule == "pth" and finding.wheel in expected):
            reporter.emit(
                Notice(
                    target=target.name,
                    message=f"{finding.wheel}: {finding}",
                    hint=finding.hint,
                )
            )
    refuse(findings)


def _untrue(
    obtained: Sequence[Obtained], findings: Sequence[Finding], target: Target
) -> tuple[RefusedFile, ...]:
    """The fetched wheels that do not do what their tags promise, each with the first reason.

    Other faults are no lies: a library that its authors left out may come from elsewhere, and
    what another version of it would do nobody knows.
    """
    lies: dict[str, Finding] = {}
    for finding in findings:
        if finding.level == "error" and finding.rule in TAG_RULES:
            lies.setdefault(finding.wheel, finding)
    return tuple(
        RefusedFile(
            filename=each.wheel.filename,
            sha256=each.sha256,
            reason=sanitize(str(lies[each.wheel.filename])),
            platform=limits(target),
        )
        for each in obtained
        if each.built is None and each.wheel.filename in lies
    )
