"""Weighing a plan on a machine: servers are asked once, and disks are looked at before."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fakeengine import FakeEngine
from lockfactory import lock, package
from lockingfactory import images, interpreter, locked, project, sha, target

from flakyindex import QUICK, Answer, FlakyIndex
from wheelhouse import weighing
from wheelhouse.cli.plantext import plan_data, plan_lines  # noqa: TID251  (it is what is tested)
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import StorageError
from wheelhouse.events import DownloadsStarted
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.house import LINKED
from wheelhouse.plan import Plan, Planned, Step
from wheelhouse.reporting.lines import to_text
from wheelhouse.run import Run
from wheelhouse.scheduler import Scheduler
from wheelhouse.store import Store
from wheelhouse.weighing import Load, Room, tell_downloads, weighed
from wheelhouse.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.events import Event

#: Bytes of the wheels that the index here serves, by their projects' names.
BODIES = {"nvidia-cublas": b"c" * 4000, "torch": b"t" * 3000, "numpy": b"n" * 2000}


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyIndex]:
    monkeypatch.setenv("NO_PROXY", "*")
    with FlakyIndex() as running:
        yield running


class World:
    """A machine, and a plan that fetches some of :data:`BODIES` from an index without sizes."""

    def __init__(self, root: Path, index: FlakyIndex, *names: str) -> None:
        self.root = root
        self.index = index
        self.store = Store(root / "store")
        self.events: list[Event] = []
        steps = tuple(self._step(name) for name in names)
        self.planned = Planned(
            target=target(),
            images=images(),
            interpreter=interpreter(),
            lock=lock(*(step.package for step in steps)),
            plan=Plan(target="web", steps=steps),
        )

    def _step(self, name: str) -> Step:
        filename = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
        url = self.index.on(f"/files/{filename}", Answer(body=BODIES[name]))
        file = locked(filename, url=url, sha256=sha(BODIES[name]))
        users = ("torch",) if name.startswith("nvidia") else ("requirements.txt:1",)
        return Step(
            action="fetch",
            package=package(name, "1.0", *users, wheels=(file,)),
            file=file,
            reason="its wheel fits everywhere",
        )

    def emit(self, event: Event) -> None:
        self.events.append(event)

    @contextmanager
    def run(self) -> Iterator[Run]:
        stop = Cancellation()
        nobody: Any = None
        with Scheduler(1) as scheduler:
            yield Run(
                project=project(self.root),
                store=self.store,
                engine=FakeEngine(),
                fetcher=Fetcher(Client(patience=QUICK), self.store, stop.check),
                locker=nobody,
                runner=nobody,
                scheduler=scheduler,
                reporter=self,
                cancellation=stop,
            )

    def weigh(self, *, everything: bool = True) -> Load:
        with self.run() as run:
            return weighed(run, self.planned, everything=everything)

    def text(self) -> list[str]:
        lines = [to_text(each) for each in plan_lines(self.planned, self.weigh())]
        return [line.replace(f"{self.root}/", "") for line in lines]


def room_text(lines: list[str]) -> str:
    return next(line for line in lines if "to write" in line).partition(", which has room")[0]


def test_a_plan_tells_what_is_to_come(tmp_path: Path, index: FlakyIndex) -> None:
    lines = World(tmp_path, index, *BODIES).text()
    assert lines[1:3] == [
        "  wheels: 9.0 kB in 3 files, 7.0 kB of it CUDA: nvidia-cublas, torch",
        "  to download: 9.0 kB in 3 files, 7.0 kB of it CUDA",
    ]
    assert room_text(lines) == "  to write: 18 kB to store"
    assert "  fetch   torch 1.0          3.0 kB  torch-1.0-py3-none-any.whl" in lines


def test_what_is_there_and_what_has_begun_is_told(tmp_path: Path, index: FlakyIndex) -> None:
    world = World(tmp_path, index, *BODIES)
    world.store.add([BODIES["torch"]])
    (world.store.root / "partial" / sha(BODIES["nvidia-cublas"])).write_bytes(b"c" * 1500)
    lines = world.text()
    assert lines[2] == (
        "  to download: 4.5 kB in 2 files, 2.5 kB of it CUDA; 4.5 kB are there already"
    )
    assert index.count("/files/torch-1.0-py3-none-any.whl") == 0
    assert lines[0] == "web: 3 packages (2 to fetch, 1 stored)"
    assert [line for line in lines if line.startswith("  stored  ")] == [
        "  stored  torch 1.0          3.0 kB  torch-1.0-py3-none-any.whl"
    ]
    assert lines[-1] == "          its wheel fits everywhere", "what is stored comes last"
    cublas = next(number for number, line in enumerate(lines) if "nvidia-cublas 1.0" in line)
    assert lines[cublas + 1] == "          its wheel fits everywhere; 1.5 kB of it are there"


def test_a_plan_fits_a_terminal(tmp_path: Path, index: FlakyIndex) -> None:
    world = World(tmp_path, index, *BODIES)
    load = world.weigh()
    lines = [to_text(each) for each in plan_lines(world.planned, load, 48)]
    assert all(len(line) <= 48 or str(tmp_path) in line for line in lines), "words stay whole"
    assert [line for line in lines if "nvidia-cublas 1.0" in line] == [
        "  fetch   nvidia-cublas 1.0  4.0 kB  nvidia_cub…"
    ]
    words = " ".join(lines).split()
    whole = " ".join(to_text(each) for each in plan_lines(world.planned, load)).split()
    assert [word for word in words if "…" not in word] == [
        word for word in whole if not word.endswith(".whl")
    ]


def test_programs_are_told_the_same(tmp_path: Path, index: FlakyIndex) -> None:
    world = World(tmp_path, index, "torch", "nvidia-cublas")
    world.store.add([BODIES["torch"]])
    told = plan_data(world.planned, world.weigh())
    assert told["size"]["cuda"] == {"files": 2, "bytes": 7000, "unknown": 0}
    assert told["size"]["download"] == {"files": 1, "bytes": 4000, "unknown": 0}
    assert [(each["name"], each["size"], each["stored"]) for each in told["steps"]] == [
        ("torch", 3000, True),
        ("nvidia-cublas", 4000, False),
    ]
    assert [disk["needed"] for disk in told["disks"]] == [4000 + 7000]


def test_servers_are_asked_once(tmp_path: Path, index: FlakyIndex) -> None:
    world = World(tmp_path, index, *BODIES)
    assert world.weigh().weights == world.weigh(everything=False).weights
    assert len(index.asked) == len(BODIES)


def test_a_run_asks_for_what_is_worth_it(tmp_path: Path, index: FlakyIndex) -> None:
    assert World(tmp_path / "a", index, "numpy").weigh(everything=False).weights.wheels.unknown == 1
    assert index.asked == []
    load = World(tmp_path / "b", index, *BODIES).weigh(everything=False)
    assert load.weights.wheels.size == 9000


def test_a_server_that_does_not_tell_leaves_it_open(tmp_path: Path, index: FlakyIndex) -> None:
    world = World(tmp_path, index, "torch", "numpy")
    index.on("/files/numpy-1.0-py3-none-any.whl", Answer(status=500))
    assert world.text()[2] == "  to download: at least 3.0 kB in 2 files"


def test_a_big_wheel_takes_no_room_beside_the_store(tmp_path: Path, index: FlakyIndex) -> None:
    world = World(tmp_path, index, "torch")
    (world.store.root / "partial" / sha(BODIES["torch"])).write_bytes(b"t" * 1000)
    assert [room.needed for room in world.weigh().rooms] == [2000 + 3000]
    blob = world.store.blob(sha(BODIES["torch"]))
    blob.parent.mkdir()
    with blob.open("wb") as file:
        file.truncate(LINKED)
    assert [room.needed for room in world.weigh().rooms] == [0]


def test_each_disk_is_told_by_itself(
    tmp_path: Path, index: FlakyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weighing, "on_one_disk", lambda one, other: False)
    rooms = World(tmp_path, index, "torch").weigh().rooms
    assert [(room.folder.name, room.needed) for room in rooms] == [("store", 3000), ("web", 3000)]


def test_what_has_no_room_is_refused_and_a_plan_says_so(tmp_path: Path, index: FlakyIndex) -> None:
    world = World(tmp_path, index, "torch")
    room = Room(folder=tmp_path, needed=3_000_000_000, free=2_000_000_000)
    load = Load(weights=Weights(files=()), rooms=(room,))
    with pytest.raises(StorageError, match=r"has room for 2\.0 GB, and 3\.0 GB are to come"):
        load.check()
    assert to_text(list(plan_lines(world.planned, load))[1]) == (
        f"  to write: 3.0 GB to {tmp_path}, which has room for 2.0 GB: the disk is full"
    )
    Load(weights=load.weights, rooms=(Room(folder=tmp_path, needed=1 << 60, free=None),)).check()


def test_downloads_are_announced(tmp_path: Path, index: FlakyIndex) -> None:
    world = World(tmp_path, index, *BODIES)
    index.on("/files/numpy-1.0-py3-none-any.whl", Answer(status=404))
    (world.store.root / "partial" / sha(BODIES["torch"])).write_bytes(b"t" * 1000)
    tell_downloads(world, target(), world.weigh().weights)
    assert world.events == [
        DownloadsStarted(
            target="web",
            files=3,
            size=7000,
            unknown=1,
            sizes={"nvidia-cublas": 4000, "torch": 3000},
            come={"torch": 1000},
        )
    ]


def test_nothing_is_announced_where_all_is_there(tmp_path: Path, index: FlakyIndex) -> None:
    world = World(tmp_path, index, "torch")
    world.store.add([BODIES["torch"]])
    tell_downloads(world, target(), world.weigh().weights)
    assert world.events == []
