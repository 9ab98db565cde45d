"""What the readers of other tools' locks have in common: entries, and which are for a target.

A reader makes an :class:`Entry` of each package in its file; :class:`EntryLock` chooses among them
by the markers of the target and by the extras and groups that are wanted. A lock that does not say
for each entry whom it is for needs a way of its own to choose, and ends with
:meth:`LockFile.selection`, too. Pure; `lockreading.py` reads what the entries are made of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import Requirement

from wheelhouse.errors import ConfigError, WheelhouseError, raise_all
from wheelhouse.inputs.model import Asked, LeftOut, Selection
from wheelhouse.sources.location import shown
from wheelhouse.wording import did_you_mean, listed, printable, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.inputs.model import Direct

_EXTRA = re.compile(r"""\bextra\s*(==|!=)\s*("[^"]*"|'[^']*')""")
_MEMBER = re.compile(r'"([^"]+)" in (extras|dependency_groups)')


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way by which an entry comes to be installed: all of these have to hold.

    :ivar marker: of the target; it may also speak of ``extras`` and ``dependency_groups``.
    :ivar group: the dependency group that has to be wanted; empty if none has to.
    :ivar extra: the same of an extra.
    """

    marker: Marker | None = None
    group: str = ""
    extra: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A package of a lock.

    :ivar version: None where the lock leaves it to the source.
    :ivar ways: any of them will do.
    :ivar hashes: the SHA-256 hashes of its files; empty if the lock has none.
    :ivar weak: the names of other kinds of hashes that it has.
    :ivar requires_python: what the package needs, where the lock's tool refuses another Python.
    :ivar index: the URL of its index, if that is not the public one.
    :ivar direct: where it comes from, if not from an index.
    :ivar unnamed: whether the lock does not say which project that is; its name stands for one.
    """

    name: NormalizedName
    version: Version | None = None
    ways: tuple[Way, ...] = (Way(),)
    hashes: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()
    requires_python: SpecifierSet | None = None
    index: str | None = None
    direct: Direct | None = None
    unnamed: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.version}" if self.version else self.name

    @property
    def source(self) -> tuple[Version | None, str | None, Direct | None]:
        """What two entries of one project must not differ in."""
        return self.version, self.index, self.direct


