"""Jobs in containers, with a log per job and one meaning for each way to fail."""

from __future__ import annotations

import math
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelhouse.engine import ContainerSpec, Limits
from wheelhouse.engine.frames import JobDiedError
from wheelhouse.engine.session import JobFailedError, LineListener, Reply, run_job
from wheelhouse.errors import EngineError, WheelhouseError, flatten
from wheelhouse.events import StepOutput
from wheelhouse.store import storage_errors
from wheelhouse.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from wheelhouse.engine import Engine
    from wheelhouse.engine.cancellation import Cancellation
    from wheelhouse.engine.jobs import Job
    from wheelhouse.events import Reporter
    from wheelhouse.store import Store

#: Bytes of a log's end in which a failure's cause is looked for.
TAIL = 256 * 1024


class Failure(Exception):  # noqa: N818  (what failed is data for a diagnosis)
    """A job that gave no result.

    :ivar stage: the agent's stage, or how its container died (``memory``, ``deadline``, …).
    :ivar log: the file with its whole output; :ivar tail: the end of it, as text.
    """

    def __init__(self, stage: str, message: str, log: Path, tail: str) -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message
        self.log = log
        self.tail = tail


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A wheel that a container gave, not looked at yet.

    :ivar path: the file, under the wheel's own name.
    :ivar repaired: whether it is a platform's, and went through auditwheel.
    :ivar seconds: time by stage.
    :ivar log: the file with the build's whole output.
    """

    path: Path
    repaired: bool
    seconds: Mapping[str, float]
    log: Path


class Runner:
    """Runs jobs on one engine, for one run."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        limits: Limits,
        reporter: Reporter,
        cancellation: Cancellation,
    ) -> None:
        self.engine = engine
        self.store = store
        self.limits = limits
        self.reporter = reporter
        self.cancellation = cancellation

    def run(
        self,
        job: Job,
        *,
        image: str,
        argv: tuple[str, ...],
        target: str,
        step: str,
        results: Path | None = None,
    ) -> tuple[Reply, Path]:
        """The job's answer and the path of its log.

        :param results: the folder for the files that it sends; without one it may send none.
        :raises Failure: it failed, or its container died of something the job itself did.
        :raises EngineError: the engine stopped.
        :raises InterruptedRunError: the run was cancelled.
        """
        spec = ContainerSpec(
            image=image,
            argv=argv,
            purpose=step,
            limits=self.limits,
            environment={"WHEELHOUSE_CPUS": str(math.ceil(self.limits.cpus))},
        )
        with self.listening(target, step) as (listener, path):
            try:
                reply = run_job(
                    self.engine,
                    spec,
                    job,
                    results=results,
                    listener=listener,
                    cancellation=self.cancellation,
                )
            except (JobFailedError, JobDiedError) as error:
                raise self._failure(error, path) from None
        return reply, path

    @contextmanager
    def listening(self, target: str, step: str) -> Iterator[tuple[LineListener, Path]]:
        """A listener that keeps a job's log and shows its lines, and the path of the log.

        Each error that leaves the block names the log, if it names none yet.
        """
        path = self.store.logs / _log_name(target, step)
        try:
            with storage_errors(path), path.open("wb", buffering=0) as log:
                yield LineListener(log, self._on_line(target, step), lambda _: None), path
        except WheelhouseError as error:
            for each in flatten([error]):
                each.log = each.log or path
            raise

    def _on_line(self, target: str, step: str) -> Callable[[bytes], None]:
        def emit(line: bytes) -> None:
            self.reporter.emit(StepOutput(target=target, step=step, line=sanitize(line)))

        return emit

    def _failure(self, error: JobFailedError | JobDiedError, log: Path) -> Exception:
        if isinstance(error, JobDiedError) and error.cause == "engine":
            return EngineError(
                "the container engine stopped in the middle of a job",
                hint="start it again and run the command again: what is finished is kept",
            )
        stage = error.cause if isinstance(error, JobDiedError) else error.stage
        if isinstance(error, JobFailedError) and error.out_of_memory:
            stage = "memory"
        return Failure(stage, error.message, log, tail(log))


def tail(log: Path) -> str:
    """The end of a log as text."""
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        return file.read().decode("utf-8", "replace")


def _log_name(target: str, step: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{target}-{step}")[:150]
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{safe}-{time.monotonic_ns() % 1_000_000:06}.log"
