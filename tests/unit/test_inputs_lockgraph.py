"""Choosing from a lock that holds a graph: see :mod:`wheelhouse.inputs.lockgraph`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse.inputs.lockgraph import Edge, Unlocked, reachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True)
class Locked:
    """An entry, with what it depends on, also for extras."""

    name: NormalizedName
    version: Version
    needs: tuple[str, ...]

    def edges(self, extras: frozenset[NormalizedName]) -> Iterator[Edge[Locked]]:
        for need in self.needs:
            requirement = Requirement(need)
            marker = requirement.marker
            wanted = [""] if marker is None else sorted(extras)
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in wanted):
                yield edge(requirement, f"{self.name} {self.version}")


def edge(requirement: Requirement, by: str) -> Edge[Locked]:
    return Edge(
        name=canonicalize_name(requirement.name),
        extras=frozenset(canonicalize_name(extra) for extra in requirement.extras),
        by=by,
        fits=_within(requirement),
    )


def _within(requirement: Requirement) -> Callable[[Locked], bool]:
    return lambda node: node.version in requirement.specifier


def locked(pin: str, *needs: str) -> Locked:
    name, _, version = pin.partition(" ")
    return Locked(name=canonicalize_name(name), version=Version(version), needs=needs)


def chosen(wanted: Iterable[str], *nodes: Locked) -> set[str]:
    roots = [edge(Requirement(each), "the project") for each in wanted]
    found = reachable(roots, nodes, Locked.edges)
    return {f"{node.name} {node.version}" for node in found}


def test_only_what_is_reached_is_chosen() -> None:
    lock = [locked("a 1", "b"), locked("b 1", "a"), locked("c 1", "b")]
    assert chosen(["a"], *lock) == {"a 1", "b 1"}
    assert chosen([], *lock) == set()


def test_extras_may_come_from_several_and_late() -> None:
    lock = [
        locked("a 1", "b[x]", "c"),
        locked("b 1", "d; extra == 'x'", "e; extra == 'y'"),
        locked("c 1", "b[y]"),
        locked("d 1"),
        locked("e 1"),
    ]
    assert chosen(["b"], *lock) == {"b 1"}
    assert chosen(["a"], *lock) == {"a 1", "b 1", "c 1", "d 1", "e 1"}


def test_an_older_version_is_taken_where_only_that_fits() -> None:
    lock = [
        locked("pandas 3.1", "numpy>=2"),
        locked("pandas 3.0", "numpy>=1"),
        locked("numpy 1.26"),
    ]
    assert chosen(["numpy<2", "pandas"], *lock) == {"pandas 3.0", "numpy 1.26"}
    assert chosen(["pandas"], *lock) == {"pandas 3.0", "numpy 1.26"}
    assert chosen(["pandas"], *lock, locked("numpy 2.0")) == {"pandas 3.1", "numpy 2.0"}


def test_choices_are_taken_back_together() -> None:
    lock = [
        locked("a 2", "c>=2"),
        locked("a 1", "c<2"),
        locked("b 2", "c>=2", "d"),
        locked("b 1", "c<2"),
        locked("c 2", "gone"),
        locked("c 1"),
        locked("d 1"),
    ]
    assert chosen(["a", "b"], *lock) == {"a 1", "b 1", "c 1"}


def test_what_nothing_fits_is_told_with_who_asks() -> None:
    with pytest.raises(Unlocked) as told:
        chosen(["a"], locked("a 1", "b>=2"), locked("b 1"))
    assert (told.value.name, told.value.by) == ("b", "a 1")
    with pytest.raises(Unlocked) as told:
        chosen(["a"])
    assert (told.value.name, told.value.by) == ("a", "the project")
    with pytest.raises(Unlocked) as told:
        chosen(["a"], locked("a 2", "b>=3"), locked("a 1", "b>=2"), locked("b 1"))
    assert told.value.by == "a 2"
