"""The three standard streams, also where they are closed, or nothing can be written to them."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: The exit status where whoever read standard output has gone: 128 plus SIGPIPE's number.
GONE = 141

_STDOUT = "standard output"

#: By their numbers, with what is done with them.
_STREAMS = {"stdin": "r", "stdout": "w", "stderr": "w"}


class _Named(io.RawIOBase):
    """Standard output, the errors of which say that they are its own."""

    def __init__(self, descriptor: int) -> None:
        self._file = io.FileIO(descriptor, "w", closefd=False)

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int | None:
        try:
            return self._file.write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, _STDOUT) from error


def open_streams() -> None:
    """Put the null device in the place of closed streams, and have errors of output named.

    Otherwise the next file that is opened would be taken for standard output, and get what is
    meant for that.
    """
    for descriptor, (name, mode) in enumerate(_STREAMS.items()):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # becomes the lowest that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Named(sys.stdout.fileno())),
        encoding=sys.stdout.encoding,
        errors=sys.stdout.errors,
        line_buffering=sys.stdout.isatty(),
    )


def is_of_stdout(error: OSError) -> bool:
    """Whether *error* came of writing to standard output."""
    return bool(error.filename == _STDOUT)


def give_up_streams() -> None:
    """What cannot be written goes nowhere: else Python complains of it as it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
