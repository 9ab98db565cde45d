"""Looking for the cause of a failed build in its log: what a symptom is, and which one counts.

A log is a stranger's: what is looked for begins with fixed text or where a line does, repeats
nothing without a bound, and never reads over a line's end without one. So a log of any content
takes a time that grows with its length alone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import islice
from typing import TYPE_CHECKING

from wheelhouse.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from packaging.version import Version

    from wheelhouse.missing import Missing

#: How much of a line is looked at: what a compiler says comes first, its arguments may be endless.
LOOKED_AT = 400

#: Lines of evidence, and the characters of each.
EVIDENCE = 6
WIDTH = 200

_QUOTES = str.maketrans("\u2018\u2019", "''")

#: The name of a program, a library or a .pc file.
NAME = r"[\w.+-]{1,80}"

#: How often one symptom is noted, and how many missing things are named at most.
_TIMES = 40
_MOST_MISSING = 16

#: What builds come to that did not find what they looked for first.
_FOR_WANT_OF_SOMETHING = {
    *("cmake-download", "compile-error", "download", "git-clone", "meson-download"),
    *("script-error", "script-stops", "undefined-reference"),
}

#: What configuration tests print when something is not there: seldom what a build fails for.
_PROBE = re.compile(
    r"conftest|configtest|testCCompiler|testCXXCompiler|CMake(?:Tmp|Scratch)|meson-private"
    r"|^[ \t]{0,40}Running `|/tmp/[^:]{1,200}:\d+:\d+: |^[ \t]{0,40}<stdin>"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What a failure's text says.

    :ivar kind: a stable name of the kind of failure, such as ``missing-header``.
    :ivar cause: what happened, in one sentence.
    :ivar hint: what to do, in one sentence.
    :ivar evidence: the few lines of the log that show it.
    :ivar fix: the exact lines for `wheelhouse.toml`, if some help.
    :ivar missing: what of the distribution was not there.
    :ivar constraints: limits to build requirements that are known to help, such as
        ``setuptools<82``.
    :ivar requires: build requirements that the sdist needs and does not declare.
    :ivar imports: modules that its metadata step or build imports and that belong to a
        requirement of the package itself, such as ``torch``: for `build-against`.
    :ivar dated: whether build requirements of the sdist's own time may help.
    :ivar guesses: what may be missing by the build's own words, where nothing else is known.
    :ivar regenerate: whether its C code, should Cython have generated it, is of another Python.
    """

    kind: str
    cause: str
    hint: str
    evidence: tuple[str, ...] = ()
    fix: str | None = None
    missing: tuple[Missing, ...] = ()
    constraints: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    dated: bool = False
    regenerate: bool = False
    guesses: tuple[Missing, ...] = ()


class Rank(IntEnum):
    """How much a symptom counts. Of one rank, the earliest line wins: what follows is its echo."""

    DECISIVE = 0  #: whatever else there is: a full disk, C of another Python
    FATAL = 1  #: what ends a build
    CLUE = 2  #: what ends some builds, and is a notice in others
    VAGUE = 3  #: what says only that something is wrong
    PROBE = 4  #: any of them, in the output of a configuration test


@dataclass(frozen=True, slots=True)
class Log:
    """The text of a log, as it is looked at.

    :ivar package: whose build it is: for the settings proposed.
    :ivar toolkit: the release of its CUDA toolkit; None if it has none.
    :ivar lines: each line, harmless and not long; :ivar text: the same in one.
    """

    package: str
    lines: tuple[str, ...]
    text: str
    starts: tuple[int, ...] = field(repr=False)
    toolkit: Version | None = None

    @classmethod
    def of(cls, package: str, text: str, toolkit: Version | None = None) -> Log:
        lines = tuple(_plain(line) for line in text.split("\n"))
        starts, at = [], 0
        for line in lines:
            starts.append(at)
            at += len(line) + 1
        return cls(package, lines, "\n".join(lines), tuple(starts), toolkit)

    def line_of(self, match: re.Match[str]) -> int:
        """The number of the line in which *match* begins, from 0."""
        return bisect_right(self.starts, match.start()) - 1

    def before(self, match: re.Match[str], number: int) -> tuple[str, ...]:
        """Up to *number* lines before the one of *match*."""
        at = self.line_of(match)
        return self.lines[max(0, at - number) : at]

    def after(self, match: re.Match[str], number: int) -> tuple[str, ...]:
        """Up to *number* lines after the one in which *match* begins."""
        at = self.line_of(match)
        return self.lines[at + 1 : at + 1 + number]

    def raised_in(self, match: re.Match[str]) -> str:
        """The line of the traceback above *match* that names the file in which it ends."""
        above = [line for line in self.before(match, 12) if re.match(r"[ \t]{0,40}File \"", line)]
        return above[-1] if above else ""


