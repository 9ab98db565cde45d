"""Opening a run for a command: the engine by its name, the store, and how it is stopped."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import click

from wheelhouse.aftercare import companion
from wheelhouse.cli.interrupts import stoppable
from wheelhouse.credentials import Credentials
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.events import Notice, step
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.run import Run, open_run
from wheelhouse.sources import Elsewhere
from wheelhouse.store import Store, default_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wheelhouse.config import Project
    from wheelhouse.engine import Engine
    from wheelhouse.events import Reporter
    from wheelhouse.images import TargetImageMaker


@contextmanager
def workbench(
    project: Project, engine: str, reporter: Reporter, *, jobs: int | None = None
) -> Iterator[Run]:
    """A run on *project*, stoppable by signals.

    :raises EngineError: there is no such engine here.
    """
    cancellation = Cancellation()
    credentials = Credentials(project.known_indexes, project.credentials)

    def tell(message: str) -> None:
        reporter.emit(Notice(target=None, message=message))

    store = Store(default_root(), tell)
    elsewhere = Elsewhere(
        *(project.root, cancellation.check, credentials), workspace=store.workspace, tell=tell
    )
    client = Client(credentials=credentials, check=cancellation.check)
    cancellation.also(client.stop)
    fetcher = Fetcher(client, store, cancellation.check, elsewhere=elsewhere)
    with (
        stoppable(cancellation),
        companion(engine, store.root, project.output, project.root),
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


def open_store() -> Store:
    """The user's store, for a command that reports nothing. Raises StorageError."""
    return Store(default_root(), lambda message: click.echo(message, err=True))


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
    from wheelhouse.engine.docker import DockerEngine
    from wheelhouse.engine.docker_connect import connect

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
    from wheelhouse.imageuses import ImageUses

    def fetch(pin: object) -> Path:
        return fetcher.fetch(pin.url, pin.sha256)  # type: ignore[attr-defined]

    images = DockerImages(client)  # type: ignore[arg-type]
    locks, used = store.root / "locks", ImageUses(store).note
    return TargetImageMaker(images, fetch, locks, on_line, building=building, used=used)
