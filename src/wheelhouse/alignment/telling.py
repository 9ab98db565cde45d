"""What does not agree, as errors and notices, with what would agree. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.alignment.findings import is_built, may_take_toolkit, requested
from wheelhouse.alignment.frameworks import extras, frameworks, parts, renumbered
from wheelhouse.alignment.statements import is_part, is_without
from wheelhouse.cuda import has_compiler, release, releases
from wheelhouse.errors import LockError
from wheelhouse.events import Notice
from wheelhouse.torchindex import backends, torch_packages
from wheelhouse.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.alignment.findings import Alignment, Conflict
    from wheelhouse.alignment.statements import Statement
    from wheelhouse.cuda import Cuda
    from wheelhouse.locking.model import LockedPackage

    #: The extras that a release has, normalised; none where its metadata is not at hand.
    ExtrasOf = Callable[[NormalizedName, Version], Collection[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """Changes by which everything would agree: either of lines, or of the target.

    :ivar lines: what each line would ask for, such as ``torch 2.10.0``, and where it stands.
    :ivar instead: those that are no more asked for then, where what is uses no GPU.
    :ivar cuda: that of the target, if naming it is enough.
    :ivar chosen: what would be chosen then that is not now.
    """

    lines: Sequence[tuple[str, str]] = ()
    instead: list[str] = field(default_factory=list)
    cuda: Cuda | None = None
    chosen: list[str] = field(default_factory=list)

    @property
    def is_for_gpu(self) -> bool:
        """Whether everything still uses a GPU then."""
        return not self.instead

    def told(self, place: str) -> str:
        """In words; *place* is where settings of the target stand."""
        if self.cuda is not None:
            chosen = f", with {listed(self.chosen)}" if self.chosen else ""
            return f'cuda = "{self.cuda.version}" {place} would do{chosen}'
        asked = listed([f"{text} ({origin})" for text, origin in self.lines])
        if self.instead:
            return f"{asked} instead of {listed(self.instead)} would do, without a GPU"
        return f"{asked} would do"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What has come of trying to have everything agree on one CUDA.

    :ivar later: clauses on releases that are made for it, and take another Python.
    """

    way: Way | None = None
    later: Sequence[str] = ()


def as_error(
    alignment: Alignment,
    conflict: Conflict,
    found: Mapping[int, Tried],
    extras_of: ExtrasOf = lambda _name, _version: (),
) -> LockError:
    """The error that *conflict* is.

    :param found: by CUDA's major version, what has come of trying to agree on it.
    :param extras_of: no extra is told to be asked for that a release has not.
    """
    error = LockError(
        conflict.message,
        context=conflict.context,
        hint=_cudnn_hint(conflict)
        if conflict.cudnn
        else _hint(alignment, conflict, found, extras_of),
        kind="cudnn" if conflict.cudnn else "cuda",
    )
    error.target = alignment.target.name
    return error


def _cudnn_hint(conflict: Conflict) -> str:
    """Versions of each framework that can load the other cuDNN, as far as the table knows any."""
    told = []
    for side, wanted in conflict.cudnn:
        framework = frameworks().get(side.name)
        if framework and (versions := framework.for_major(side.cuda.major, [wanted])):
            told.append(f"{versions} can load cuDNN {wanted}")
    known = "; or ".join(told) or "ask for other versions of one of them"
    return f"{known}; or, where it has one, ask for an extra that brings the cuDNN it needs"


def _hint(
    alignment: Alignment,
    conflict: Conflict,
    found: Mapping[int, Tried],
    extras_of: ExtrasOf,
) -> str:
    several = len(conflict.ways) > 1
    ways = []
    for major, sides in conflict.ways.items():
        told = _ways(alignment, sides, major, found.get(major), extras_of)
        ways += [f"for CUDA {major}, {', or '.join(told)}"] if several and told else told
    if alignment.target.cuda is not None or not found:
        ways.append(_other_target(alignment))
    ways.append(_exempting(alignment, conflict))
    place = _place(alignment)
    first, placed, rest = "; or ".join(filter(None, ways)).partition(place)
    return first + placed + rest.replace(place, "there")


def _place(alignment: Alignment) -> str:
    return f"in [targets.{alignment.target.name}]"


