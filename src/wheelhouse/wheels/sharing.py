"""The shared libraries that the wheels of a house have for each other. Pure.

A wheel that has a library is its *provider*, one that needs it a *consumer*. What counts as
provided is said here, once: for repair, which leaves such a library where it is, and for the gate.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelhouse import cuda
from wheelhouse.wheels import policy
from wheelhouse.wheels.case import names_of
from wheelhouse.wheels.layout import installed_as

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.targets import Target
    from wheelhouse.wheels.archive import Wheel
    from wheelhouse.wheels.elf import Binary


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """A shared library in a wheel of the house.

    :ivar name: what it can be asked for by: its soname, or its file's name.
    :ivar wheel: the file name of its wheel.
    :ivar project: that of its wheel.
    :ivar member: its path in the wheel.
    :ivar folder: where it is once it is installed, from site-packages on; None if elsewhere.
    :ivar defines: the symbol versions that it has.
    :ivar is_provided: whether other wheels may rely on it; see :func:`is_provided`.
    """

    name: str
    wheel: str
    project: NormalizedName
    member: str
    folder: str | None
    defines: tuple[str, ...] = ()
    is_provided: bool = True


def libraries_of(wheels: Iterable[Wheel], target: Target) -> dict[str, tuple[Library, ...]]:
    """All shared libraries in *wheels* for *target*, by every name they can be asked for by.

    Of those with one name the first is the one that is meant, where nothing else tells: one that
    is provided, by the project that NVIDIA publishes it in if it is one of CUDA's, else by the
    first one by name.
    """
    found: defaultdict[str, list[Library]] = defaultdict(list)
    for wheel in wheels:
        for binary in wheel.binaries:
            if binary.machine == target.arch and binary.kind == "ET_DYN":
                for library in _libraries(wheel, binary):
                    found[library.name].append(library)
    return {name: tuple(sorted(found[name], key=_rank)) for name in sorted(found)}


def meant_for(libraries: Sequence[Library], required: Container[NormalizedName]) -> Library | None:
    """The one of *libraries*, in the order of :func:`libraries_of`, that a consumer is to use.

    That is one of a wheel that it requires already, if there is such a one; None if none of them is
    provided.

    :param required: the projects that the consumer requires; see :func:`all_required`.
    """
    provided = [each for each in libraries if each.is_provided]
    return next((each for each in provided if each.project in required), (*provided, None)[0])


def who_asks(
    required_by: Mapping[NormalizedName, Iterable[str]],
) -> dict[NormalizedName, list[NormalizedName]]:
    """By project, the projects that it requires itself.

    :param required_by: by project, who asks for it, as lock and manifest have it: for the target,
        with the extras that are wanted. What is none of these projects is a line of a file.
    """
    asks: dict[NormalizedName, list[NormalizedName]] = {name: [] for name in required_by}
    for project, names in required_by.items():
        for name in asks.keys() & names:
            asks[name].append(project)
    return asks


def all_required(
    name: NormalizedName, asks: Mapping[NormalizedName, Iterable[NormalizedName]]
) -> frozenset[NormalizedName]:
    """All that the project *name* requires, and what these require in turn.

    :param asks: see :func:`who_asks`.
    """
    found: set[NormalizedName] = set()
    waiting = [name]
    while waiting:
        new = {*asks.get(waiting.pop(), ())} - found
        found |= new
        waiting += new
    return frozenset(found)


def provided_sonames(wheels: Iterable[Wheel], target: Target) -> dict[str, str]:
    """Which wheel provides which shared library for *target*: file names, by sonames."""
    found = libraries_of(wheels, target)
    return {name: each[0].wheel for name, each in found.items() if each[0].is_provided}


def is_provided(binary: Binary) -> bool:
    """Whether *binary* is a library for other wheels to use.

    It is one that they can name and reach: a library that is called as it says itself, in
    site-packages. It is none if it is an extension module, a private copy that repair has put into
    `NAME.libs`, or part of a compiler: every wheel has what it needs of those from the system, or
    brings it along, and must not come to depend on PyTorch because that does so, too.
    """
    place = installed_as(binary.member)
    name = posixpath.basename(place)
    return (
        binary.soname == name
        and not binary.initializes
        and binary.interpreter is None
        and not is_private(place)
        and not policy.is_of_compiler(name)
    )


def is_private(place: str) -> bool:
    """Whether a file is none that other wheels can reach, or one that is a wheel's own copy.

    :param place: its path from site-packages on; empty if it is installed elsewhere.
    """
    return not place or any(part.endswith(".libs") for part in place.split("/")[:-1])


def _libraries(wheel: Wheel, binary: Binary) -> Iterator[Library]:
    place = installed_as(binary.member)
    for name in dict.fromkeys(names_of(binary)):
        yield Library(
            name=name,
            wheel=wheel.filename,
            project=wheel.name,
            member=binary.member,
            folder=posixpath.dirname(place) if place else None,
            defines=binary.defines,
            is_provided=is_provided(binary),
        )


def _rank(library: Library) -> tuple[bool, bool, str, str, str]:
    known = cuda.library(library.name)
    is_nvidias = known is not None and library.project in known.projects.values()
    return (
        not library.is_provided,
        not is_nvidias,
        library.project,
        library.wheel,
        library.member,
    )
