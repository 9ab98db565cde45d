"""What came of the cases, as a table and figures. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from faults.case import Case
    from faults.figures import Figures


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a case.

    :ivar problem: what was not as it must be; None if nothing.
    :ivar left_out: why it did not happen here; None if it did.
    """

    case: Case
    seconds: float
    problem: str | None = None
    left_out: str | None = None


def failed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those with a problem."""
    return [each for each in outcomes if each.problem is not None]


def lines(outcomes: Sequence[Outcome], figures: Figures) -> Iterator[str]:
    """The table by group, and the figures."""
    happened = [each for each in outcomes if each.left_out is None]
    for group in sorted({each.case.group for each in happened}):
        members = [each for each in happened if each.case.group == group]
        passed = len(members) - len(failed(members))
        yield f"group {group:>2}: {passed} of {len(members)}"
    yield ""
    yield f"cases passed: {len(happened) - len(failed(happened))} of {len(happened)}"
    if len(happened) < len(outcomes):
        why = sorted({each.left_out for each in outcomes if each.left_out is not None})
        yield f"cases left out: {len(outcomes) - len(happened)} ({'; '.join(why)})"
    yield from figures.lines()
