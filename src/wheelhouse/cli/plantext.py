"""Plans for people and programs: what weighs what, what is built first, then the rest. Pure."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from wheelhouse.locking.provision import told
from wheelhouse.reporting.lines import Span, clip_line, line, short_path, wrap_line
from wheelhouse.text import counted, human_size
from wheelhouse.weights import file_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wheelhouse.plan import Planned, Step
    from wheelhouse.reporting.lines import Line, Style
    from wheelhouse.weighing import Load
    from wheelhouse.weights import Weighed, Weights

Word = Literal["build", "reuse", "fetch", "stored"]

#: What is done for a package, in the order in which that is told, and how it looks. *stored* is
#: a wheel of the index that is in the store already.
_WORDS: Mapping[Word, Style] = {
    "build": "warn",
    "reuse": "plain",
    "fetch": "plain",
    "stored": "plain",
}

#: The column of a package's name, and of what is told below it.
_NAME = len("  stored  ")

#: CUDA's packages that are named: what of them is heaviest is what one wants to know.
_NAMED = 4


def plan_data(planned: Planned, load: Load) -> dict[str, Any]:
    """The same as :func:`plan_lines`, in JSON's types."""
    plan = planned.plan
    return {
        "target": planned.target.name,
        "place": str(planned.images.place),
        "emulated": plan.emulated,
        "size": load.weights.to_dict(),
        "disks": [
            {"folder": str(room.folder), "needed": room.needed, "free": room.free}
            for room in load.rooms
        ],
        "first": [_step_data(step, load.weights) for step in plan.first],
        "steps": [_step_data(step, load.weights) for step in plan.steps],
    }


def _step_data(step: Step, weights: Weights) -> dict[str, Any]:
    weighed = weights.find(file_of(step).sha256)
    return {
        **step.to_dict(),
        "size": weighed and weighed.size,
        "stored": weighed is not None and weighed.there,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """A step with what is known of its file; *weighed* is None if that is not weighed."""

    step: Step
    weighed: Weighed | None

    @property
    def word(self) -> Word:
        there = self.weighed is not None and self.weighed.there
        return "stored" if self.step.action == "fetch" and there else self.step.action

    @property
    def size(self) -> str:
        size = self.weighed.size if self.weighed else None
        return "" if size is None else human_size(size)

    @property
    def begun(self) -> str:
        """What of a file that is fetched has come already, as a clause."""
        come = self.weighed.come if self.weighed and self.word == "fetch" else 0
        return f"; {human_size(come)} of it are there" if come else ""


def plan_lines(planned: Planned, load: Load, width: int | None = None) -> Iterator[Line]:
    """The plan of one target.

    :param width: columns to fit in; file names are cut off there. None for all that there is.
    """
    plan = planned.plan
    first, rest = (
        [_Row(step=step, weighed=load.weights.find(file_of(step).sha256)) for step in steps]
        for steps in (plan.first, plan.steps)
    )
    order = list(_WORDS)
    rest.sort(key=lambda row: (order.index(row.word), row.step.package.name))
    head = line(Span(plan.target, "strong"), f": {_summary(planned, first, rest)}")
    yield from _wrapped(head, width)
    for each in _load_lines(load):
        yield from _wrapped(line("  ", each), width, indent=4)
    platform = planned.images.build_place.preset.name
    for row, shown in zip((*first, *rest), _shown([*first, *rest]), strict=True):
        yield clip_line(shown, width) if width else shown
        for why in _reasons(row, platform, plan.first):
            yield from _wrapped(line(" " * _NAME, why), width, indent=_NAME)


def _wrapped(spans: Line, width: int | None, indent: int = 2) -> list[Line]:
    return wrap_line(spans, width, indent) if width else [spans]


def _summary(planned: Planned, first: Sequence[_Row], rest: Sequence[_Row]) -> str:
    """``29 packages (1 to build, 28 stored)``."""
    plan = planned.plan
    counts = Counter(row.word for row in rest)
    parts = [
        f"{counts[word]} {'stored' if word == 'stored' else f'to {word}'}"
        for word in _WORDS
        if counts[word]
    ]
    summary = ", ".join(parts)
    if first:
        summary += f"; first {counted(len(first), 'build requirement')} without a wheel"
    if plan.emulated and counts["build"]:
        summary += f"; builds are emulated: about {math.ceil(plan.seconds / 60)} min of work"
    return f"{counted(len(rest), 'package')} ({summary})"


def _shown(rows: Sequence[_Row]) -> Iterator[Line]:
    """The line of each of *rows*, in columns; none for sizes if there are none."""
    names = max((len(str(row.step.package)) for row in rows), default=0)
    sizes = max((len(row.size) for row in rows), default=0)
    for row in rows:
        word = Span(row.word.ljust(_NAME - 4), _WORDS[row.word])
        name = str(row.step.package).ljust(names)
        size = f"{row.size.rjust(sizes)}  " if sizes else ""
        yield line("  ", word, f"  {name}  {size}", Span(row.step.file.filename, "dim"))


def _load_lines(load: Load) -> Iterator[str]:
    """What is to come, and what of that is CUDA's; and whether there is room for it."""
    weights = load.weights
    if weights.wheels.files:
        yield f"wheels: {weights.wheels.told}{_of_cuda(weights)}"
    if weights.download.files:
        cuda = f", {weights.cuda_download} of it CUDA" if weights.cuda_download.files else ""
        stored = f"; {weights.stored} are there already" if weights.stored.files else ""
        yield f"to download: {weights.download.told}{cuda}{stored}"
    for room in load.rooms:
        if room.free is not None and (weights.download.files or room.needed > room.free // 10):
            full = "" if room.fits else ": the disk is full"
            yield (
                f"to write: {human_size(room.needed)} to {short_path(room.folder)}, "
                f"which has room for {human_size(room.free)}{full}"
            )


def _of_cuda(weights: Weights) -> str:
    """What of the wheels is CUDA's, and which are the heaviest of those."""
    if not weights.cuda.files:
        return ""
    names = weights.cuda_owners
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f", {weights.cuda} of it CUDA: {', '.join(names[:_NAMED])}{more}"


def _reasons(row: _Row, platform: str, first: Sequence[Step]) -> Iterator[str]:
    """Why it is done so, and on *platform* with what. Those of *first* are for others' builds."""
    step = row.step
    recipe, build = step.recipe, step.package.build
    if recipe is None or build is None:
        yield step.reason + row.begun
        return
    learned = build.provision.system.get(platform, ())
    system = [name for name in recipe.system if name not in learned]
    given = ", ".join([*([str(recipe.cuda)] if recipe.cuda else []), *system])
    for_whom = f"; needed by {', '.join(step.package.required_by)}" if step in first else ""
    past = f"; {step.past}" if step.past else ""
    yield step.reason + past + for_whom + (f"; with {given}" if given else "")
    if known := told(build.provision, platform):
        yield f"learned from failures: {known}"
