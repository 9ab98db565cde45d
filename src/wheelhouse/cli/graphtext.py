"""Trees of a lock, and the ways to a package, for a person and for programs. Pure."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement

from wheelhouse.locking.difference import origin
from wheelhouse.locking.graph import Need, build_uses
from wheelhouse.reporting.lines import Span, line
from wheelhouse.text import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.locking.graph import BuildUse, Chain, Graph
    from wheelhouse.locking.model import LockedPackage
    from wheelhouse.reporting.lines import Line

#: How many ways to a package, and how many builds with it, a person is told.
MOST = 20

#: How many of each a program is told: in a dense lock there are more than anybody can use.
MOST_DATA = 1000


# --- trees -------------------------------------------------------------------------------------


def tree_lines(
    graph: Graph,
    *,
    depth: int | None = None,
    of: NormalizedName | None = None,
    bypassed: Collection[str] = (),
    index: str = "",
) -> Iterator[Line]:
    """The tree of a lock: what files ask for, what that needs, and so on.

    :param depth: how many steps from its roots it goes; None: as many as there are.
    :param of: the package whose tree is told the other way round: who needs it.
    :param bypassed: packages that are left to another mechanism.
    :param index: where packages come from if nothing is said.
    """
    tree = _Tree(graph, depth, bypassed, index.rstrip("/"), inverted=of is not None)
    number = counted(len(graph.packages), "package")
    yield line(Span(graph.lock.target, "strong"), Span(f"  {number}", "dim"))
    for name in graph.roots if of is None else (of,):
        yield from tree.of(name)
    if tree.repeated:
        yield line(Span("(*) is shown in full further up", "dim"))


class _Tree:
    """Lays out trees, of which each package's branches are shown once."""

    def __init__(
        self,
        graph: Graph,
        depth: int | None,
        bypassed: Collection[str],
        index: str,
        *,
        inverted: bool,
    ) -> None:
        self._graph = graph
        self._depth = depth
        self._bypassed = bypassed
        self._index = index
        self._inverted = inverted
        self._shown: set[NormalizedName] = set()
        self.repeated = False

    def of(self, name: NormalizedName) -> Iterator[Line]:
        """The lines of the tree that begins with *name*."""
        requirement = "" if self._inverted else self._graph.asked(name)
        origins = () if self._inverted else self._graph.origins[name]
        need = Need(package=self._graph.packages[name], requirement=requirement)
        yield self._row("", need, ", ".join(origins))
        yield from self._below(name, "", 1)

    def _below(self, name: NormalizedName, margin: str, depth: int) -> Iterator[Line]:
        if name in self._shown or (self._depth is not None and depth > self._depth):
            return
        self._shown.add(name)
        needs, origins = self._branches(name), self._leaves(name)
        for left, need in enumerate(needs, 1 - len(needs) - len(origins)):
            yield self._row(margin + ("├── " if left else "└── "), need)
            further = margin + ("│   " if left else "    ")
            yield from self._below(need.package.name, further, depth + 1)
        for left, origin_ in enumerate(origins, 1 - len(origins)):
            row = Span(margin + ("├── " if left else "└── "), "dim")
            yield line(row, origin_, Span(f"  {self._graph.asked(name)}", "dim"))

    def _branches(self, name: NormalizedName) -> Sequence[Need]:
        if not self._inverted:
            return self._graph.needs(name)
        requirers = self._graph.requirers(name)
        return [Need(package=each, requirement=self._limits(each.name, name)) for each in requirers]

    def _limits(self, asking: NormalizedName, name: NormalizedName) -> str:
        """By which requirement *asking* needs *name*, if that says more than the name."""
        requirement = self._graph.requirement(asking, name)
        return "" if requirement == name else requirement

    def _leaves(self, name: NormalizedName) -> Sequence[str]:
        """The lines of files that ask for a package, in a tree of who does."""
        return self._graph.origins.get(name, ()) if self._inverted else ()

    def _again(self, name: NormalizedName) -> bool:
        """Whether there is something below *name*, which was shown already."""
        again = name in self._shown and bool(self._branches(name) or self._leaves(name))
        self.repeated |= again
        return again

    def _row(self, row: str, need: Need, origins: str = "") -> Line:
        package = need.package
        marks = "".join(f"  {mark}" for mark in self._marks(package))
        wanted = _without_name(need.requirement, package.name)
        return line(
            Span(row, "dim"),
            Span(package.name, "plain" if row else "strong"),
            f" {package.version}",
            Span(f"  {wanted}" if wanted else "", "dim"),
            Span(f"  {origins}" if origins else "", "dim"),
            Span(marks, "warn"),
            Span("  (*)" if self._again(package.name) else "", "dim"),
        )

    def _marks(self, package: LockedPackage) -> Iterator[str]:
        """What is out of the ordinary with *package*."""
        if package.name in self._bypassed:
            yield "not in the wheelhouse"
        elif not package.wheels:
            yield "built"
        if package.yanked is not None:
            yield "yanked"
        if (place := origin(package)) and place != self._index:
            yield f"from {place}"


def _without_name(requirement: str, name: NormalizedName) -> str:
    """*requirement* as far as the package's own *name* does not say it: ``[extra]>=1``.

    That of another package, and several at once, stay whole.
    """
    try:
        found = Requirement(requirement)
    except InvalidRequirement:
        return requirement
    if found.name.replace("_", "-").replace(".", "-").lower() != name:
        return requirement
    extras = f"[{','.join(sorted(found.extras))}]" if found.extras else ""
    marker = f"; {found.marker}" if found.marker else ""
    return f"{extras}{found.specifier}{marker}"


