"""Building the wheels of a target again, otherwise, and comparing what comes out."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from wheelhouse.building import cibuildwheel
from wheelhouse.building.build import files_of, in_container
from wheelhouse.building.connecting import packed, repaired_again
from wheelhouse.building.failed import failed_build
from wheelhouse.building.runner import Failure
from wheelhouse.durable import storage_errors
from wheelhouse.errors import BuildError, CheckError
from wheelhouse.events import step as report_step
from wheelhouse.locking.current import Freshness
from wheelhouse.phases import phase, telling_the_end
from wheelhouse.planning import plan_one
from wheelhouse.rebuilding.comparing import Difference, compare_wheels
from wheelhouse.rebuilding.originals import Originals
from wheelhouse.rebuilding.variation import Variation, VariedRunner, varied
from wheelhouse.scheduler import gather
from wheelhouse.store import sha256_of
from wheelhouse.wheels import read_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.building.runner import Made
    from wheelhouse.plan import Planned, Step
    from wheelhouse.rebuilding.originals import Original
    from wheelhouse.run import Run
    from wheelhouse.targets import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebuilt:
    """What came of building one wheel again.

    :ivar package: its project and version.
    :ivar again: the SHA-256 of the second wheel; None if there was none.
    :ivar differences: what is other in it.
    :ivar problem: why there is none, or none that the gate lets through; empty if there is.
    :ivar varied: what was otherwise for the second build.
    :ivar log: of the second build.
    """

    package: str
    original: Original
    again: str | None
    differences: tuple[Difference, ...] = ()
    problem: str = ""
    varied: tuple[str, ...] = ()
    log: Path | None = None

    @property
    def identical(self) -> bool:
        """Whether name and bytes are the same."""
        return self.again is not None and not self.differences

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "package": self.package,
            "filename": self.original.filename,
            "from": self.original.place,
            "sha256": self.original.sha256,
            "again": self.again,
            "identical": self.identical,
            "same-inputs": self.original.same_inputs,
            "varied": list(self.varied),
            "differences": [each.to_dict() for each in self.differences],
            "problem": self.problem,
            "log": str(self.log) if self.log else None,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class RebuiltTarget:
    """What came of building a target's wheels again: first those that serve other builds."""

    target: str
    wheels: tuple[Rebuilt, ...]


def rebuild_target(
    run: Run,
    target: Target,
    wanted: Callable[[Planned], Collection[NormalizedName]],
    *,
    keep: Path | None = None,
) -> RebuiltTarget:
    """Build the wheels of *target* again and compare them. The store's records stay as they are.

    :param wanted: chooses among the projects that a plan builds; raises for what it has not.
    :param keep: a folder that gets both wheels of each pair that differs.
    :raises StaleLockError: the lock does not belong to the requirements.
    :raises StorageError: a wheel was never built.
    :raises CheckError: a wheel was changed since it was built.
    :raises WheelhouseError: images, sdists or build requirements cannot be had.
    """
    with telling_the_end(run.reporter, target):
        planned = plan_one(run, target, Freshness.REQUIRE)
        names = wanted(planned)
        originals = Originals.of(run, planned)
        steps = [each for each in planned.plan.steps if each.recipe and each.package.name in names]
        pairs = [*originals.tools(steps), *originals.pairs(steps)]
        with phase(run, target, "wheels", total=len(pairs)):
            futures = [
                run.scheduler.submit(
                    "containers",
                    partial(_rebuild, run, target, step, original, keep),
                    cost=original.seconds,
                )
                for step, original in pairs
            ]
            return RebuiltTarget(target=target.name, wheels=tuple(gather(futures)))


def built_names(planned: Planned) -> list[NormalizedName]:
    """The projects whose wheels are built for the target."""
    return [step.package.name for step in planned.plan.steps if step.recipe]


def _rebuild(
    run: Run, target: Target, step: Step, original: Original, keep: Path | None
) -> Rebuilt:
    run.cancellation.check()
    with (
        report_step(run.reporter, target.name, step.package.name, "build") as report,
        run.store.workspace() as folder,
    ):
        found = _compared(run, target, step, original, folder, keep)
        report.detail = "identical" if found.identical else found.problem or "differs"
        if not found.identical:
            report.outcome, report.log = "failed", found.log
    return found


def _compared(
    run: Run, target: Target, step: Step, original: Original, folder: Path, keep: Path | None
) -> Rebuilt:
    package = f"{step.package} (for builds)" if original.tool else str(step.package)
    try:
        made, otherwise = _made(run, target, step, folder, original.ways)
        read_wheel(made.path, filename=made.path.name, scratch=run.store.scratch)
    except (BuildError, CheckError) as error:
        return Rebuilt(
            package=package,
            original=original,
            again=None,
            problem=error.message,
            log=error.log,
        )
    before = original.copied(folder / "before")
    differences = compare_wheels(before, made.path)
    if differences and keep is not None:
        _keep(before, made.path, keep / target.name)
    return Rebuilt(
        package=package,
        original=original,
        again=sha256_of(made.path),
        differences=differences,
        varied=otherwise,
        log=made.log,
    )


def _made(
    run: Run, target: Target, step: Step, folder: Path, ways: Mapping[str, str]
) -> tuple[Made, tuple[str, ...]]:
    """The wheel of *step*, built anew below *folder*, and what was otherwise for that.

    :param ways: to libraries of other wheels, if it was repaired with some.
    """
    runner = VariedRunner(run.runner, Variation())
    made, otherwise = _built(run, runner, target, step, folder)
    if not ways:
        return made, otherwise
    source = made.unrepaired or packed(made.path, made.path.name, folder / "unrepaired")
    place = folder / "repaired"
    place.mkdir()
    again = repaired_again(step, source, ways, target, runner, place)
    return replace(made, path=again.path), otherwise


def _built(
    run: Run, runner: VariedRunner, target: Target, step: Step, folder: Path
) -> tuple[Made, tuple[str, ...]]:
    """What the build alone gives, below *folder*, and what was otherwise for that."""
    recipe = step.recipe
    assert recipe is not None
    files = files_of(recipe, target, run.runner, run.fetcher)
    place = folder / "after"
    place.mkdir()
    try:
        if recipe.cibuildwheel:  # makes its containers itself
            return cibuildwheel.build(step, target, run.runner, files, place), ()
        wanted = runner.variation.parameters(runner.limits.cpus)
        made = in_container(step, target, runner, files, place, otherwise=wanted)
    except Failure as failure:
        raise failed_build(step, failure, run.runner.limits) from failure
    return made, varied(run.engine.name, made.varied)


def _keep(before: Path, after: Path, folder: Path) -> None:
    with storage_errors(folder):
        for path, name in ((before, "before"), (after, "after")):
            (folder / name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name / path.name)
