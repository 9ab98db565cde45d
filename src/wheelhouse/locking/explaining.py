"""Why nothing fits, found out once uv has said so: from its explanation to the user's lines.

uv's explanation is of every version of everything, and names no file. So it only says where to
look. What is wrong is found by following the lines themselves (`demands.py`); which of them
matter, and what would do instead, by resolving again without one, or with another (`trials.py`).
All of that runs no backend, and ends soon.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from wheelhouse.alignment.statements import is_part, may_be_for, own_statement, pinned_release
from wheelhouse.errors import InterruptedRunError, LockError, WheelhouseError, raise_all
from wheelhouse.inputs.model import Asked
from wheelhouse.locking.conflicts import blaming, speaks_of, told_in_lines
from wheelhouse.locking.demands import Following, demands_of, dependencies
from wheelhouse.locking.requiring import requirements_in
from wheelhouse.locking.resolver import UnsolvableError, resolve
from wheelhouse.locking.stock import Stocks
from wheelhouse.locking.telling import Told, tell, unexplained
from wheelhouse.locking.trials import Lines, Trials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.alignment.frameworks import Release
    from wheelhouse.inputs.model import Requirements
    from wheelhouse.locking.demands import Finding
    from wheelhouse.locking.model import RefusedFile
    from wheelhouse.locking.resolver import Pin
    from wheelhouse.locking.telling import Way
    from wheelhouse.locking.view import View

#: How many findings are told at once, and how many of a project's pages are read at a time.
TOLD = 20
PAGES = 8

#: For how many of them it is tried out what would do. Where more is wrong, little would.
TRIED = 3


def choose(
    view: View,
    requirements: Requirements,
    refused: Iterable[RefusedFile] = (),
    *,
    preferences: Mapping[NormalizedName, Version] | None = None,
    workspace: Callable[[], AbstractContextManager[Path]],
    places: Sequence[str] = (),
    check: Callable[[], None] = lambda: None,
) -> tuple[Pin, ...]:
    """Choose a version for each of *requirements* and all that they need; or say why not.

    Before any backend is run for what it needs, it is seen whether things fit together at all.

    :param refused: wheels that are not in *view* for what was found out of them.
    :param preferences: versions to keep if nothing speaks against them.
    :param workspace: gives an empty folder for each time that uv is run.
    :param places: the indexes that are asked, as a person calls them.
    :param check: called time and again; what it raises ends this at once.
    :raises LockError: there is no such choice, in terms of the user's own files.
    :raises SeveralErrors: there is not, for several reasons.
    :raises WheelhouseError: an answer of the index, or a package's metadata, could not be had.
    """

    def resolved(seen: View) -> tuple[Pin, ...]:
        with workspace() as folder:
            return resolve(
                seen,
                seen.interpreter,
                [str(each.requirement) for each in requirements.asked],
                folder=folder,
                constraints=[str(each.requirement) for each in requirements.constraints],
                preferences=preferences,
                prereleases=requirements.prereleases,
                check=check,
            )

    try:
        rehearsal = view.rehearsal(afresh=True)
        pins = resolved(rehearsal)
        return resolved(view) if rehearsal.guessed else pins
    except UnsolvableError as error:
        trials = Trials(
            view,
            Stocks(view),
            workspace=workspace,
            prereleases=requirements.prereleases,
            check=check,
        )
        found = explained(error, view, requirements, trials, places=places)
        raise_all([blaming(refused, each, requirements) for each in found])
        raise
    except LockError as error:
        raise told_in_lines(error, requirements) from error


def explained(
    error: UnsolvableError,
    view: View,
    requirements: Requirements,
    trials: Trials,
    *,
    places: Sequence[str] = (),
) -> Sequence[LockError]:
    """*error*, of *requirements* in *view*, in terms of the user's own files; at least one."""
    explaining = _Explaining(
        error.message,
        view,
        Lines(asked=requirements.asked, constraints=requirements.constraints),
        places,
        trials,
    )
    return _or_as_it_is(explaining.errors, error, explaining.likely)


def explained_build(
    error: UnsolvableError,
    view: View,
    requires: Iterable[str],
    constraints: Iterable[str],
    workspace: Callable[[], AbstractContextManager[Path]],
) -> LockError:
    """*error*, of what a build *requires* within *constraints*, in terms of these.

    What would do instead is not tried out: these are nobody's lines, and this may be one attempt
    of many. The nearest versions are told.
    """
    lines = Lines(
        asked=tuple(_asked(each, "its build") for each in requires),
        constraints=tuple(_asked(each, "what is known of its build") for each in constraints),
    )
    trials = Trials(view, Stocks(view), workspace=workspace, prereleases=False, check=lambda: None)
    explaining = _Explaining(error.message, view, lines, (), trials, may_change=False)
    found = _or_as_it_is(explaining.errors, error, explaining.likely)
    return found[0]


def _asked(line: str, origin: str) -> Asked:
    return Asked(requirement=Requirement(line), origin=origin)


def _or_as_it_is(
    find: Callable[[], Sequence[LockError]], error: UnsolvableError, likely: Sequence[Asked]
) -> Sequence[LockError]:
    """What *find* has found; *error* as it is if it finds nothing."""
    try:
        return find()
    except InterruptedRunError:
        raise
    except WheelhouseError:
        return [unexplained(error.message, likely, ())]