def _exempting(alignment: Alignment, conflict: Conflict) -> str:
    """Settings by which nobody is held to the target's CUDA, and what that costs."""
    names = {each.name for sides in conflict.ways.values() for each in sides}
    # Without its toolkit, what is built with it would be no more.
    names -= {each.name for each in alignment.counting if may_take_toolkit(each)}
    if not names:
        return ""
    settings = " or ".join(f"[packages.{name}]" for name in sorted(names))
    told = f"`cuda = false` in {settings}, if it is to stay as it is"
    if overlaps := alignment.overlaps_of(names):
        stems = listed([_stem(packages[0].name) for packages in overlaps])
        told += f": then the files of {stems} for one CUDA overwrite those for the other"
    return told


def _ways(
    alignment: Alignment,
    sides: Sequence[Statement],
    major: int,
    found: Tried | None,
    extras_of: ExtrasOf,
) -> list[str]:
    """What to do for *sides* to be made for CUDA *major*, each of it enough."""
    if found and (found.way or found.later):
        told = [found.way.told(_place(alignment))] if found.way else []
        told += found.later
    else:
        known = [*filter(None, (_known(alignment, each, major, extras_of) for each in sides))]
        told = [listed(known)] if known else []
    if all(side.name in torch_packages() for side in sides) and (
        other := _backend(alignment, major)
    ):
        told.append(f'torch-backend = "{other}" {_place(alignment)}')
    return told


def _known(alignment: Alignment, side: Statement, major: int, extras_of: ExtrasOf) -> str:
    """What to ask for instead of *side*, as far as its name or the table tells that."""
    if is_built(alignment.graph.packages[side.name]) and side.kind == "requires":
        return _required(alignment, side, major)
    chain = next(alignment.graph.chains(side.name), None)
    if chain:
        try:
            plain = requested(chain.needs[0].requirement)
        except InvalidRequirement:  # several lines ask for it
            pass
        else:
            if other := renumbered(plain, major):
                there = _has(chain.needs[0].package, other, extras_of)
                return f"ask for {other} instead of {plain}" if there else ""
    if other := renumbered(side.name, major):
        return f"ask for {other} instead of {side.name}"
    if (framework := frameworks().get(side.name)) is None:
        return ""
    cudnn = alignment.cudnn_beside(side.name, major)
    if versions := framework.for_major(major, cudnn):
        return f"{versions} is made for CUDA {major} (whether all agrees then has not been tried)"
    with_cudnn = f" and cuDNN {listed([*map(str, cudnn)])}" if framework.for_major(major) else ""
    return f"no version of {side.name} is known to be made for CUDA {major}{with_cudnn}"


def _has(package: LockedPackage, text: str, extras_of: ExtrasOf) -> bool:
    """Whether *package* has the extras that the requirement *text* names."""
    wanted = {canonicalize_name(each) for each in Requirement(text).extras}
    return not wanted or wanted <= {*extras_of(package.name, package.version)}


def _required(alignment: Alignment, side: Statement, major: int) -> str:
    """What *side*, which is built, is to require instead."""
    names = [need.package.name for need in alignment.graph.needs(side.name)]
    swaps = [f"{other} instead of {name}" for name in names if (other := renumbered(name, major))]
    return f"have {side.name} require {listed(swaps)}" if swaps else ""


def _backend(alignment: Alignment, major: int) -> str:
    """The newest backend of PyTorch's for CUDA *major* that is not newer than the target's."""
    cuda, present = alignment.target.cuda, alignment.target.torch_backend
    known = [
        (Version(f"{each[2:-1]}.{each[-1]}"), each) for each in backends() if each.startswith("cu")
    ]
    fitting = [
        (version, name)
        for version, name in known
        if version.major == major and (cuda is None or version <= cuda.version)
    ]
    newest = max(fitting)[1] if fitting else ""
    return "" if newest == present else newest


def _other_target(alignment: Alignment) -> str:
    """Another CUDA for the target, if that is all that stands in the way; or one at all."""
    if alignment.target.cuda is None:
        return f"say which it is to be, with `cuda` {_place(alignment)}"
    if len(alignment.sides) != 1:
        return ""
    [(major, sides)] = alignment.sides.items()
    minors = [each.cuda.minor for each in sides if each.cuda.minor is not None]
    known = [each for each in releases() if each.major == major]
    version = f"{major}.{max(minors)}" if minors else str(max(known, default=""))
    if not version:
        return ""
    told = f'cuda = "{version}" {_place(alignment)}'
    if any(map(may_take_toolkit, alignment.counting)) and not has_compiler(Version(version)):
        told += f", and a builder that has the compiler of CUDA {major}, for what is built"
    return told


