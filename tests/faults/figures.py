"""What is counted while cases run, and the lines that are made of it. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Counters that have to stay at nothing, each with the one that says of how many.
MUST_BE_ZERO = {
    "corrupt objects": "objects",
    "leaked containers": "kills",
    "lost wheelhouses": "kills",
    "planted secrets found": "places searched for secrets",
    "escaped files": "cases",
}


class Figures:
    """Counters and samples, by their names."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.samples: defaultdict[str, list[float]] = defaultdict(list)
        self.judged: defaultdict[str, dict[str, list[bool]]] = defaultdict(dict)

    def add(self, name: str, number: int = 1) -> None:
        """Count *number* more of *name*."""
        self.counts[name] += number

    def sample(self, name: str, value: float) -> None:
        """Take down one *value* of *name*, such as the seconds after a Ctrl-C."""
        self.samples[name].append(value)

    def judge(self, name: str, who: str, *, good: bool) -> None:
        """Take down whether *who* did right in one case of *name*, such as bad wheels refused."""
        self.judged[name].setdefault(who, []).append(good)

    @property
    def broken(self) -> list[str]:
        """The counters that should be nothing and are not."""
        return [name for name in MUST_BE_ZERO if self.counts[name]]

    def lines(self) -> Iterator[str]:
        """What was counted, one figure a line."""
        for name, of in MUST_BE_ZERO.items():
            if self.counts[of]:
                yield f"{name}: {self.counts[name]} in {self.counts[of]:,} {of}"
        for name, by in sorted(self.judged.items()):
            shares = (f"{who} {sum(good)} of {len(good):,}" for who, good in by.items())
            yield f"{name}: {', '.join(shares)}"
        for name in sorted(self.samples):
            values = self.samples[name]
            yield (
                f"{name}: p50 {percentile(values, 50):.2f}, p99 {percentile(values, 99):.2f}, "
                f"longest {max(values):.2f} s of {len(values)}"
            )
        known = {*MUST_BE_ZERO, *MUST_BE_ZERO.values()}
        for name in sorted(self.counts.keys() - known):
            yield f"{name}: {self.counts[name]:,}"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of *values* that *share* percent of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]
