"""Opening a run for a command: the engine by its name, the store, and what a signal does."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, NoReturn

from wheelhouse.credentials import Credentials
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import InterruptedRunError
from wheelhouse.events import Notice, step
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.run import Run, open_run
from wheelhouse.sources import Elsewhere
from wheelhouse.store import Store, default_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import FrameType

    from wheelhouse.config import Project
    from wheelhouse.engine import Engine
    from wheelhouse.events import Reporter
    from wheelhouse.images import TargetImageMaker

#: Seconds that a stopped run has to end by itself.
PATIENCE = 8.0

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asks the run to end. Not an Exception: nothing on the way may take it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


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
        stop = InterruptedRunError(
            f"stopped by {signal.Signals(number).name}; what was finished is kept",
            hint="run the command again to go on from there",
        )
        stop.exit_status = 128 + number  # type: ignore[misc]  # of this one error
        raise stop from error


@contextmanager
def _handling(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    previous = {number: signal.signal(number, handle) for number in SIGNALS}
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
    """End at once, whatever hangs; it is said past the display, which may be what does."""
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


@contextmanager
def workbench(
    project: Project, engine: str, reporter: Reporter, *, jobs: int | None = None
) -> Iterator[Run]:
    """A run on *project*, stoppable by signals.

    :raises EngineError: there is no such engine here.
    """
    cancellation = Cancellation()
    store = Store(default_root())
    credentials = Credentials(project.known_indexes, project.credentials)

    def tell(message: str) -> None:
        reporter.emit(Notice(target=None, message=message))

    elsewhere = Elsewhere(
        *(project.root, cancellation.check, credentials), workspace=store.workspace, tell=tell
    )
    client = Client(credentials=credentials)
    fetcher = Fetcher(client, store, cancellation.check, elsewhere=elsewhere)
    with (
        stoppable(cancellation),
        open_run(
            project,
            store=store,
            engine=open_engine(engine, store, fetcher, reporter, cancellation),
            fetcher=fetcher,
            reporter=reporter,
            cancellation=cancellation,
            pinner=elsewhere,
            jobs=jobs,
        ) as run,
    ):
        yield run


def open_engine(
    name: str,
    store: Store,
    fetcher: Fetcher,
    reporter: Reporter,
    cancellation: Cancellation,
) -> Engine:
    """The engine called *name*; making its images is reported, and stops with *cancellation*.

    :raises EngineError: there is none here.
    """
    if name == "local":
        from wheelhouse.engine.local import LocalEngine

        return LocalEngine(store)
    from wheelhouse.engine.docker import DockerEngine, connect

    def building(title: str) -> AbstractContextManager[object]:
        return step(reporter, None, f"image {title}", "images")

    client = connect()
    maker = image_maker(client, store, fetcher, building=building)
    cancellation.also(maker.stop)
    return DockerEngine(client, maker)


def image_maker(
    client: object,
    store: Store,
    fetcher: Fetcher,
    *,
    on_line: Callable[[str], None] = lambda _: None,
    building: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> TargetImageMaker:
    """What makes and finds the images of targets in the engine of *client*."""
    from wheelhouse.engine.docker_images import DockerImages
    from wheelhouse.images import TargetImageMaker

    def fetch(pin: object) -> Path:
        return fetcher.fetch(pin.url, pin.sha256)  # type: ignore[attr-defined]

    images = DockerImages(client)  # type: ignore[arg-type]
    locks = store.root / "locks"
    return TargetImageMaker(images, fetch, locks, on_line, building=building)
