"""A reporter that takes events at once and tells them from a thread of its own.

Whoever emits is in the middle of a build and must not wait for a terminal that was stopped with
Ctrl-S, or for a slow reader of a pipe. So :meth:`BackgroundReporter.emit` only queues; one
thread folds the events and writes. All state belongs to that thread and needs no locks.

The queue is a `SimpleQueue` because that one may be used even from a signal handler. A build's
output lines do not pass through it: only the last few of each step are kept, however fast they
come.
"""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, ClassVar, Self

from wheelhouse.events import Event, StepFinished, StepOutput
from wheelhouse.reporting.state import RunState

if TYPE_CHECKING:
    from types import TracebackType

Tail = tuple[str, ...]


class BackgroundReporter(ABC):
    """Base of the reporters; a context manager, whose thread lives as long as its block.

    :cvar tail_length: how many lines of a step's output are kept.
    :cvar patience: seconds to wait for an event before :meth:`tick` is called anyway.
    :cvar gap: seconds at least between two ticks.
    :cvar parting: seconds that the end waits for the report to be written, should the stream stall.
    """

    tail_length: ClassVar[int] = 1
    patience: ClassVar[float] = 0.25
    gap: ClassVar[float] = 0.02
    parting: ClassVar[float] = 5.0

    def __init__(self) -> None:
        self.run = RunState(started=time.monotonic())
        self._queue: queue.SimpleQueue[tuple[Event, float, Tail] | None] = queue.SimpleQueue()
        self._tails: dict[tuple[str | None, str], deque[str]] = {}
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="reporter", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._error = error
        self._ended.set()
        self._queue.put(None)
        self._thread.join(self.parting)

    def emit(self, event: Event) -> None:
        """Take *event*: any thread, at any time, at once; after the end it is forgotten."""
        if self._ended.is_set():
            return
        if isinstance(event, StepOutput):
            self.keep_output(event)
            return
        tail: Tail = ()
        if isinstance(event, StepFinished):
            tail = tuple(self._tails.pop((event.target, event.step), ()))
        self.enqueue(event, tail)

    def enqueue(self, event: Event, tail: Tail = ()) -> None:
        """Queue *event* with the time of now."""
        self._queue.put((event, time.monotonic(), tail))

    @property
    def backlog(self) -> int:
        """About how many events wait to be told."""
        return self._queue.qsize()

    def keep_output(self, event: StepOutput) -> None:
        """Remember the line; each operation here is atomic."""
        key = (event.target, event.step)
        tail = self._tails.get(key)
        if tail is None:
            tail = self._tails.setdefault(key, deque(maxlen=self.tail_length))
        tail.append(event.line)

    def last_line(self, target: str | None, step: str) -> str:
        """The last line of a running step's output, or nothing."""
        tail = self._tails.get((target, step))
        return tail[-1] if tail else ""

    @abstractmethod
    def tell(self, event: Event, at: float, tail: Tail) -> None:
        """Tell *event*, which came at *at*; *tail* is a finished step's last output."""

    def tick(self, now: float) -> None:  # noqa: B027  (not all have something to do in between)
        """Called again and again while the run lasts."""

    @abstractmethod
    def finish(self, now: float, error: BaseException | None) -> None:
        """Tell the end; *error* is what ended the reporter's block, if something did."""

    def _work(self) -> None:
        alive = True
        while alive:
            alive = self._drain()
            self.tick(time.monotonic())
            self._ended.wait(self.gap)
        self.finish(time.monotonic(), self._error)

    def _drain(self) -> bool:
        """Tell everything that waits; whether the run goes on."""
        try:
            item = (
                self._queue.get(timeout=self.patience) if self.patience else self._queue.get(False)
            )
            while item is not None:
                event, at, tail = item
                self.run.apply(event, at)
                self.tell(event, at, tail)
                item = self._queue.get_nowait()
        except queue.Empty:
            return True
        return False
