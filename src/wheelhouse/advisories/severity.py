"""How bad it is, in one word. Pure.

Databases say it in words of their own, or by a CVSS vector. The base score of CVSS 3 is computed
here (https://www.first.org/cvss/v3.1/specification-document, section 7.1); that of version 4 takes
a table of 270 scores, that of version 2 nobody writes any more: both stay vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: From the worst to the least. A package that is malicious itself is beyond the others.
LEVELS = ("malicious", "critical", "high", "medium", "low", "none")

_WORDS = {"moderate": "medium", "important": "high"}

#: The weight of each value of a metric. That of privileges is another where the scope changes.
_WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "PR": {"N": 0.85, "L": 0.62, "H": 0.27},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES_ELSEWHERE = {"N": 0.85, "L": 0.68, "H": 0.5}

#: The lowest base score of each level.
_FROM = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"), (0.0, "none"))


def worst(words: Iterable[str | None]) -> str | None:
    """The worst of *words* that is a level, in any spelling; None if none is."""
    lowered = (word.lower() for word in words if word)
    known = [level for word in lowered if (level := _WORDS.get(word, word)) in LEVELS]
    return min(known, key=LEVELS.index, default=None)


def label_of(vector: str) -> str | None:
    """The level of a CVSS vector; None where its score is not computed."""
    score = base_score(vector)
    return None if score is None else next(level for least, level in _FROM if score >= least)


def base_score(vector: str) -> float | None:
    """The base score of a CVSS 3 vector, from 0.0 to 10.0; None if it is none."""
    version, *metrics = vector.split("/")
    if version not in {"CVSS:3.0", "CVSS:3.1"}:
        return None
    said = dict(metric.partition(":")[::2] for metric in metrics)
    try:
        changed = {"U": False, "C": True}[said["S"]]
        weight = {metric: values[said[metric]] for metric, values in _WEIGHTS.items()}
    except KeyError:
        return None
    if changed:
        weight["PR"] = _PRIVILEGES_ELSEWHERE[said["PR"]]
    lost = 1 - (1 - weight["C"]) * (1 - weight["I"]) * (1 - weight["A"])
    impact = 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15 if changed else 6.42 * lost
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * weight["AV"] * weight["AC"] * weight["PR"] * weight["UI"]
    total = impact + exploitability
    return _round_up(min(1.08 * total if changed else total, 10.0))


def _round_up(score: float) -> float:
    """The next tenth, as Appendix A of the specification rounds: floats must not decide."""
    hundred_thousandths = round(score * 100_000)
    if hundred_thousandths % 10_000 == 0:
        return hundred_thousandths / 100_000
    return (hundred_thousandths // 10_000 + 1) / 10
