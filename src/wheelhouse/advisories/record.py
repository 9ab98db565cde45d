"""OSV records, as far as they are about projects on PyPI. Pure.

The schema: https://ossf.github.io/osv-schema/ (1.7). Databases do get records wrong: an event
without a version, a version that is none. What is understood of such a record is used, and what is
not is kept as a *flaw*, so that nobody takes it for "not affected".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelhouse.advisories.severity import label_of, worst
from wheelhouse.text import clip, sanitize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from packaging.utils import NormalizedName

ECOSYSTEM = "PyPI"

#: Columns of a summary, and of an identifier: of both, people see one line.
SUMMARY, IDENTIFIER = 200, 80

EventKind = Literal["introduced", "fixed", "last_affected", "limit"]
KINDS: tuple[EventKind, ...] = get_args(EventKind)

#: The values that stand for a version before all others, and after.
_FIRST, _INFINITY = "0", "*"


class RecordError(ValueError):
    """It is no OSV record at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Where in a range something changes.

    :ivar at: the version; None is before all others if it is introduced there, and after all
        others if that is the limit.
    """

    kind: EventKind
    at: Version | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Affected:
    """Versions of one project that an advisory is about.

    :ivar versions: single ones, in any spelling.
    :ivar ranges: the events of each range, in the record's order.
    :ivar flaws: what of it is not to be understood, each in a clause.
    """

    versions: frozenset[str] = frozenset()
    ranges: tuple[tuple[Event, ...], ...] = ()
    flaws: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Advisory:
    """What a record says about one project.

    :ivar aliases: what else the same vulnerability is called.
    :ivar severity: one of :data:`wheelhouse.advisories.severity.LEVELS`, or None.
    :ivar scores: CVSS vectors.
    :ivar modified: when the record was changed last, if it says so.
    """

    id: str
    aliases: tuple[str, ...] = ()
    summary: str = ""
    severity: str | None = None
    scores: tuple[str, ...] = ()
    modified: datetime | None = None
    affected: tuple[Affected, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """All that it is called."""
        return frozenset((self.id, *self.aliases))


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What one record has said.

    :ivar id: its identifier.
    :ivar on_pypi: whether it is about any project on PyPI.
    :ivar known: those of the wanted projects that it is about, also if it was withdrawn.
    :ivar advisories: by project, what it says; empty if it was withdrawn.
    :ivar flawed: whether it may be about a project that it does not name in a way to be understood.
    """

    id: str
    modified: datetime | None
    on_pypi: bool
    known: frozenset[NormalizedName]
    advisories: Mapping[NormalizedName, Advisory]
    flawed: bool


def read_record(document: object, wanted: Collection[NormalizedName]) -> Reading:
    """Read one record, as `json` gives it, as far as it is about the *wanted* projects.

    :raises RecordError: it is no record: no object, or one without an identifier.
    """
    if not isinstance(document, dict) or not _text(document.get("id")):
        raise RecordError("it is no OSV record")
    entries, flawed = _entries(document.get("affected"))
    mine = {name: found for name, found in entries.items() if name in wanted}
    withdrawn = bool(_text(document.get("withdrawn")))
    return Reading(
        id=document["id"],
        modified=_moment(document.get("modified")),
        on_pypi=bool(entries),
        known=frozenset(mine),
        advisories={} if withdrawn else {n: _advisory(document, each) for n, each in mine.items()},
        flawed=flawed and not withdrawn,
    )


def _entries(affected: object) -> tuple[dict[NormalizedName, list[dict[str, Any]]], bool]:
    """By project, the entries about it; and whether there are others that cannot be told apart."""
    found: dict[NormalizedName, list[dict[str, Any]]] = {}
    flawed = not isinstance(affected, list | None)
    for entry in affected if isinstance(affected, list) else ():
        if isinstance(entry, dict) and entry.get("package") is None:
            continue  # it is about a repository alone
        try:
            package = entry["package"]
            if package["ecosystem"] == ECOSYSTEM:
                name = canonicalize_name(package["name"], validate=True)
                found.setdefault(name, []).append(entry)
        except (TypeError, KeyError, InvalidName):
            flawed = True
    return found, flawed


