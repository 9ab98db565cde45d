"""What would have everything agree on one CUDA, found out by choosing again.

Packages of another CUDA are shown as if they were not there. First nothing else is changed but the
target's CUDA, if it has none. Then lines that lead to such packages may have any version, and those
that name the other CUDA name this one. If that leads to nothing, the target has the other CUDA, and
its lines stay. In the end, they ask for what does the same without a GPU. What then is chosen,
would do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.alignment.findings import requested
from wheelhouse.alignment.frameworks import is_without_gpu, renumbered, without_gpu
from wheelhouse.alignment.statements import is_part, may_be_for
from wheelhouse.alignment.way import Tried, Way
from wheelhouse.cuda import Cuda, misfit_of_arch, releases
from wheelhouse.errors import InterruptedRunError, WheelhouseError
from wheelhouse.locking.edges import edges_of
from wheelhouse.locking.laterpython import of_later_python
from wheelhouse.locking.model import Lock, LockedPackage
from wheelhouse.locking.requiring import extras_in, holds, requirements_in
from wheelhouse.locking.resolver import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.alignment.findings import Alignment
    from wheelhouse.alignment.statements import Statement
    from wheelhouse.inputs.model import Asked, Requirements
    from wheelhouse.locking.edges import Edges
    from wheelhouse.locking.resolver import Pin
    from wheelhouse.locking.view import View

T = TypeVar("T")


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


def tried(alignment: Alignment, sides: Sequence[Statement], major: int, trying: Trying) -> Tried:
    """What has come of trying to have *sides* made for CUDA *major*."""
    attempts = _attempts(alignment, sides, major, trying)
    ways: list[Way] = []
    for way in filter(None, map(_attempted, attempts)):
        if way.cuda is None or not ways:  # of other CUDAs, the newest
            ways.append(way)
        if way.is_for_gpu and (way.cuda is None or alignment.target.cuda is None):
            return Tried(ways=ways)
    later = (_attempted(partial(_of_later_python, side, major, trying)) for side in sides)
    lines = _lines(alignment, sides, trying.requirements)
    return Tried(ways=ways, later=[*filter(None, later)], fixed=not any(map(_may_change, lines)))


def _attempts(
    alignment: Alignment, sides: Sequence[Statement], major: int, trying: Trying
) -> Iterator[Callable[[], Way | None]]:
    """What to try, in order: the target's own CUDA and a GPU are given up as late as can be."""
    nearest = _lines(alignment, sides, trying.requirements, nearest=True)
    every = _lines(alignment, sides, trying.requirements)
    saying = partial(_saying, alignment.of_cuda(None), trying=trying)
    if alignment.target.cuda is None:
        yield partial(saying, major)
    for lines in (nearest, every) if len(every) > len(nearest) else (every,):
        renumber = partial(_renumbered, major=major)
        yield partial(_changing, alignment, major, trying, lines, renumber)
    if (own := alignment.target.cuda) is not None:
        for other in sorted({each.cuda.major for each in sides}, reverse=True):
            yield partial(saying, other, arches=own.arches)
    if nearest and all(map(_has_without_gpu, nearest)):
        yield partial(_changing, alignment, major, trying, nearest, _without_gpu, is_for_gpu=False)


def _attempted(attempt: Callable[[], T | None]) -> T | None:
    """What *attempt* finds; nothing if there is no choice, or if it takes too long."""
    try:
        return attempt()
    except InterruptedRunError:
        raise
    except WheelhouseError:
        return None


def _of_later_python(side: Statement, major: int, trying: Trying) -> str:
    """The clause on it, if there is still time.

    :raises WheelhouseError: it cannot be told, or it takes too long.
    """
    trying.check()
    return of_later_python(side, major, trying.view)


def _saying(
    alignment: Alignment, major: int, trying: Trying, arches: Sequence[str] = ()
) -> Way | None:
    """Whether the lines do as they are, if only the target says that its CUDA is *major*.

    :param alignment: with a target that says none.
    :param arches: the GPUs for which its compiler has to make code.
    :raises WheelhouseError: there is no choice, or it takes too long.
    """
    known = {
        each
        for each in releases()
        if each.major == major and not any(misfit_of_arch(arch, each) for arch in arches)
    }
    if not known:
        return None  # nobody knows what there is to say: such as of CUDA 10, or of one to come
    found = choose(alignment, major, trying)
    if found is None or found.guessed:
        return None
    cuda = Cuda(version=_newest_used(found.alignment, known))
    if found.alignment.of_cuda(cuda).conflicts():
        return None
    return Way(cuda=cuda, chosen=_chosen_instead(alignment, found.alignment))


def _chosen_instead(before: Alignment, after: Alignment) -> list[str]:
    """What is chosen in another version, as far as somebody asks for it or it is made for a CUDA.

    Not CUDA's own parts: they come with what requires them.
    """
    packages = before.graph.packages
    return [
        str(each)
        for each in after.lock.packages
        if each.name in packages
        and each.version != packages[each.name].version
        and (each.name in after.graph.roots or each.name in after.made_for)
        and not is_part(each.name)
    ]