class _Explaining:
    """Explains one failure, of *lines*, of which uv has said *message*."""

    def __init__(
        self,
        message: str,
        view: View,
        lines: Lines,
        places: Sequence[str],
        trials: Trials,
        *,
        may_change: bool = True,
    ) -> None:
        self._message = message
        self._view = view.rehearsal()
        self._lines = lines
        self._places = places
        self._trials = trials
        self._may_change = may_change
        self._stocks = Stocks(self._view)
        # Hashes rule files out only together with the line that names them.
        self._any_hash = self._view.rehearsal(any_hash=True)
        self._of_any_hash = Stocks(self._any_hash)
        self.likely = [each for each in lines.all() if speaks_of(message, each.name)]

    def errors(self) -> Sequence[LockError]:
        """At least one. Raises WheelhouseError: it cannot be found out."""
        self._read_pages()
        found = self._follow(self._lines).at_once()[:TOLD]
        found += self._certain(self._lines.without(*(each.lines[0] for each in found)))
        self._may_change = self._may_change and len(found) <= TRIED
        if found:
            bad = [each.lines[0] for each in found]
            return [
                self._told(each, self._lines.without(*_but(bad, each.lines)), each.lines)
                for each in found
            ]
        core = self._trials.core(self._lines, self.likely) if self._may_change else self._lines
        finding = self._follow(core).to_the_end() or self._follow(self._lines).to_the_end()
        if finding is None:
            ways = self._trials.ways(self._lines, core.all(), None) if self._may_change else ()
            return [unexplained(self._message, core.all(), ways)]
        own = finding.lines
        return [self._told(finding, self._lines, [*own, *_but(core.all(), own)])]

    def _certain(self, lines: Lines) -> list[Finding]:
        """What of *lines* is impossible whichever versions are chosen, one after the other."""
        found: list[Finding] = []
        while lines.asked and len(found) < TOLD:
            try:
                finding = self._follow(lines).to_the_end()
            except InterruptedRunError:
                raise
            except WheelhouseError:
                break  # this has taken long; what was found till now is told
            if finding is None or not finding.certain:
                break
            found.append(finding)
            lines = lines.without(finding.lines[0])
        return found

    def _read_pages(self) -> None:
        """Read the pages of all projects that lines name; uv may not have got to all of them."""
        names = {each.name for each in self._lines.asked}
        with ThreadPoolExecutor(PAGES) as pool:
            list(pool.map(self._stocks.of, names))

    def _follow(self, lines: Lines) -> Following:
        environment = self._view.interpreter.environment
        freed = _hashed(self._lines) - _hashed(lines)
        return Following(
            lambda name: (self._of_any_hash if name in freed else self._stocks).of(name),
            dependencies(self._any_hash if freed else self._view),
            [
                *demands_of(lines.asked, environment),
                *demands_of(lines.constraints, environment, constraint=True),
            ],
            check=self._trials.check,
        )

    def _told(self, finding: Finding, lines: Lines, own: Sequence[Asked]) -> LockError:
        """The error that *finding* is.

        :param lines: all of them but those that other findings are about.
        :param own: those that this one is about.
        """
        ways: Sequence[Way] = ()
        alone = False
        exists = self._stocks.of(finding.name).exists or finding.wanted[0].chain
        cuda = self._cuda(finding)
        if self._may_change and exists:
            trials, both = self._trials, None
            if cuda is not None:  # what was of another one would be refused in the end
                trials = trials.among(partial(self._is_for, cuda.major))
                both = trials.together(lines, own)  # first: the rest may take all the time left
            ways = trials.ways(lines, own, finding) or ([both] if both else ())
            if alone := not ways:
                ways = trials.ways(self._lines.only(own), own, finding)
        told = Told(
            ways=ways,
            alone=alone,
            notes=self._made_for(finding) if cuda else (),
            names=[each.name for each in self._lines.all() if each.name != finding.name],
            places=self._places,
            explanation=self._message,
        )
        return tell(finding, self._stocks.of(finding.name), told)

    def _cuda(self, finding: Finding) -> Release | None:
        """The CUDA that *finding* is about a part of; None if it is about anything else."""
        versions = self._stocks.of(finding.name).everything
        found = own_statement(finding.name, versions[-1]) if versions else None
        return found.cuda if found and is_part(finding.name) else None

    def _is_for(self, major: int, name: NormalizedName, version: Version) -> bool:
        arch = self._view.interpreter.environment["platform_machine"]
        return may_be_for(major, name, version, arch)

    def _made_for(self, finding: Finding) -> Iterator[tuple[str, str]]:
        """For which releases of CUDA the packages are that want other versions of a part of it."""
        for demand in (each.demand for each in finding.wanted):
            if demand.by is None or demand.version is None:
                continue
            try:
                text = self._view.metadata(demand.by, demand.version)
            except InterruptedRunError:
                raise
            except WheelhouseError:
                continue
            if (release := pinned_release(requirements_in(text))) is not None:
                yield f"{demand.by} {demand.version}", f"is made for {release}"


def _hashed(lines: Lines) -> set[NormalizedName]:
    return {each.name for each in lines.all() if each.hashes}


def _but(lines: Iterable[Asked], others: Iterable[Asked]) -> list[Asked]:
    """Those of *lines* that are none of *others*."""
    left_out = {id(each) for each in others}
    return [each for each in lines if id(each) not in left_out]
