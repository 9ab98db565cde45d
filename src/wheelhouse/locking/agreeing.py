"""Whether all that was chosen is made for one CUDA; if not, choosing again what is, or would be.

If the user's lines allow what is chosen for the CUDA of the target alone, that is taken. If not, it
is found out what would agree (``ways.py``), and told.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.alignment.findings import Alignment
from wheelhouse.alignment.telling import as_error, chosen_instead, notices
from wheelhouse.errors import InterruptedRunError, LockError, SeveralErrors, WheelhouseError
from wheelhouse.locking.cudareleases import earlier
from wheelhouse.locking.ways import by_extras, choose, extras_of, lock_of, tried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.config import Project
    from wheelhouse.events import Notice
    from wheelhouse.locking.model import Lock
    from wheelhouse.locking.resolver import Pin
    from wheelhouse.locking.ways import Chosen, Trying
    from wheelhouse.targets import Target

#: For how many seconds it is tried to find out what would agree on one CUDA.
SECONDS = 20.0


def disagreements(lock: Lock, target: Target, project: Project) -> list[LockError]:
    """What in *lock* is not made for one CUDA, or not for that of *target*."""
    alignment = Alignment(lock, target, _exempt(project))
    return [as_error(alignment, each, {}) for each in alignment.conflicts()]


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
            lock_of(pins, view, requirements, self._target.name), self._target, self._is_exempt
        )
        self._alignment, self._before = alignment, None
        if not alignment.conflicts():
            return pins
        if (found := self._others(alignment)) is not None:
            self._alignment, self._before = found.alignment, alignment
            return found.pins
        errors = _refused(alignment, self._trying, by_extras(pins, view))
        raise errors[0] if len(errors) == 1 else SeveralErrors(errors)

    def notices(self) -> Iterator[Notice]:
        """What a person should know of what was chosen last."""
        if self._alignment is not None:
            if self._before is not None:
                yield from chosen_instead(self._alignment, self._before)
            yield from notices(self._alignment, extras_of(self._trying.view))

    def _others(self, alignment: Alignment) -> Chosen | None:
        """Others for the same lines, all of them made for the target's CUDA."""
        if (cuda := self._target.cuda) is None:
            return None  # which one is to be is not ours to say
        try:
            rehearsed = choose(alignment, cuda.major, self._trying)
            if rehearsed is None or not rehearsed.guessed:
                return rehearsed
            return choose(alignment, cuda.major, self._trying, rehearsing=False)
        except InterruptedRunError:
            raise
        except WheelhouseError:
            return None  # as it turns out when what was chosen first is refused


def _exempt(project: Project) -> Callable[[NormalizedName], bool]:
    return lambda name: project.settings(name).cuda is False


def _refused(
    alignment: Alignment, trying: Trying, extras: Mapping[NormalizedName, Sequence[str]]
) -> list[LockError]:
    """The errors of what does not agree, with what would.

    :param extras: by name, those that bring parts of CUDA.
    """
    until = time.monotonic() + SECONDS

    def check() -> None:
        trying.check()
        if time.monotonic() > until:
            raise LockError("finding out what would agree has taken too long")

    bounded = replace(trying, check=check)
    errors = []
    for each in alignment.conflicts():
        found = {
            major: tried(alignment, sides, major, bounded) for major, sides in each.ways.items()
        }
        errors.append(as_error(alignment, each, found, extras_of(trying.view), extras))
    return errors
