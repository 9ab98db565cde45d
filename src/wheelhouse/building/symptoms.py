"""Looking for the cause of a failed build in its log: what a symptom is, and which one counts.

A log is a stranger's: what is looked for begins with fixed text or where a line does, repeats
nothing without a bound, and never reads over a line's end without one. So a log of any content
takes a time that grows with its length alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import islice
from typing import TYPE_CHECKING

from wheelhouse.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wheelhouse.missing import Missing

#: How much of a line is looked at: what a compiler says comes first, its arguments may be endless.
LOOKED_AT = 400

#: Lines of evidence, and the characters of each.
EVIDENCE = 6
WIDTH = 200

#: How often one symptom is noted, and how many missing things are named at most.
_TIMES = 40
_MOST_MISSING = 16

#: What configuration tests print when something is not there: seldom what a build fails for.
_PROBE = re.compile(
    r"conftest|configtest|testCCompiler|testCXXCompiler|CMake(?:Tmp|Scratch)|meson-private"
    r"|^\s{0,40}Running `|/tmp/[^:]{1,200}:\d+:\d+: |^\s{0,40}<stdin>"
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
    :ivar lines: each line, harmless and not long; :ivar text: the same in one.
    """

    package: str
    lines: tuple[str, ...]
    text: str
    starts: tuple[int, ...] = field(repr=False)

    @classmethod
    def of(cls, package: str, text: str) -> Log:
        lines = tuple(sanitize(line[: 4 * LOOKED_AT])[:LOOKED_AT] for line in text.split("\n"))
        starts, at = [], 0
        for line in lines:
            starts.append(at)
            at += len(line) + 1
        return cls(package, lines, "\n".join(lines), tuple(starts))

    def line_of(self, match: re.Match[str]) -> int:
        """The number of the line in which *match* begins, from 0."""
        from bisect import bisect_right

        return bisect_right(self.starts, match.start()) - 1

    def before(self, match: re.Match[str], number: int) -> tuple[str, ...]:
        """Up to *number* lines before the one of *match*."""
        at = self.line_of(match)
        return self.lines[max(0, at - number) : at]

    def after(self, match: re.Match[str], number: int) -> tuple[str, ...]:
        """Up to *number* lines after the one in which *match* begins."""
        at = self.line_of(match)
        return self.lines[at + 1 : at + 1 + number]


#: What a match says of the log that it is in; None if it says nothing after all.
Rule = "Callable[[re.Match[str], Log], Diagnosis | None]"


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
    chosen: _Find | None = None
    diagnosis: Diagnosis | None = None
    for find in finds:
        if chosen is not None and (find.rank != chosen.rank or not diagnosis):
            break
        found = find.rule(find.match, log)
        if found is None:
            continue
        if diagnosis is None:
            chosen, diagnosis = find, replace(found, evidence=_evidence(log, find.match))
        elif diagnosis.missing:
            more = tuple(each for each in found.missing if each not in diagnosis.missing)
            diagnosis = replace(diagnosis, missing=(diagnosis.missing + more)[:_MOST_MISSING])
    return diagnosis


def _finds(log: Log, symptoms: Sequence[Symptom]) -> Iterable[_Find]:
    for order, symptom in enumerate(symptoms):
        for match in islice(re.finditer(symptom.pattern, log.text, re.MULTILINE), _TIMES):
            line = log.line_of(match)
            probe = _PROBE.search(log.lines[line])
            yield _Find(Rank.PROBE if probe else symptom.rank, line, order, match, symptom.rule)


def _evidence(log: Log, match: re.Match[str]) -> tuple[str, ...]:
    """The lines of *match*, with those around them that make them understood."""
    first = log.line_of(match)
    last = first + match.group().count("\n")
    trace = re.match(r"[\w.]{1,80}(?:Error|Exception|Exit)\b", log.lines[first])
    before, after = (2, 0) if trace else (1, 2)
    around = range(max(0, first - before), min(len(log.lines), last + after + 1))
    told = [log.lines[at] for at in around if first <= at <= last or _says_something(log.lines[at])]
    margin = min((len(each) - len(each.lstrip()) for each in told), default=0)
    return tuple(each[margin:][:WIDTH].rstrip() for each in told[:EVIDENCE])


def _says_something(line: str) -> bool:
    return bool(line.strip(" ~^-=*!|"))


def first_group(match: re.Match[str]) -> str:
    """The group of *match* that took part: patterns with several wordings have one for each."""
    return next(group for group in match.groups() if group is not None)


def quoted(text: str, length: int = 160) -> str:
    """*text* of a log, short enough for a sentence."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def system_fix(package: str, names: Iterable[str]) -> str:
    """The lines of `wheelhouse.toml` that give *package*'s build the distribution's *names*."""
    return _list(package, "system", names)


def requires_fix(package: str, requirements: Iterable[str]) -> str:
    """The lines that give *package*'s build more *requirements*, or limits to those it has."""
    return _list(package, "build-requires", requirements)


def against_fix(package: str, names: Iterable[str]) -> str:
    """The lines that have *package* built against the locked versions of *names*."""
    return _list(package, "build-against", names)


def env_fix(package: str, name: str, value: str) -> str:
    """The lines that set a variable of *package*'s build."""
    return f"[packages.{package}.env]\n{name} = {_string(value)}"


def _list(package: str, key: str, values: Iterable[str]) -> str:
    return f"[packages.{package}]\n{key} = [{', '.join(map(_string, values))}]"


def _string(value: str) -> str:
    """*value* as a basic string of TOML, which JSON's strings are."""
    return json.dumps(value, ensure_ascii=False)
