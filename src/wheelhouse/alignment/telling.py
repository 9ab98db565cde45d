"""What does not agree, as errors and notices, with what would agree. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.alignment.findings import is_built, may_take_toolkit, requested
from wheelhouse.alignment.frameworks import extras, frameworks, parts, renumbered
from wheelhouse.alignment.statements import is_part, is_without
from wheelhouse.alignment.way import builder, extras_told, place
from wheelhouse.cuda import Cuda, is_known, release, releases
from wheelhouse.errors import LockError
from wheelhouse.events import Notice
from wheelhouse.torchindex import backends, torch_packages
from wheelhouse.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.alignment.findings import Alignment, Conflict
    from wheelhouse.alignment.statements import Statement
    from wheelhouse.alignment.way import Tried
    from wheelhouse.locking.model import LockedPackage

    #: The extras that a release has, normalised; none where its metadata is not at hand.
    ExtrasOf = Callable[[NormalizedName, Version], Collection[str]]


def as_error(
    alignment: Alignment,
    conflict: Conflict,
    found: Mapping[int, Tried],
    extras_of: ExtrasOf = lambda _name, _version: (),
    by_extras: Mapping[NormalizedName, Sequence[str]] | None = None,
) -> LockError:
    """The error that *conflict* is.

    :param found: by CUDA's major version, what has come of trying to agree on it.
    :param extras_of: no extra is told to be asked for that a release has not.
    :param by_extras: by name, the extras by which alone a package is made for a CUDA.
    """
    error = LockError(
        conflict.message,
        context=tuple(_context(conflict, by_extras or {})),
        hint=_cudnn_hint(conflict)
        if conflict.cudnn
        else _hint(alignment, conflict, found, extras_of),
        kind="cudnn" if conflict.cudnn else "cuda",
    )
    error.target = alignment.target.name
    return error


def _context(
    conflict: Conflict, by_extras: Mapping[NormalizedName, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """That of *conflict*, with the extras that are the cause of it."""
    extras = {
        str(side): by_extras[side.name]
        for sides in conflict.ways.values()
        for side in sides
        if side.kind == "requires" and side.name in by_extras
    }
    for label, text in conflict.context:
        named = extras.get(label)
        yield label, f"with {extras_told(named)}, {text}" if named else text


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
    tried = [way for each in found.values() for way in each.ways]
    if not found or (alignment.target.cuda and not any(way.cuda for way in tried)):
        ways.append(_other_target(alignment))
    ways.append(
        _exempting(alignment, conflict, at_any_cost=not any(way.is_for_gpu for way in tried))
    )
    where = place(alignment)
    first, placed, rest = "; or ".join(filter(None, ways)).partition(where)
    return first + placed + rest.replace(where, "there")


def _exempting(alignment: Alignment, conflict: Conflict, *, at_any_cost: bool) -> str:
    """Settings by which nobody is held to the target's CUDA, and what that costs.

    :param at_any_cost: even if files are overwritten then.
    """
    names = {each.name for sides in conflict.ways.values() for each in sides}
    # Without its toolkit, what is built with it would be no more.
    names -= {each.name for each in alignment.counting if may_take_toolkit(each)}
    if not names:
        return ""
    settings = " or ".join(f"[packages.{name}]" for name in sorted(names))
    told = f"`cuda = false` in {settings}, if it is to stay as it is"
    if overlaps := alignment.overlaps_of(names):
        if not at_any_cost:
            return ""
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
    tried = [*(way.told(alignment) for way in found.ways), *found.later] if found else []
    told = []
    if not found or found.fixed or not tried:
        known = [*filter(None, (_known(alignment, each, major, extras_of) for each in sides))]
        told = [listed(known)] if known else []
    told += tried
    if all(side.name in torch_packages() for side in sides) and (
        other := _backend(alignment, major)
    ):
        told.append(f'torch-backend = "{other}" {place(alignment)}')
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
    cuda = alignment.target.cuda
    beside = builder(alignment, cuda) if cuda else ()
    return ", and ".join([f"have {side.name} require {listed(swaps)}", *beside]) if swaps else ""


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
        return f"say which it is to be, with `cuda` {place(alignment)}"
    if len(alignment.sides) != 1:
        return ""
    [(major, sides)] = alignment.sides.items()
    minors = [each.cuda.minor for each in sides if each.cuda.minor is not None]
    known = [each for each in releases() if each.major == major]
    version = Version(f"{major}.{max(minors)}") if minors else max(known, default=None)
    if version is None or not is_known(version):
        return ""
    cuda = Cuda(version=version)
    return ", and ".join([f'cuda = "{version}" {place(alignment)}', *builder(alignment, cuda)])


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