# --- notices -------------------------------------------------------------------------------------


def notices(alignment: Alignment, extras_of: ExtrasOf) -> Iterator[Notice]:
    """What a person should know of packages that agree, or need not.

    :param extras_of: no extra is told to be asked for that a release has not.
    """
    for packages in alignment.overlaps():
        yield Notice(
            target=alignment.target.name,
            message=f"{listed([each.name for each in packages])} are installed in one place: "
            "whichever comes last is what all use",
        )
    cuda = alignment.target.cuda
    if cuda is not None:
        yield from _newer(alignment, cuda)
        yield from _without_libraries(alignment, cuda, extras_of)
        yield from _without_cuda(alignment)


def chosen_instead(alignment: Alignment, before: Alignment) -> Iterator[Notice]:
    """One notice of what was chosen otherwise for the sake of the target's CUDA.

    :param before: what would have been chosen without it.
    """
    cuda = alignment.target.cuda
    assert cuda is not None
    foreign = {
        each.name: f" ({each.cuda})"
        for major, sides in before.sides.items()
        for each in sides
        if major != cuda.major
    }
    told = []
    for name in sorted({*before.graph.roots, *foreign}):
        old, new = before.graph.packages[name], alignment.graph.packages.get(name)
        if new is not None and new.version != old.version:
            told.append(f"{new} rather than {old.version}{foreign.get(name, '')}")
    if told:
        yield Notice(
            target=alignment.target.name,
            message=f"the target has {cuda}, and for that there is {listed(told)}",
        )


def _newer(alignment: Alignment, cuda: Cuda) -> Iterator[Notice]:
    """Who is made for a later release of the target's CUDA."""
    found: dict[NormalizedName, Statement] = {}
    sides = alignment.sides.get(cuda.major, ())
    compilers = [
        each
        for statements in alignment.made_for.values()
        for each in statements
        if _stem(each.name) in parts().compilers
    ]
    for each in (*sides, *compilers):
        asking = {package.name for package in alignment.graph.requirers(each.name)}
        if (each.cuda.minor or 0) > cuda.version.minor and not asking & found.keys():
            found[each.name] = each
    if not found:
        return
    newest = max(each.cuda for each in found.values())
    version = Version(f"{newest.major}.{newest.minor}")
    driver = release(version).driver
    told = listed([f"{each} ({each.cuda})" for each in found.values()])
    yield Notice(
        target=alignment.target.name,
        message=f"{told}: newer than the target's {cuda}, so code that is PTX takes the driver of "
        f"that release{f' ({driver})' if driver else ''}",
        hint=f'pin an older version, or have cuda = "{version}" in the target',
    )


def _stem(name: str) -> str:
    """The name of a part of CUDA without such as ``-cu12``."""
    stem, _, number = name.rpartition("-cu")
    return stem if number.isdigit() else name


def _without_libraries(alignment: Alignment, cuda: Cuda, extras_of: ExtrasOf) -> Iterator[Notice]:
    """Frameworks that are locked without the libraries, or the plugin, that they use CUDA by."""
    counting = {each.name: each for each in alignment.counting}
    for extra in extras(cuda.major):
        package = counting.get(extra.project)
        framework = frameworks().get(extra.project)
        arch = framework.arch if framework else ""
        if not package or extra.brings in counting or arch not in ("", alignment.target.arch):
            continue
        if _has(package, extra.requirement, extras_of):
            asking = f"ask for {extra.requirement}"
        elif is_part(extra.brings):
            asking = f"ask for the libraries that it uses, such as {extra.brings}, too"
        else:
            continue  # of a plugin, nobody knows that there is one for this version
        yield Notice(
            target=alignment.target.name,
            message=f"{package} is locked without {extra.brings}: it uses CUDA if the server "
            "has it by itself, and else no GPU",
            hint=f"{asking}, or say `cuda = false` in [packages.{package.name}]",
        )


def _without_cuda(alignment: Alignment) -> Iterator[Notice]:
    """Builds that say of themselves that they are none for CUDA."""
    found = [each for each in alignment.counting if is_without(each.version)]
    if found:
        names = listed([each.name for each in found])
        yield Notice(
            target=alignment.target.name,
            message=f"{listed(list(map(str, found)))} {'is' if len(found) == 1 else 'are'} made "
            f"without CUDA, and the target has {alignment.target.cuda}",
            hint=f"have another torch-backend, or say `cuda = false` for {names}",
        )
