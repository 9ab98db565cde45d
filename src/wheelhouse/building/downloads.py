"""What builds take of an index, fetched as steps that a person sees; what is much is told before.

Backends are asked, and builders are made, before there is a plan: its figures come too late for
what that takes, which may be gigabytes.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from wheelhouse.durable import free_room, no_room
from wheelhouse.events import Notice, step
from wheelhouse.reporting.transfers import WORTH
from wheelhouse.scheduler import gather
from wheelhouse.toolkit import parts
from wheelhouse.weights import Heavy, announced, owner_for, weigh

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wheelhouse.building.runner import Runner
    from wheelhouse.events import Reporter
    from wheelhouse.fetch import Fetcher
    from wheelhouse.locking.model import LockedFile, LockedPackage
    from wheelhouse.scheduler import Scheduler
    from wheelhouse.store import Store
    from wheelhouse.targets import Target
    from wheelhouse.toolkit import Toolkit
    from wheelhouse.weights import Weights


def fetch_as_step(
    name: str, file: LockedFile, target: str, reporter: Reporter, fetcher: Fetcher
) -> Path:
    """The verified *file*; a step called *name* if it is not in the store yet.

    :raises FetchError: it cannot be had.
    """
    if fetcher.store.has(file.sha256):
        return fetcher.fetch(file.url, file.sha256, size=file.size)
    with step(reporter, target, name, "download") as report:
        return fetcher.fetch(file.url, file.sha256, size=file.size, progress=report.progress)


def weighed_files(
    files: Mapping[str, LockedFile], fetcher: Fetcher, scheduler: Scheduler
) -> Weights:
    """What *files*, by the names of their steps, weigh: as the lock or their servers say.

    :raises InterruptedRunError: the run is being stopped.
    """
    unknown = {file.sha256: file.url for file in files.values() if file.size is None}
    told = fetcher.lengths.of(unknown.values(), scheduler)
    sizes = {sha256: told[url] for sha256, url in unknown.items() if url in told}
    taken = [Heavy(owner=name, file=file, role="build") for name, file in files.items()]
    return weigh(taken, sizes, fetcher.store)


def check_room(weights: Weights, store: Store) -> None:
    """Raise StorageError unless *store* has room for what is to come."""
    needed, free = weights.download.size, free_room(store.root)
    if free is not None and needed > free:
        raise no_room(store.root, needed, free)


class Downloads:
    """Those of one target before its plan; what is much is told before it comes.

    Methods may be called from several threads: one waits for what another fetches.
    """

    def __init__(
        self, target: Target, *, runner: Runner, fetcher: Fetcher, scheduler: Scheduler
    ) -> None:
        self._target = target
        self._runner = runner
        self._fetcher = fetcher
        self._scheduler = scheduler
        self._alone = threading.Lock()

    def toolkit(self, toolkit: Toolkit, package: LockedPackage) -> None:
        """Have what the builder of *package* takes of *toolkit*, unless that builder is there.

        :raises FetchError: it cannot be had.
        :raises ImageError: the builder cannot be had.
        :raises StorageError: the store has no room for it.
        """
        if self._runner.engine.has_toolkit(self._target, toolkit):
            return
        self._fetch(
            {name: file for name, _, file in parts(toolkit.wheels)},
            f"the toolkit of CUDA {toolkit.version}, for the builder in which the build backend of "
            f"{package} runs",
            hint=f"if {package.name} can do without, write cuda = false into "
            f"[packages.{package.name}]",
        )

    def environment(self, package: LockedPackage) -> None:
        """Have what the build backend of *package* needs to answer.

        :raises FetchError: it cannot be had.
        :raises StorageError: the store has no room for it.
        """
        assert package.build is not None
        assert package.sdist is not None
        self._fetch(
            {
                owner_for(each.name, package.sdist): each.file
                for each in package.build.environment
                if each.build is None
            },
            f"build requirements of {package}, whose build backend is asked for its metadata",
        )

    def _fetch(self, files: Mapping[str, LockedFile], what: str, hint: str | None = None) -> None:
        """Have *files*, by the names of their steps, in the store."""
        store, reporter = self._fetcher.store, self._runner.reporter
        with self._alone:
            lacking = {name: file for name, file in files.items() if not store.has(file.sha256)}
            if not lacking:
                return
            weights = weighed_files(lacking, self._fetcher, self._scheduler)
            self._tell(weights, what, hint)
            fetch = partial(
                fetch_as_step, target=self._target.name, reporter=reporter, fetcher=self._fetcher
            )
            futures = [
                self._scheduler.submit(
                    "downloads", partial(fetch, name, file), cost=weights.size(file.sha256) or 0
                )
                for name, file in lacking.items()
            ]
            gather(futures)

    def _tell(self, weights: Weights, what: str, hint: str | None) -> None:
        """Report what is to come.

        :raises StorageError: the store has no room for it.
        """
        check_room(weights, self._fetcher.store)
        reporter, come = self._runner.reporter, weights.download
        if come.size >= WORTH:
            told = f"now downloading {come.told}, before there is a plan: {what}"
            reporter.emit(Notice(target=self._target.name, message=told, hint=hint))
        reporter.emit(announced(self._target.name, weights.files))
