"""Building one wheel: the container's job, the check of what came out, and the record of it."""

from __future__ import annotations

import json
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from wheelhouse.building import cibuildwheel
from wheelhouse.building.diagnosis import diagnose
from wheelhouse.building.durations import Pace
from wheelhouse.building.failed import FailedBuildError
from wheelhouse.building.recipe import Files, Supply
from wheelhouse.building.runner import Failure, Made
from wheelhouse.errors import BuildError
from wheelhouse.plan import Built
from wheelhouse.sources.location import shown
from wheelhouse.wheels.policy import repair_policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wheelhouse.building.recipe import Recipe
    from wheelhouse.building.runner import Runner
    from wheelhouse.engine import Limits
    from wheelhouse.fetch import Fetcher
    from wheelhouse.locking.model import BuildRequirement
    from wheelhouse.plan import Step
    from wheelhouse.store import Store
    from wheelhouse.targets import Target

KIND = "build"

#: What a build was at, by the agent's stage.
_PHASES = {
    "environment": "making its build environment",
    "repair": "repairing its wheel",
    "unpack": "unpacking its sdist",
}

#: Where auditwheel tells what it grafted, and how many bytes of that are read at most.
SBOM = ".dist-info/sboms/auditwheel.cdx.json"
MAX_SBOM = 4 << 20

#: What `zipfile` and a list of another form raise: whoever built the wheel chose its bytes.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError),
    *(ValueError, LookupError, TypeError, AttributeError),
)


def known_build(store: Store, key: str) -> Built | None:
    """What was built under *key*, if record and wheel are both in the store."""
    record = store.record(KIND, key)
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
        path = fetcher.fetch(requirement.file.url, sha256)
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
    files = Files(
        sdist=fetcher.fetch(recipe.sdist.url, recipe.sdist.sha256),
        supplies=tuple(supplies(recipe, target, runner, fetcher)),
    )
    with runner.store.workspace() as folder:
        try:
            if recipe.cibuildwheel:
                made = cibuildwheel.build(step, target, runner, files, folder)
            else:
                made = _in_container(step, target, runner, files, folder)
        except Failure as failure:
            raise _failed(step, failure, runner.limits) from failure
        filename = made.path.name
        facts = {
            "seconds": made.seconds,
            "repaired": made.repaired,
            "grafted": _grafted(made.path),
            "log": str(made.log),
        }
        sha256 = runner.store.adopt(made.path)
    built = Built(filename=filename, sha256=sha256, facts=facts)
    runner.store.write_record(
        KIND, step.key, {"filename": filename, "sha256": sha256, "facts": facts}
    )
    pace = Pace.of(runner.engine, runner.store, target)
    pace.remember(step.package.name, sum(made.seconds.values()))
    return built


def _failed(step: Step, failure: Failure, limits: Limits) -> FailedBuildError:
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


def _in_container(
    step: Step,
    target: Target,
    runner: Runner,
    files: Files,
    folder: Path,
) -> Made:
    recipe = step.recipe
    assert recipe is not None
    job = recipe.job(
        "build",
        files.sdist,
        files.supplies,
        policy=repair_policy(target),
        exclude=[],
        allow_pure=step.may_be_pure,
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
    return Made(
        path=path,
        repaired=reply.message.get("repaired") is True,
        seconds=_seconds(reply.message.get("seconds")),
        log=log,
    )


def _seconds(told: object) -> dict[str, float]:
    """The seconds by stage, as far as they are such: it is a container that tells them."""
    items = told.items() if isinstance(told, dict) else ()
    return {str(stage): seconds for stage, seconds in items if isinstance(seconds, int | float)}


def _grafted(wheel: Path) -> list[str]:
    """The system libraries that auditwheel copied in, as its own SBOM (PEP 770) names them."""
    try:
        with zipfile.ZipFile(wheel) as file:
            for info in file.infolist():
                if info.filename.endswith(SBOM) and info.file_size <= MAX_SBOM:
                    return _components(json.loads(file.read(info)))
    except UNREADABLE:
        return []  # the check that follows will tell what is wrong with the wheel
    return []


def _components(sbom: Mapping[str, Any]) -> list[str]:
    main = sbom.get("metadata", {}).get("component", {}).get("name")
    parts = [each for each in sbom.get("components", []) if each.get("name") != main]
    return sorted({f"{each['name']} {each.get('version', '')}".strip() for each in parts})
