"""Building one wheel: the container's job, the check of what came out, and the record of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.agent.strictzip import ZipProblem
from wheelhouse.building import cibuildwheel
from wheelhouse.building.diagnosis import diagnose
from wheelhouse.building.durations import Pace
from wheelhouse.building.failed import FailedBuildError
from wheelhouse.building.history import BUILD, remember_build
from wheelhouse.building.leftout import left_out
from wheelhouse.building.recipe import Files, Supply
from wheelhouse.building.runner import Failure, Made, tail
from wheelhouse.errors import BuildError
from wheelhouse.plan import Built
from wheelhouse.sources.location import shown
from wheelhouse.wheels.peek import peek
from wheelhouse.wheels.policy import repair_policy
from wheelhouse.wheels.sboms import grafted, read_sboms

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.building.recipe import Recipe
    from wheelhouse.building.runner import Runner
    from wheelhouse.engine import Limits
    from wheelhouse.fetch import Fetcher
    from wheelhouse.locking.model import BuildRequirement
    from wheelhouse.plan import Step
    from wheelhouse.store import Store
    from wheelhouse.targets import Target

#: What a build was at, by the agent's stage.
_PHASES = {
    "environment": "making its build environment",
    "repair": "repairing its wheel",
    "unpack": "unpacking its sdist",
}


def known_build(store: Store, key: str) -> Built | None:
    """What was built under *key*, if record and wheel are both in the store."""
    record = store.record(BUILD, key)
    try:
        if record is None or not store.has(record["sha256"]):
            return None
        facts = record["facts"]
        if not {"grafted", "repaired"} <= facts.keys():
            return None
        return Built(filename=record["filename"], sha256=record["sha256"], facts=facts)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # damaged, or of another version of this program


def build_wheel(step: Step, target: Target, *, runner: Runner, fetcher: Fetcher) -> Built:
    """Build and repair the wheel of *step*, unless another run has done so meanwhile.

    What its environment has no wheel of is built before it.

    :raises FailedBuildError: its backend, or its repair, failed.
    :raises BuildError: it cannot be built.
    :raises FetchError: the sdist or a build requirement cannot be had.
    """
    assert step.key is not None
    with runner.store.lock(f"build-{step.key[:32]}", runner.cancellation.check):
        found = known_build(runner.store, step.key)
        if found is not None and runner.store.verified(found.sha256):
            return found
        return _build(step, target, runner, fetcher)


def files_of(recipe: Recipe, target: Target, runner: Runner, fetcher: Fetcher) -> Files:
    """What a build by *recipe* takes, at hand. Raises as :func:`build_wheel` does."""
    return Files(
        sdist=fetcher.fetch(recipe.sdist.url, recipe.sdist.sha256, size=recipe.sdist.size),
        supplies=tuple(supplies(recipe, target, runner, fetcher)),
    )


def supplies(recipe: Recipe, target: Target, runner: Runner, fetcher: Fetcher) -> list[Supply]:
    """The wheels of the *recipe*'s environment, each fetched and verified, or built.

    Raises as :func:`build_wheel` does.
    """
    steps = {step.package.name: step for step in recipe.built}
    return [
        _supply(each, steps.get(each.name), target, runner, fetcher) for each in recipe.environment
    ]


def _supply(
    requirement: BuildRequirement,
    step: Step | None,
    target: Target,
    runner: Runner,
    fetcher: Fetcher,
) -> Supply:
    filename, sha256 = requirement.file.filename, requirement.file.sha256
    if step is None:
        path = fetcher.fetch(requirement.file.url, sha256, size=requirement.file.size)
    else:
        built = build_wheel(step, target, runner=runner, fetcher=fetcher)
        filename, sha256 = built.filename, built.sha256
        path = runner.store.blob(sha256)
    return Supply(
        name=requirement.name,
        version=requirement.version,
        filename=filename,
        sha256=sha256,
        path=path,
    )


def _build(step: Step, target: Target, runner: Runner, fetcher: Fetcher) -> Built:
    recipe = step.recipe
    assert recipe is not None
    assert step.key is not None
    files = files_of(recipe, target, runner, fetcher)
    with runner.store.workspace() as folder:
        try:
            if recipe.cibuildwheel:
                made = cibuildwheel.build(step, target, runner, files, folder)
            else:
                made = in_container(step, target, runner, files, folder)
        except Failure as failure:
            raise failed_build(step, failure, runner.limits) from failure
        filename = made.path.name
        facts = {
            "seconds": made.seconds,
            "repaired": made.repaired,
            "grafted": _grafted(made.path),
            "log": str(made.log),
        }
        sha256 = runner.store.adopt(made.path)
    built = Built(filename=filename, sha256=sha256, facts=facts)
    _remember(runner.store, step, target, built)
    pace = Pace.of(runner.engine, runner.store, target)
    pace.remember(step.package.name, sum(made.seconds.values()))
    return built


def _remember(store: Store, step: Step, target: Target, built: Built) -> None:
    """Keep what *step* has given, and from what: later plans ask for both."""
    package = step.package
    assert step.key is not None
    record = {
        "filename": built.filename,
        "sha256": built.sha256,
        "facts": dict(built.facts),
        "version": str(package.version),
        "place": str(target.place),
        "inputs": dict(step.inputs),
    }
    store.write_record(BUILD, step.key, record)
    remember_build(store, package.name, package.version, target.place, step.key)


def failed_build(step: Step, failure: Failure, limits: Limits) -> FailedBuildError:
    """The error of *step*'s build, which has ended with *failure* under *limits*."""
    assert step.package.build is not None
    return FailedBuildError(
        str(step.package),
        _PHASES.get(failure.stage, "building its wheel"),
        diagnose(failure, step.package.name, limits),
        step.package.build.provision,
        failure.log,
        asked_by=step.package.required_by,
        place=shown(step.package.direct) if step.package.direct else "",
    )


