"""What nobody foresaw is told as one error; a file gets the traceback."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from wheelhouse.cli.options import ToldError
from wheelhouse.cli.streams import is_of_stdout
from wheelhouse.errors import InternalError, WheelhouseError, as_error, flatten

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What the command line is told in other ways.
_OTHERS = (ToldError, click.ClickException, click.exceptions.Exit, click.Abort)


@contextmanager
def nothing_unforeseen() -> Iterator[None]:
    """Within the block, every exception becomes an error that can be told.

    :raises WheelhouseError: what was raised, or what says that nobody foresaw it; the report of
        that is written by then.
    """
    try:
        yield
    except _OTHERS:
        raise
    except Exception as error:
        if isinstance(error, BrokenPipeError) and is_of_stdout(error):
            raise  # its reader has gone; that is no error of anybody's
        told = as_error(error)
        report(told)
        if told is error:
            raise
        raise told from error


def report(error: WheelhouseError) -> None:
    """Write the report of each fault of ours in *error* that has none yet. Never raises."""
    for each in flatten([error]):
        if isinstance(each, InternalError) and each.log is None:
            with suppress(Exception):  # such as no memory for it
                from wheelhouse.cli.faultreport import write_report

                each.log = write_report(each.cause)


def watch_threads() -> None:
    """From now on, what ends a thread that nobody waits for is told like any other error."""
    threading.excepthook = _ended


def _ended(thread: threading.ExceptHookArgs, /) -> None:
    if isinstance(thread.exc_value, Exception):
        from wheelhouse.reporting import write_errors

        error = as_error(thread.exc_value)
        report(error)
        write_errors(error, sys.stderr)
