"""How a run looks: live on a terminal, as plain lines in a log, or as JSON for programs.

Stages emit the events of :mod:`wheelhouse.events`; one of these reporters takes them::

    with choose("auto", sys.stderr) as reporter:
        pipeline.run(…, reporter)

Nothing here decides what happens: a report can be slow, cut off or unreadable, and the run goes
on all the same.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal

from wheelhouse.reporting.errors import exit_status, render_errors, write_errors
from wheelhouse.reporting.lines import is_terminal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from wheelhouse.reporting.background import BackgroundReporter

__all__ = ["Mode", "choose", "exit_status", "render_errors", "resolve_mode", "write_errors"]

Mode = Literal["auto", "live", "plain", "json"]


def choose(
    mode: Mode = "auto",
    stream: TextIO | None = None,
    *,
    table: bool = True,
    environ: Mapping[str, str] | None = None,
) -> BackgroundReporter:
    """The reporter for *mode*, a context manager.

    :param stream: where it writes; by default JSON goes to standard output, the rest, which is
        for people, to standard error.
    :param table: whether people are told at the end what has come of each target.
    :param environ: the environment; this process's if None.
    """
    environ = os.environ if environ is None else environ
    if stream is None:
        stream = sys.stdout if mode == "json" else sys.stderr
    match resolve_mode(mode, stream, environ):
        case "json":
            from wheelhouse.reporting.jsonl import JsonReporter

            return JsonReporter(stream)
        case "live":
            from wheelhouse.reporting.live import LiveReporter

            return LiveReporter(stream, table=table, environ=environ)
        case _:
            from wheelhouse.reporting.plain import PlainReporter

            return PlainReporter(stream, table=table)


def resolve_mode(mode: Mode, stream: TextIO, environ: Mapping[str, str]) -> Mode:
    """*mode*, decided where it is ``auto``: ``live`` on a terminal that can, outside of CI."""
    if mode != "auto":
        return mode
    capable = environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
    in_ci = environ.get("CI", "").lower() not in ("", "0", "false", "no")
    return "live" if is_terminal(stream) and capable and not in_ci else "plain"
