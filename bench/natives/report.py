"""What came of the trials, as tables and shares. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bench.natives.trial import PROVEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.natives.trial import Outcome

TRIALS = ("package", "target", "result", "s", "kind", "cause")
SHARES = ("list", "target", "proven", "of", "share", "cannot be", "failures")


def trial_row(outcome: Outcome) -> tuple[str, ...]:
    """One trial, under :data:`TRIALS`."""
    return (
        outcome.package,
        outcome.target,
        verdict(outcome),
        f"{outcome.seconds:.0f}",
        outcome.kind,
        outcome.cause,
    )


def verdict(outcome: Outcome) -> str:
    """Its result, with a mark where the list expected another."""
    if outcome.possible:
        return outcome.result
    return "proven, unexpectedly" if outcome.result == PROVEN else f"{outcome.result}, as expected"


def share_rows(outcomes: Iterable[Outcome]) -> list[tuple[str, ...]]:
    """The share of each list and target, under :data:`SHARES`, in the order of *outcomes*."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for each in outcomes:
        groups.setdefault((each.list, each.target), []).append(each)
    return [_share_row(name, target, group) for (name, target), group in groups.items()]


def _share_row(name: str, target: str, group: Sequence[Outcome]) -> tuple[str, ...]:
    possible = [each for each in group if each.possible]
    proven = [each for each in possible if each.result == PROVEN]
    kinds = Counter(each.kind or each.result for each in possible if each.result != PROVEN)
    return (
        name,
        target,
        str(len(proven)),
        str(len(possible)),
        f"{len(proven) / len(possible):.0%}" if possible else "-",
        str(len(group) - len(possible)),
        ", ".join(f"{number} {kind}" for kind, number in kinds.most_common()),
    )
