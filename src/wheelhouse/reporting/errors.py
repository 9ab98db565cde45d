"""Errors in the one form that a user sees anywhere::

    error[build]: web: psycopg2 2.9.12 cannot be built: the program pg_config is missing in the
      builder
      asked for by: requirements.txt:3
      phase: building its wheel
      | Error: pg_config executable not found.
      hint: Debian has it in libpq-dev; these lines add it
      fix:
          [packages.psycopg2]
          system = ["libpq-dev"]
      log: /home/me/.cache/wheelhouse/logs/psycopg2.log

After the message comes what a person asks first, the lines of the log that show the cause, the
next step, the lines of `wheelhouse.toml` that take it, and the whole log.

Never a traceback. What a package made us quote is text and nothing else: no markup, no escape
sequence, no command to a CI system.
"""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from wheelhouse.errors import SeveralErrors, WheelhouseError, flatten
from wheelhouse.reporting.lines import (
    Line,
    Sink,
    Span,
    Style,
    encodable,
    line,
    terminal_size,
    to_ansi,
    to_text,
    wants_colour,
)
from wheelhouse.text import counted, neutralize, sanitize, sanitize_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

#: Lines are not made longer than is pleasant to read, however wide the terminal.
_WIDEST = 100
_NARROWEST = 30

#: What stands before each line of a log, and of a fix.
_BAR = "  | "
_FIX = " " * 6


def render_errors(
    error: WheelhouseError, *, width: int = 80, colour: bool = False, encoding: str = "utf-8"
) -> str:
    """*error*, each of several, as text in lines of at most *width* columns.

    Several are grouped by kind, the earliest stage first, and counted at the end; a hint or a log
    that neighbours share is given once. Paths, addresses, commands and the lines of a fix are not
    broken, so that they can be copied: a line that has one may be longer.
    """
    errors = _in_order(error)
    width = max(min(width, _WIDEST), _NARROWEST)
    lines: list[Line] = []
    for index, each in enumerate(errors):
        following = errors[index + 1] if index + 1 < len(errors) else None
        lines += _one(
            each,
            width,
            with_hint=not _same_hint(each, following),
            with_log=following is None or each.log != following.log,
        )
    if len(errors) > 1:
        lines += [(), _count(errors)]
    show = to_ansi if colour else to_text
    return encodable("\n".join(show(each) for each in lines), encoding)


def write_errors(
    error: WheelhouseError, stream: TextIO, *, environ: Mapping[str, str] | None = None
) -> None:
    """Write *error* to *stream* as its terminal, or file, takes it. Never raises."""
    sink = Sink(stream)
    text = render_errors(
        error,
        width=terminal_size(stream).columns,
        colour=wants_colour(stream, os.environ if environ is None else environ),
        encoding=sink.encoding,
    )
    sink.write_lines([text])


def exit_status(error: BaseException | None) -> int:
    """The exit status of a run that *error* ended; 0 if none did."""
    if error is None:
        return 0
    if isinstance(error, SeveralErrors):
        return error.status
    if isinstance(error, WheelhouseError):
        return error.exit_status
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _in_order(error: WheelhouseError) -> list[WheelhouseError]:
    """The single errors: by stage, then by kind, in the order in which they came.

    What several workers found alike, such as a full disk, is one error.
    """
    told = {(each.code, each.target, each.message, each.log): each for each in flatten([error])}
    errors = list(told.values())
    places: dict[str, int] = {}
    for each in errors:
        places.setdefault(each.code, len(places))
    return sorted(errors, key=lambda each: (each.exit_status, places[each.code]))


def _same_hint(error: WheelhouseError, following: WheelhouseError | None) -> bool:
    return (
        following is not None
        and error.hint is not None
        and (error.code, error.hint, error.fix) == (following.code, following.hint, following.fix)
    )


def _one(error: WheelhouseError, width: int, *, with_hint: bool, with_log: bool) -> list[Line]:
    place = f"{error.target}: " if error.target else ""
    text = place + error.message.removeprefix(place)
    lines = _paragraph(f"error[{error.code}]: ", text, "  ", width, "bad")
    for name, each in error.context:
        label = f"  {sanitize(name)}: "
        lines += _paragraph(label, each, " " * 4, width, "dim")
    lines += _quotation(error.evidence, width)
    if error.hint and with_hint:
        lines += _paragraph("  hint: ", error.hint, " " * len("  hint: "), width, "good")
    if error.fix and with_hint:
        lines.append(line(Span("  fix:", "good")))
        lines += [line(_FIX, each) if each else () for each in sanitize_lines(error.fix)]
    if error.log and with_log:
        lines.append(line(Span("  log: ", "dim"), sanitize(str(error.log))))
    return lines


def _quotation(text: Sequence[str], width: int) -> list[Line]:
    """Lines of a log behind a bar. Those of more than *width* columns go on below, indented."""
    lines: list[Line] = []
    for each in text:
        parts = textwrap.wrap(
            sanitize(each),
            width - len(_BAR),
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += [line(Span(_BAR, "dim"), neutralize(part)) for part in parts]
    return lines


def _paragraph(label: str, text: str, indent: str, width: int, style: Style) -> list[Line]:
    """*text* after *label*, wrapped; its own line breaks are kept."""
    lines: list[str] = []
    for each in sanitize_lines(text.strip()):
        lines += textwrap.wrap(
            each,
            width,
            initial_indent=indent if lines else label,
            subsequent_indent=indent + " " * (len(each) - len(each.lstrip())),
            break_long_words=False,
            break_on_hyphens=False,
        )
    first, *rest = [neutralize(each) for each in lines] or [label]
    return [
        line(Span(label, style), first.removeprefix(label)),
        *(line(each) for each in rest),
    ]


def _count(errors: Sequence[WheelhouseError]) -> Line:
    """``3 errors: 2 build, 1 proof``."""
    kinds = Counter(error.code for error in errors)
    told = ", ".join(f"{number} {code}" for code, number in kinds.items())
    return line(Span(f"{counted(len(errors), 'error')}: {told}", "strong"))