def tree_data(
    graph: Graph, *, depth: int | None = None, of: NormalizedName | None = None
) -> dict[str, Any]:
    """The same as JSON has it: the roots' names, and by name all packages that are in the tree."""
    roots = (of,) if of is not None else graph.roots
    return {
        "target": graph.lock.target,
        "roots": list(roots),
        "packages": {
            name: _package_data(graph, name)
            for name in _within(graph, roots, depth, of is not None)
        },
    }


def _within(
    graph: Graph, roots: Iterable[NormalizedName], depth: int | None, inverted: bool
) -> list[NormalizedName]:
    """The packages that are at most *depth* steps from *roots*."""

    def near(name: NormalizedName) -> Iterable[LockedPackage]:
        if inverted:
            return graph.requirers(name)
        return (need.package for need in graph.needs(name))

    found = set(roots)
    newest, steps = set(found), 0
    while newest and (depth is None or steps < depth):
        newest = {each.name for name in newest for each in near(name)} - found
        found |= newest
        steps += 1
    return sorted(found)


def _package_data(graph: Graph, name: NormalizedName) -> dict[str, Any]:
    package = graph.packages[name]
    return {
        "version": str(package.version),
        "asked_for_by": list(graph.origins.get(name, ())),
        "required_by": [each.name for each in graph.requirers(name)],
        "needs": {need.package.name: need.requirement for need in graph.needs(name)},
        "built": not package.wheels,
        "yanked": package.yanked,
        "origin": origin(package) or None,
    }


# --- why ---------------------------------------------------------------------------------------


def why_lines(graphs: Sequence[Graph], name: NormalizedName) -> Iterator[Line]:
    """Why locks have *name*; those for which it is alike are told of together."""
    told: dict[tuple[Line, ...], list[str]] = {}
    for graph in graphs:
        told.setdefault(tuple(_why(graph, name)), []).append(graph.lock.target)
    lacking = told.pop((), [])
    for number, (lines, targets) in enumerate(told.items()):
        if number:
            yield ()
        yield (*lines[0], Span(f"  for {', '.join(targets)}", "dim"))
        yield from lines[1:]
    if lacking:
        yield line(Span(f"{name} is not locked for {', '.join(lacking)}", "dim"))


def _why(graph: Graph, name: NormalizedName) -> Iterator[Line]:
    """Why one lock has *name*: what has it first, then each way to it; nothing if it has it not."""
    package = graph.packages.get(name)
    uses = list(build_uses(graph.lock, name))
    if package is not None:
        yield line(Span(str(package), "strong"))
        yield from _some(
            [_chain_lines(each) for each in islice(graph.chains(name), MOST + 1)], "ways"
        )
    versions = sorted({use.version for use in uses})
    if uses and package is None:
        yield line(Span(f"{name} {', '.join(versions)}", "strong"), "  only a build requirement")
    elif uses:
        yield line("  also a build requirement")
    yield from _some([[_use_line(each, several=len(versions) > 1)] for each in uses], "builds")


def _some(blocks: Sequence[Iterable[Line]], what: str) -> Iterator[Line]:
    for block in blocks[:MOST]:
        yield from block
    if len(blocks) > MOST:
        yield line(Span(f"  … and more {what}; --json tells them", "dim"))


def _chain_lines(chain: Chain) -> Iterator[Line]:
    yield line(f"  {chain.origin} ", Span("asks for ", "dim"), chain.needs[0].requirement)
    for depth, (asking, need) in enumerate(zip(chain.needs, chain.needs[1:], strict=False), 2):
        yield line("  " * depth, f"{asking.package} ", Span("needs ", "dim"), need.requirement)


def _use_line(use: BuildUse, *, several: bool) -> Line:
    version = f" ({use.version})" if several else ""
    builder = use.through[-1] if use.through else str(use.package)
    through = f", which the build of {use.package} takes" if use.through else ""
    if use.requirement:
        how = (Span("is built with ", "dim"), f"{use.requirement}{version}")
    else:
        how = (Span("has it among its build requirements, for another of them", "dim"), version)
    return line(f"  {builder} ", *how, Span(through, "dim"))


def why_data(graph: Graph, name: NormalizedName) -> dict[str, Any]:
    """The same of one lock as JSON has it."""
    package = graph.packages.get(name)
    chains = graph.chains(name) if package else ()
    return {
        "target": graph.lock.target,
        "version": str(package.version) if package else None,
        "chains": [_chain_data(each) for each in islice(chains, MOST_DATA)],
        "builds": [_use_data(each) for each in islice(build_uses(graph.lock, name), MOST_DATA)],
    }


def _chain_data(chain: Chain) -> dict[str, Any]:
    path = [
        {
            "name": need.package.name,
            "version": str(need.package.version),
            "requirement": need.requirement,
        }
        for need in chain.needs
    ]
    return {"origin": chain.origin, "path": path}


def _use_data(use: BuildUse) -> dict[str, Any]:
    return {
        "package": use.package.name,
        "through": list(use.through),
        "requirement": use.requirement or None,
        "version": use.version,
    }
