"""What a source of advisories gives, whichever it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from wheelhouse.advisories.record import read_record
from wheelhouse.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from packaging.utils import NormalizedName

    from wheelhouse.advisories.record import Advisory

Kind = Literal["archive", "folder", "service"]

#: Clocks differ, but what was changed later than this from now was not.
_AHEAD = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Knowledge:
    """What a source knows of the projects that it was asked about.

    :ivar label: what a person calls the source.
    :ivar records: how many of its records are about projects on PyPI, as far as they were read.
    :ivar newest: when the one that was changed last was, if any says so.
    :ivar projects: by name, the advisories about each that it knows. That may be none: all of its
        records may have been withdrawn.
    :ivar flawed: how many records do not say in a way to be understood what they are about.
    """

    label: str
    kind: Kind
    records: int
    newest: datetime | None
    projects: Mapping[NormalizedName, tuple[Advisory, ...]]
    flawed: int = 0


class Source(Protocol):
    """Somewhere to look up advisories."""

    def ask(self, names: Collection[NormalizedName]) -> Knowledge:
        """What it knows of the projects of these *names*.

        :raises FetchError: it cannot be read or reached, or is not what it should be.
        """


class Collector:
    """Gathers what single records say about the *wanted* projects.

    :ivar read: how many there were.
    :ivar identifiers: those of all of them.
    """

    def __init__(self, wanted: Collection[NormalizedName]) -> None:
        self._wanted = frozenset(wanted)
        self._found: dict[NormalizedName, dict[str, Advisory]] = {}
        self._newest: datetime | None = None
        self._latest = datetime.now(UTC) + _AHEAD
        self._records = 0
        self._flawed = 0
        self.read = 0
        self.identifiers: set[str] = set()

    def add(self, document: object) -> None:
        """Read one record. Raises RecordError if it is none."""
        reading = read_record(document, self._wanted)
        self.read += 1
        self.identifiers.add(reading.id)
        self._records += reading.on_pypi
        self._flawed += reading.flawed
        moment = reading.modified
        if moment is not None and moment <= self._latest:
            self._newest = moment if self._newest is None else max(moment, self._newest)
        for name in reading.known:
            self._found.setdefault(name, {})
        for name, advisory in reading.advisories.items():
            self._found[name][advisory.id] = advisory

    def knowledge(self, label: str, kind: Kind) -> Knowledge:
        """All that was gathered."""
        return Knowledge(
            label=label,
            kind=kind,
            records=self._records,
            newest=self._newest,
            projects={name: tuple(each.values()) for name, each in self._found.items()},
            flawed=self._flawed,
        )


def merged(found: Iterable[Knowledge]) -> Mapping[NormalizedName, tuple[Advisory, ...]]:
    """By name, the advisories of several sources; of one that two have, the newer."""
    projects: dict[NormalizedName, dict[str, Advisory]] = {}
    for each in found:
        for name, advisories in each.projects.items():
            known = projects.setdefault(name, {})
            for advisory in advisories:
                present = known.get(advisory.id)
                if present is None or _moment(present) <= _moment(advisory):
                    known[advisory.id] = advisory
    return {name: tuple(each.values()) for name, each in projects.items()}


def _moment(advisory: Advisory) -> datetime:
    return advisory.modified or datetime.min.replace(tzinfo=UTC)


def unusable(label: str, why: str, hint: str) -> FetchError:
    """The error for a source that cannot be relied on: part of it might be missing."""
    return FetchError(
        f"{label} is no usable source of advisories: {why}", hint=hint, kind="advisory-source"
    )
