"""The main job, from requirement files to proven wheelhouses. Each line is explained elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.events import Notice
from wheelhouse.house import House, assemble, room_needed
from wheelhouse.learning import on_server, prove_once, take
from wheelhouse.locking.current import AS_EVER
from wheelhouse.locking.lockfile import lock_path
from wheelhouse.phases import phase, telling_the_end
from wheelhouse.planning import locked, plan_one
from wheelhouse.publish import check_output, clean_leftovers, publish, staging_folder
from wheelhouse.sealing import is_signed, sign
from wheelhouse.story import contents
from wheelhouse.supplying import as_done, supply
from wheelhouse.weighing import on_one_disk
from wheelhouse.wording import shown_path

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.locking.current import Freshness, Renewal
    from wheelhouse.locking.model import Lock
    from wheelhouse.plan import Plan, Planned
    from wheelhouse.run import Run
    from wheelhouse.signing import Signer
    from wheelhouse.targets import Target


#: How often a proof may be followed by another. Each teaches something new, and often several
#: things; what needs more than this had better be stated in the settings.
ROUNDS = 8


def build_target(
    run: Run, target: Target, freshness: Freshness, signer: Signer | None = None
) -> House:
    """Leave a proven wheelhouse in the project's output, signed by *signer*.

    Raises WheelhouseError.
    """
    destination = run.project.output / target.name
    with telling_the_end(run.reporter, target) as end:
        check_output(destination)
        clean_leftovers(run.project.output)
        planned = plan_one(run, target, freshness)
        end.plan, end.house = _proven(run, planned, destination, freshness, signer)
    return end.house


def _proven(
    run: Run,
    planned: Planned,
    destination: Path,
    freshness: Freshness,
    signer: Signer | None,
    rounds: int = ROUNDS,
) -> tuple[Plan, House]:
    """The plan that was followed in the end, and its wheelhouse, in its place.

    What a proof teaches goes into the lock, and all is done again with that.
    """
    target = planned.target
    planned, lock_sha256, wheels = supply(run, planned, freshness)
    there = on_server(run, planned)
    shared = on_one_disk(run.store.root, destination)
    needed = room_needed((each.wheel.size for each in wheels), shared=shared)
    with staging_folder(destination, needed) as staging:
        with phase(run, target, "assemble"):
            house = assemble(contents(run.project, there, lock_sha256, wheels), staging)
        with phase(run, target, "prove"):
            lesson = prove_once(run, there, house, wheels, freshness, patient=rounds > 0)
        if not lesson:
            _sign(run, target, staging, destination, signer)
            publish(staging, destination)
            return planned.plan, House(path=destination, manifest=house.manifest)
    learned = take(run, planned, lesson)
    plan, house = _proven(run, learned, destination, freshness, signer, rounds - 1)
    return as_done(planned.plan, plan), house


def _sign(
    run: Run, target: Target, staging: Path, destination: Path, signer: Signer | None
) -> None:
    """Have *signer* vouch for what was proven: here, where no package code has ever run."""
    if signer is not None:
        with phase(run, target, "sign"):
            sign(staging, signer, called=destination)
    elif is_signed(destination):
        run.reporter.emit(
            Notice(
                target=target.name,
                message="the wheelhouse before was signed, and this one is not",
                hint=f"sign it: wheelhouse sign {shown_path(destination)} --key FILE",
            )
        )


def lock_target(run: Run, target: Target, freshness: Freshness, renewal: Renewal = AS_EVER) -> Lock:
    """Write the target's lock. Raises WheelhouseError."""
    with telling_the_end(run.reporter, target) as end:
        _, _, lock = locked(run, target, freshness, renewal)
        end.path = lock_path(run.project.root, target.name)
    return lock
