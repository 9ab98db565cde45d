"""An audit: what is locked for each target against what sources know. Pure but for the sources."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from wheelhouse.advisories.source import merged
from wheelhouse.advisories.subjects import subjects
from wheelhouse.advisories.verdicts import Ignoring, judge
from wheelhouse.errors import AdvisoryError
from wheelhouse.settings import DEFAULT_INDEX, portable_url
from wheelhouse.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from wheelhouse.advisories.source import Knowledge, Source
    from wheelhouse.advisories.verdicts import Judged, Verdict
    from wheelhouse.config import Project
    from wheelhouse.locking.model import Lock
    from wheelhouse.settings import IgnoredAdvisory

#: How many packages a message names.
_NAMED = 5

_MIRROR = 'if that index mirrors PyPI, say so: mirrors = ["{}"] under [audit]'


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedTarget:
    """A lock as it is.

    :ivar file: its name.
    :ivar stale: whether it belongs to other requirements than the present ones; None if that
        cannot be told.
    """

    lock: Lock
    file: str
    stale: bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetAudit:
    """What is known of the packages of one lock."""

    target: str
    file: str
    stale: bool | None
    packages: tuple[Judged, ...]

    def having(self, verdict: Verdict) -> list[Judged]:
        """The packages with that verdict."""
        return [each for each in self.packages if each.verdict == verdict]


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something to know about an audit.

    :ivar hint: what to do; may be empty.
    :ivar doubt: whether it means that something may have been overlooked.
    """

    message: str
    hint: str = ""
    doubt: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """An audit of some targets."""

    sources: tuple[Knowledge, ...]
    targets: tuple[TargetAudit, ...]
    notes: tuple[Note, ...]

    @property
    def packages(self) -> list[Judged]:
        """Those of all targets, each once."""
        found = chain.from_iterable(target.packages for target in self.targets)
        return list({_key(each): each for each in found}.values())

    def having(self, verdict: Verdict) -> list[Judged]:
        """The packages with that verdict, each once."""
        return [each for each in self.packages if each.verdict == verdict]


def _key(judged: Judged) -> tuple[str, str, str, str]:
    subject = judged.subject
    return (subject.role, subject.name, str(subject.version), subject.foreign)


def audit(
    project: Project,
    locks: Sequence[LockedTarget],
    sources: Sequence[Source],
    *,
    ignored: Sequence[IgnoredAdvisory],
    builds: bool,
    now: datetime,
) -> Audit:
    """Look up all that *locks* have in *sources*.

    :param ignored: advisories that do not count.
    :param builds: whether what is only used to build others is looked up, too.
    :raises FetchError: a source cannot be used.
    """
    wanted = [subjects(each.lock, project, builds=builds) for each in locks]
    names = {each.name for each in chain.from_iterable(wanted) if not each.foreign}
    found = tuple(source.ask(names) for source in sources)
    projects = merged(found)
    ignoring = Ignoring(entries=tuple(ignored), today=now.date())
    targets = tuple(
        TargetAudit(
            target=each.lock.target,
            file=each.file,
            stale=each.stale,
            packages=tuple(judge(one, projects.get(one.name), ignoring) for one in mine),
        )
        for each, mine in zip(locks, wanted, strict=True)
    )
    notes = [
        *_about_locks(targets),
        *_about_sources(found, now, project.audit.max_age),
        *_about_ignored(ignoring, targets),
        *_about_index(project, targets),
    ]
    return Audit(sources=found, targets=targets, notes=tuple(notes))


# --- notes ---------------------------------------------------------------------------------------


def _about_locks(targets: Sequence[TargetAudit]) -> Iterator[Note]:
    for each in targets:
        if each.stale:
            yield Note(
                message=f"{each.file} is stale, and was audited as it is",
                hint="`wheelhouse lock` renews it",
            )


def _about_sources(found: Sequence[Knowledge], now: datetime, max_age: timedelta) -> Iterator[Note]:
    for each in found:
        if each.flawed:
            records = counted(each.flawed, "record")
            yield Note(
                message=f"{each.label}: what {records} may be about cannot be understood",
                hint="get a newer copy" if each.kind != "service" else "",
                doubt=True,
            )
        if each.kind == "service":
            continue
        if each.newest is None:
            yield Note(message=f"nothing says how old {each.label} is", doubt=True)
        elif now - each.newest > max_age:
            age = counted((now - each.newest).days, "day")
            yield Note(
                message=f"the newest record of {each.label} is {age} old: what has become known "
                "since then is not in it",
                hint="get a newer copy; [audit] max-age says what is too old",
                doubt=True,
            )


