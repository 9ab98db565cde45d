"""What a run is doing, folded from its events. Pure: time comes in as an argument."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from wheelhouse.events import (
    DownloadsStarted,
    Event,
    Notice,
    PhaseStarted,
    StepFinished,
    StepOutput,
    StepProgress,
    StepStarted,
    TargetFinished,
)
from wheelhouse.reporting.transfers import Transfers
from wheelhouse.reporting.wording import kind_of

#: The kinds of steps that a plan of wheels counts.
_OF_WHEELS = ("fetch", "build", "repair")


@dataclass(slots=True)
class RunningStep:
    """A step that has begun and not ended. Times are those of the monotonic clock.

    :ivar progress: bytes that are there, and of how many, if it tells that.
    """

    name: str
    phase: str
    started: float
    progress: tuple[int, int | None] | None = None


@dataclass(slots=True)
class TargetState:
    """One target of the run; *name* is None for steps that serve the run as a whole.

    :ivar done: steps finished in the present phase, of *total*, where that is known. One that is
        worked on again, such as a wheel that is repaired with its neighbours, is unfinished
        meanwhile.
    :ivar begun: steps begun in it.
    :ivar transfers: what it downloads, once it does.
    :ivar counts: ``fetched``, ``stored``, ``built``, ``reused``, ``failed`` and ``skipped`` so far.
    :ivar outcomes: what each step was counted as.
    :ivar again: the steps whose next end stands in place of that.
    """

    name: str | None
    started: float
    phase: str = ""
    total: int | None = None
    done: int = 0
    begun: int = 0
    running: dict[str, RunningStep] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, str] = field(default_factory=dict)
    again: set[str] = field(default_factory=set)
    transfers: Transfers | None = None
    finished: TargetFinished | None = None

    @property
    def busy(self) -> bool:
        """Whether something may still come from it."""
        return self.finished is None

    @property
    def final_counts(self) -> dict[str, int]:
        """What its end has told; what was in the store already is not among the fetched."""
        counts = dict(self.finished.counts) if self.finished else {}
        if "fetched" in counts and (stored := self.counts["stored"]):
            counts |= {"fetched": max(counts["fetched"] - stored, 0), "stored": stored}
        return counts


@dataclass(slots=True)
class RunState:
    """The whole run."""

    started: float
    targets: dict[str | None, TargetState] = field(default_factory=dict)

    def apply(self, event: Event, at: float) -> None:
        """Take in *event*, which came at the time *at*."""
        if isinstance(event, (Notice, StepOutput)):
            return
        target = self.target(event.target, at)
        match event:
            case PhaseStarted():
                _begin_phase(target, event)
            case StepStarted():
                _begin_step(target, event, at)
            case StepProgress() if event.step in target.running:
                target.running[event.step].progress = (event.done, event.total)
                if target.transfers:
                    target.transfers.progressed(event.step, event.done, at)
            case DownloadsStarted():
                _begin_downloads(target, event, at)
            case StepFinished():
                _finish_step(target, event, at)
            case TargetFinished():
                target.finished = event
                target.running.clear()

    def target(self, name: str | None, at: float) -> TargetState:
        """The state of the target *name*, begun now if it is new."""
        return self.targets.setdefault(name, TargetState(name, at))

    @property
    def declared(self) -> list[TargetState]:
        """The targets that have a name, as they appeared."""
        return [target for target in self.targets.values() if target.name is not None]


def _begin_phase(target: TargetState, event: PhaseStarted) -> None:
    target.phase, target.total = event.phase, event.total
    target.done = target.begun = 0
    if event.total is not None:  # a plan of all steps, those of an earlier one included
        target.again = set(target.outcomes)


def _begin_downloads(target: TargetState, event: DownloadsStarted, at: float) -> None:
    if target.transfers is None or target.transfers.are_over:
        target.transfers = Transfers(event, at)
    else:  # what a backend takes that is asked while wheels come
        target.transfers.join(event)


def _begin_step(target: TargetState, event: StepStarted, at: float) -> None:
    target.running[event.step] = RunningStep(event.step, event.phase, at)
    kind = kind_of(event.step, event.phase)
    if kind not in _OF_WHEELS:
        return
    target.begun += 1
    # Packages and what serves builds may be of one name, so what comes again shows by its number.
    if kind == "repair" or (target.total is not None and target.begun > target.total):
        target.done -= 1
        target.again.add(event.step)


def _finish_step(target: TargetState, event: StepFinished, at: float) -> None:
    target.running.pop(event.step, None)
    if target.transfers and event.outcome == "done":
        target.transfers.finished(event.step, at)
    if kind_of(event.step, event.phase) in _OF_WHEELS:
        target.done += 1
        _count(target, event)
    elif event.outcome != "done":
        target.counts[event.outcome] += 1


def _count(target: TargetState, event: StepFinished) -> None:
    """Count *event*; if its step was counted before, in place of that, unless that says more."""
    count = counter_of(event)
    before = target.outcomes.get(event.step) if event.step in target.again else None
    target.again.discard(event.step)
    if count is None or (before and count in ("reused", "stored")):
        return
    if before:
        target.counts[before] -= 1
    target.outcomes[event.step] = count
    target.counts[count] += 1


def counter_of(event: StepFinished) -> str | None:
    """The name under which *event* is counted, or None."""
    if event.outcome != "done":
        return event.outcome
    if event.how == "stored":
        return "stored"
    return {"fetch": "fetched", "build": "built"}.get(kind_of(event.step, event.phase))
