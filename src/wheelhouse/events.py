"""What the stages of a run tell about themselves; the command line decides how it looks.

A stage receives a :class:`Reporter` and emits events. It never prints.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from wheelhouse.errors import InterruptedRunError, as_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

#: Seconds at least between two times that a step tells how far it is.
_PROGRESS = 0.5

Outcome = Literal["done", "reused", "failed", "skipped"]

#: How a target ended; *stopped* is one that the end of the run overtook.
Ending = Literal["done", "reused", "failed", "stopped"]

#: What there is to know beside that a step was done: its file was in the store already; or what it
#: tried has to be tried again, with more.
How = Literal["", "stored", "not yet"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Base of all events. *target* is the target's name, or None for the whole run."""

    target: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseStarted(Event):
    """A target enters a phase: ``images``, ``lock``, ``plan``, ``wheels``, ``assemble``, ``prove``.

    *total* is the number of steps in it, where that is known beforehand.
    """

    phase: str
    total: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepStarted(Event):
    """A step begins, such as the build of one package. *step* is unique in its target."""

    step: str
    phase: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepOutput(Event):
    """One line of a step's output, already stripped of control characters."""

    step: str
    line: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepProgress(Event):
    """How far a running step is: *done* bytes, of *total*, if that is known."""

    step: str
    done: int
    total: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadsStarted(Event):
    """A target begins to download wheels: *files* of them, with *size* bytes as far as is known.

    *unknown* is the number of those whose length nobody knows. By its step, *sizes* has the bytes
    of each of the others, and *come* how many of them are there already, from a run before.
    """

    files: int
    size: int
    unknown: int
    sizes: Mapping[str, int]
    come: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFinished(Event):
    """A step is over. *seconds* is its own time; *detail* is one short clause for people.

    :ivar how: what else is known of one that is done.
    """

    step: str
    phase: str
    outcome: Outcome
    seconds: float
    detail: str = ""
    log: Path | None = None
    how: How = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice(Event):
    """Something a person should know although nothing failed."""

    message: str
    hint: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LockCompared(Event):
    """A target's lock is known, and what it has otherwise than the one before.

    *changed* says whether that is anything; *summary* is one clause for people; *changes* is the
    whole, in JSON's types. *written* is false where it was only to be told.
    """

    path: Path
    changed: bool
    written: bool
    summary: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetFinished(Event):
    """The target is done. *counts* maps ``fetched``, ``built`` and ``reused``, if all went well."""

    outcome: Ending
    seconds: float
    counts: dict[str, int]
    wheels: int = 0
    size: int = 0
    path: Path | None = None
    message: str = ""


class Reporter(Protocol):
    """Receives events, from any thread."""

    def emit(self, event: Event) -> None:
        """Take *event*. Never raises, never blocks for long."""


class Step:
    """What a running step can still tell: set *outcome*, *how* and *detail* before its end.

    :param tell: takes how far it is, in bytes, and of how many.
    """

    outcome: Outcome = "done"
    how: How = ""
    detail: str = ""
    log: Path | None = None

    def __init__(self, tell: Callable[[int, int | None], None]) -> None:
        self._tell = tell
        self._next = time.monotonic() + _PROGRESS
        self._told: int | None = None

    def progress(self, done: int, total: int | None) -> None:
        """*done* bytes are there, of *total*, if that is known. May be called at any rate.

        Of what was told before, it is told, too, that all is there.
        """
        now = time.monotonic()
        if now >= self._next or (self._told not in (None, done) and done == total):
            self._next = now + _PROGRESS
            self._told = done
            self._tell(done, total)


@contextmanager
def step(reporter: Reporter, target: str | None, name: str, phase: str) -> Iterator[Step]:
    """Report the start and the end of the step that the block is."""
    reporter.emit(StepStarted(target=target, step=name, phase=phase))

    def tell(done: int, total: int | None) -> None:
        reporter.emit(StepProgress(target=target, step=name, done=done, total=total))

    running, started = Step(tell), time.monotonic()
    try:
        yield running
    except InterruptedRunError:
        running.outcome, running.detail = "skipped", "stopped"
        raise
    except BaseException as error:
        told = as_error(error) if isinstance(error, Exception) else error
        running.outcome, running.detail = "failed", str(told)
        running.log = getattr(error, "log", None)
        raise
    finally:
        reporter.emit(
            StepFinished(
                target=target,
                step=name,
                phase=phase,
                outcome=running.outcome,
                seconds=time.monotonic() - started,
                detail=running.detail,
                log=running.log,
                how=running.how if running.outcome == "done" else "",
            )
        )


class SilentReporter:
    """Forgets everything: for commands and tests whose result says it all."""

    def emit(self, event: Event) -> None:
        """Forget *event*."""
