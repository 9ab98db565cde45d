"""How long a server is waited for, and when it is asked again.

All waiting for one page or file has one end, its :class:`Deadline`: every try counts towards it,
and so does every wait between two tries.
"""

from __future__ import annotations

import math
import os
import random
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from wheelhouse.errors import ConfigError, FetchError
from wheelhouse.fetcherrors import redacted
from wheelhouse.text import human_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wheelhouse.fetcherrors import Trouble

#: In the environment, how many seconds a server may say nothing.
VARIABLE = "WHEELHOUSE_TIMEOUT"

#: Seconds that can be said there: a day is longer than any server is worth.
SHORTEST, LONGEST = 0.1, 86400.0

#: Bytes in a second. A long file may take as much longer than others as it takes at this pace.
PACE = 100_000

#: Seconds between two looks, while nothing is done but waiting, at whether the run is stopped.
LOOK = 0.1

#: The longest time in seconds that is told of a server's wish: 30 years.
_EVER = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a server is waited for, in seconds.

    :ivar connect: until there is a connection.
    :ivar silence: between two pieces of an answer.
    :ivar page: for a page of an index in all; also the longest wait that a server may ask for.
    :ivar file: for a file in all; a long one may take longer, see :data:`PACE`.
    :ivar backoff: between the first two tries; it doubles from try to try.
    """

    connect: float = 15.0
    silence: float = 60.0
    page: float = 300.0
    file: float = 3600.0
    backoff: float = 0.5

    @property
    def window(self) -> float:
        """The time over which a transfer's speed is judged."""
        return self.silence / 2

    @classmethod
    def of(cls, silence: float) -> Patience:
        """That of someone who lets a server say nothing for *silence* seconds."""
        usual = cls()
        share = silence / usual.silence
        return cls(
            connect=share * usual.connect,
            silence=silence,
            page=share * usual.page,
            file=share * usual.file,
        )

    @classmethod
    def of_environment(cls) -> Patience:
        """That which ``WHEELHOUSE_TIMEOUT`` asks for, else the usual one.

        :raises ConfigError: it is no such number.
        """
        text = os.environ.get(VARIABLE, "").strip()
        if not text:
            return cls()
        try:
            silence = float(text)
        except ValueError:
            silence = math.nan
        if not SHORTEST <= silence <= LONGEST:
            raise ConfigError(
                f"{VARIABLE} is no number of seconds from {SHORTEST} to {LONGEST:.0f}: {text!r}",
                hint=f"set {VARIABLE} to how long a server may say nothing, such as 120",
            )
        return cls.of(silence)


class Deadline:
    """When the waiting for one page or file ends.

    :ivar total: seconds from its start.
    """

    def __init__(self, total: float) -> None:
        self.total = total
        self._started = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds; less than none once it has passed."""
        return self._started + self.total - time.monotonic()

    @property
    def passed(self) -> bool:
        """Whether it has passed."""
        return self.left <= 0

    def allow(self, usual: float, size: int) -> None:
        """Let it be that of a file of *size* bytes; a short one may take *usual* seconds."""
        self.total = max(self.total, usual + size / PACE)


class Tries:
    """The tries at one address.

    :param check: called while there is nothing to do but wait; raises to wait no longer.
    """

    def __init__(
        self, url: str, patience: Patience, deadline: Deadline, check: Callable[[], None]
    ) -> None:
        self._url = url
        self._patience = patience
        self._deadline = deadline
        self._check = check
        self._number = 0
        self._in_vain = 0

    def after(self, trouble: Trouble) -> None:
        """Wait until the time for another try after *trouble*.

        :raises FetchError: there is to be none.
        """
        self._check()  # what breaks because the run is stopped is no trouble
        self._number += 1
        self._in_vain = 1 if trouble.went_on else self._in_vain + 1
        if self._deadline.passed:
            raise self._late(trouble)
        if self._in_vain >= trouble.most:
            raise trouble.final(self._times)
        wait = self._wait(trouble)
        if wait >= self._deadline.left:
            raise trouble.final(self._times) if trouble.asked else self._late(trouble)
        self._pause(wait)

    def _wait(self, trouble: Trouble) -> float:
        """Seconds; never the same twice, or all who were sent away at once would return at once."""
        own: float = self._patience.backoff * 2 ** (self._in_vain - 1)
        spread = random.uniform(0.5, 1.0)  # noqa: S311  (no secret)
        if trouble.asked is None:
            return own * spread
        if trouble.asked > self._patience.page:
            raise trouble.final(self._times)
        return trouble.asked + self._patience.backoff * spread

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._check()
            time.sleep(min(left, LOOK))

    @property
    def _times(self) -> str:
        return f"; tried {self._number} times" if self._number > 1 else ""

    def _late(self, trouble: Trouble) -> FetchError:
        total = human_duration(self._deadline.total)
        last = f", the last time: it {trouble.clause}" if self._times else ""
        return FetchError(
            f"{redacted(self._url)} did not arrive within {total}{self._times}{last}",
            hint=f"check the network, then run the command again; {VARIABLE} gives slow ones time",
        )


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer with *headers* asks to wait; None if it asks for nothing clear.

    ``Retry-After`` has seconds, or a date, which is held against the server's own clock if it
    tells that (RFC 9110, 10.2.3).
    """
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]+", text):
        return min(float(text[:20]), _EVER)
    moment = _date(text)
    if moment is None:
        return None
    now = _date(headers.get("Date", "")) or datetime.now(UTC)
    return min(max((moment - now).total_seconds(), 0.0), _EVER)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
