"""One run: what its stages share, opened and closed in the right order."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelhouse.building.runner import Runner
from wheelhouse.events import Notice
from wheelhouse.locking.indexes import Indexes
from wheelhouse.locking.lock import Locker
from wheelhouse.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelhouse.config import Project
    from wheelhouse.engine import Engine
    from wheelhouse.engine.cancellation import Cancellation
    from wheelhouse.events import Reporter
    from wheelhouse.fetch import Fetcher
    from wheelhouse.locking.direct import Pinner
    from wheelhouse.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The parts that every target of a run uses. Only the pipeline sees all of them."""

    project: Project
    store: Store
    engine: Engine
    fetcher: Fetcher
    locker: Locker
    runner: Runner
    scheduler: Scheduler
    reporter: Reporter
    cancellation: Cancellation


@contextmanager
def open_run(
    project: Project,
    *,
    store: Store,
    engine: Engine,
    fetcher: Fetcher,
    reporter: Reporter,
    cancellation: Cancellation,
    pinner: Pinner,
    jobs: int | None = None,
) -> Iterator[Run]:
    """A run over *project*. At its end no container of it is left.

    :param pinner: says what lies at places that are no index's.
    :param jobs: containers at once; else the project's setting, else one per CPU of the engine.
    """
    store.clean()
    store.check()
    engine.reap()
    for message in engine.notices():
        reporter.emit(Notice(target=None, message=message))
    runner = Runner(engine, store, project.limits, reporter, cancellation)
    try:
        with Scheduler(containers=jobs or project.jobs or engine.cpus) as scheduler:
            locker = Locker(
                project,
                indexes=Indexes(fetcher.client, project),
                fetcher=fetcher,
                runner=runner,
                scheduler=scheduler,
                pinner=pinner,
            )
            yield Run(
                project=project,
                store=store,
                engine=engine,
                fetcher=fetcher,
                locker=locker,
                runner=runner,
                scheduler=scheduler,
                reporter=reporter,
                cancellation=cancellation,
            )
    except BaseException:
        cancellation.cancel()
        raise
    finally:
        engine.close()
