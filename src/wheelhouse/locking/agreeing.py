"""Whether all that was chosen is made for one CUDA; if not, choosing again what is, or would be.

Packages of another CUDA are shown as if they were not there. If the user's lines allow what is then
chosen, for the CUDA of the target, that is taken. If not, lines that lead to such packages may have
any version, and those that name the other CUDA name this one: what then is chosen, would do.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wheelhouse.alignment.findings import Alignment, requested
from wheelhouse.alignment.frameworks import renumbered
from wheelhouse.alignment.statements import may_be_for
from wheelhouse.alignment.telling import Way, as_error, chosen_instead, notices
from wheelhouse.errors import InterruptedRunError, LockError, SeveralErrors, WheelhouseError
from wheelhouse.locking.cudareleases import earlier
from wheelhouse.locking.edges import edges_of
from wheelhouse.locking.model import Lock, LockedPackage
from wheelhouse.locking.requiring import extras_in
from wheelhouse.locking.resolver import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.alignment.statements import Statement
    from wheelhouse.config import Project
    from wheelhouse.events import Notice
    from wheelhouse.inputs.model import Asked, Requirements
    from wheelhouse.locking.edges import Edges
    from wheelhouse.locking.resolver import Pin
    from wheelhouse.locking.view import View
    from wheelhouse.targets import Target

#: For how many seconds it is tried to find out what would agree on one CUDA.
SECONDS = 20.0


def disagreements(lock: Lock, target: Target, project: Project) -> list[LockError]:
    """What in *lock* is not made for one CUDA, or not for that of *target*."""
    alignment = Alignment(lock, target, _exempt(project))
    return [as_error(alignment, each, {}) for each in alignment.conflicts()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trying:
    """What it takes to choose again.

    :ivar view: of the indexes; *requirements*: what was chosen for.
    :ivar workspace: gives an empty folder for each time.
    :ivar check: called time and again; what it raises ends everything.
    """

    view: View
    requirements: Requirements
    workspace: Callable[[], AbstractContextManager[Path]]
    check: Callable[[], None]


class Agreement:
    """Sees to it that what is chosen for *target* is made for one CUDA."""

    def __init__(self, target: Target, project: Project, trying: Trying) -> None:
        self._target = target
        self._trying = trying
        self._is_exempt = _exempt(project)
        self._alignment: Alignment | None = None
        self._before: Alignment | None = None

    def preferred(self, pins: Iterable[Pin]) -> Mapping[NormalizedName, Version]:
        """Versions that had better be chosen than those in *pins*, by the target's CUDA."""
        cuda = self._target.cuda
        return earlier(pins, self._trying.view, cuda) if cuda else {}

    def of(self, pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
        """*pins*; or others, if these are not made for the target's CUDA, and others may be chosen.

        :raises LockError: they are not made for one, and no others may be chosen.
        """
        view, requirements = self._trying.view, self._trying.requirements
        alignment = Alignment(
            _lock(pins, view, requirements, self._target.name), self._target, self._is_exempt
        )
        self._alignment, self._before = alignment, None
        if not alignment.conflicts():
            return pins
        if (found := self._others(alignment)) is not None:
            self._alignment, self._before = found.alignment, alignment
            return found.pins
        errors = _refused(alignment, self._trying)
        raise errors[0] if len(errors) == 1 else SeveralErrors(errors)

    def notices(self) -> Iterator[Notice]:
        """What a person should know of what was chosen last."""
        if self._alignment is not None:
            if self._before is not None:
                yield from chosen_instead(self._alignment, self._before)
            yield from notices(self._alignment, _extras_of(self._trying.view))

    def _others(self, alignment: Alignment) -> _Chosen | None:
        """Others for the same lines, all of them made for the target's CUDA."""
        if (cuda := self._target.cuda) is None:
            return None  # which one is to be is not ours to say
        try:
            rehearsed = _choose(alignment, cuda.major, self._trying)
            if rehearsed is None or not rehearsed.guessed:
                return rehearsed
            return _choose(alignment, cuda.major, self._trying, rehearsing=False)
        except InterruptedRunError:
            raise
        except WheelhouseError:
            return None  # as it turns out when what was chosen first is refused


def _exempt(project: Project) -> Callable[[NormalizedName], bool]:
    return lambda name: project.settings(name).cuda is False


def _refused(alignment: Alignment, trying: Trying) -> list[LockError]:
    """The errors of what does not agree, with what would."""
    until = time.monotonic() + SECONDS

    def check() -> None:
        trying.check()
        if time.monotonic() > until:
            raise LockError("finding out what would agree has taken too long")

    bounded = replace(trying, check=check)
    errors = []
    for each in alignment.conflicts():
        found = {
            major: _way(alignment, sides, major, bounded) for major, sides in each.ways.items()
        }
        errors.append(as_error(alignment, each, found, _extras_of(trying.view)))
    return errors


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
    found = _choose(alignment, major, replace(trying, requirements=requirements), any_hash=True)
    if found is None or found.guessed:  # what is only taken to do must not be told to do
        return None
    told = []
    for line in lines:
        new = changed.get(id(line), line)
        package = found.alignment.graph.packages.get(new.name)
        if package is not None and _is_other(alignment, new, line, package.version):
            told.append((f"{requested(str(new.requirement))} {package.version}", line.origin))
    return Way(lines=told) if told else None


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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chosen:
    """What was chosen for one CUDA.

    :ivar guessed: whether it was only taken to do, since a backend would have to tell.
    """

    pins: tuple[Pin, ...]
    alignment: Alignment
    guessed: bool


def _choose(
    alignment: Alignment,
    major: int,
    trying: Trying,
    *,
    rehearsing: bool = True,
    any_hash: bool = False,
) -> _Chosen | None:
    """What is chosen if there is nothing for other CUDAs than *major*; None if that does not do.

    :raises WheelhouseError: there is no choice, or it takes too long.
    """
    counting = {each.name for each in alignment.counting}
    exempt = {each.name for each in alignment.lock.packages} - counting
    arch = alignment.target.arch

    def exists(name: NormalizedName, version: Version) -> bool:
        return name in exempt or may_be_for(major, name, version, arch)

    requirements, view = trying.requirements, trying.view.among(exists)
    if rehearsing:
        view = view.rehearsal(any_hash=any_hash)
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
    lock = _lock(pins, view, requirements, alignment.target.name)
    found = alignment.of_another(lock)
    sides = [each.name for sides in alignment.sides.values() for each in sides]
    if found.conflicts() or any(_is_mute(name, found) for name in sides):
        return None
    if not _have_extras(pins, view, requirements):
        return None
    guessed = any((pin.name, pin.version) in view.guessed for pin in pins)
    return _Chosen(pins=pins, alignment=found, guessed=guessed)


def _extras_of(view: View) -> Callable[[NormalizedName, Version], set[str]]:
    return lambda name, version: extras_in(view.metadata(name, version))


def _have_extras(pins: Iterable[Pin], view: View, requirements: Requirements) -> bool:
    """Whether all that is asked for has the extras that are asked for; those of before may not."""
    versions = {pin.name: pin.version for pin in pins}
    return all(
        extras_in(view.metadata(line.name, versions[line.name]))
        >= set(map(canonicalize_name, line.requirement.extras))
        for line in requirements.asked
        if line.requirement.extras and line.name in versions
    )


def _is_mute(name: NormalizedName, chosen: Alignment) -> bool:
    """Whether a version of *name* was chosen that does not say what it is made for.

    That may be one of before its metadata told it.
    """
    return name in chosen.graph.packages and name not in chosen.made_for


def _lock(pins: Iterable[Pin], view: View, requirements: Requirements, target: str) -> Lock:
    """A lock of *pins*, as far as it takes to see what they are made for."""
    pins = tuple(pins)
    edges = edges_of(pins, view, view.interpreter, requirements)
    return Lock(
        target=target,
        inputs="",
        python="",
        environment={},
        packages=tuple(_package(pin, view, edges) for pin in pins),
        requested=tuple(str(each.requirement) for each in requirements.asked),
    )


def _package(pin: Pin, view: View, edges: Edges) -> LockedPackage:
    required_by, requires = edges.required_by[pin.name], edges.requires[pin.name]
    if (direct := view.policy.direct.get(pin.name)) is not None:
        return direct.locked(required_by, requires)
    return LockedPackage(
        name=pin.name, version=pin.version, required_by=required_by, requires=requires
    )
