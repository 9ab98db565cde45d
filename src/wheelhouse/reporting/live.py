"""A live view of a run, for a terminal.

What is over scrolls away above as ordinary lines; what goes on is redrawn below. The picture is
only drawn again when it has changed, since it competes with compilers for the machine.

Rich is imported when there is something to draw: a run with nothing to do is over before.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from wheelhouse.events import Event, LockCompared, Notice, StepFinished
from wheelhouse.reporting.background import BackgroundReporter, Tail
from wheelhouse.reporting.frame import frame
from wheelhouse.reporting.lines import (
    Line,
    Sink,
    Span,
    Style,
    is_terminal,
    line,
    terminal_size,
    to_ansi,
    to_text,
    wants_colour,
    wrap_line,
)
from wheelhouse.reporting.summary import summary
from wheelhouse.reporting.wording import NOTEWORTHY, ending, is_build, is_download, subject
from wheelhouse.text import sanitize, sanitize_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

#: Seconds into the run before anything is drawn.
_DELAY = 0.25

_RICH_STYLES: Mapping[Style, str] = {
    "plain": "none",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "dim": "dim",
    "strong": "bold",
}


class LiveReporter(BackgroundReporter):
    """Shows every target and each of its running steps; the table of targets at the end.

    :param stream: a terminal.
    :param table: whether the table of targets is the end.
    :param environ: the environment, for NO_COLOR and TERM; this process's if None.
    """

    patience: ClassVar[float] = 0.0
    gap: ClassVar[float] = 0.125

    def __init__(
        self, stream: TextIO, *, table: bool = True, environ: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._table = table
        self._stream = stream
        self._colour = wants_colour(stream, os.environ if environ is None else environ)
        self._above: list[Line] = []
        self._area: _Area | None = None

    def tell(self, event: Event, at: float, tail: Tail) -> None:
        """Note what *event* leaves for good; the rest is in the picture."""
        match event:
            case StepFinished():
                self._above += _step_lines(event)
            case Notice():
                self._above += _notice_lines(event)
            case LockCompared(changed=True):
                told = sanitize(f"{event.path.name}: {event.summary}")
                self._above.append(line(Span(f"  {sanitize(event.target or '')}  ", "dim"), told))

    def tick(self, now: float) -> None:
        """Draw, if the run has lasted for long enough that a person would wonder."""
        if self._area is None:
            if now - self.run.started < _DELAY or not self.run.targets:
                return
            self._area = _Area(self._stream, colour=self._colour)
        width, height = self._area.size()
        picture = frame(self.run, now, width, height - 1, self.last_line)
        self._area.draw(picture, self._take_above(width))

    def finish(self, now: float, error: BaseException | None) -> None:
        """Take the picture away; leave the table."""
        if self._area is not None:
            self._area.close()
        width = terminal_size(self._stream).columns
        above = self._take_above(width)
        table = summary(self.run, now, width) if self._table else []
        if table and (above or self._area):
            table = [(), *table]
        show = to_ansi if self._colour else to_text
        Sink(self._stream).write_lines(show(each) for each in [*above, *table])

    def _take_above(self, width: int) -> list[Line]:
        """What is to stand above the picture for good since this was last asked."""
        above, self._above = self._above, []
        return [part for each in above for part in wrap_line(each, width)]


class _Area:
    """The part of the screen that is redrawn."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self._stream = stream
        file: Any = Sink(stream, same_width=True)
        self._console: Console = Console(
            file=file,
            force_terminal=True,
            no_color=not colour,
            color_system="standard" if colour else None,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )
        # What others print while the picture stands would tear it, so it goes above; except
        # where standard output is not the terminal but a file, which is nobody's but theirs.
        self._live: Live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=is_terminal(sys.stdout),
            redirect_stderr=is_terminal(sys.stderr),
        )
        self._shown: tuple[int, list[Line]] | None = None
        self._live.start()
        # A hidden cursor would stay hidden if this process were killed.
        self._console.show_cursor(True)

    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal."""
        width, height = terminal_size(self._stream)
        self._console.size = (width, height)
        return width, height

    def draw(self, picture: list[Line], above: list[Line]) -> None:
        """Show *picture* instead of the last one, and *above* for good."""
        state = (self._console.size.width, picture)
        if state == self._shown and not above:
            return
        self._shown = state
        if above:
            self._console.print(_Drawing(above))
        self._live.update(_Drawing(picture), refresh=True)

    def close(self) -> None:
        """Remove the picture."""
        self._live.stop()


class _Drawing:
    """Styled lines as rich takes them: as text, in which no markup is read."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        for spans in self._lines:
            for span in spans:
                yield Segment(span.text, console.get_style(_RICH_STYLES[span.style]))
            yield Segment.line()


def _step_lines(event: StepFinished) -> list[Line]:
    """Builds, failures, and whatever took its time; fetched and reused files are counted only."""
    target = Span(f"{sanitize(event.target or 'wheelhouse')}  ", "dim")
    name = f"{subject(event.step)}  "
    if event.outcome == "failed":
        return [line(Span("✗ ", "bad"), target, name, Span(ending(event), "bad"))]
    if event.outcome == "skipped":
        return [line(Span("- ", "warn"), target, name, Span(ending(event), "warn"))]
    slow = event.seconds >= NOTEWORTHY and not is_download(event.step, event.phase)
    if event.outcome == "done" and (is_build(event.step, event.phase) or slow):
        return [line(Span("✓ ", "good"), target, name, Span(ending(event), "dim"))]
    return []


def _notice_lines(event: Notice) -> list[Line]:
    first, *rest = sanitize_lines(event.message)
    target = Span(f"{sanitize(event.target)}  " if event.target else "", "dim")
    lines = [line(Span("! ", "warn"), target, first), *(line("  ", each) for each in rest)]
    if event.hint:
        hint = " ".join(sanitize_lines(event.hint))
        lines.append(line(Span("  hint: ", "dim"), hint))
    return lines
