"""What builders and backends take before there is a plan: told, with its size, then fetched."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakeengine import FakeEngine
from lockfactory import build, built, package
from lockingfactory import images, interpreter, locked, sha, target
from packaging.version import Version

from flakyindex import QUICK, Answer, FlakyIndex
from wheelhouse.building import downloads
from wheelhouse.building.circumstances import circumstances
from wheelhouse.building.downloads import Downloads
from wheelhouse.building.runner import Runner
from wheelhouse.engine import Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import FetchError, StorageError
from wheelhouse.events import DownloadsStarted, Notice, StepFinished
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.scheduler import Scheduler
from wheelhouse.store import Store
from wheelhouse.toolkit import Toolkit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.engine import Image
    from wheelhouse.events import Event
    from wheelhouse.locking.model import LockedFile
    from wheelhouse.plan import Circumstances

#: Bytes of wheels on the index, by their projects' names.
BODIES = {"nvidia-cuda-nvcc": b"n" * 4000, "nvidia-cuda-cccl": b"c" * 3000}

DEMO = package("demo", build=build(cuda=True))


class Machine:
    """One with an empty store, an engine without the toolkit, and an index that tells no sizes."""

    def __init__(self, root: Path, index: FlakyIndex, scheduler: Scheduler) -> None:
        self.index = index
        self.store = Store(root / "store")
        self.engine = FakeEngine()
        self.engine.toolkit_is_there = False
        self.events: list[Event] = []
        stop = Cancellation()
        self.runner = Runner(self.engine, self.store, Limits(), self, stop)
        self.downloads = Downloads(
            target(),
            runner=self.runner,
            fetcher=Fetcher(Client(patience=QUICK), self.store, stop.check),
            scheduler=scheduler,
        )
        files = [self.file(name) for name in BODIES]
        self.toolkit = Toolkit(version=Version("13.2"), wheels=tuple(files))

    def file(self, name: str, body: bytes | None = None) -> LockedFile:
        """The wheel of *name*, put on the index."""
        content = BODIES[name] if body is None else body
        filename = f"{name.replace('-', '_')}-13.2.86-py3-none-any.whl"
        url = self.index.on(f"/files/{filename}", Answer(body=content))
        return locked(filename, url=url, sha256=sha(content))

    def circumstances(self) -> Circumstances:
        return circumstances(
            *(self.runner, target(), images(), interpreter()), downloads=self.downloads
        )

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def told(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Notice)]

    def started(self) -> list[DownloadsStarted]:
        return [event for event in self.events if isinstance(event, DownloadsStarted)]

    def done(self) -> list[tuple[str, str, str]]:
        found = [event for event in self.events if isinstance(event, StepFinished)]
        return sorted((event.step, event.phase, event.outcome) for event in found)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyIndex]:
    monkeypatch.setenv("NO_PROXY", "*")
    with FlakyIndex() as running:
        yield running


@pytest.fixture
def machine(
    tmp_path: Path, index: FlakyIndex, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    monkeypatch.setattr(downloads, "WORTH", 5000)
    with Scheduler(1) as scheduler:
        yield Machine(tmp_path, index, scheduler)


def test_a_toolkit_is_told_before_it_is_fetched(machine: Machine) -> None:
    machine.downloads.toolkit(machine.toolkit, DEMO)
    (notice, announced), rest = machine.events[:2], machine.events[2:]
    assert isinstance(notice, Notice)
    assert notice.message == (
        "now downloading 7.0 kB in 2 files, before there is a plan: the toolkit of CUDA 13.2, for "
        "the builder in which the build backend of demo 1.0 runs"
    )
    assert notice.hint == "if demo can do without, write cuda = false into [packages.demo]"
    assert announced == DownloadsStarted(
        target="web",
        files=2,
        size=7000,
        unknown=0,
        sizes={name: len(body) for name, body in BODIES.items()},
        come={},
    )
    assert len(rest) >= 2 * len(BODIES)
    assert machine.done() == [(name, "download", "done") for name in sorted(BODIES)]
    assert all(machine.store.has(file.sha256) for file in machine.toolkit.wheels)


def test_a_builder_that_has_it_takes_nothing(machine: Machine, index: FlakyIndex) -> None:
    machine.engine.toolkit_is_there = True
    machine.downloads.toolkit(machine.toolkit, DEMO)
    assert (machine.events, index.asked) == ([], [])


def test_what_is_there_is_neither_told_nor_fetched(machine: Machine) -> None:
    machine.store.add([BODIES["nvidia-cuda-nvcc"]])
    machine.downloads.toolkit(machine.toolkit, DEMO)
    assert machine.told() == [], "what is left is no more than a moment's"
    assert [(each.files, each.size) for each in machine.started()] == [(1, 3000)]
    machine.events.clear()
    machine.downloads.toolkit(machine.toolkit, DEMO)
    assert machine.events == []


def test_who_wants_the_same_waits_for_it(machine: Machine, index: FlakyIndex) -> None:
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(machine.downloads.toolkit, machine.toolkit, DEMO) for _ in range(4)]
        for each in waiting:
            each.result()
    assert len(machine.told()) == 1
    assert sum(each.method == "GET" for each in index.asked) == len(BODIES)


@pytest.mark.parametrize("folder", [None, "/opt/python"])
def test_a_builder_is_made_once_its_toolkit_is_there(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, folder: str | None
) -> None:
    there: list[bool] = []

    def made(*_: object) -> Image:
        there.extend(machine.store.has(file.sha256) for file in machine.toolkit.wheels)
        return images().builder

    monkeypatch.setattr(machine.engine, "for_cibuildwheel" if folder else "with_system", made)
    here = machine.circumstances()
    if folder:
        here.for_cibuildwheel(DEMO, (), folder, machine.toolkit)
    else:
        here.builder(DEMO, (), machine.toolkit)
    assert there == [True] * len(BODIES)
    assert "the build backend of demo 1.0 runs" in machine.told()[0]


def test_big_build_requirements_are_told(machine: Machine) -> None:
    """But not those that are built: they have no wheel yet."""
    tool = build("torch-2.15", "numpy-2.3")
    torch, numpy = tool.environment
    body = b"t" * 6000
    environment = (
        replace(torch, file=machine.file("torch", body)),
        replace(numpy, build=build()),
    )
    demo = built("demo", replace(tool, environment=environment))
    machine.downloads.environment(demo)
    (told,) = machine.told()
    assert told == (
        "now downloading 6.0 kB in 1 file, before there is a plan: build requirements of demo 1.0, "
        "whose build backend is asked for its metadata"
    )
    assert machine.done() == [("torch for demo-1.0.tar.gz", "download", "done")]
    assert machine.started()[0].sizes == {"torch for demo-1.0.tar.gz": 6000}


def test_what_has_no_room_is_not_begun(
    machine: Machine, index: FlakyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "free_room", lambda folder: 6999)
    with pytest.raises(StorageError, match=r"has room for 7\.0 kB, and 7\.0 kB are to come"):
        machine.downloads.toolkit(machine.toolkit, DEMO)
    assert machine.events == []
    assert all(each.method == "HEAD" for each in index.asked)


def test_what_is_gone_is_an_error(machine: Machine, index: FlakyIndex) -> None:
    index.on("/files/nvidia_cuda_nvcc-13.2.86-py3-none-any.whl", Answer(status=404))
    with pytest.raises(FetchError, match="404"):
        machine.downloads.toolkit(machine.toolkit, DEMO)
    assert ("nvidia-cuda-nvcc", "download", "failed") in machine.done()
