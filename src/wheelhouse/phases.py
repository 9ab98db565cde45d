"""Reporting the phases of a target and its end."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from wheelhouse.cuda import doubt
from wheelhouse.errors import (
    InterruptedRunError,
    WheelhouseError,
    as_error,
    flatten,
    raise_all,
)
from wheelhouse.events import Ending, Notice, PhaseStarted, Reporter, TargetFinished
from wheelhouse.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from wheelhouse.engine import TargetImages
    from wheelhouse.house import House
    from wheelhouse.plan import Plan
    from wheelhouse.run import Run
    from wheelhouse.targets import Libc, Target

T = TypeVar("T")

#: What to do about a version of CUDA of which not all is known.
DOUBT_HINT = "make sure that it exists, and upgrade wheelhouse once one knows it"


@contextmanager
def phase(run: Run, target: Target, name: str, *, total: int | None = None) -> Iterator[None]:
    """Report that *target* enters a phase; refuse to if the run is being stopped."""
    run.cancellation.check()
    run.reporter.emit(PhaseStarted(target=target.name, phase=name, total=total))
    yield
    run.cancellation.check()


def tell_stand_in(run: Run, target: Target, images: TargetImages) -> None:
    """Report if *target* is proven elsewhere than on its own platform."""
    if message := stand_in_message(target, images):
        run.reporter.emit(Notice(target=target.name, message=message))


def tell_doubt(run: Run, target: Target) -> None:
    """Report if the CUDA of *target* is newer than all that is known here."""
    if target.cuda and (message := doubt(target.cuda.version)):
        run.reporter.emit(Notice(target=target.name, message=message, hint=DOUBT_HINT))


def stand_in_message(target: Target, images: TargetImages) -> str | None:
    """Where *target* is proven and why, if that is not on its own platform."""
    if images.place == target.place:
        return None
    difference = _difference(target.preset.libc, images.place.preset.libc)
    return f"{images.lacking}; so it is proven in {images.place.preset.title}{difference}"


def _difference(own: Libc, other: Libc) -> str:
    return "" if own == other else f", with {other} instead of {own}"


class End:
    """What is known of a target by its end; the pipeline fills it in as it goes."""

    plan: Plan | None = None
    house: House | None = None
    path: Path | None = None


@contextmanager
def errors_of(target: Target) -> Iterator[None]:
    """Each error that leaves the block has the name of *target*, but for the end of the run."""
    try:
        yield
    except InterruptedRunError:
        raise
    except Exception as error:
        told = as_error(error)
        for each in flatten([told]):
            each.target = target.name
        if told is error:
            raise
        raise told from error


@contextmanager
def telling_the_end(reporter: Reporter, target: Target) -> Iterator[End]:
    """Report how the target's block ended."""
    end, started = End(), time.monotonic()
    outcome: Ending = "failed"
    message = ""
    try:
        with errors_of(target):
            yield end
        outcome = "done"
    except InterruptedRunError:
        outcome = "stopped"
        raise
    except WheelhouseError as error:
        message = _in_short(flatten([error]))
        raise
    finally:
        house = end.house
        reporter.emit(
            TargetFinished(
                target=target.name,
                outcome=outcome,
                seconds=time.monotonic() - started,
                counts=_counts(end.plan) if outcome == "done" else {},
                wheels=len(house.manifest.wheels) if house else 0,
                size=house.size if house else 0,
                path=house.path if house else end.path,
                message=message,
            )
        )


def _in_short(errors: Sequence[WheelhouseError]) -> str:
    """``1 lock error``: what they say is told in full at the end of the run."""
    kinds = Counter(error.code for error in errors)
    return ", ".join(counted(number, f"{code} error") for code, number in kinds.items())


def _counts(plan: Plan | None) -> dict[str, int]:
    if plan is None:
        return {}
    return {
        "fetched": plan.count("fetch"),
        "built": plan.count("build"),
        "reused": plan.count("reuse"),
    }


def for_each(run: Run, targets: Sequence[Target], work: Callable[[Target], T]) -> list[T]:
    """Do *work* for all targets at once; a failed one stops no other.

    :raises WheelhouseError: everything that failed, once all are over. An interrupt stops all.
    """
    results: list[T] = []
    errors: list[WheelhouseError] = []
    with ThreadPoolExecutor(len(targets), thread_name_prefix="target") as pool:
        try:
            for future in [pool.submit(work, target) for target in targets]:
                try:
                    results.append(future.result())
                except Exception as error:
                    errors.append(as_error(error))
        except BaseException:
            run.cancellation.cancel()
            raise
    run.cancellation.check()
    raise_all(errors)
    return results
