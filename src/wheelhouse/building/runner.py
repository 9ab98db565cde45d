"""Jobs in containers, with a log per job and one meaning for each way to fail."""

from __future__ import annotations

import math
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelhouse.building.attempts import Attempts, stage_of
from wheelhouse.building.repairs import AS_IT_WAS
from wheelhouse.durable import storage_errors
from wheelhouse.engine import ContainerSpec, Limits
from wheelhouse.engine.capping import OURS
from wheelhouse.engine.frames import JobDiedError
from wheelhouse.engine.scratch import scratch_for
from wheelhouse.engine.session import JobFailedError, LineListener, Reply
from wheelhouse.errors import WheelhouseError, flatten
from wheelhouse.events import StepOutput
from wheelhouse.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from wheelhouse.building.repairs import Repair
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
    :ivar wanted: what it has looked for on a network.
    """

    def __init__(self, stage: str, message: str, log: Path, tail: str) -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message
        self.log = log
        self.tail = tail
        self.wanted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A wheel that a container gave, not looked at yet.

    :ivar path: the file, under the wheel's own name.
    :ivar repaired: whether it is a platform's, and went through auditwheel.
    :ivar seconds: time by stage.
    :ivar log: the file with the build's whole output.
    :ivar varied: what of the job's ``otherwise`` its programs saw otherwise.
    :ivar repair: what was done to it for the libraries that it needs.
    :ivar unrepaired: the wheel as it was before, for a second repair; None if it needs none.
    """

    path: Path
    repaired: bool
    seconds: Mapping[str, float]
    log: Path
    varied: tuple[str, ...] = ()
    repair: Repair = AS_IT_WAS
    unrepaired: Path | None = None


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
        self.attempts = Attempts(engine, reporter, cancellation)

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
        :raises EngineError: the engine stopped, and did not come back.
        :raises InterruptedRunError: the run was cancelled.
        """
        spec = self.spec(image, argv, step, job.size)
        with self.listening(target, step) as (listener, path):
            try:
                reply = self.attempts.run(
                    spec, job, target=target, listener=listener, results=results
                )
            except (JobFailedError, JobDiedError) as error:
                failed = Failure(stage_of(error), error.message, path, tail(path))
                failed.wanted = error.wanted
                raise failed from None
        if reply.wanted:
            told = f"{step} wanted the network, which it has not, and went on without"
            self.attempts.tell(target, f"{told}: {', '.join(reply.wanted)}")
        return reply, path

    def spec(self, image: str, argv: tuple[str, ...], purpose: str, size: int = 0) -> ContainerSpec:
        """The container of a job for *purpose*, into which *size* bytes go."""
        scratch = scratch_for(size, self.limits)
        cpus = {"WHEELHOUSE_CPUS": str(math.ceil(self.limits.cpus))}
        return ContainerSpec(
            image=image,
            argv=argv,
            purpose=purpose,
            limits=self.limits,
            scratch=scratch.place,
            has_root=True,  # only builders get so much that it takes a disk
            environment={**cpus, **scratch.environment},
        )

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


def tail(log: Path) -> str:
    """The end of a log as text, without our own words in it."""
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        text = file.read().decode("utf-8", "replace")
    return re.sub(rf"^{OURS}.*\n?", "", text, flags=re.MULTILINE)


def _log_name(target: str, step: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{target}-{step}")[:150]
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{safe}-{time.monotonic_ns() % 1_000_000:06}.log"
