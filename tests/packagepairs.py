"""Things and the packages that have them, as people who make packages know it, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from wheelhouse.missing import Kind, Missing

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parent / "data"
RELEASES = {"debian11": 0, "debian12": 1, "debian13": 2}


def pairs(release: str) -> Iterator[tuple[Missing, frozenset[str]]]:
    """Each thing of ``packages-debian.txt``, and its packages, any of which is right.

    ``-`` stands for no package.
    """
    for line in (DATA / "packages-debian.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            kind, name, *packages = line.split()
            right = packages[0] if len(packages) == 1 else packages[RELEASES[release]]
            yield Missing(cast("Kind", kind), name), frozenset(right.split("|"))


def is_right(packages: tuple[str, ...], right: frozenset[str]) -> bool:
    """Whether the first of *packages* is one of the *right* ones."""
    return packages[0] in right if packages else "-" in right
