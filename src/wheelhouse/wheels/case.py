"""What every rule looks at: a wheel in its surroundings. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wheelhouse.wheels.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.targets import Interpreter, Target
    from wheelhouse.wheels.archive import Wheel
    from wheelhouse.wheels.elf import Binary
    from wheelhouse.wheels.findings import Level, Origin, Rule
    from wheelhouse.wheels.sharing import Library


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A wheel in its surroundings: all that a rule may look at.

    :ivar provided: the libraries of the house (:func:`wheels.sharing.libraries_of`).
    :ivar system: further sonames that the target is known to have.
    :ivar any_cuda: whether it may be made for another CUDA than the target's.
    :ivar asks: which projects each of the house requires (:func:`wheels.sharing.who_asks`).
    """

    wheel: Wheel
    target: Target
    interpreter: Interpreter
    provided: Mapping[str, Sequence[Library]]
    system: Collection[str]
    origin: Origin
    any_cuda: bool = False
    asks: Mapping[NormalizedName, Collection[NormalizedName]] = field(default_factory=dict)

    @property
    def binaries(self) -> Iterator[Binary]:
        """What this target's loader could load; a wheel may carry other machines' files as data."""
        for binary in self.wheel.binaries:
            if binary.machine == self.target.arch and binary.is_loadable:
                yield binary

    @property
    def own_sonames(self) -> frozenset[str]:
        """The libraries that the wheel has for this target."""
        return frozenset(sonames(self.wheel, self.target.arch))

    @property
    def available(self) -> frozenset[str]:
        """The libraries of the house that it may count on.

        A wheel that was built here was made for what is provided there. Others know their
        neighbours: whatever one of those has, they may have found a way to.
        """
        return frozenset(
            name
            for name, libraries in self.provided.items()
            if self.origin == "fetched" or libraries[0].is_provided
        )

    def find(
        self,
        rule: Rule,
        message: str,
        *,
        member: str | None = None,
        level: Level = "error",
        hint: str | None = None,
    ) -> Finding:
        """A finding about this wheel."""
        return Finding(
            wheel=self.wheel.filename,
            member=member,
            rule=rule,
            level=level,
            message=message,
            hint=hint,
        )

    def way_out(self, when_built: str) -> str:
        """The hint for a wheel that was built here, or that for a fetched one."""
        if self.origin == "built":
            return when_built
        return f'Build it from source: [packages.{self.wheel.name}] source = "sdist".'


def sonames(wheel: Wheel, arch: str) -> Iterator[str]:
    """What the libraries in *wheel* for *arch* can be asked for by."""
    for binary in wheel.binaries:
        if binary.machine == arch and binary.kind == "ET_DYN":
            yield from names_of(binary)


def names_of(binary: Binary) -> Iterator[str]:
    """What the library *binary* can be asked for by."""
    yield posixpath.basename(binary.member)
    if binary.soname:
        yield binary.soname


def and_others(members: Sequence[object]) -> str:
    """A clause on those of *members* that a message does not name: all but the first."""
    more = len(members) - 1
    return f" (and so for {more} other file{'s' if more > 1 else ''})" if more else ""
