"""What the advisories of a project come to for one locked version of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from wheelhouse.advisories.matching import concerns, fixes, flaws
from wheelhouse.advisories.severity import worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from packaging.version import Version

    from wheelhouse.advisories.record import Advisory
    from wheelhouse.advisories.subjects import Subject
    from wheelhouse.settings import IgnoredAdvisory

Verdict = Literal["vulnerable", "unknown", "ignored", "no-advisory"]

#: Where a person reads on; each record of OSV's database has its page here.
PAGE = "https://osv.dev/vulnerability/"

#: Which of several names a finding goes by: that of the database with the most to say first.
_DATABASES = ("MAL-", "GHSA-", "PYSEC-", "CVE-")

UNRECORDED = "the source has no record of it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One vulnerability of a version, whatever it is called in how many databases.

    :ivar id: that of one of its records; :ivar aliases: all its other names.
    :ivar severity: one of :data:`wheelhouse.advisories.severity.LEVELS`, or None.
    :ivar scores: CVSS vectors.
    :ivar fixed: the later versions with a fix, in order.
    :ivar ignored: the entry by which it does not count.
    """

    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: str | None
    scores: tuple[str, ...]
    fixed: tuple[Version, ...]
    ignored: IgnoredAdvisory | None = None

    @property
    def link(self) -> str:
        """The page about it."""
        return PAGE + quote(self.id, safe="")


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A subject, and what is known of it.

    :ivar why: why it is unknown, in a clause; empty for the others.
    :ivar findings: all, those that are ignored included; the worst first.
    :ivar fixed_in: the next version that none of the project's advisories is about; None if there
        is nothing to be fixed, or no such version is known.
    """

    subject: Subject
    verdict: Verdict
    why: str = ""
    findings: tuple[Finding, ...] = ()
    fixed_in: Version | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignoring:
    """Advisories that do not count, until their day is over.

    :ivar today: the present day.
    """

    entries: tuple[IgnoredAdvisory, ...]
    today: date

    def by(self, names: Iterable[str], subject: Subject) -> IgnoredAdvisory | None:
        """The entry by which what is called *names* does not count for *subject*."""
        called = {name.casefold() for name in names}
        return next(
            (
                each
                for each in self.entries
                if each.id.casefold() in called
                and each.package in {None, subject.name}
                and (each.until is None or self.today <= each.until)
            ),
            None,
        )


def judge(subject: Subject, advisories: Sequence[Advisory] | None, ignoring: Ignoring) -> Judged:
    """What is known of *subject*.

    :param advisories: those about its project; None if the source does not know that.
    """
    if subject.foreign:
        return Judged(subject=subject, verdict="unknown", why=subject.foreign)
    if advisories is None:
        return Judged(subject=subject, verdict="unknown", why=UNRECORDED)
    groups = _groups(advisories)
    findings = sorted(
        (_finding(group, subject, ignoring) for group in groups if _concern(group, subject)),
        key=lambda each: (each.ignored is not None, _rank(each.severity), each.id),
    )
    active = [each for each in findings if each.ignored is None]
    why = _undecided(groups, subject, ignoring)
    verdict: Verdict = "vulnerable" if active else "unknown" if why else "no-advisory"
    if verdict == "no-advisory" and findings:
        verdict = "ignored"
    return Judged(
        subject=subject,
        verdict=verdict,
        why=why,
        findings=tuple(findings),
        fixed_in=_next_without(groups, subject, ignoring) if active else None,
    )


def _concern(group: Sequence[Advisory], subject: Subject) -> bool:
    return any(concerns(each, subject.version) for each in group)


def _groups(advisories: Iterable[Advisory]) -> list[list[Advisory]]:
    """*advisories*, those together that share a name: they are about the same vulnerability."""
    groups: list[tuple[set[str], list[Advisory]]] = []
    for advisory in advisories:
        same = [group for group in groups if not group[0].isdisjoint(advisory.names)]
        names = set(advisory.names).union(*(group[0] for group in same))
        members = [each for group in same for each in group[1]]
        groups = [group for group in groups if group not in same]
        groups.append((names, [*members, advisory]))
    return [members for _, members in groups]


def _finding(group: Sequence[Advisory], subject: Subject, ignoring: Ignoring) -> Finding:
    named = sorted((each for each in group), key=lambda each: _preference(each.id))
    names = sorted({name for each in group for name in each.names}, key=_preference)
    fixed = {v for each in group for v in fixes(each, subject.version)}
    return Finding(
        id=named[0].id,
        aliases=tuple(name for name in names if name != named[0].id),
        summary=next((each.summary for each in named if each.summary), ""),
        severity=worst(each.severity for each in group),
        scores=tuple(dict.fromkeys(score for each in named for score in each.scores)),
        fixed=tuple(sorted(fixed)),
        ignored=ignoring.by(names, subject),
    )


def _preference(name: str) -> tuple[int, str]:
    places = [place for place, begin in enumerate(_DATABASES) if name.startswith(begin)]
    return (places[0] if places else len(_DATABASES), name)


def _rank(severity: str | None) -> int:
    """Unknown ones come after what is known to be bad, and before what is known to be harmless."""
    order = ("malicious", "critical", "high", "medium", None, "low", "none")
    return order.index(severity)


def _undecided(groups: Iterable[Sequence[Advisory]], subject: Subject, ignoring: Ignoring) -> str:
    """Which records leave open whether they are about *subject*; empty if none does.

    What another record of the same vulnerability decides is not open.
    """
    open_ = [
        group[0]
        for group in groups
        if all(concerns(each, subject.version) is None for each in group)
        and ignoring.by((name for each in group for name in each.names), subject) is None
    ]
    if not open_:
        return ""
    reasons = "; ".join(flaws(open_[0]))
    more = f" (and {len(open_) - 1} more)" if len(open_) > 1 else ""
    return f"{open_[0].id} does not tell which versions it is about: {reasons}{more}"


def _next_without(
    groups: Sequence[Sequence[Advisory]], subject: Subject, ignoring: Ignoring
) -> Version | None:
    """The first later version with a fix that no advisory is about.

    A release before a pre-release, unless a pre-release is what is locked.
    """
    present = subject.version.is_prerelease
    counting = [
        each
        for group in groups
        if ignoring.by((name for each in group for name in each.names), subject) is None
        for each in group
    ]
    named = {version for each in counting for version in fixes(each, subject.version)}
    for version in sorted(named, key=lambda each: (each.is_prerelease and not present, each)):
        if not any(concerns(each, version) for each in counting):
            return version
    return None
