"""A small world to lock in: a project, an index in memory, and containers that answer.

For tests of what a lock has, whatever it is made from.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fakeengine import FakeContainer, FakeEngine, frame
from lockingfactory import (
    FakeIndex,
    images,
    index_file,
    interpreter,
    metadata,
    page,
    project,
    pure,
    remember_probe,
    sha,
    tar_bytes,
    target,
)
from packaging.utils import canonicalize_name

from flakyindex import QUICK
from wheelhouse.building.runner import Runner
from wheelhouse.credentials import Credentials
from wheelhouse.engine import Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.inputs import read_inputs
from wheelhouse.locking import metadata as metadata_module
from wheelhouse.locking.current import Freshness, current_lock
from wheelhouse.locking.lock import Locker
from wheelhouse.scheduler import Scheduler
from wheelhouse.sources import Elsewhere
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wheelhouse.config import PackageSettings
    from wheelhouse.events import Event
    from wheelhouse.locking.index import IndexFile
    from wheelhouse.locking.model import Lock, RefusedFile

HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
MAIN = "requirements.txt"


class Remembering:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def answer(
    requires: list[str] | None = None, missing: list[str] | None = None, text: str | None = None
) -> FakeContainer:
    """A container whose backend asks for *requires*, of which *missing* is not there."""
    message = {
        "type": "result",
        "requires": requires or [],
        "missing": missing or [],
        "metadata": text,
    }
    return FakeContainer([("stdout", frame(message))])


class World:
    """A project, an index in memory, and containers that answer as they are told to."""

    def __init__(self, root: Path) -> None:
        self.images = images()
        self.root = root / "project"
        self.root.mkdir()
        self.project = project(self.root)
        self.store = Store(root / "store")
        remember_probe(self.store)
        self.index = FakeIndex()
        self.reporter = Remembering()
        self.cancellation = Cancellation()
        self.engine = FakeEngine(answer())
        self.told: list[str] = []

    def ask(self, text: str, name: str = MAIN) -> None:
        (self.root / name).write_text(text)

    def configure(self, **packages: PackageSettings) -> None:
        self.project = project(self.root, packages)

    def containers(self, *containers: FakeContainer) -> None:
        self.engine = FakeEngine(*containers)

    def _put(self, name: str, file: IndexFile) -> None:
        key = canonicalize_name(name)
        present = self.index.pages.get(key) or page(name)
        self.index.pages[key] = replace(present, files=(*present.files, file))

    def wheel(self, name: str, version: str, *requires: str, **more: Any) -> None:
        """A wheel on the index, of which the metadata is known."""
        file = replace(pure(name, version), **more)
        self._put(name, file)
        assert file.sha256 is not None
        text = metadata(name, version, requires)
        self.store.write_record(metadata_module.KIND, file.sha256, {"text": text})

    def tool(self, each: str) -> None:
        """A wheel of a build requirement, such as ``hatchling-1.27``, on the index and here."""
        name, _, version = each.partition("-")
        data = f"the wheel of {each}".encode()
        self.store.add([data])
        text = {"text": metadata(name, version)}
        self.store.write_record(metadata_module.KIND, sha(data), text)
        self._put(name, replace(pure(name, version), sha256=sha(data)))

    def sdist(self, name: str, version: str, pyproject: str = HATCH, level: str = "2.2") -> None:
        """An sdist on the index and in the store."""
        top = f"{name}-{version}"
        info = metadata(name, version, level=level)
        data = tar_bytes({f"{top}/PKG-INFO": info, f"{top}/pyproject.toml": pyproject})
        self.store.add([data])
        self._put(name, index_file(f"{top}.tar.gz", sha256=sha(data)))

    def locker(self, scheduler: Scheduler) -> Locker:
        runner = Runner(self.engine, self.store, Limits(), self.reporter, self.cancellation)
        check = self.cancellation.check
        elsewhere = Elsewhere(
            *(self.root, check, Credentials()),
            workspace=self.store.workspace,
            tell=self.told.append,
        )
        return Locker(
            self.project,
            indexes=self.index,
            fetcher=Fetcher(Client(patience=QUICK), self.store, check, elsewhere=elsewhere),
            runner=runner,
            scheduler=scheduler,
            pinner=elsewhere,
        )

    def lock(self, old: Lock | None = None, refused: Sequence[RefusedFile] = ()) -> Lock:
        requirements = read_inputs(self.root, self.project.requirements)
        with Scheduler(2) as scheduler:
            return self.locker(scheduler).lock(
                target(), interpreter(), self.images, requirements, old, refused
            )

    def current(self, freshness: Freshness = Freshness.RENEW_IF_STALE) -> Lock:
        with Scheduler(2) as scheduler:
            return current_lock(
                self.locker(scheduler), self.project, target(), interpreter(), images(), freshness
            )

    def jobs(self) -> list[str]:
        return [spec.purpose for spec in self.engine.started]


def names(lock: Lock) -> list[str]:
    """``flask 3.0`` for each package."""
    return [str(package) for package in lock.packages]
