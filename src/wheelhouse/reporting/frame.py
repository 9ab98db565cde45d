"""One picture of a running run, for a terminal of any size. Pure.

A line for each target; beneath it, its running steps, the one that has run longest first, so
that lines do not jump. What does not fit is folded into a line that says how much it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from wheelhouse.reporting.lines import Line, Span, clip_line, line, pad
from wheelhouse.reporting.wording import doing, how_far, kind_of, subject, tally
from wheelhouse.text import cell_width, clip, clock, counted, human_size, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheelhouse.reporting.state import RunningStep, RunState, TargetState


class LastLine(Protocol):
    """Gives the last line of output of a target's step."""

    def __call__(self, target: str | None, step: str, /) -> str: ...


_PHASE = len("assemble")
_BAR = 20
_LEAST_OUTPUT = 12
_TIME = len("    12:34")


def frame(run: RunState, now: float, width: int, height: int, last_line: LastLine) -> list[Line]:
    """The lines to show at the time *now*: at most *height*, each at most *width* wide.

    *last_line* gives the last line of output of a target's step.
    """
    shown = [each for each in run.targets.values() if each.name is not None or each.running]
    targets, hidden = _fitting(shown, height)
    shares = _share(
        [len(target.running) for target in targets],
        height - len(targets) - (1 if hidden else 0),
    )
    layout = _Layout(targets, now, width, last_line)
    lines: list[Line] = []
    for target, share in zip(targets, shares, strict=True):
        lines.append(layout.head(target, folded=bool(target.running) and not share))
        lines += layout.steps(target, share)
    if hidden:
        lines.append(line(Span(f"… and {counted(hidden, 'more target')}", "dim")))
    return [clip_line(each, width) for each in lines[: max(height, 0)]]


def _fitting(targets: list[TargetState], height: int) -> tuple[list[TargetState], int]:
    """The targets that get a line, and the number of those that don't: finished ones go first."""
    lines = len(targets) + sum(len(target.running) for target in targets)
    if lines <= height:
        return targets, 0
    busy = [target for target in targets if target.busy] or targets
    steps = sum(len(target.running) for target in busy)
    if len(targets) + min(steps, len(busy)) <= height:
        return targets, 0
    room = max(height - 1, 1)
    shown = busy[:room]
    return shown, len(targets) - len(shown)


def _share(wanted: Sequence[int], room: int) -> list[int]:
    """*room* lines dealt out in turns, to nobody more than *wanted*."""
    shares = [0] * len(wanted)
    while room > 0 and any(share < want for share, want in zip(shares, wanted, strict=True)):
        for index, want in enumerate(wanted):
            if room > 0 and shares[index] < want:
                shares[index] += 1
                room -= 1
    return shares


def _since(target: TargetState) -> float:
    """When it began; of what serves the whole run, what is running now."""
    if target.name is None:
        return min((step.started for step in target.running.values()), default=target.started)
    return target.started


def _name(target: TargetState) -> str:
    return sanitize(target.name) if target.name is not None else "wheelhouse"


