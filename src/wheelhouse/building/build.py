"""Building one wheel: the container's job, the check of what came out, and the record of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.agent.repair import UNREPAIRED
from wheelhouse.agent.strictzip import ZipProblem
from wheelhouse.building import cibuildwheel
from wheelhouse.building.downloads import fetch_as_step
from wheelhouse.building.durations import Pace
from wheelhouse.building.failed import failed_build
from wheelhouse.building.history import BUILD, remember_build
from wheelhouse.building.leftout import left_out
from wheelhouse.building.neighbours import never_grafted
from wheelhouse.building.recipe import Files, Supply
from wheelhouse.building.repairs import Repair
from wheelhouse.building.results import grafted_packages, only_wheel
from wheelhouse.building.runner import Failure, Made, tail
from wheelhouse.building.suppliers import suppliers
from wheelhouse.building.tooling import Tool, connected, supply_of
from wheelhouse.plan import Built
from wheelhouse.weights import owner_for
from wheelhouse.wheels.peek import peek
from wheelhouse.wheels.policy import repair_policy

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.building.recipe import Recipe
    from wheelhouse.building.runner import Runner
    from wheelhouse.fetch import Fetcher
    from wheelhouse.plan import Step
    from wheelhouse.store import Store
    from wheelhouse.targets import Target


def known_build(store: Store, key: str) -> Built | None:
    """What was built under *key*, if record and wheel are both in the store."""
    record = store.record(BUILD, key)
    try:
        if record is None or not store.has(record["sha256"]):
            return None
        facts = record["facts"]
        if not {"grafted", "repaired", "repair"} <= facts.keys():
            return None
        if facts["unrepaired"] and not store.has(facts["unrepaired"]):
            return None
        return Built(filename=record["filename"], sha256=record["sha256"], facts=facts)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # damaged, or of another version of this program


def is_whole(built: Built, store: Store) -> bool:
    """Whether all that was kept of *built* is as it was."""
    unrepaired = built.facts["unrepaired"]
    kept = [built.sha256, *([unrepaired] if unrepaired else [])]
    return all(store.verified(each) for each in kept)


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
        if found is not None and is_whole(found, runner.store):
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
    tools: dict[NormalizedName, Tool] = {}
    found = []
    for each in recipe.environment:
        if each.name in steps:
            step = steps[each.name]
            built = build_wheel(step, target, runner=runner, fetcher=fetcher)
            tools[each.name] = Tool(step=step, built=built)
            found.append(supply_of(each, built, runner.store))
        else:
            called = owner_for(each.name, recipe.sdist)
            path = fetch_as_step(called, each.file, target.name, runner.reporter, fetcher)
            found.append(
                Supply(
                    name=each.name,
                    version=each.version,
                    filename=each.file.filename,
                    sha256=each.file.sha256,
                    path=path,
                )
            )
    return connected(found, tools, target, runner)


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
        scratch = runner.store.scratch
        found = suppliers(step.package.name, made.repair, files.supplies, target.arch, scratch)
        facts = {
            "seconds": made.seconds,
            "repaired": made.repaired,
            "grafted": grafted_packages(made.path),
            "repair": replace(made.repair, suppliers=found).to_dict(),
            "unrepaired": runner.store.adopt(made.unrepaired) if made.unrepaired else "",
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
        exclude=never_grafted(),
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
    sent = dict(reply.files)
    unrepaired = sent.pop(UNREPAIRED, None)
    path = only_wheel(step, sent, log)
    if not step.may_be_pure:
        _check_extensions(path, log)
    return Made(
        path=path,
        repaired=reply.message.get("repaired") is True,
        seconds=_seconds(reply.message.get("seconds")),
        log=log,
        varied=_names(reply.message.get("varied")),
        repair=Repair.of(reply.message.get("repair")),
        unrepaired=unrepaired,
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
