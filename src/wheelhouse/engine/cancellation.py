"""Stopping a run: every container at once, and whatever else asks to be told."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from wheelhouse.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Callable


class Killable(Protocol):
    """A container, or what stands for one."""

    def kill(self) -> None:
        """End it now. Safe from any thread, at any time, more than once."""


class Cancellation:
    """Ends all running containers at once; shared by all jobs of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Killable] = set()
        self._cancelled = threading.Event()
        self._stops: list[Callable[[], None]] = []

    def also(self, stop: Callable[[], None]) -> None:
        """Have *stop* called too when the run is stopped."""
        self._stops.append(stop)

    @property
    def cancelled(self) -> bool:
        """Whether the run is being stopped."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise InterruptedRunError if the run is being stopped."""
        if self.cancelled:
            raise InterruptedRunError("stopped")

    def add(self, container: Killable) -> None:
        """Track *container*; it is killed at once if it is too late."""
        with self._lock:
            self._running.add(container)
        if self.cancelled:
            container.kill()

    def discard(self, container: Killable) -> None:
        """Forget *container*."""
        with self._lock:
            self._running.discard(container)

    def cancel(self) -> None:
        """Stop everything."""
        self._cancelled.set()
        with self._lock:
            running = list(self._running)
        for container in running:
            container.kill()
        for stop in self._stops:
            stop()