def _advisory(document: Mapping[str, Any], entries: list[dict[str, Any]]) -> Advisory:
    scores = [score for part in (document, *entries) for score in _scores(part)]
    name = _text(document["id"])
    return Advisory(
        id=name,
        aliases=tuple(dict.fromkeys(a for a in map(_text, _list(document, "aliases")) if a)),
        summary=_summary(document),
        severity=worst([*(_label(part) for part in (document, *entries)), *map(label_of, scores)])
        if not name.startswith("MAL-")
        else "malicious",
        scores=tuple(dict.fromkeys(scores)),
        modified=_moment(document.get("modified")),
        affected=tuple(map(_affected, entries)),
    )


def _scores(part: Mapping[str, Any]) -> Iterator[str]:
    for each in _list(part, "severity"):
        if isinstance(each, dict) and (score := _text(each.get("score"))):
            yield score


def _label(part: Mapping[str, Any]) -> str | None:
    """What a database has put into words: GitHub's does, for the whole record."""
    specific = part.get("database_specific")
    return _text(specific.get("severity")) if isinstance(specific, dict) else None


def _summary(document: Mapping[str, Any]) -> str:
    text = document.get("summary") or document.get("details")
    lines = text.strip().splitlines() if isinstance(text, str) else []
    return clip(sanitize(lines[0]), SUMMARY) if lines else ""


# --- which versions ------------------------------------------------------------------------------


def _affected(entry: Mapping[str, Any]) -> Affected:
    flaws: list[str] = []
    listed = entry.get("versions") or []
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        flaws.append("its versions are no list of texts")
        listed = [v for v in listed if isinstance(v, str)] if isinstance(listed, list) else []
    ranges, commits = [], False
    for each in _ranges(entry, flaws):
        if each.get("type") == "GIT":
            commits = True
        elif each.get("type") not in {"ECOSYSTEM", "SEMVER"}:
            flaws.append("a range is of an unknown type")
        else:
            ranges.append(_events(each, flaws))
    if not listed and not ranges and not flaws:
        flaws.append("it names commits only" if commits else "it names no versions")
    return Affected(versions=frozenset(listed), ranges=tuple(ranges), flaws=tuple(flaws))


def _ranges(entry: Mapping[str, Any], flaws: list[str]) -> Iterator[Mapping[str, Any]]:
    ranges = entry.get("ranges") or []
    for each in ranges if isinstance(ranges, list) else [ranges]:
        if isinstance(each, dict):
            yield each
        else:
            flaws.append("a range is no object")


def _events(range_: Mapping[str, Any], flaws: list[str]) -> tuple[Event, ...]:
    """The events of a range as far as they are to be understood."""
    events: list[Event] = []
    given = range_.get("events")
    for each in given if isinstance(given, list) else ():
        kinds = [kind for kind in KINDS if kind in each] if isinstance(each, dict) else []
        if not kinds:
            flaws.append("an event says nothing")
        for kind in kinds:  # one, by the schema; of several, each counts
            if (event := _event(kind, each[kind])) is not None:
                events.append(event)
            else:
                flaws.append(f"{kind} is no version: {clip(sanitize(str(each[kind])), 40)}")
    if not any(event.kind == "introduced" for event in events):
        flaws.append("a range does not say where it begins")
    return tuple(events)


def _event(kind: EventKind, value: object) -> Event | None:
    if (kind, value) in {("introduced", _FIRST), ("limit", _INFINITY)}:
        return Event(kind=kind, at=None)
    version = version_of(value) if isinstance(value, str) else None
    return None if version is None else Event(kind=kind, at=version)


@lru_cache(maxsize=1 << 16)
def version_of(text: str) -> Version | None:
    """*text* as PEP 440 has it; None if it is no version there."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


# --- values --------------------------------------------------------------------------------------


def _text(value: object) -> str:
    """*value* fit to be shown, if it is a text."""
    return clip(sanitize(value).strip(), IDENTIFIER * 2) if isinstance(value, str) else ""


def _list(part: Mapping[str, Any], key: str) -> list[Any]:
    value = part.get(key)
    return value if isinstance(value, list) else []


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