class _Layout:
    """The measures of one frame."""

    def __init__(
        self, targets: Sequence[TargetState], now: float, width: int, last_line: LastLine
    ) -> None:
        self.now = now
        self.width = width
        self.last_line = last_line
        steps = [step for target in targets for step in target.running.values()]
        self.names = self._column((_name(target) for target in targets), width // 3)
        speaking = any(
            how_far(step) or last_line(target.name, step.name)
            for target in targets
            for step in target.running.values()
        )
        most = width * 2 // 5 if speaking else width - _TIME
        self.labels = self._column((_label(step) for step in steps), most)

    def _column(self, texts: Iterable[str], most: int) -> int:
        """Room for the widest of *texts*, but never more than *most* where that is something."""
        return min(max(map(cell_width, texts), default=0), max(most, 8))

    def head(self, target: TargetState, *, folded: bool) -> Line:
        """The target's own line; says how many steps run where these are *folded* away."""
        name = pad(clip(_name(target), self.names), self.names)
        spans = [Span(name, "strong"), Span("  ")]
        if target.finished:
            return clip_line((*spans, *_finished(target)), self.width)
        parts = [Span(pad(sanitize(target.phase), _PHASE)), *_progress(target, self.width)]
        left = (*spans, *parts)
        counts = [tally(target.counts), f"{len(target.running)} running" if folded else ""]
        aside = " · ".join(text for text in counts if text)
        asides = [*self._downloads(target, aside), aside]
        return self._with_clock(left, asides, clock(self.now - _since(target)))

    def _downloads(self, target: TargetState, aside: str) -> list[str]:
        """Ways to tell how far the downloads are, with *aside* and without, the longest first."""
        if target.transfers is None or not target.transfers.is_worth_telling:
            return []
        told = target.transfers.told(self.now)
        return [*([f"{told} · {aside}"] if aside else []), told, target.transfers.amount]

    def _with_clock(self, left: Line, asides: Sequence[str], time: str) -> Line:
        """*left*, the first of *asides* that there is room for, and *time* at the right edge."""
        used = sum(cell_width(span.text) for span in left)
        room = self.width - used - cell_width(time) - 2
        if room < 0:
            return clip_line(left, self.width)
        fitting = (f"  {each}" for each in asides if each and cell_width(each) + 2 <= room)
        aside = next(fitting, "")
        space = " " * (room - cell_width(aside) + 2)
        return (*left, Span(aside, "dim"), Span(space), Span(time, "dim"))

    def steps(self, target: TargetState, share: int) -> list[Line]:
        """The running steps of *target* in *share* lines."""
        running = sorted(target.running.values(), key=lambda step: step.started)
        if not share:
            return []
        if share == 1 < len(running):
            return [self._step(target, running[0], more=len(running) - 1)]
        shown = running if len(running) <= share else running[: share - 1]
        lines = [self._step(target, step) for step in shown]
        if len(shown) < len(running):
            lines.append(line(Span(f"  … and {len(running) - len(shown)} more", "dim")))
        return lines

    def _step(self, target: TargetState, step: RunningStep, more: int = 0) -> Line:
        """A step's line; its output gives way to the number of *more* steps."""
        label = pad(clip(_label(step), self.labels), self.labels)
        time = clock(self.now - step.started).rjust(5)
        left = line("  ", label, "  ", Span(time, "dim"))
        room = self.width - sum(cell_width(span.text) for span in left) - 2
        if room < _LEAST_OUTPUT:
            return clip_line(left, self.width)
        told = how_far(step) or self.last_line(target.name, step.name)
        said = f"… and {more} more" if more else told
        output = clip(sanitize(said).strip(), room)
        return (*left, Span("  "), Span(output, "dim")) if output else left


def _label(step: RunningStep) -> str:
    """Builds are what one expects to see, and stand there by their name; others say their verb."""
    if kind_of(step.name, step.phase) == "build":
        return subject(step.name)
    return doing(step.name, step.phase)


def _progress(target: TargetState, width: int) -> list[Span]:
    if not target.total:
        return []
    done = min(target.done, target.total)
    figures = Span(f"  {str(done).rjust(len(str(target.total)))}/{target.total}")
    length = min(_BAR, (width - 60) // 2)
    if length < _BAR // 4:
        return [figures]
    full = length * done // target.total
    return [Span("  "), Span("━" * full, "good"), Span("─" * (length - full), "dim"), figures]


def _finished(target: TargetState) -> list[Span]:
    ended = target.finished
    assert ended
    if ended.outcome == "failed":
        return [Span("✗ failed", "bad")]
    if ended.outcome == "stopped":
        return [Span("stopped", "warn")]
    facts = [counted(ended.wheels, "wheel"), human_size(ended.size)] if ended.wheels else []
    return [Span("✓ ready" if ended.wheels else "✓ done", "good"), Span("  " + " · ".join(facts))]
