"""What does not agree, as errors and notices, with what would agree. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement
from packaging.version import Version

from wheelhouse.alignment.findings import requested
from wheelhouse.alignment.frameworks import extras, frameworks, parts, renumbered
from wheelhouse.alignment.statements import is_without
from wheelhouse.cuda import release, releases
from wheelhouse.errors import LockError
from wheelhouse.events import Notice
from wheelhouse.torchindex import backends, torch_packages
from wheelhouse.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.alignment.findings import Alignment, Conflict
    from wheelhouse.alignment.statements import Statement
    from wheelhouse.cuda import Cuda


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """Lines that, asking for something else, would let everything agree.

    :ivar lines: what each would ask for, such as ``torch 2.10.0``, and where it stands.
    """

    lines: Sequence[tuple[str, str]]

    def __str__(self) -> str:
        return f"{listed([f'{text} ({origin})' for text, origin in self.lines])} would do"


def as_error(
    alignment: Alignment,
    conflict: Conflict,
    found: Mapping[int, Way | None],
) -> LockError:
    """The error that *conflict* is.

    :param found: by CUDA's major version, what has turned out to agree on it.
    """
    error = LockError(
        conflict.message,
        context=conflict.context,
        hint=_cudnn_hint() if conflict.cudnn else _hint(alignment, conflict, found),
        kind="cudnn" if conflict.cudnn else "cuda",
    )
    error.target = alignment.target.name
    return error


def _cudnn_hint() -> str:
    return (
        "ask for other versions of one of them, or for an extra that brings the cuDNN it needs, "
        "such as tensorflow[and-cuda]"
    )


def _hint(alignment: Alignment, conflict: Conflict, found: Mapping[int, Way | None]) -> str:
    several = len(conflict.ways) > 1
    ways = []
    for major, sides in conflict.ways.items():
        told = _ways(alignment, sides, major, found.get(major))
        if told:
            ways.append(f"for CUDA {major}, {told}" if several else told)
    names = sorted({each.name for sides in conflict.ways.values() for each in sides})
    ways.append(_other_target(alignment))
    one = listed([f"[packages.{name}]" for name in names]).replace(" and ", " or ")
    ways.append(f"if it is to stay as it is, `cuda = false` in {one}")
    return "; ".join(each for each in ways if each)


def _ways(alignment: Alignment, sides: Sequence[Statement], major: int, found: Way | None) -> str:
    """What to do for *sides* to be made for CUDA *major*."""
    told = (
        [str(found)]
        if found
        else [*filter(None, (_known(alignment, each, major) for each in sides))]
    )
    if any(side.name in torch_packages() for side in sides) and (
        other := _backend(alignment, major)
    ):
        told.append(f'torch-backend = "{other}" in the target')
    return ", or ".join(told)


def _known(alignment: Alignment, side: Statement, major: int) -> str:
    """What to ask for instead of *side*, as far as its name or the table tells that."""
    chain = next(alignment.graph.chains(side.name), None)
    asked = [chain.needs[0].requirement] if chain else []
    for text in (*asked, side.name):
        try:
            plain = requested(text)
        except InvalidRequirement:  # several lines ask for it
            continue
        if other := renumbered(plain, major):
            return f"ask for {other} instead of {plain}"
    if (framework := frameworks().get(side.name)) is None:
        return ""
    if versions := framework.for_major(major):
        return f"{versions} is made for CUDA {major}"
    return f"no version of {side.name} is known to be made for CUDA {major}"


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
        return "or say which it is to be with `cuda` in the target"
    if len(alignment.sides) != 1:
        return ""
    [(major, sides)] = alignment.sides.items()
    minors = [each.cuda.minor for each in sides if each.cuda.minor is not None]
    known = [each for each in releases() if each.major == major]
    version = f"{major}.{max(minors)}" if minors else str(max(known, default=""))
    return f'cuda = "{version}" in the target' if version else ""


# --- notices -------------------------------------------------------------------------------------


def notices(alignment: Alignment) -> Iterator[Notice]:
    """What a person should know of packages that agree, or need not."""
    for packages in alignment.overlaps():
        yield Notice(
            target=alignment.target.name,
            message=f"{listed([each.name for each in packages])} are installed in one place: "
            "whichever comes last is what all use",
        )
    cuda = alignment.target.cuda
    if cuda is not None:
        yield from _newer(alignment, cuda)
        yield from _without_libraries(alignment, cuda)
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


def _without_libraries(alignment: Alignment, cuda: Cuda) -> Iterator[Notice]:
    """Frameworks that are locked without the extra that brings the libraries they use."""
    counting = {each.name: each for each in alignment.counting}
    for extra in extras(cuda.major):
        package = counting.get(extra.project)
        framework = frameworks().get(extra.project)
        arch = framework.arch if framework else ""
        if package and extra.brings not in counting and arch in ("", alignment.target.arch):
            yield Notice(
                target=alignment.target.name,
                message=f"{package} is locked without {extra.brings}: it uses CUDA if the server "
                "has it by itself, and else no GPU",
                hint=f"ask for {extra.requirement}, or say `cuda = false` in "
                f"[packages.{package.name}]",
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
