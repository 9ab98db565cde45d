"""What is for a target of a `pdm.lock` that does not say it: one without ``inherit_metadata``.

There PDM resolves the project's dependencies anew, from the lock alone, for the environment that
it installs into.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.markers import InvalidMarker, Marker
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelhouse.errors import ConfigError
from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.lockgraph import NOT_ASKED_FOR, Edge, Unlocked, reachable
from wheelhouse.inputs.pdmproject import read_line
from wheelhouse.inputs.tomllock import strings
from wheelhouse.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from packaging.requirements import Requirement

    from wheelhouse.inputs.lockentries import Entry, LockFile
    from wheelhouse.inputs.model import Direct, Selection


@dataclass(frozen=True, kw_only=True, slots=True)
class PdmPart:
    """An entry with what it depends on. What an extra adds is an entry of its own.

    :ivar extras: what has to be wanted of the project for it.
    :ivar marker: by which the whole of it is for a target.
    """

    entry: Entry
    version: Version
    extras: frozenset[NormalizedName]
    marker: Marker | None
    dependencies: tuple[Requirement, ...]


def read_part(entry: Entry, data: Mapping[str, Any]) -> PdmPart:
    """*entry* with what the lock's table *data* says beyond it. Raises Unusable."""
    said, marker = str(data.get("version", "")), data.get("marker")
    try:
        return PdmPart(
            entry=entry,
            version=Version(said),
            extras=frozenset(canonicalize_name(each) for each in strings(data.get("extras"))),
            marker=Marker(marker) if isinstance(marker, str) and marker else None,
            dependencies=tuple(read_line(line) for line in strings(data.get("dependencies"))),
        )
    except InvalidVersion:
        raise Unusable(f"has a version that is none: {quoted(said)}") from None
    except InvalidMarker as error:
        raise Unusable(f"has a marker that cannot be read: {quoted(str(marker))}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class _Node:
    """All entries of one version of a project."""

    name: NormalizedName
    version: Version
    parts: tuple[PdmPart, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PdmGraph:
    """Such a lock. It is a :class:`~.model.LockInput`.

    :ivar requirements: the project's own, of the groups and extras that are wanted.
    :ivar excluded: the projects that are not installed for others.
    :ivar overridden: the projects of which the version will do whatever is asked for.
    :ivar itself: the project's own entry, if it is wanted.
    """

    file: LockFile
    parts: tuple[PdmPart, ...]
    requirements: tuple[Requirement, ...]
    excluded: frozenset[str]
    overridden: frozenset[str]
    itself: tuple[Entry, ...]

    @property
    def directs(self) -> tuple[Direct, ...]:
        """All that it takes from elsewhere than an index, for whichever target."""
        entries = [*(part.entry for part in self.parts), *self.itself]
        return tuple(dict.fromkeys(each.direct for each in entries if each.direct is not None))

    def select(self, environment: Mapping[str, str]) -> Selection:
        """What of it is for a target with the marker *environment*.

        :raises ConfigError: something is not in it, or an entry cannot be used.
        """

        def edges_of(node: _Node, extras: frozenset[NormalizedName]) -> Iterator[Edge[_Node]]:
            for part in node.parts:
                if part.extras <= extras:
                    kept = (each for each in part.dependencies if not self._excludes(each))
                    yield from self._edges(kept, str(part.entry), environment)

        roots = list(self._edges(self.requirements, "pyproject.toml", environment))
        try:
            nodes = reachable(roots, self._nodes(environment), edges_of)
        except Unlocked as error:
            raise ConfigError(
                f"{self.file.path}: has no {error.name} for the target that {error.by} may have",
                hint=f"run `{self.file.renew}`",
            ) from error
        chosen = {id(part) for node in nodes for part in node.parts}
        return self.file.selection(
            [*(part.entry for part in self.parts if id(part) in chosen), *self.itself],
            [(part.entry, NOT_ASKED_FOR) for part in self.parts if id(part) not in chosen],
            environment,
        )

    def _nodes(self, environment: Mapping[str, str]) -> list[_Node]:
        """The versions that are for a target; of an address each is one of its own."""
        found: dict[tuple[NormalizedName, Version, Direct | None], list[PdmPart]] = {}
        for part in self.parts:
            if self.file.holds(part.marker, environment):
                key = (part.entry.name, part.version, part.entry.direct)
                found.setdefault(key, []).append(part)
        return [
            _Node(name=name, version=version, parts=tuple(parts))
            for (name, version, _), parts in found.items()
        ]

    def _edges(
        self, asked: Iterable[Requirement], by: str, environment: Mapping[str, str]
    ) -> Iterator[Edge[_Node]]:
        for each in asked:
            if self.file.holds(each.marker, environment):
                extras = frozenset(canonicalize_name(extra) for extra in each.extras)
                name = canonicalize_name(each.name)
                fits = _anything if name in self.overridden else _fitting(each)
                yield Edge(name=name, extras=extras, by=by, fits=fits)

    def _excludes(self, requirement: Requirement) -> bool:
        """Whether PDM passes it over. It does not if extras are asked for, or by the project."""
        return not requirement.extras and canonicalize_name(requirement.name) in self.excluded


def _anything(_: _Node) -> bool:
    return True


def _fitting(requirement: Requirement) -> Callable[[_Node], bool]:
    def fits(node: _Node) -> bool:
        if requirement.url is not None:
            return any(part.entry.direct is not None for part in node.parts)
        return requirement.specifier.contains(node.version, prereleases=True)

    return fits
