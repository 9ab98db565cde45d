"""How far a target's downloads are, all together, and how fast they go. Pure: time comes in."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from wheelhouse.text import human_duration, human_size

if TYPE_CHECKING:
    from wheelhouse.events import DownloadsStarted

#: Seconds over which the speed is measured; and fewer than these tell nothing.
_WINDOW, _LEAST = 10.0, 1.0

#: Bytes that are worth a figure for all downloads together.
WORTH = 100_000_000


class Transfers:
    """The downloads of one target.

    :param started: what they are, and *at* what time they began.
    """

    def __init__(self, started: DownloadsStarted, at: float) -> None:
        self.size = started.size
        self.unknown = started.unknown
        self.come = sum(started.come.values())
        self._sizes = dict(started.sizes)
        self._there = dict(started.come)
        self._begun = at
        self._newly: deque[tuple[float, int]] = deque()

    def join(self, started: DownloadsStarted) -> None:
        """Others begin while these go on."""
        new = {step: size for step, size in started.sizes.items() if step not in self._sizes}
        there = {step: size for step, size in started.come.items() if step in new}
        self.size += sum(new.values())
        self.unknown += started.unknown
        self.come += sum(there.values())
        self._sizes |= new
        self._there |= there

    @property
    def are_over(self) -> bool:
        """Whether all has come."""
        return self.come >= self.size

    @property
    def is_worth_telling(self) -> bool:
        """Whether something is still to come, of so much that a person would wonder."""
        return self.size >= WORTH and not self.are_over

    def progressed(self, step: str, done: int, at: float) -> None:
        """Of the file that *step* fetches *done* bytes are there at the time *at*."""
        if step in self._sizes:
            self._came(done - self._there.get(step, 0), at)
            self._there[step] = done

    def finished(self, step: str, at: float) -> None:
        """All of that file is there."""
        size = self._sizes.pop(step, None)
        if size is not None:
            self._came(size - self._there.get(step, 0), at)

    def _came(self, size: int, at: float) -> None:
        self.come = max(0, min(self.come + size, self.size))
        self._newly.append((at, size))
        while self._newly[0][0] < at - _WINDOW:
            self._newly.popleft()

    def speed(self, now: float) -> float | None:
        """Bytes in a second, of late; None if nobody can tell."""
        since = max(self._begun, now - _WINDOW)
        if now - since < _LEAST:
            return None
        return max(0, sum(size for at, size in self._newly if at > since)) / (now - since)

    def told(self, now: float) -> str:
        """``1.2 GB of 3.0 GB, 140 MB/s, 13 s left``."""
        return ", ".join([self.amount, *self._pace(now)])

    @property
    def amount(self) -> str:
        """``1.2 GB of 3.0 GB``."""
        least = "at least " if self.unknown else ""
        return f"{human_size(self.come)} of {least}{human_size(self.size)}"

    def _pace(self, now: float) -> list[str]:
        speed = self.speed(now)
        if not speed:
            return []
        left = human_duration((self.size - self.come) / speed)
        return [f"{human_size(round(speed))}/s", *([] if self.unknown else [f"{left} left"])]
