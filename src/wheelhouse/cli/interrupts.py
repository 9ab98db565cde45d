"""What a signal does to a command: INT, TERM and HUP end it within seconds, whatever it is at.

Its exit status is then 128 plus the signal's number. A run is stopped in good order; a second
signal ends it at once, and so does its own patience.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from wheelhouse.durable import remove_temporaries
from wheelhouse.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from wheelhouse.engine.cancellation import Cancellation

#: Seconds that a stopped run has to end by itself.
PATIENCE = 8.0

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """A signal asks the command to end. No Exception: nothing on the way may take it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def number_of(error: KeyboardInterrupt) -> int:
    """The number of the signal that has raised *error*."""
    return error.number if isinstance(error, Stopped) else signal.SIGINT


def interrupted(number: int, hint: str, kept: str = "") -> InterruptedRunError:
    """The error of a command that the signal *number* has ended."""
    stop = InterruptedRunError(f"stopped by {signal.Signals(number).name}{kept}", hint=hint)
    stop.exit_status = 128 + number  # type: ignore[misc]  # of this one error
    return stop


def watch() -> None:
    """From now on, signals raise :class:`Stopped` in the main thread.

    While Python itself ends, which takes a moment, they do nothing: it lets go of its handlers
    then, and a signal would change the exit status.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    for number in _heeded():
        signal.signal(number, stop)
    atexit.register(_ignore)


def _ignore() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def unwatch() -> None:
    """From now on, signals end this process at once: there is nothing to be put in order."""

    def leave(number: int, frame: FrameType | None) -> None:
        os._exit(told(Stopped(number)))

    for number in _heeded():
        signal.signal(number, leave)


def told(error: KeyboardInterrupt) -> int:
    """Tell, where nothing else can do so yet or any more, what has ended the command; its status.

    :param error: what a signal has raised.
    """
    number = number_of(error)
    text = f"error[interrupted]: stopped by {signal.Signals(number).name}\n"
    with suppress(OSError):
        os.write(2, text.encode() + b"  hint: run the command again\n")
    return 128 + number


def _heeded() -> list[signal.Signals]:
    """The signals that whoever started this process wants it to heed: `nohup` has it ignore HUP."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


# -- a run --------------------------------------------------------------------------------------


@contextmanager
def stoppable(cancellation: Cancellation) -> Iterator[None]:
    """Within the block, INT, TERM and HUP stop the run in good order; a second one at once.

    :raises InterruptedRunError: with exit status 128 + the signal's number.
    """
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            raise Stopped(number)

    try:
        with _watched(cancellation, received), _handling(handle):
            yield
    except (Stopped, InterruptedRunError) as error:
        number = received[0] if received else signal.SIGINT
        again = "run the command again to go on from there"
        raise interrupted(number, again, "; what was finished is kept") from error


@contextmanager
def _handling(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    previous = {number: signal.signal(number, handle) for number in _heeded()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _watched(cancellation: Cancellation, received: list[int]) -> Iterator[None]:
    """Within the block, a thread does what a signal asks for; the main thread may not see it.

    CPython looks for signals between two instructions, and one that comes after that look is not
    seen before the next instruction has ended: if that waits for another thread, not before it
    has what it waits for. Being told through a file descriptor has no such gap.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    previous = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, cancellation), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        if received:
            writer.detach()  # the thread's patience holds for how the command ends, too
        else:
            writer.close()


def _watch(signals: socket.socket, cancellation: Cancellation) -> None:
    """Stop the run at the first of *signals*; end this process at the second, or if it lasts."""
    with signals:
        if not (first := _next(signals)):
            return
        threading.Thread(target=cancellation.cancel, daemon=True).start()
        signals.settimeout(PATIENCE)
        try:
            again = _next(signals)
        except TimeoutError:
            again = first
        if again:
            _leave(again)


def _leave(number: int) -> NoReturn:
    """End at once, whatever hangs; it is said past the display, which may be what does.

    Containers end by themselves as soon as nobody holds their standard input any more.
    """
    with suppress(Exception):  # whatever they hang on must not keep the process
        remove_temporaries()
    shown = "\x1b[?25h\r\n" if os.isatty(2) else ""
    name = signal.Signals(number).name
    text = f"{shown}error[interrupted]: ended by {name} at once; what was finished is kept\n"
    with suppress(OSError):
        os.write(2, text.encode())
    os._exit(128 + number)


def _next(signals: socket.socket) -> int | None:
    """The number of the next one that concerns us; None when there will be no more."""
    while data := signals.recv(1):
        if data[0] in SIGNALS:
            return data[0]
    return None
