"""Printing styled lines on standard output: what the user asked to see, not a report of a run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from wheelhouse.reporting.lines import (
    Span,
    clip_line,
    encodable,
    is_terminal,
    terminal_size,
    to_ansi,
    to_text,
    wants_colour,
    wrap_line,
)
from wheelhouse.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelhouse.reporting.lines import Line


def columns() -> int | None:
    """The columns of the terminal behind standard output; None for a file, which has no edge."""
    return terminal_size(sys.stdout).columns if is_terminal(sys.stdout) else None


def wrapped(spans: Line, indent: int) -> list[Line]:
    """*spans* in lines that fit on the terminal, all but the first with *indent*."""
    width = columns()
    return wrap_line(spans, width, indent) if width and width > 2 * indent else [spans]


def print_lines(lines: Iterable[Line], *, clipped: bool = False) -> None:
    """Print *lines* in the terminal's colours and encoding.

    :param clipped: whether what does not fit into the terminal's width is cut off.
    """
    render = to_ansi if wants_colour(sys.stdout, os.environ) else to_text
    encoding = sys.stdout.encoding or "utf-8"
    width = columns() if clipped else None
    for each in lines:
        safe = tuple(Span(printable(span.text), span.style) for span in each if span.text)
        print(encodable(render(clip_line(safe, width) if width else safe), encoding))
