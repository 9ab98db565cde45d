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

    Where a lock has several versions of a project, the newest that fits all who ask for it is
    taken; who asks depends on the versions of others. So it is gone over until nothing changes.

    :param edges_of: what a node asks for, with extras of it; only what is for the target.
    :raises Unlocked: nothing in the lock fits.
    """
    candidates: dict[NormalizedName, list[N]] = {}
    for node in nodes:
        candidates.setdefault(node.name, []).append(node)
    chosen: dict[NormalizedName, N] = {}
    for _ in range(len(candidates) + 2):
        asked = _walk(roots, candidates, edges_of, chosen)
        better = {name: _best(candidates, edges) for name, edges in asked.items()}
        if better == chosen:
            break
        chosen = better
    return list(chosen.values())


def _walk(
    roots: Sequence[Edge[N]],
    candidates: Mapping[NormalizedName, Sequence[N]],
    edges_of: Callable[[N, frozenset[NormalizedName]], Iterable[Edge[N]]],
    chosen: Mapping[NormalizedName, N],
) -> dict[NormalizedName, list[Edge[N]]]:
    """All edges by where they lead to, going by what was *chosen* before."""
    asked: dict[NormalizedName, list[Edge[N]]] = {}
    extras: dict[NormalizedName, frozenset[NormalizedName]] = {}
    queue = deque(roots)
    while queue:
        edge = queue.popleft()
        asked.setdefault(edge.name, []).append(edge)
        wanted = extras.get(edge.name, frozenset()) | edge.extras
        if edge.name in extras and wanted == extras[edge.name]:
            continue
        extras[edge.name] = wanted
        node = chosen.get(edge.name) or _best(candidates, [edge])
        queue.extend(edges_of(node, wanted))
    return asked


def _best(candidates: Mapping[NormalizedName, Sequence[N]], edges: Sequence[Edge[N]]) -> N:
    """The newest that fits *edges*, which lead to one project."""
    nodes = candidates.get(edges[0].name, ())
    if len(nodes) > 1:  # one alone is right: overrides may contradict what others ask for
        nodes = [node for node in nodes if all(edge.fits(node) for edge in edges)]
    if not nodes:
        raise Unlocked(edges[0].name, edges[0].by)
    return max(nodes, key=lambda node: node.version)
