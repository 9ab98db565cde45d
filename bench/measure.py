"""What one run took, and what several runs come to. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Who does the job: pip and auditwheel; wheelhouse with an empty store; wheelhouse once more.
BASELINE, COLD, UNCHANGED = "baseline", "cold", "unchanged"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One run.

    :ivar seconds: of the whole of it.
    :ivar phases: seconds of its parts, in their order. They sum up to *seconds*.
    """

    workload: str
    contender: str
    seconds: float
    phases: dict[str, float] = field(default_factory=dict)

    def until(self, phase: str) -> float:
        """Seconds from its start to the start of *phase*; all of it if there is none."""
        names = list(self.phases)
        before = names[: names.index(phase)] if phase in names else names
        return sum(self.phases[name] for name in before)


def spans(marks: Sequence[tuple[str, float]], end: float) -> dict[str, float]:
    """Seconds of each phase, from the time at which each starts and the *end* of the last."""
    ends = [at for _, at in marks[1:]] + [end]
    return {name: stop - start for (name, start), stop in zip(marks, ends, strict=True)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What the runs on one workload come to: medians, in seconds.

    :ivar wheels: wheelhouse, until every wheel is built, repaired and checked.
    :ivar whole: wheelhouse, until the wheelhouse is proven and in place.
    :ivar lock: wheelhouse, choosing versions and build requirements anew; measured once.
    """

    workload: str
    runs: int
    baseline: float
    wheels: float
    whole: float
    unchanged: float
    lock: float
    phases: dict[str, float]
    baseline_phases: dict[str, float]

    @property
    def ratios(self) -> tuple[float, float, float]:
        """Of *wheels*, *whole* and *unchanged* to the baseline."""
        return (
            self.wheels / self.baseline,
            self.whole / self.baseline,
            self.unchanged / self.baseline,
        )


def summarize(workload: str, runs: Iterable[Measured], lock: float) -> Row:
    """The medians of the *runs* on *workload*."""
    of = [each for each in runs if each.workload == workload]
    baseline = [each for each in of if each.contender == BASELINE]
    cold = [each for each in of if each.contender == COLD]
    return Row(
        workload=workload,
        runs=len(cold),
        baseline=median(each.seconds for each in baseline),
        wheels=median(each.until("assemble") for each in cold),
        whole=median(each.seconds for each in cold),
        unchanged=median(each.seconds for each in of if each.contender == UNCHANGED),
        lock=lock,
        phases=_phases(cold),
        baseline_phases=_phases(baseline),
    )


def _phases(runs: Sequence[Measured]) -> dict[str, float]:
    return {name: median(each.phases[name] for each in runs) for name in runs[0].phases}