def _newest_used(alignment: Alignment, known: set[Version]) -> Version:
    """The newest of *known* releases of CUDA that something is made for; else the newest of all."""
    used = {
        Version(each.cuda.number)
        for found in alignment.sides.values()
        for each in found  # and not of parts, which come in the release that the target has
        if each.cuda.minor is not None
    }
    return max(known & used or known)


def _changing(
    alignment: Alignment,
    major: int,
    trying: Trying,
    lines: Sequence[Asked],
    change: Callable[[Asked], Asked],
    *,
    is_for_gpu: bool = True,
) -> Way | None:
    """What *lines* would have to ask for, if changing them is enough.

    :raises WheelhouseError: there is no choice, or it takes too long.
    """
    changed = {id(line): change(line) for line in lines if _may_change(line)}
    if not changed:
        return None
    asked = tuple(changed.get(id(line), line) for line in trying.requirements.asked)
    requirements = replace(trying.requirements, asked=asked)
    found = choose(alignment, major, replace(trying, requirements=requirements), any_hash=True)
    if found is None or found.guessed:  # what is only taken to do must not be told to do
        return None
    told = []
    for line in lines:
        new = changed.get(id(line), line)
        package = found.alignment.graph.packages.get(new.name)
        if package is not None and _is_other(alignment, new, line, package.version):
            told.append((f"{requested(str(new.requirement))} {package.version}", line.origin))
    if not told:
        return None
    if is_for_gpu:
        return Way(lines=told)
    both = [(line, changed.get(id(line), line)) for line in lines]
    dropped = {
        extra for old, now in both for extra in old.requirement.extras - now.requirement.extras
    }
    return Way(
        lines=told,
        is_for_gpu=False,
        instead=[old.name for old, now in both if old.name != now.name],
        dropped=sorted(dropped),
    )


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


def _renumbered(line: Asked, major: int) -> Asked:
    """*line* in any version, for CUDA *major* if it names another."""
    plain = requested(str(line.requirement))
    return replace(
        line, requirement=Requirement(renumbered(plain, major) or plain), hashes=frozenset()
    )


def _may_change(line: Asked) -> bool:
    """Whether *line* is the user's, and names a project of the index."""
    return not line.closed and line.direct is None


def _has_without_gpu(line: Asked) -> bool:
    """Whether what *line* asks for can do without a GPU: by another project, or without extras."""
    if is_without_gpu(line.name):
        return bool(line.requirement.extras)
    return without_gpu(line.name) is not None


def _without_gpu(line: Asked) -> Asked:
    """*line*, for what does the same without a GPU, in any version and without extras."""
    name = without_gpu(line.name) or line.name
    return replace(line, requirement=Requirement(name), hashes=frozenset())


def _is_other(alignment: Alignment, new: Asked, line: Asked, version: Version) -> bool:
    """Whether *new*, for which *version* was chosen, is not what is locked for *line*."""
    present = alignment.graph.packages.get(new.name)
    extras = new.requirement.extras != line.requirement.extras
    return extras or present is None or present.version != version


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """What was chosen for one CUDA.

    :ivar guessed: whether it was only taken to do, since a backend would have to tell.
    """

    pins: tuple[Pin, ...]
    alignment: Alignment
    guessed: bool


def choose(
    alignment: Alignment,
    major: int,
    trying: Trying,
    *,
    rehearsing: bool = True,
    any_hash: bool = False,
) -> Chosen | None:
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
    lock = lock_of(pins, view, requirements, alignment.target.name)
    found = alignment.of_another(lock)
    sides = [each.name for sides in alignment.sides.values() for each in sides]
    if found.conflicts() or any(_is_mute(name, found) for name in sides):
        return None
    if not _have_extras(pins, view, requirements):
        return None
    guessed = any((pin.name, pin.version) in view.guessed for pin in pins)
    return Chosen(pins=pins, alignment=found, guessed=guessed)


def extras_of(view: View) -> Callable[[NormalizedName, Version], set[str]]:
    return lambda name, version: extras_in(view.metadata(name, version))


def by_extras(pins: Iterable[Pin], view: View) -> dict[NormalizedName, Sequence[str]]:
    """By name, the extras that are wanted, by which alone one of *pins* requires parts of CUDA."""
    return {pin.name: found for pin in pins if pin.extras and (found := _bringing(pin, view))}


def _bringing(pin: Pin, view: View) -> Sequence[str]:
    asked = [
        each.marker
        for each in requirements_in(view.metadata(pin.name, pin.version))
        if is_part(canonicalize_name(each.name))
    ]
    environment = view.interpreter.environment
    if any(holds(each, environment, ()) for each in asked):
        return ()
    return [
        extra
        for extra in sorted(pin.extras)
        if any(holds(each, environment, [extra]) for each in asked)
    ]


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

    That may be one of before its metadata told it; but not of what has one by an extra alone.
    """
    silent = name in chosen.graph.packages and name not in chosen.made_for
    return silent and not is_without_gpu(name)


def lock_of(pins: Iterable[Pin], view: View, requirements: Requirements, target: str) -> Lock:
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