def _plain(line: str) -> str:
    """*line*, harmless, not long, and with one kind of quotes: compilers have two."""
    return sanitize(line[: 4 * LOOKED_AT])[:LOOKED_AT].translate(_QUOTES)


@dataclass(frozen=True, slots=True)
class Symptom:
    """Text that tells of a cause."""

    pattern: str
    rule: Callable[[re.Match[str], Log], Diagnosis | None]
    rank: Rank = Rank.FATAL


@dataclass(frozen=True, slots=True)
class _Find:
    rank: Rank
    line: int
    order: int
    match: re.Match[str]
    rule: Callable[[re.Match[str], Log], Diagnosis | None]


def read(log: Log, symptoms: Sequence[Symptom]) -> Diagnosis | None:
    """The first of the weightiest *symptoms* in *log*, with its evidence; None if there is none.

    What else the same log lacks, by symptoms of the same weight, is in its `missing` too: each
    attempt at a build is dear.
    """
    finds = sorted(_finds(log, symptoms), key=lambda each: (each.rank, each.line, each.order))
    told = ((find, find.rule(find.match, log)) for find in finds)
    said = [(find, diagnosis) for find, diagnosis in told if diagnosis is not None]
    if not said:
        return None
    chosen, diagnosis = said[0]
    diagnosis = replace(diagnosis, evidence=_evidence(log, chosen.match))
    if diagnosis.missing:
        alike = [other for find, other in said if find.rank == chosen.rank]
        return replace(diagnosis, missing=_all_missing(alike))
    if diagnosis.kind in _FOR_WANT_OF_SOMETHING:
        for rank in (Rank.CLUE, Rank.PROBE):
            clues = _all_missing([other for find, other in said if find.rank == rank])
            if clues:
                return _for_want_of(clues, diagnosis)
    return diagnosis


def _all_missing(diagnoses: Iterable[Diagnosis]) -> tuple[Missing, ...]:
    every = dict.fromkeys(missing for each in diagnoses for missing in each.missing)
    return tuple(every)[:_MOST_MISSING]


def _for_want_of(clues: tuple[Missing, ...], diagnosis: Diagnosis) -> Diagnosis:
    """*diagnosis* of a build that went another way since it did not find *clues*."""
    names = " and ".join(map(str, clues[:2]))
    return replace(
        diagnosis, cause=f"{diagnosis.cause}; before that, it looked for {names}", missing=clues
    )


def _finds(log: Log, symptoms: Sequence[Symptom]) -> Iterable[_Find]:
    for order, symptom in enumerate(symptoms):
        for match in islice(re.finditer(symptom.pattern, log.text, re.MULTILINE), _TIMES):
            line = log.line_of(match)
            rank = _rank_in(log.lines[line], symptom.rank)
            yield _Find(rank, line, order, match, symptom.rule)


def _rank_in(line: str, rank: Rank) -> Rank:
    """How much a symptom of *rank* counts in *line*."""
    if _PROBE.search(line):
        return Rank.PROBE
    # A warning that is an error is one of configuration tests, as often as not.
    return max(rank, Rank.VAGUE) if "[-Werror" in line else rank


def _evidence(log: Log, match: re.Match[str]) -> tuple[str, ...]:
    """The lines of *match*, with those around them that make them understood."""
    first = log.line_of(match)
    last = first + match.group().count("\n")
    trace = re.match(r"[\w.]{1,80}(?:Error|Exception|Exit)\b", log.lines[first])
    before, after = (2, 0) if trace else (1, 2)
    around = range(max(0, first - before), min(len(log.lines), last + after + 1))
    told = [log.lines[at] for at in around if first <= at <= last or _helps(log.lines[at])]
    margin = min((len(each) - len(each.lstrip()) for each in told), default=0)
    return tuple(each[margin:][:WIDTH].rstrip() for each in told[:EVIDENCE])


def _helps(line: str) -> bool:
    """Whether *line* has words, and is no command of a screenful."""
    return bool(line.strip(" ~^-=*!|")) and len(line) <= WIDTH


def first_group(match: re.Match[str]) -> str:
    """The group of *match* that took part: patterns with several wordings have one for each."""
    return next(group for group in match.groups() if group is not None)


def quoted(text: str, length: int = 160) -> str:
    """*text* of a log, short enough for a sentence."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
