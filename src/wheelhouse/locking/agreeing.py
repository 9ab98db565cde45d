"""Whether all that was chosen is made for one CUDA; if not, resolving again for what would be.

Packages of another CUDA are shown as if they were not there, lines that lead to them may have any
version, and those that name the other CUDA name this one. What then is chosen, would do.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from wheelhouse.alignment.findings import Alignment, requested
from wheelhouse.alignment.frameworks import renumbered
from wheelhouse.alignment.statements import may_be_for
from wheelhouse.alignment.telling import Way, as_error
from wheelhouse.errors import InterruptedRunError, LockError, WheelhouseError, raise_all
from wheelhouse.locking.edges import edges_of
from wheelhouse.locking.model import Lock, LockedPackage
from wheelhouse.locking.resolver import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.alignment.statements import Statement
    from wheelhouse.config import Project
    from wheelhouse.inputs.model import Asked, Requirements
    from wheelhouse.locking.resolver import Pin
    from wheelhouse.locking.view import View
    from wheelhouse.targets import Target

#: For how many seconds it is tried to find out what would agree on one CUDA.
SECONDS = 20.0


def alignment_of(lock: Lock, target: Target, project: Project) -> Alignment:
    """*lock*, held against the CUDA of *target* as far as the settings of its packages say so."""
    return Alignment(lock, target, lambda name: project.settings(name).cuda is False)


def disagreements(lock: Lock, target: Target, project: Project) -> list[LockError]:
    """What in *lock* is not made for one CUDA, or not for that of *target*."""
    alignment = alignment_of(lock, target, project)
    return [as_error(alignment, each, {}) for each in alignment.conflicts()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trying:
    """What it takes to resolve again.

    :ivar view: of the indexes; *requirements*: what was chosen for.
    :ivar workspace: gives an empty folder for each time.
    :ivar check: called time and again; what it raises ends everything.
    """

    view: View
    requirements: Requirements
    workspace: Callable[[], AbstractContextManager[Path]]
    check: Callable[[], None]


def require_agreement(alignment: Alignment, trying: Trying) -> None:
    """Refuse what was chosen if it does not agree, and say what would.

    :raises LockError: for each package that is made for another CUDA than it should be.
    """
    conflicts = alignment.conflicts()
    until = time.monotonic() + SECONDS

    def check() -> None:
        trying.check()
        if time.monotonic() > until:
            raise LockError("finding out what would agree has taken too long")

    bounded = replace(trying, check=check)
    errors = []
    for each in conflicts:
        found = {
            major: _way(alignment, sides, major, bounded) for major, sides in each.ways.items()
        }
        errors.append(as_error(alignment, each, found))
    raise_all(errors)


def _way(
    alignment: Alignment, sides: Sequence[Statement], major: int, trying: Trying
) -> Way | None:
    """Which lines would have to ask for what, so that *sides* are made for CUDA *major*.

    First the nearest line of each is changed, then every one that leads to them.
    """
    nearest = _lines(alignment, sides, trying.requirements, nearest=True)
    every = _lines(alignment, sides, trying.requirements)
    for lines in (nearest, every) if len(every) > len(nearest) else (every,):
        if all(line.closed or line.direct is not None for line in lines):
            continue
        try:
            found = _changing(alignment, sides, major, trying, lines)
        except InterruptedRunError:
            raise
        except WheelhouseError:
            continue
        if found is not None:
            return found
    return None


def _changing(
    alignment: Alignment,
    sides: Sequence[Statement],
    major: int,
    trying: Trying,
    lines: Sequence[Asked],
) -> Way | None:
    """What *lines* would have to ask for, if changing them is enough.

    :raises WheelhouseError: there is no choice, or it takes too long.
    """
    changed = {
        id(line): _changed(line, major) for line in lines if not line.closed and line.direct is None
    }
    asked = tuple(changed.get(id(line), line) for line in trying.requirements.asked)
    requirements = replace(trying.requirements, asked=asked)
    chosen = _chosen(alignment, major, replace(trying, requirements=requirements))
    if chosen is None or any(_is_mute(side.name, chosen) for side in sides):
        return None
    told = []
    for line in lines:
        new = changed.get(id(line), line)
        package = chosen.graph.packages.get(new.name)
        if package is not None and _is_other(alignment, new, line, package.version):
            told.append((f"{requested(str(new.requirement))} {package.version}", line.origin))
    return Way(lines=told) if told else None


def _is_mute(name: NormalizedName, chosen: Alignment) -> bool:
    """Whether a version of *name* was chosen that does not say what it is made for.

    That may be one of before its metadata told it.
    """
    return name in chosen.graph.packages and name not in chosen.made_for


def _lines(
    alignment: Alignment,
    sides: Sequence[Statement],
    requirements: Requirements,
    *,
    nearest: bool = False,
) -> list[Asked]:
    """The lines that lead to *sides*, or only the *nearest* to each."""
    found = []
    for side in sides:
        chains = [*islice(alignment.graph.chains(side.name), 1 if nearest else None)]
        found += [(chain.needs[0].package.name, chain.origin) for chain in chains]
    return [line for line in requirements.asked if (line.name, line.origin) in found]


def _changed(line: Asked, major: int) -> Asked:
    """*line* in any version, for CUDA *major* if it names another."""
    plain = requested(str(line.requirement))
    return replace(
        line, requirement=Requirement(renumbered(plain, major) or plain), hashes=frozenset()
    )


def _is_other(alignment: Alignment, new: Asked, line: Asked, version: Version) -> bool:
    """Whether *new*, for which *version* was chosen, is not what is locked for *line*."""
    present = alignment.graph.packages.get(new.name)
    extras = new.requirement.extras != line.requirement.extras
    return extras or present is None or present.version != version


def _chosen(alignment: Alignment, major: int, trying: Trying) -> Alignment | None:
    """What is chosen if there is nothing for other CUDAs than *major*; None if that does not do.

    :raises WheelhouseError: there is no choice, or it takes too long.
    """
    counting = {each.name for each in alignment.counting}
    exempt = {each.name for each in alignment.lock.packages} - counting
    arch = alignment.target.arch

    def exists(name: NormalizedName, version: Version) -> bool:
        return name in exempt or may_be_for(major, name, version, arch)

    requirements = trying.requirements
    view = trying.view.rehearsal(any_hash=True, exists=exists)
    with trying.workspace() as folder:
        pins = resolve(
            view,
            view.interpreter,
            [str(each.requirement) for each in requirements.asked],
            folder=folder,
            constraints=[str(each.requirement) for each in requirements.constraints],
            preferences={each.name: each.version for each in alignment.lock.packages},
            prereleases=requirements.prereleases,
            check=trying.check,
        )
    # What is only taken to do must not be told to do.
    if any((pin.name, pin.version) in view.guessed for pin in pins):
        return None
    packages = _packages(pins, view, requirements)
    asked = tuple(str(each.requirement) for each in requirements.asked)
    found = alignment.of_another(replace(alignment.lock, packages=packages, requested=asked))
    return None if found.conflicts() else found


def _packages(
    pins: Sequence[Pin], view: View, requirements: Requirements
) -> tuple[LockedPackage, ...]:
    edges = edges_of(pins, view, view.interpreter, requirements)
    return tuple(
        LockedPackage(
            name=pin.name,
            version=pin.version,
            required_by=edges.required_by[pin.name],
            requires=edges.requires[pin.name],
        )
        for pin in pins
    )
