"""What is for a target of a `poetry.lock` that does not say it: locks before lock-version 2.1.

There Poetry resolves the project's dependencies anew, from the lock alone, for the environment
that it installs into.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from wheelhouse.errors import ConfigError
from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.lockgraph import NOT_ASKED_FOR, Edge, Unlocked, reachable
from wheelhouse.inputs.poetrydependency import allows_python, dependencies, extras_of
from wheelhouse.inputs.tomllock import table
from wheelhouse.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from packaging.utils import NormalizedName

    from wheelhouse.inputs.lockentries import Entry, LockFile
    from wheelhouse.inputs.model import Direct, Selection
    from wheelhouse.inputs.poetrydependency import Dependency
    from wheelhouse.inputs.poetryproject import PoetryProject

#: What Poetry before 1.2 had in no lock, since every virtual environment had them.
_TAKEN_FOR_GRANTED = {"setuptools", "distribute", "pip", "wheel"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PoetryNode:
    """An entry with what it depends on.

    :ivar python: Poetry's constraint on the Python.
    :ivar reference: the name of the index that it comes from; empty for the public one.
    :ivar extras: by extra, which dependencies it makes wanted.
    """

    entry: Entry
    version: Version
    python: str
    reference: str
    dependencies: tuple[Dependency, ...]
    extras: Mapping[str, frozenset[NormalizedName]]

    @property
    def name(self) -> NormalizedName:
        """The project's normalised name."""
        return self.entry.name


def read_version(data: Mapping[str, Any]) -> Version:
    """The version of the entry *data*. Raises Unusable."""
    said = str(data.get("version", ""))
    try:
        return Version(said)
    except InvalidVersion:
        raise Unusable(f"has a version that is none: {quoted(said)}") from None


def read_node(entry: Entry, data: Mapping[str, Any]) -> PoetryNode:
    """*entry* with what the lock's table *data* says beyond it. Raises Unusable."""
    source = table(data, "source")
    return PoetryNode(
        entry=entry,
        version=read_version(data),
        python=str(data.get("python-versions", "*")),
        reference=str(source.get("reference", "")) if source.get("type") == "legacy" else "",
        dependencies=tuple(dependencies(table(data, "dependencies"))),
        extras=extras_of(data.get("extras")),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PoetryGraph:
    """Such a lock. It is a :class:`~.model.LockInput`, which raises Unusable, too.

    :ivar itself: the project's own entry, if it is wanted.
    """

    file: LockFile
    project: PoetryProject
    nodes: tuple[PoetryNode, ...]
    itself: tuple[Entry, ...]
    extras: frozenset[str]
    groups: frozenset[str]

    @property
    def directs(self) -> tuple[Direct, ...]:
        """All that it takes from elsewhere than an index, for whichever target."""
        entries = [*(node.entry for node in self.nodes), *self.itself]
        return tuple(dict.fromkeys(each.direct for each in entries if each.direct is not None))

    def select(self, environment: Mapping[str, str]) -> Selection:
        """What of it is for a target with the marker *environment*.

        :raises ConfigError: something is not in it, or an entry cannot be used.
        :raises Unusable: a constraint cannot be read.
        """
        nodes = [node for node in self.nodes if allows_python(node.python, environment)]
        names = {node.name for node in self.nodes}
        roots = self._edges(
            self.project.dependencies(self.groups, self.extras),
            "pyproject.toml",
            self.extras,
            environment,
        )

        def edges_of(
            node: PoetryNode, extras: frozenset[NormalizedName]
        ) -> Iterator[Edge[PoetryNode]]:
            wanted = {name for extra in extras for name in node.extras.get(extra, ())}
            asked = (each for each in node.dependencies if not each.optional or each.name in wanted)
            for edge in self._edges(asked, str(node.entry), extras, environment):
                if edge.name in names or edge.name not in _TAKEN_FOR_GRANTED:
                    yield edge

        try:
            chosen = reachable(list(roots), nodes, edges_of)
        except Unlocked as error:
            raise ConfigError(
                f"{self.file.path}: has no {error.name} for Python "
                f"{environment['python_full_version']} that {error.by} may have",
                hint=f"run `{self.file.renew}`",
            ) from error
        return self.file.selection(
            [*(node.entry for node in self.nodes if node in chosen), *self.itself],
            [(node.entry, NOT_ASKED_FOR) for node in self.nodes if node not in chosen],
            environment,
        )

    def _edges(
        self,
        asked: Iterable[Dependency],
        by: str,
        extras: frozenset[str],
        environment: Mapping[str, str],
    ) -> Iterator[Edge[PoetryNode]]:
        for each in asked:
            if each.is_for(environment) and self.file.holds(each.marker, environment, extras):
                yield Edge(name=each.name, extras=each.extras, by=by, fits=_fitting(each))


def _fitting(dependency: Dependency) -> Callable[[PoetryNode], bool]:
    def fits(node: PoetryNode) -> bool:
        elsewhere = node.entry.direct is not None
        return dependency.fits(node.version, node.reference, elsewhere=elsewhere)

    return fits
