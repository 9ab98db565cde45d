"""Styled lines, and the streams that they are written to.

A line is a tuple of spans, text and one of a few named styles: data that the layout makes and
tests read. Colour, encoding and a closed pipe are matters of the edge, which is here too.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from wheelhouse.text import cell_width, clip, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Style = Literal["plain", "good", "bad", "warn", "dim", "strong"]

#: Select Graphic Rendition parameters: the sixteen basic colours only, which follow the user's
#: own theme, so that nothing is unreadable on a light background.
_SGR: Mapping[Style, str] = {
    "plain": "",
    "good": "32",
    "bad": "1;31",
    "warn": "33",
    "dim": "2",
    "strong": "1",
}

#: What stands in for our own signs where the terminal's encoding has none; each one column wide.
_SIGNS = {"✓": "+", "✗": "x", "━": "=", "─": "-", "·": "-", "│": "|", "→": ">", "…": "~"}
_SIGNS |= {"├": "|", "└": "`"}
_QUOTES = {"\u2013": "-", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}
_ASCII = str.maketrans({**_SIGNS})
_ASCII_ROOMY = str.maketrans({**_SIGNS, **_QUOTES, "…": "...", "→": "->"})


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line."""

    text: str
    style: Style = "plain"


Line = tuple[Span, ...]


def line(*parts: Span | str) -> Line:
    """A line of spans; a string becomes a span in the plain style."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def to_text(spans: Line) -> str:
    """*spans* without styles."""
    return "".join(span.text for span in spans)


def to_ansi(spans: Line) -> str:
    """*spans* with the terminal's escape sequences for their styles."""
    return "".join(
        f"\x1b[{_SGR[span.style]}m{span.text}\x1b[0m" if _SGR[span.style] else span.text
        for span in spans
    )


def clip_line(spans: Line, width: int) -> Line:
    """*spans* in at most *width* columns; the span that reaches over ends in an ellipsis."""
    if sum(cell_width(span.text) for span in spans) <= width:
        return spans
    kept: list[Span] = []
    for span in spans:
        text = clip(span.text, width)
        kept.append(Span(text, span.style))
        width -= cell_width(text)
        if text != span.text or width <= 0:
            break
    return tuple(kept)


def wrap_line(spans: Line, width: int, indent: int = 2) -> list[Line]:
    """*spans* in lines of at most *width* columns, broken between words; the lines after the
    first are indented. A word that is longer than a line stays whole.
    """
    lines: list[list[Span]] = [[]]
    used = 0
    for span in spans:
        for word in re.findall(r"\s+|\S+", span.text):
            if used + cell_width(word) > width and used > indent:
                if lines[-1][-1].text.isspace():
                    lines[-1].pop()
                lines.append([Span(" " * indent)])
                used = indent
                if word.isspace():
                    continue
            lines[-1].append(Span(word, span.style))
            used += cell_width(word)
    return [tuple(each) for each in lines]


def pad(text: str, width: int) -> str:
    """*text* filled with spaces to *width* columns."""
    return text + " " * (width - cell_width(text))


def short_path(path: Path) -> str:
    """*path* as a person would write it: relative where it is below the present folder."""
    with suppress(ValueError, OSError):
        path = path.relative_to(Path.cwd())
    return sanitize(str(path)) or "."


def encodable(text: str, encoding: str, *, same_width: bool = False) -> str:
    """*text* with everything replaced that *encoding* has no characters for.

    :param same_width: the result must not be wider, since a layout depends on it; else nothing
        is lost, and it may be.
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_ASCII if same_width else _ASCII_ROOMY)
        return text.encode(encoding, "replace" if same_width else "backslashreplace").decode(
            encoding
        )
    except LookupError:
        return encodable(text, "ascii", same_width=same_width)
    return text


class Sink:
    """A text stream that never raises: it replaces what cannot be encoded, and once its reader
    is gone it forgets what it gets. A report is no reason for a build to fail.
    """

    def __init__(self, stream: TextIO, *, same_width: bool = False) -> None:
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        self._stream = stream
        self._same_width = same_width
        self._lost = False

    def write(self, text: str) -> int:
        """Write *text*, without flushing it; the number of characters it had."""
        if not self._lost:
            safe = encodable(text, self.encoding, same_width=self._same_width)
            try:
                self._stream.write(safe)
            except (OSError, ValueError):
                self._lost = True
        return len(text)

    def flush(self) -> None:
        """Send what was written."""
        if not self._lost:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._lost = True

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write *lines*, each with a line end, and flush."""
        text = "".join(f"{each}\n" for each in lines)
        if text:
            self.write(text)
            self.flush()

    def isatty(self) -> bool:
        """Whether a person sits behind it."""
        return is_terminal(self._stream)

    def fileno(self) -> int:
        """The descriptor beneath. Raises OSError or ValueError where there is none."""
        return self._stream.fileno()


def is_terminal(stream: TextIO) -> bool:
    """Whether *stream* is a terminal; a closed one is not."""
    try:
        return stream.isatty()
    except (OSError, ValueError):
        return False


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour what goes to *stream*: a terminal, and nobody said no (NO_COLOR)."""
    return (
        is_terminal(stream)
        and not environ.get("NO_COLOR")
        and environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
    )


def terminal_size(stream: TextIO) -> os.terminal_size:
    """Columns and lines of the terminal behind *stream*; for a file, which has no edge, 100 by 30.

    Asks *stream* itself: standard output may well be somewhere else.
    """
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return os.terminal_size((100, 30))
    return os.terminal_size((size.columns or 80, size.lines or 24))
