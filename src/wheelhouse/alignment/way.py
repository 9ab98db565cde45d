"""What would have everything agree on one CUDA, in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wheelhouse.alignment.findings import may_take_toolkit
from wheelhouse.cuda import has_compiler, oldest_driver
from wheelhouse.targets import Place
from wheelhouse.toolkit import builders_with, comes_with
from wheelhouse.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelhouse.alignment.findings import Alignment
    from wheelhouse.cuda import Cuda


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """Changes by which everything would agree: either of lines, or of the target.

    :ivar lines: what each line would ask for, such as ``torch 2.10.0``, and where it stands.
    :ivar is_for_gpu: whether everything still uses a GPU then.
    :ivar instead: those that are no more asked for then, where what is uses no GPU.
    :ivar dropped: the extras that are no more asked for then.
    :ivar cuda: that of the target, if naming it is enough.
    :ivar chosen: what would be chosen then that is not now.
    """

    lines: Sequence[tuple[str, str]] = ()
    is_for_gpu: bool = True
    instead: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    cuda: Cuda | None = None
    chosen: list[str] = field(default_factory=list)

    def told(self, alignment: Alignment) -> str:
        """In words; *alignment* is what does not agree."""
        if self.cuda is not None:
            beside = [*self.chosen, *_driver(alignment, self.cuda), *builder(alignment, self.cuda)]
            told = f", with {listed(beside)}" if beside else ""
            return f'cuda = "{self.cuda.version}" {place(alignment)} would do{told}'
        asked = listed([f"{text} ({origin})" for text, origin in self.lines])
        if self.dropped:
            asked += f", without {extras_told(self.dropped)},"
        if self.instead:
            asked += f" instead of {listed(self.instead)}"
        return f"{asked} would do" + ("" if self.is_for_gpu else ", without a GPU")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What has come of trying to have everything agree on one CUDA.

    :ivar ways: each of which is enough, the best first.
    :ivar later: clauses on releases that are made for it, and take another Python.
    :ivar fixed: whether there was no line to change: what is known by names is worth telling yet.
    """

    ways: Sequence[Way] = ()
    later: Sequence[str] = ()
    fixed: bool = False


def extras_told(extras: Sequence[str]) -> str:
    """``the extra and-cuda``."""
    return f"the extra{'s' if len(extras) > 1 else ''} {listed(list(extras))}"


def place(alignment: Alignment) -> str:
    """Where the settings of the target stand."""
    return f"in [targets.{alignment.target.name}]"


def builder(alignment: Alignment, cuda: Cuda) -> Iterator[str]:
    """The builder that the target takes for *cuda*, where it takes another than it has."""
    target = alignment.target
    if (
        not any(map(may_take_toolkit, alignment.counting))
        or has_compiler(cuda.version)
        or comes_with(target.build_place.preset, cuda)
    ):
        return
    if able := builders_with(cuda, target.place):
        image = Place(preset=able[0], python=target.python, arch=target.arch).image
        named = f"image {image}" if image else "image"
        yield (
            f'builder = "{able[0].name}" {place(alignment)}, whose {named} '
            f"has the compiler of CUDA {cuda.major}, for what is built"
        )
    else:
        yield f"a builder that has the compiler of CUDA {cuda.major}, for what is built"


def _driver(alignment: Alignment, cuda: Cuda) -> Iterator[str]:
    """The drivers that servers take for *cuda*, where it is of a later major version."""
    own = alignment.target.cuda
    if own is not None and own.major < cuda.major and (driver := oldest_driver(cuda.major)):
        yield f"drivers from {driver} on"
