"""Realising a plan: every wheel of a target fetched, built or reused, and each one checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from wheelhouse.building.build import build_wheel, expected_cost
from wheelhouse.errors import CheckError
from wheelhouse.events import Notice
from wheelhouse.events import step as report_step
from wheelhouse.scheduler import gather
from wheelhouse.wheels import Wheel, check_house, lost_extension, read_wheel, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from wheelhouse.building.runner import Runner
    from wheelhouse.config import Project
    from wheelhouse.fetch import Fetcher
    from wheelhouse.plan import Built, Plan, Step
    from wheelhouse.scheduler import Scheduler
    from wheelhouse.targets import Interpreter, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Obtained:
    """A wheel in the store whose archive is sound. *built* is None for a fetched one."""

    step: Step
    wheel: Wheel
    sha256: str
    built: Built | None


def obtain(
    plan: Plan,
    project: Project,
    target: Target,
    interpreter: Interpreter,
    *,
    runner: Runner,
    fetcher: Fetcher,
    scheduler: Scheduler,
) -> list[Obtained]:
    """Do every step of *plan*, in parallel; a failed one stops no other.

    :raises WheelhouseError: everything that failed, all at once.
    """
    futures: list[Future[Obtained]] = []
    for step in plan.steps:
        allow_pure = project.settings(step.package.name).allow_pure
        if step.action == "build":
            work = partial(_build, step, target, allow_pure, runner, fetcher)
            cost = expected_cost(runner.store, step)
            futures.append(scheduler.submit("containers", work, cost=cost))
        elif step.action == "reuse":
            # Over in a moment, unless a bit has flipped in the store: then it is a build.
            work = partial(_reuse, step, target, allow_pure, runner, fetcher)
            futures.append(scheduler.submit("containers", work, cost=math.inf))
        else:
            work = partial(_fetch, step, target, runner, fetcher)
            futures.append(scheduler.submit("downloads", work))
    obtained = gather(futures)
    _check(obtained, project, target, interpreter, runner)
    return obtained


def _fetch(step: Step, target: Target, runner: Runner, fetcher: Fetcher) -> Obtained:
    runner.cancellation.check()
    with report_step(runner.reporter, target.name, step.package.name, "fetch"):
        path = fetcher.fetch(step.file.url, step.file.sha256)
        wheel = read_wheel(path, filename=step.file.filename)
    return Obtained(step=step, wheel=wheel, sha256=step.file.sha256, built=None)


def _reuse(
    step: Step, target: Target, allow_pure: bool, runner: Runner, fetcher: Fetcher
) -> Obtained:
    runner.cancellation.check()
    built = step.built
    assert built is not None
    path = runner.store.verified(built.sha256)
    if path is None:
        return _build(step, target, allow_pure, runner, fetcher)
    with report_step(runner.reporter, target.name, step.package.name, "fetch") as report:
        report.outcome = "reused"
        wheel = _read_built(path, built, step, allow_pure)
    return Obtained(step=step, wheel=wheel, sha256=built.sha256, built=built)


def _build(
    step: Step, target: Target, allow_pure: bool, runner: Runner, fetcher: Fetcher
) -> Obtained:
    runner.cancellation.check()
    with report_step(runner.reporter, target.name, step.package.name, "build") as report:
        built = build_wheel(step, target, allow_pure=allow_pure, runner=runner, fetcher=fetcher)
        report.detail = _told(built.facts["grafted"])
        wheel = _read_built(runner.store.blob(built.sha256), built, step, allow_pure)
    return Obtained(step=step, wheel=wheel, sha256=built.sha256, built=built)


def _read_built(path: Path, built: Built, step: Step, allow_pure: bool) -> Wheel:
    """What a build gave, if it is what was wanted; asked each time, as the store keeps the rest."""
    wheel = read_wheel(path, filename=built.filename)
    _check_identity(wheel, step)
    finding = lost_extension(wheel, expected=False)
    if finding and not allow_pure:
        refuse([finding])
    return wheel


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
    obtained: list[Obtained],
    project: Project,
    target: Target,
    interpreter: Interpreter,
    runner: Runner,
) -> None:
    built = {each.wheel.filename for each in obtained if each.built is not None}
    findings = check_house([each.wheel for each in obtained], target, interpreter, built=built)
    for finding in findings:
        if finding.level == "warning":
            runner.reporter.emit(
                Notice(
                    target=target.name,
                    message=f"{finding.wheel}: {finding}",
                    hint=finding.hint,
                )
            )
    refuse(findings)