def _about_ignored(ignoring: Ignoring, targets: Sequence[TargetAudit]) -> Iterator[Note]:
    used = {
        each.ignored
        for target in targets
        for judged in target.packages
        for each in judged.findings
        if each.ignored is not None
    }
    for entry in ignoring.entries:
        if entry.until is not None and entry.until < ignoring.today:
            yield Note(
                message=f"{entry.id} counts again: it was ignored until {entry.until}",
                hint="take it out of [[audit.ignore]], or find out whether its reason still holds",
            )
        elif entry not in used:
            yield Note(
                message=f"{entry.id} is ignored, and nothing that is locked has it",
                hint="take it out of what is ignored",
            )


def _about_index(project: Project, targets: Sequence[TargetAudit]) -> Iterator[Note]:
    """The default index may mirror PyPI although nothing says so."""
    url = portable_url(project.index, project.root).rstrip("/")
    indexes = {
        each.subject.index.rstrip("/")
        for target in targets
        for each in target.packages
        if each.subject.foreign and each.subject.index
    }
    if url in indexes:
        yield Note(
            message=f"nothing that comes from {url} was looked up: it may be private, and have "
            "names of PyPI for something else",
            hint=_MIRROR.format(DEFAULT_INDEX),
        )


# --- what it comes to ----------------------------------------------------------------------------


def objection(audit: Audit, *, strict: bool) -> AdvisoryError | None:
    """Why *audit* has not been passed; None if it has.

    :param strict: whether a doubt is enough: an unknown package, an old copy, a damaged record.
    """
    if vulnerable := audit.having("vulnerable"):
        return _vulnerable(vulnerable)
    unknown = audit.having("unknown")
    if unknown and len(unknown) == len(audit.packages):
        return AdvisoryError(
            f"nothing was checked: no source knows any of {_named(unknown)}",
            hint=_MIRROR.format("NAME")
            if any(each.subject.foreign and each.subject.index for each in unknown)
            else "find out whether the source is the right one: it is to have what OSV has of PyPI",
            kind="nothing-checked",
        )
    doubts = [each for each in audit.notes if each.doubt]
    if strict and (unknown or doubts):
        told = [f"nothing is known of {_named(unknown)}"] if unknown else []
        return AdvisoryError(
            "; ".join([*told, *(each.message for each in doubts)]),
            hint="look into each yourself; without --strict this is told and not refused",
            kind="unknown",
        )
    return None


def _named(packages: Sequence[Judged]) -> str:
    names = [f"{each.subject.name} {each.subject.version}" for each in packages]
    more = len(names) - _NAMED
    shown = ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{counted(len(names), 'package')} ({shown})"


def _vulnerable(packages: Sequence[Judged]) -> AdvisoryError:
    upgraded = sorted(
        {each.subject.name for each in packages if each.fixed_in and each.subject.role == "package"}
    )
    stuck = sorted({each.subject.name for each in packages if not each.fixed_in})
    lines = _build_lines(packages)
    parts = sorted(
        {each.subject.name for each in packages if each.fixed_in and each.subject.role == "toolkit"}
    )
    steps = []
    if upgraded:
        options = " ".join(f"--upgrade-package {name}" for name in upgraded)
        steps.append(f"`wheelhouse lock {options}`")
    if lines:
        steps.append("have them built with later versions by the lines below")
    if parts:
        steps.append(
            f"`wheelhouse lock --upgrade` takes the newest {', '.join(parts)} of the CUDA that the "
            "target names; if that is not new enough, name a later `cuda`"
        )
    if stuck:
        steps.append(
            f"no later version without them is known of {', '.join(stuck)}: do without, or say "
            "under [[audit.ignore]] why it does not matter"
        )
    have = "has" if len(packages) == 1 else "have"
    return AdvisoryError(
        f"{_named(packages)} {have} known vulnerabilities",
        hint="; ".join(steps),
        fix="\n".join(lines) or None,
        kind="vulnerable",
    )


def _build_lines(packages: Sequence[Judged]) -> list[str]:
    """The lines of `wheelhouse.toml` that give builds later versions of what they take."""
    wanted: dict[str, set[str]] = {}
    for each in packages:
        if each.fixed_in and each.subject.role == "build":
            for built in each.subject.builds:
                needed = f'"{each.subject.name}>={each.fixed_in}"'
                wanted.setdefault(built.partition(" ")[0], set()).add(needed)
    return [
        line
        for name, requirements in sorted(wanted.items())
        for line in (f"[packages.{name}]", f"build-requires = [{', '.join(sorted(requirements))}]")
    ]
