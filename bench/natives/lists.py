"""The lists of packages, and the targets they are built for.

A line of a list is a requirement and, after it, words:

    PyYAML==5.4.1  sdist
    pycrypto==2.6.1  sdist  cannot:debian12,debian13
    # a comment

`sdist`: its wheels, if there are any, are not used (`source = "sdist"`, the only setting that a
project of ours gets). `cannot:TARGET,…`: no set of build requirements and system packages builds
it there. It is tried for its message, and does not count in the share.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

HERE = Path(__file__).parent

#: The lists, in the order in which they are run.
LISTS = ("current", "old")

#: Each target's keys in `wheelhouse.toml`. The third is built on the portable builder.
TARGETS: dict[str, dict[str, str]] = {
    "debian12": {"platform": "debian12", "python": "3.11"},
    "debian13": {"platform": "debian13", "python": "3.13"},
    "portable": {"platform": "amazonlinux2023", "python": "3.11", "builder": "portable"},
    "debian11": {"platform": "debian11", "python": "3.9"},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of a list.

    :ivar requirement: as a requirements file has it.
    :ivar sdist: whether its sdist must be built although there are wheels.
    :ivar cannot: the targets for which nothing can build it.
    """

    requirement: str
    sdist: bool = False
    cannot: frozenset[str] = frozenset()

    @property
    def name(self) -> NormalizedName:
        """The package's normalized name."""
        return canonicalize_name(Requirement(self.requirement).name)

    def configuration(self, target: str) -> str:
        """The `wheelhouse.toml` of a project that wants only this, for *target*."""
        lines = [f"[targets.{target}]"]
        lines += [f'{key} = "{value}"' for key, value in TARGETS[target].items()]
        if self.sdist:
            lines += ["", f"[packages.{self.name}]", 'source = "sdist"']
        return "\n".join(lines) + "\n"


def read(name: str) -> list[Entry]:
    """The list *name*. Raises ValueError for a line that cannot be read."""
    lines = (HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [parse(line) for line in lines if line.strip() and not line.startswith("#")]


def parse(line: str) -> Entry:
    """The entry that *line* is. Raises ValueError."""
    requirement, *words = line.split()
    Requirement(requirement)  # raises a ValueError that names it
    sdist, cannot = False, frozenset[str]()
    for word in words:
        if word == "sdist":
            sdist = True
        elif word.startswith("cannot:"):
            cannot = frozenset(word.removeprefix("cannot:").split(","))
        else:
            raise ValueError(f"{line!r}: {word!r} is neither `sdist` nor `cannot:TARGET`")
    if unknown := cannot - TARGETS.keys():
        raise ValueError(f"{line!r}: no such target: {', '.join(sorted(unknown))}")
    return Entry(requirement=requirement, sdist=sdist, cannot=cannot)
