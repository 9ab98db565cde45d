"""What came of building wheels again, for people and programs. Pure."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from wheelhouse.errors import ReproducibilityError
from wheelhouse.rebuilding.variation import ALL
from wheelhouse.reporting.lines import Span, line
from wheelhouse.text import counted
from wheelhouse.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from wheelhouse.rebuilding.rebuild import Rebuilt, RebuiltTarget
    from wheelhouse.reporting.lines import Line

#: Differences of a wheel that are told; `--json` has all of them.
TOLD = 8


def rebuilt_lines(found: Sequence[RebuiltTarget]) -> Iterator[Line]:
    """A line for each wheel, with what differs below it, and the figures."""
    width = max((len(each.package) for target in found for each in target.wheels), default=0)
    for target in found:
        yield line(Span(target.target, "strong"))
        for each in target.wheels:
            yield from _wheel_lines(each, width)
    wheels = [each for target in found for each in target.wheels]
    if not wheels:
        yield line("no wheel is built for it: all come from the index as they are")
        return
    yield line(Span("varied: ", "dim"), ", ".join(_varied(wheels)))
    same = sum(each.identical for each in wheels)
    yield line(Span(f"{same} of {len(wheels)} identical", "good" if same == len(wheels) else "bad"))


def _wheel_lines(each: Rebuilt, width: int) -> Iterator[Line]:
    mark = Span("identical", "good") if each.identical else Span("differs  ", "bad")
    if each.problem:
        mark = Span("failed   ", "bad")
    notes = [] if each.original.same_inputs else ["the first was built from other inputs"]
    if not each.problem and (fixed := [name for name in ALL if name not in each.varied]):
        notes.append(f"not varied: {listed(fixed)}" if each.varied else "nothing was varied")
    told = f"  {each.package.ljust(width)}  " if notes else f"  {each.package}"
    yield line("  ", mark, told, Span("; ".join(notes), "dim"))
    if each.problem:
        yield line(" " * 13, each.problem)
    for difference in each.differences[:TOLD]:
        yield line(" " * 13, str(difference))
    if (more := len(each.differences) - TOLD) > 0:
        yield line(" " * 13, f"and {counted(more, 'difference')} more")


def _varied(wheels: Sequence[Rebuilt]) -> list[str]:
    """What was otherwise for one of *wheels* at least."""
    return [name for name in ALL if any(name in each.varied for each in wheels)] or ["nothing"]


def rebuilt_data(found: Sequence[RebuiltTarget]) -> dict[str, Any]:
    """The same for programs."""
    wheels = [each for target in found for each in target.wheels]
    return {
        "identical": sum(each.identical for each in wheels),
        "of": len(wheels),
        "targets": [
            {"target": target.target, "wheels": [each.to_dict() for each in target.wheels]}
            for target in found
        ],
    }


def unlike(found: Sequence[RebuiltTarget], keep: Path | None) -> ReproducibilityError | None:
    """The error that names the wheels that are not the same; None if all are.

    :param keep: the folder with both wheels of each pair, if they were kept.
    """
    wheels = [each for target in found for each in target.wheels]
    others = [each for each in wheels if not each.identical]
    if not others:
        return None
    names = listed([f"{each.package}" for each in others])
    return ReproducibilityError(
        f"{len(others)} of {counted(len(wheels), 'wheel')} did not come out the same: {names}",
        hint=_hint(keep),
        log=next((each.log for each in others if each.problem), None),
    )


def _hint(keep: Path | None) -> str:
    diffoscope = "diffoscope" if shutil.which("diffoscope") else "a tool such as diffoscope"
    if keep is None:
        return f"run it again with `--keep FOLDER`, and look at the pairs there with {diffoscope}"
    return f"look at the pairs in {keep} with {diffoscope}"
