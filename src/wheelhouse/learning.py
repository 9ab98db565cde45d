"""Proving a wheelhouse, and keeping in the lock what a proof that failed has taught."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.events import Notice, step
from wheelhouse.finding import DistributionFinder
from wheelhouse.locking.current import Freshness, lock_adding, lock_noting
from wheelhouse.locking.lockfile import lock_path
from wheelhouse.locking.system import merged, server_system
from wheelhouse.phases import phase
from wheelhouse.planning import plan_with
from wheelhouse.proofreport import lacking_driver, without_driver
from wheelhouse.prove import prove, unseen
from wheelhouse.proving import Terms, learn
from wheelhouse.wheels import provided_sonames
from wheelhouse.wheels.policy import DRIVER_SONAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelhouse.house import House
    from wheelhouse.locking.model import SystemRequirement
    from wheelhouse.obtain import Obtained
    from wheelhouse.plan import Planned
    from wheelhouse.proofreport import Finding, Proof
    from wheelhouse.proving import Lesson
    from wheelhouse.run import Run

#: How many modules a notice names before it only counts them.
SHOWN = 4


def on_server(run: Run, planned: Planned) -> Planned:
    """*planned* with the runtime image that has what the server is to have, and nothing else.

    :raises ImageError: its distribution has no such package, or it cannot be installed.
    """
    packages = tuple(each.package for each in _system(run, planned))
    if not packages:
        return planned
    with phase(run, planned.target, "images"):
        runtime = run.engine.with_runtime_system(planned.target, packages)
    return replace(planned, images=replace(planned.images, runtime=runtime))


def _system(run: Run, planned: Planned) -> tuple[SystemRequirement, ...]:
    return server_system(run.project, planned.target, planned.lock, planned.images.place.preset)


def prove_once(
    run: Run,
    planned: Planned,
    house: House,
    wheels: Sequence[Obtained],
    freshness: Freshness,
    *,
    patient: bool,
) -> Lesson:
    """Prove *house*; what is to be done before it is proven again, or nothing if it is proven.

    :param planned: its images are those of :func:`on_server`.
    :param patient: whether it may be proven again.
    :raises ProofError: it does not work, and nothing that may be done would help.
    """
    target = planned.target
    terms = Terms(
        project=run.project,
        target=target,
        platform=planned.images.place.preset,
        packages={each.package for each in _system(run, planned)},
        added=planned.lock.added,
        provided=provided_sonames([each.wheel for each in wheels], target).keys(),
        locked=freshness is Freshness.REQUIRE,
        patient=patient,
    )
    finder = DistributionFinder(run.runner, target, planned.images, "runtime")
    with (
        run.runner.listening(target.name, "prove") as (listener, _),
        step(run.reporter, target.name, "proof", "prove") as report,
    ):
        proof = prove(
            house,
            run.runner.attempts,
            planned.images,
            limits=run.runner.limits,
            skip_imports={each.name: each.skip_imports for each in house.manifest.wheels},
            listener=listener,
            provided=[each for each in wheels if each.step.package.provided],
        )
        proof, waiting = without_driver(proof) if target.cuda else (proof, ())
        lesson = learn(house, proof, terms, finder)
        report.how = "not yet" if lesson else ""
        report.detail = f"it {lesson}" if lesson else str(proof)
    if not lesson:
        _tell_lacking(run, planned, proof)
        _tell_waiting(run, planned, waiting)
        _tell_unseen(run, planned, house, proof)
    return lesson


def _tell_lacking(run: Run, planned: Planned, proof: Proof) -> None:
    # Where a GPU is told of, so is its driver, by other means.
    elsewhere = DRIVER_SONAMES if planned.target.cuda else frozenset()
    if lacking := [name for name in proof.lacking if name not in elsewhere]:
        platform = planned.images.place.preset.title
        run.reporter.emit(
            Notice(
                target=planned.target.name,
                message=f"proven without {', '.join(lacking)}, which {platform} does not have by "
                "itself",
                hint="install.sh asks the server for it; `--without NAME` lets it do without",
            )
        )


def _tell_waiting(run: Run, planned: Planned, waiting: Sequence[Finding]) -> None:
    if waiting:
        names = ", ".join(f"{each.module} of {each.distribution}" for each in waiting[:SHOWN])
        more = f" and {len(waiting) - SHOWN} more" if len(waiting) > SHOWN else ""
        run.reporter.emit(
            Notice(
                target=planned.target.name,
                message=f"proven without {names}{more}: that needs {lacking_driver(waiting[0])} of "
                "the GPU's driver, which is on the server only",
                hint=f"import it there; `wheelhouse doctor --target {planned.target.name}` tells "
                "whether the driver will do",
            )
        )


def _tell_unseen(run: Run, planned: Planned, house: House, proof: Proof) -> None:
    """Tell of what nothing was proven but that it installs, unless the project's file says so."""
    for name in unseen(house, proof):
        if not run.project.settings(name).skip_imports:
            run.reporter.emit(
                Notice(
                    target=planned.target.name,
                    message=f"{name} is installed by the proof, and nothing of it tried: what is "
                    "known of it says that its modules cannot be imported by themselves",
                    hint="try it where it is to run",
                )
            )


def take(run: Run, planned: Planned, lesson: Lesson) -> Planned:
    """The plan after *lesson*, which the lock then has.

    :raises ImageError: a package of it cannot be installed.
    :raises LockError: a requirement of it cannot be had, or conflicts with others.
    """
    target = planned.target
    lock = planned.lock
    if lesson.system:
        # Nothing is remembered that cannot be installed.
        system = merged((*lock.system, *lesson.system))
        on_server(run, replace(planned, lock=replace(lock, system=system)))
        lock = lock_noting(lesson.system, run.locker, run.project, planned)
    if lesson.added:
        planned = replace(planned, lock=lock)
        with phase(run, target, "lock"):
            lock = lock_adding(lesson.added, run.locker, run.project, planned)
    for message in _told(lesson):
        run.reporter.emit(
            Notice(
                target=target.name,
                message=message,
                hint=f"commit {lock_path(run.project.root, target.name).name}, which now has it: "
                "then nobody has to find it out again",
            )
        )
    return plan_with(run, target, planned.images, planned.interpreter, lock)


def _told(lesson: Lesson) -> Iterator[str]:
    if lesson.system:
        packages = [f"{each.package} ({', '.join(each.required_by)})" for each in lesson.system]
        yield f"the server must have {', '.join(packages)}; install.sh will ask for it"
    yield from map(str, lesson.added)
