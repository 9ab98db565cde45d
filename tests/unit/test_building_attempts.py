"""Jobs that are done again: alone after want of memory, and once their engine is back."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from fakeengine import RESULT, SOON, FakeContainer, FakeEngine, file_frame, frame

from wheelhouse.building import attempts as attempts_module
from wheelhouse.building.attempts import ALONE, Attempts, Room
from wheelhouse.engine import ContainerSpec, Exit, Limits
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.engine.frames import JobDiedError
from wheelhouse.engine.jobs import Job
from wheelhouse.engine.session import JobFailedError
from wheelhouse.errors import EngineError, InterruptedRunError
from wheelhouse.events import Notice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.engine import Container
    from wheelhouse.engine.session import Reply
    from wheelhouse.events import Event

KILLED = {"type": "failed", "stage": "build", "message": "x", "reached": {"memory": "container"}}


def died(status: int | None) -> FakeContainer:
    return FakeContainer([("stderr", b"before the end\n")], Exit(status=status))


def failed(**answer: object) -> FakeContainer:
    return FakeContainer([("stdout", frame({**KILLED, **answer}))])


def succeeds() -> FakeContainer:
    return FakeContainer([("stdout", file_frame("a.whl", b"good")), ("stdout", RESULT)])


class Wayward(FakeEngine):
    """An engine that answers as often as *answers* says, and refuses to start before."""

    def __init__(self, *containers: FakeContainer, answers: Iterator[bool]) -> None:
        super().__init__(*containers)
        self._answers = answers

    def answers(self) -> bool:
        return next(self._answers)


class Away(FakeEngine):
    """An engine that cannot start anything, and answers or does not."""

    def __init__(self, *, answering: bool) -> None:
        super().__init__()
        self._answering = answering

    def start(self, spec: ContainerSpec) -> Container:
        raise EngineError("no")

    def answers(self) -> bool:
        return self._answering


class Bench:
    """What an attempt takes, and what is heard of it."""

    def __init__(self, engine: FakeEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.events: list[Event] = []
        self.log = b""
        self.cancellation = Cancellation()
        self.attempts = Attempts(engine, self, self.cancellation)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def output(self, data: bytes) -> None:
        self.log += data

    def phase(self, name: str) -> None:
        pass

    def run(self) -> Reply:
        spec = ContainerSpec(
            image="i",
            argv=("x",),
            purpose="demo",
            limits=Limits(cpus=4, deadline=SOON),
            environment={"WHEELHOUSE_CPUS": "4"},
        )
        job = Job(kind="build", parameters={})
        return self.attempts.run(spec, job, target="t", listener=self, results=self.folder)

    @property
    def notices(self) -> list[str]:
        return [each.message for each in self.events if isinstance(each, Notice)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts_module, "PAUSE", 0.01)
    monkeypatch.setattr(attempts_module, "PATIENCE", 0.1)


# -- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [failed(), failed(type="result"), FakeContainer([], Exit(status=137, out_of_memory=True))],
    ids=["failed", "went-on", "died"],
)
def test_what_ran_out_of_memory_is_done_once_more_with_one_cpu(
    tmp_path: Path, first: FakeContainer
) -> None:
    first.script.insert(0, ("stdout", file_frame("a.whl", b"half")))
    bench = Bench(FakeEngine(first, succeeds()), tmp_path)
    assert bench.run().files["a.whl"].read_bytes() == b"good"
    usual, frugal = bench.engine.started
    assert (usual.limits.cpus, usual.environment["WHEELHOUSE_CPUS"]) == (4, "4")
    assert (frugal.limits.cpus, frugal.environment["WHEELHOUSE_CPUS"]) == (1, "1")
    (told,) = bench.notices
    assert told.startswith("demo ran out of memory")
    assert b"once more, with nothing beside it" in bench.log


def test_who_runs_out_of_memory_twice_has_failed(tmp_path: Path) -> None:
    bench = Bench(FakeEngine(failed()), tmp_path)
    with pytest.raises(JobFailedError) as told:
        bench.run()
    assert told.value.stage == "memory"
    assert told.value.message.endswith(ALONE)
    assert len(bench.engine.started) == 2


def test_another_failure_is_not_tried_again(tmp_path: Path) -> None:
    bench = Bench(FakeEngine(failed(reached={})), tmp_path)
    with pytest.raises(JobFailedError):
        bench.run()
    assert len(bench.engine.started) == 1
    assert bench.notices == []


# -- the engine -----------------------------------------------------------------------------------


def test_a_job_whose_engine_stopped_is_done_once_more(tmp_path: Path) -> None:
    away = iter([False, False, True])
    bench = Bench(Wayward(died(None), succeeds(), answers=away), tmp_path)
    bench.run()
    assert len(bench.engine.started) == 2
    (told,) = bench.notices
    assert told.startswith("the container engine stopped during demo")
    assert b"once more: the container engine was away" in bench.log


def test_an_engine_that_stays_away_is_told(tmp_path: Path) -> None:
    bench = Bench(Away(answering=False), tmp_path)
    with pytest.raises(EngineError, match="engine stopped in the middle of a job") as told:
        bench.run()
    assert "start it again" in str(told.value.hint)


def test_an_engine_that_stops_each_time_is_given_up(tmp_path: Path) -> None:
    bench = Bench(FakeEngine(died(None)), tmp_path)
    with pytest.raises(EngineError, match="engine stopped"):
        bench.run()
    assert len(bench.engine.started) == attempts_module.TIMES


def test_an_engine_that_refuses_is_not_asked_again(tmp_path: Path) -> None:
    bench = Bench(Away(answering=True), tmp_path)
    with pytest.raises(EngineError, match=r"^no$"):
        bench.run()
    assert bench.notices == []


def test_who_waits_for_the_engine_can_be_stopped(tmp_path: Path) -> None:
    def answers() -> Iterator[bool]:
        yield False
        bench.cancellation.cancel()
        while True:
            yield False

    bench = Bench(Wayward(died(None), answers=answers()), tmp_path)
    with pytest.raises(InterruptedRunError):
        bench.run()


def test_a_death_of_another_cause_is_told_as_it_is(tmp_path: Path) -> None:
    bench = Bench(FakeEngine(died(137)), tmp_path)
    with pytest.raises(JobDiedError) as told:
        bench.run()
    assert told.value.cause == "killed"


# -- room -----------------------------------------------------------------------------------------


def test_who_is_alone_waits_for_others_and_others_for_it() -> None:
    room, order = Room(lambda: None), []
    inside, go = threading.Event(), threading.Event()

    def first() -> None:
        with room.shared():
            inside.set()
            go.wait(SOON)
            order.append("first")

    def alone() -> None:
        with room.alone():
            order.append("alone")

    def late() -> None:
        with room.shared():
            order.append("late")

    threads = [threading.Thread(target=each) for each in (first, alone, late)]
    threads[0].start()
    assert inside.wait(SOON)
    threads[1].start()
    while not room._lone:
        pass
    threads[2].start()
    go.set()
    for thread in threads:
        thread.join(SOON)
    assert order == ["first", "alone", "late"]


def test_any_number_shares_the_room() -> None:
    room = Room(lambda: None)
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(room.shared())
    with room.alone():
        pass


def test_two_who_want_to_be_alone_are_so_in_turn() -> None:
    room, inside, most = Room(lambda: None), [0], [0]

    def alone() -> None:
        with room.alone():
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            inside[0] -= 1

    threads = [threading.Thread(target=alone) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert most == [1]


def test_who_waits_to_be_alone_can_be_stopped_and_blocks_nobody() -> None:
    def stop() -> None:
        raise InterruptedRunError("stopped")

    room = Room(stop)
    with room.shared():
        with pytest.raises(InterruptedRunError), room.alone():
            pass
        with room.shared():
            pass