@dataclass(frozen=True, kw_only=True, slots=True)
class LockFile:
    """Which lock it is, and for which targets.

    :ivar path: relative to the project.
    :ivar renew: the command that makes it anew, such as ``uv lock``; empty if there is no one.
    :ivar environments: one of them has to hold; empty if any will do.
    """

    path: str
    renew: str = ""
    requires_python: SpecifierSet | None = None
    environments: tuple[Marker, ...] = ()

    @property
    def renewing(self) -> str:
        """The next step where it does not hold, as an imperative."""
        return f"run `{self.renew}`" if self.renew else "make it anew with the tool that made it"

    def check(self, environment: Mapping[str, str]) -> None:
        """That it is for a target with the marker *environment*. Raises ConfigError."""
        if not fits_python(self.requires_python, environment):
            raise ConfigError(
                f"{self.path}: is for Python {printable(str(self.requires_python))}, and the "
                f"target has {environment['python_full_version']}",
                hint=f"widen that and {self.renewing}, or give the target another Python",
            )
        if self.environments and not any(
            self.holds(marker, environment) for marker in self.environments
        ):
            said = " or ".join(printable(str(marker)) for marker in self.environments)
            raise ConfigError(
                f"{self.path}: is for {said} only, and the target is {_told(environment)}",
                hint=f"add the target to its environments and {self.renewing}",
            )

    def holds(
        self,
        marker: Marker | None,
        environment: Mapping[str, str],
        extras: Iterable[str] = (),
        groups: Iterable[str] = (),
    ) -> bool:
        """Whether *marker* holds for a target, with *extras* and *groups* wanted.

        :raises ConfigError: it cannot be evaluated.
        """
        if marker is None:
            return True
        wanted = {"extras": frozenset(extras), "dependency_groups": frozenset(groups)}
        try:
            return marker.evaluate({**environment, **wanted}, context="lock_file")
        except (UndefinedComparison, UndefinedEnvironmentName) as error:
            raise ConfigError(
                f"{self.path}: its marker {quoted(str(marker))} cannot be evaluated: "
                f"{printable(str(error))}",
                hint=f"{self.renewing}",
            ) from error

    def selection(
        self,
        chosen: Iterable[Entry],
        left_out: Iterable[tuple[Entry, str]],
        environment: Mapping[str, str],
    ) -> Selection:
        """The *chosen* entries as requirements, the rest with its reasons.

        :raises ConfigError: there are two of a project, or an entry cannot be used; all of it.
        """
        chosen = list(chosen)
        by_name: dict[NormalizedName, list[Entry]] = {}
        for entry in chosen:
            by_name.setdefault(entry.name, []).append(entry)
        raise_all([*self._problems(by_name, environment)])
        taken = {(entry.name, entry.version) for entry in chosen}
        return Selection(
            asked=tuple(self._asked(same) for same in by_name.values()),
            left_out=tuple(
                LeftOut(
                    name=entry.name,
                    version=str(entry.version or ""),
                    origin=self.path,
                    reason=reason,
                )
                for entry, reason in left_out
                if (entry.name, entry.version) not in taken
            ),
        )

    def _problems(
        self, by_name: Mapping[NormalizedName, Sequence[Entry]], environment: Mapping[str, str]
    ) -> Iterator[WheelhouseError]:
        for name, entries in by_name.items():
            if len({entry.source for entry in entries}) > 1:
                yield ConfigError(
                    f"{self.path}: has {listed([_shown(each) for each in entries])} for one "
                    f"target, {_told(environment)}",
                    hint=f"two extras or groups that do not go together may be wanted; want one of "
                    f"them, or make {name} one version and {self.renewing}",
                )
        for entry in (each for same in by_name.values() for each in same):
            if entry.version is None and entry.direct is None:
                yield ConfigError(
                    f"{self.path}: {entry} is for {_told(environment)}, but not pinned to a "
                    "version",
                    hint=f"{self.renewing} where it is needed; or, if it is for another platform, "
                    "give it a marker that says so first",
                )
            if entry.weak and not entry.hashes:
                yield ConfigError(
                    f"{self.path}: {entry} has no SHA-256, only {listed(sorted(entry.weak))}",
                    hint=f"{self.renewing}: present versions of such tools write SHA-256 hashes",
                )
            if not fits_python(entry.requires_python, environment):
                yield ConfigError(
                    f"{self.path}: {entry} is for Python {printable(str(entry.requires_python))}, "
                    f"and the target has {environment['python_full_version']}",
                    hint=f"{self.renewing} for a Python that the target has, or give the target "
                    "another Python",
                )

    def _asked(self, same: Sequence[Entry]) -> Asked:
        """What several entries of one project, from one source, ask for."""
        entry = same[0]
        hashes = [each.hashes for each in same]
        return Asked(
            requirement=Requirement(f"{entry.name}{f'=={entry.version}' if entry.version else ''}"),
            origin=self.path,
            hashes=frozenset().union(*hashes) if all(hashes) else frozenset(),
            direct=entry.direct,
            unnamed=entry.unnamed,
            index=entry.index,
            closed=True,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryLock:
    """A lock that says of each entry whom it is for. It is a :class:`~.model.LockInput`.

    :ivar extras: those that are wanted; :ivar groups: the same, those by default included.
    """

    file: LockFile
    entries: tuple[Entry, ...]
    extras: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    @property
    def directs(self) -> tuple[Direct, ...]:
        """All that it takes from elsewhere than an index, for whichever target."""
        wanted = (each for each in self.entries if any(map(self._wanted, each.ways)))
        return tuple(dict.fromkeys(each.direct for each in wanted if each.direct is not None))

    def select(self, environment: Mapping[str, str]) -> Selection:
        """What of it is for a target with the marker *environment*.

        :raises ConfigError: it does not hold there, has two versions of a project, or an entry
            cannot be used.
        """
        self.file.check(environment)
        reasons = [(entry, self._reason(entry, environment)) for entry in self.entries]
        return self.file.selection(
            [entry for entry, reason in reasons if reason is None],
            [(entry, reason) for entry, reason in reasons if reason is not None],
            environment,
        )

    def _wanted(self, way: Way) -> bool:
        return (not way.group or way.group in self.groups) and (
            not way.extra or way.extra in self.extras
        )

    def _reason(self, entry: Entry, environment: Mapping[str, str]) -> str | None:
        """Why *entry* is not for the target; None if it is."""
        reasons = [self._reason_of(way, environment) for way in entry.ways]
        return None if None in reasons else " and ".join(dict.fromkeys(filter(None, reasons)))

    def _reason_of(self, way: Way, environment: Mapping[str, str]) -> str | None:
        if not self._wanted(way):
            return _unwanted(
                [way.extra] if way.extra and way.extra not in self.extras else [],
                [way.group] if way.group and way.group not in self.groups else [],
            )
        holds = self.file.holds
        if way.marker is None or holds(way.marker, environment, self.extras, self.groups):
            return None
        extras = _members(way.marker, "extras") - self.extras
        groups = _members(way.marker, "dependency_groups") - self.groups
        if holds(way.marker, environment, self.extras | extras, self.groups | groups):
            return _unwanted(sorted(extras), sorted(groups))
        return printable(str(way.marker))


def _unwanted(extras: Sequence[str], groups: Sequence[str]) -> str:
    parts = [
        f"the {kind}{'s' if len(names) > 1 else ''} {printable(listed(list(names)))}"
        for kind, names in (("extra", extras), ("group", groups))
        if names
    ]
    return f"{' or '.join(parts)} {'is' if len([*extras, *groups]) == 1 else 'are'} not wanted"


def _members(marker: Marker, kind: str) -> frozenset[str]:
    """The extras, or dependency groups, that *marker* speaks of."""
    return frozenset(name for name, said in _MEMBER.findall(str(marker)) if said == kind)


def _shown(entry: Entry) -> str:
    """It, with where it is from: two entries may differ in that only."""
    place = shown(entry.direct) if entry.direct else entry.index
    return f"{entry} ({printable(place)})" if place else str(entry)


def _told(environment: Mapping[str, str]) -> str:
    return (
        f"{environment['sys_platform']} {environment['platform_machine']} with Python "
        f"{environment['python_full_version']}"
    )


def fits_python(wanted: SpecifierSet | None, environment: Mapping[str, str]) -> bool:
    """Whether a target has a Python that *wanted* allows."""
    version = environment["python_full_version"]
    version += "local" if version.endswith("+") else ""  # as a Python built from a checkout says
    return wanted is None or wanted.contains(version, prereleases=True)


# --- what is written there --------------------------------------------------------------------


def set_marker(text: str) -> Marker:
    """The marker *text*, in which ``extra == "x"`` means that the extra x is among the wanted.

    :raises InvalidMarker: it is none.
    """
    return Marker(
        _EXTRA.sub(lambda found: f"{found[2]} {'not ' * (found[1] == '!=')}in extras", text)
    )


def check_known(path: str, kind: str, wanted: Iterable[str], known: Iterable[str]) -> None:
    """That the lock at *path* has all the extras or groups (the *kind*) that are *wanted*.

    :raises ConfigError: it has not.
    """
    names = sorted(known)
    raise_all(
        [
            ConfigError(
                f"{path}: has no {kind} {quoted(name)}{did_you_mean(name, names)}",
                hint=f"it has {listed(names)}" if names else f"it has no {kind}s: name none",
            )
            for name in wanted
            if name not in names
        ]
    )