def in_container(
    step: Step, target: Target, runner: Runner, files: Files, folder: Path, **more: object
) -> Made:
    """The wheel of *step*, built and repaired in a container; nothing is kept but its log.

    :param folder: empty; the wheel is in it then.
    :param more: further parameters of the job.
    :raises Failure: its backend, or its repair, failed.
    :raises BuildError: it gave something else than one wheel.
    """
    recipe = step.recipe
    assert recipe is not None
    job = recipe.job(
        "build",
        files.sdist,
        files.supplies,
        policy=repair_policy(target),
        exclude=[],
        allow_pure=step.may_be_pure,
        **more,
    )
    reply, log = runner.run(
        job,
        image=recipe.image,
        argv=recipe.argv(),
        target=target.name,
        step=step.package.name,
        results=folder,
    )
    if len(reply.files) != 1:
        raise BuildError(
            f"{step.package}: its build sent {len(reply.files)} files instead of one wheel",
            hint="pin another version, or tell the project's maintainers",
            log=log,
        )
    (path,) = reply.files.values()
    if not step.may_be_pure:
        _check_extensions(path, log)
    return Made(
        path=path,
        repaired=reply.message.get("repaired") is True,
        seconds=_seconds(reply.message.get("seconds")),
        log=log,
        varied=_names(reply.message.get("varied")),
    )


def _check_extensions(wheel: Path, log: Path) -> None:
    """Raise Failure if the build has begun an extension that *wheel* does not have."""
    try:
        with peek(wheel) as archive:
            files = list(archive.members)
    except (ZipProblem, OSError):
        return  # the check that follows will tell what is wrong with it
    with log.open("rb") as lines:
        lost = left_out(lines, files)
    if lost:
        told = f"its C extension was left out, although the build succeeded ({', '.join(lost[:3])})"
        raise Failure("extension", told, log, tail(log))


def _seconds(told: object) -> dict[str, float]:
    """The seconds by stage, as far as they are such: it is a container that tells them."""
    items = told.items() if isinstance(told, dict) else ()
    return {str(stage): seconds for stage, seconds in items if isinstance(seconds, int | float)}


def _names(told: object) -> tuple[str, ...]:
    return tuple(map(str, told)) if isinstance(told, list) else ()


def _grafted(wheel: Path) -> list[str]:
    """The system libraries that auditwheel copied in, as its own list in the wheel names them."""
    return sorted({f"{part.name} {part.version}".strip() for part in grafted(read_sboms(wheel))})
