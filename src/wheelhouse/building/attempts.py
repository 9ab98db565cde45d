"""Jobs in containers, each done again where that may help: alone, or once the engine is back.

A build that was killed for want of memory may succeed with nothing beside it and with one of its
own programs at a time. One whose engine was stopped, by an upgrade of it perhaps, is not at fault
at all.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.engine.capping import OURS
from wheelhouse.engine.frames import JobDiedError
from wheelhouse.engine.session import JobFailedError, run_job
from wheelhouse.errors import EngineError
from wheelhouse.events import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheelhouse.engine import ContainerSpec, Engine
    from wheelhouse.engine.cancellation import Cancellation
    from wheelhouse.engine.jobs import Job
    from wheelhouse.engine.session import Listener, Reply
    from wheelhouse.events import Reporter

#: Seconds that an engine which has stopped has to come back, and between two looks.
PATIENCE = 30.0
PAUSE = 0.5

#: How often a job is done at most whose engine stops.
TIMES = 3

#: The stages of failures for want of memory.
MEMORY = {"memory", "machine-memory"}

#: What is told of a second failure of the kind.
ALONE = ", also with nothing beside it and one CPU"


class Attempts:
    """Does jobs on one engine, for one run. Its methods may be called from several threads.

    :ivar room: where whatever else has containers takes its place, too.
    """

    def __init__(self, engine: Engine, reporter: Reporter, cancellation: Cancellation) -> None:
        self.engine = engine
        self.cancellation = cancellation
        self._reporter = reporter
        self.room = Room(cancellation.check)

    def run(
        self,
        spec: ContainerSpec,
        job: Job,
        *,
        target: str,
        listener: Listener,
        results: Path | None = None,
    ) -> Reply:
        """The answer of *job* in a container of *spec*, after as many attempts as make sense.

        :param target: for whom, to be told.
        :param results: the folder for the files that it sends; without one it may send none.
        :raises JobFailedError: the job itself failed.
        :raises JobDiedError: its container ended without an answer.
        :raises EngineError: the engine stopped and did not come back, or refuses.
        :raises InterruptedRunError: the run was cancelled.
        """
        attempt = _Attempt(self, job, target, listener, results)
        try:
            with self.room.shared():
                return attempt.on_a_lasting_engine(spec)
        except (JobFailedError, JobDiedError) as error:
            if stage_of(error) not in MEMORY:
                raise
            told = f"{spec.purpose} {error.message}: it waits until nothing runs beside it, and is "
            self.tell(target, f"{told}done once more with one CPU")
        attempt.start_over("once more, with nothing beside it and one CPU")
        with self.room.alone():
            try:
                return attempt.on_a_lasting_engine(_frugal(spec))
            except (JobFailedError, JobDiedError) as error:
                if stage_of(error) in MEMORY:
                    error.message += ALONE
                raise

    def tell(self, target: str, message: str) -> None:
        """Tell a person of something that nobody asked for."""
        self._reporter.emit(Notice(target=target, message=message))


class _Attempt:
    """One job, in one container after another."""

    def __init__(
        self,
        attempts: Attempts,
        job: Job,
        target: str,
        listener: Listener,
        results: Path | None,
    ) -> None:
        self._attempts = attempts
        self._job = job
        self._target = target
        self._listener = listener
        self._results = results

    def on_a_lasting_engine(self, spec: ContainerSpec) -> Reply:
        """The answer; from the beginning if the engine stops meanwhile, and comes back."""
        engine = self._attempts.engine
        for _ in range(TIMES):
            try:
                return run_job(
                    engine,
                    spec,
                    self._job,
                    results=self._results,
                    listener=self._listener,
                    cancellation=self._attempts.cancellation,
                )
            except JobDiedError as error:
                if error.cause != "engine":
                    raise
            except EngineError:
                if engine.answers():
                    raise
            self._await_engine(spec.purpose)
            self.start_over("once more: the container engine was away")
        raise stopped(spec.purpose)

    def _await_engine(self, purpose: str) -> None:
        attempts, deadline = self._attempts, time.monotonic() + PATIENCE
        told = f"the container engine stopped during {purpose}: that is done once more if it is "
        attempts.tell(self._target, f"{told}back within {PATIENCE:.0f} s")
        while not attempts.engine.answers():
            attempts.cancellation.check()
            if time.monotonic() > deadline:
                raise stopped(purpose)
            time.sleep(PAUSE)

    def start_over(self, why: str) -> None:
        """Forget what the attempt before has sent; the log goes on."""
        for left in self._results.iterdir() if self._results else ():
            left.unlink()
        self._listener.output(f"\n{OURS}{why}\n".encode())


def stage_of(error: JobFailedError | JobDiedError) -> str:
    """The agent's stage in which it failed, or how its container died."""
    return error.cause if isinstance(error, JobDiedError) else error.stage


def stopped(purpose: str) -> EngineError:
    """The error of a job whose engine went away for good."""
    return EngineError(
        f"the container engine stopped in the middle of a job ({purpose})",
        hint="start it again (`sudo systemctl start docker`), and run the command again: what is "
        "finished is kept",
    )


def _frugal(spec: ContainerSpec) -> ContainerSpec:
    """As *spec*, with what makes builds run one program after the other."""
    return replace(
        spec,
        limits=replace(spec.limits, cpus=min(1.0, spec.limits.cpus)),
        environment={**spec.environment, "WHEELHOUSE_CPUS": "1"},
    )


class Room:
    """Where jobs run side by side, or one has it to itself.

    Whoever wants it alone goes before all who come later, and waits for who is there.

    :param check: raises if the run is being stopped; called while waiting.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._changed = threading.Condition()
        self._inside = 0
        self._lone = 0  # who has it alone, or wants to

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """A place beside others."""
        with self._changed:
            self._wait(lambda: not self._lone)
            self._inside += 1
        try:
            yield
        finally:
            self._leave()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """The whole of it."""
        with self._changed:
            self._lone += 1
            try:
                self._wait(lambda: not self._inside)
            except BaseException:
                self._lone -= 1
                self._changed.notify_all()
                raise
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._lone -= 1
            self._leave()

    def _wait(self, free: Callable[[], bool]) -> None:
        while not free():
            self._check()
            self._changed.wait(PAUSE)

    def _leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()
