"""Following a lock that holds a graph, and does not say itself which part is for whom. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from packaging.utils import NormalizedName
    from packaging.version import Version


#: Why something that was not reached is not for a target.
NOT_ASKED_FOR = "nothing that is wanted there depends on it"


class Node(Protocol):
    """A version of a project in a lock."""

    @property
    def name(self) -> NormalizedName:
        """The project's normalised name."""

    @property
    def version(self) -> Version:
        """Which of them it is."""


N = TypeVar("N", bound=Node)


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge(Generic[N]):
    """One project asking for another.

    :ivar by: who asks, in words.
    :ivar fits: which of the versions in the lock will do.
    """

    name: NormalizedName
    extras: frozenset[NormalizedName]
    by: str
    fits: Callable[[N], bool]


class Unlocked(Exception):  # noqa: N818  (it is caught where the file is known, and told as an error)
    """A lock lacks something that is asked for.

    :ivar name: of the project.
    :ivar by: who asks for it.
    """

    def __init__(self, name: NormalizedName, by: str) -> None:
        super().__init__(f"{name}, for {by}")
        self.name = name
        self.by = by


def reachable(
    roots: Sequence[Edge[N]],
    nodes: Iterable[N],
    edges_of: Callable[[N, frozenset[NormalizedName]], Iterable[Edge[N]]],
) -> list[N]:
    """Those *nodes*, one of each project, that *roots* lead to.

    Each fits all who ask for it. Most projects are in a lock once; where there are several
    versions, the newest is tried first, then others.

    :param edges_of: what a node asks for, with extras of it; only what is for the target.
    :raises Unlocked: nothing in the lock fits.
    """
    candidates: dict[NormalizedName, list[N]] = {}
    for node in sorted(nodes, key=lambda node: node.version, reverse=True):
        candidates.setdefault(node.name, []).append(node)
    search = _Search(roots=roots, candidates=candidates, edges_of=edges_of)
    return list(search.with_chosen({}).values())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Search(Generic[N]):
    """What does not change while versions are tried: see :func:`reachable`."""

    roots: Sequence[Edge[N]]
    candidates: Mapping[NormalizedName, Sequence[N]]
    edges_of: Callable[[N, frozenset[NormalizedName]], Iterable[Edge[N]]]

    def with_chosen(self, chosen: Mapping[NormalizedName, N]) -> dict[NormalizedName, N]:
        """All that is reached, if those are *chosen* of their projects. Raises Unlocked."""
        asked, found = self._walk(chosen)
        undecided = next((name for name in asked if name not in found), None)
        if undecided is None:
            return found
        failed: Unlocked | None = None
        for node in self._fitting(asked[undecided], chosen):
            try:
                return self.with_chosen({**chosen, undecided: node})
            except Unlocked as error:
                failed = failed or error  # that of the newest says most
        assert failed is not None  # the walk has found some that fit
        raise failed

    def _walk(
        self, chosen: Mapping[NormalizedName, N]
    ) -> tuple[dict[NormalizedName, list[Edge[N]]], dict[NormalizedName, N]]:
        """All edges by where they lead to, and what is reached without a choice."""
        asked: dict[NormalizedName, list[Edge[N]]] = {}
        found: dict[NormalizedName, N] = {}
        extras: dict[NormalizedName, frozenset[NormalizedName]] = {}
        queue = deque(self.roots)
        while queue:
            edge = queue.popleft()
            edges = asked.setdefault(edge.name, [])
            edges.append(edge)
            nodes = self._fitting(edges, chosen)
            if not nodes:
                raise Unlocked(edge.name, edge.by)
            wanted = extras.get(edge.name, frozenset()) | edge.extras
            is_known = edge.name in found and wanted == extras[edge.name]
            extras[edge.name] = wanted
            if len(nodes) == 1 and not is_known:
                found[edge.name] = nodes[0]
                queue.extend(self.edges_of(nodes[0], wanted))
        return asked, found

    def _fitting(self, edges: Sequence[Edge[N]], chosen: Mapping[NormalizedName, N]) -> Sequence[N]:
        """Those that fit *edges*, which lead to one project."""
        name = edges[0].name
        nodes = (chosen[name],) if name in chosen else self.candidates.get(name, ())
        return [node for node in nodes if all(edge.fits(node) for edge in edges)]
