"""One job in one container: sends the agent and the inputs, reads the answer, ends it in time.

The protocol is described in ``agent/channel.py``. This module trusts nothing that comes back:
frames are bounded, names are those that were asked for, and an answer that never came is
explained by what is known of the container's end.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from wheelhouse.agent.init import ABANDONED, CONTAINER_FULL, MACHINE_FULL
from wheelhouse.engine import Container, ContainerSpec, Engine, Exit
from wheelhouse.engine.capping import Capped
from wheelhouse.engine.frames import FrameReader, JobDiedError
from wheelhouse.engine.jobs import Job, pack
from wheelhouse.errors import EngineError
from wheelhouse.text import human_size, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from wheelhouse.engine.cancellation import Cancellation
    from wheelhouse.engine.frames import DeathCause

#: Seconds that a container has to end once it has answered.
PARTING = 2.0

#: How many places are kept of those that a job wants to reach, and characters of each.
MOST_WANTED = 16
MAX_PLACE = 300

#: Bytes of files in memory that are worth telling when that was full.
TELLING = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """The agent's answer, and the files it sent, by their names.

    :ivar wanted: what the job has looked for on a network, in the order it did.
    """

    message: Mapping[str, Any]
    files: Mapping[str, Path]
    wanted: tuple[str, ...] = ()


class JobFailedError(Exception):
    """The agent says that its job failed.

    :ivar stage: in which stage; or, since a stage's own words are likely only the echo of that,
        ``memory``, ``machine-memory`` or ``processes`` if the job has run into that limit.
    :ivar wanted: what it has looked for on a network, in the order it did.
    """

    def __init__(self, stage: str, message: str, wanted: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message
        self.wanted = wanted


class Listener(Protocol):
    """Hears of a job while it runs."""

    def output(self, data: bytes) -> None:
        """Bytes of its log, as they come, up to the limit."""

    def phase(self, name: str) -> None:
        """It enters a phase, such as ``building``."""


def run_job(
    engine: Engine,
    spec: ContainerSpec,
    job: Job,
    *,
    results: Path | None = None,
    listener: Listener,
    cancellation: Cancellation,
) -> Reply:
    """Run *job* in a container of *spec*.

    :param results: the folder for the files that it sends; without one it may send none.
    :raises JobFailedError: the job itself failed.
    :raises JobDiedError: the container ended without an answer.
    :raises InterruptedRunError: the run was cancelled.
    :raises EngineError: the container could not be started.
    """
    cancellation.check()
    with engine.start(spec) as container:
        cancellation.add(container)
        try:
            return _Session(container, spec, listener, results).run(job, cancellation)
        finally:
            cancellation.discard(container)


class _Session:
    """The two directions of one container's pipes, and its clock."""

    def __init__(
        self,
        container: Container,
        spec: ContainerSpec,
        listener: Listener,
        results: Path | None,
    ) -> None:
        self.container = container
        self.limits = spec.limits
        self.listener = listener
        self.frames = FrameReader(results, max_bytes=spec.limits.result)
        self.overdue = threading.Event()
        self.crowded = False
        self.wanted: list[str] = []
        self.unsent: Exception | None = None
        self.alarm: threading.Timer

    def run(self, job: Job, cancellation: Cancellation) -> Reply:
        sender = threading.Thread(target=self._send, args=(job,), daemon=True)
        self._set_alarm(self.limits.deadline, self._too_late)
        sender.start()
        try:
            self._receive()
            # Who has killed it need not ask how it ended: the engine may be long in telling.
            cancellation.check()
            known = self.frames.answer is not None or self.overdue.is_set()
            ending = Exit(status=0) if known else self.container.wait()
        finally:
            self.alarm.cancel()
            self.frames.close()
        cancellation.check()
        return self._conclude(ending)

    def _set_alarm(self, seconds: float, ring: Callable[[], None]) -> None:
        self.alarm = threading.Timer(seconds, ring)
        self.alarm.daemon = True
        self.alarm.start()

    def _too_late(self) -> None:
        self.overdue.set()
        self.container.kill()

    def _send(self, job: Job) -> None:
        try:
            for block in pack(job):
                self.container.write(block)
        except EngineError:
            pass  # it ended while it was being fed; the reading side tells why
        except Exception as error:  # without its input the job would wait for ever
            self.unsent = error
            self.container.kill()

    def _receive(self) -> None:
        """Read to the end, also of the log: its pipe may lag behind the one with the answer."""
        log = Capped(self.limits.output)
        try:
            for pipe, data in self.container.read():
                if pipe == "stdout":
                    self._take(data)
                elif kept := log.take(data):
                    self.listener.output(kept)
        finally:
            if kept := log.rest():
                self.listener.output(kept)

    def _take(self, data: bytes) -> None:
        if self.frames.answer is not None:
            return
        for message in self.frames.feed(data):
            if message["type"] == "phase":
                self.listener.phase(str(message.get("phase")))
            elif message["type"] == "crowded":
                self.crowded = True
            elif message["type"] == "wanted" and len(self.wanted) < MOST_WANTED:
                self.wanted.append(sanitize(str(message.get("place"))[:MAX_PLACE]))
        if self.frames.answer is not None:
            self.alarm.cancel()
            self._set_alarm(PARTING, self.container.kill)

    def _conclude(self, ending: Exit) -> Reply:
        answer, wanted = self.frames.answer, tuple(self.wanted)
        if answer is None:
            raise self.unsent or self._death(ending)
        reached = answer.get("reached")
        reached = reached if isinstance(reached, dict) else {}
        failed = answer["type"] == "failed"
        if memory := reached.get("memory"):
            raise _killed(str(memory), reached.get("files"), failed=failed)
        if failed:
            stage = "processes" if reached.get("processes") is True else str(answer.get("stage"))
            raise JobFailedError(stage, str(answer.get("message")), wanted)
        return Reply(message=answer, files=self.frames.files, wanted=wanted)

    def _death(self, ending: Exit) -> JobDiedError:
        if self.overdue.is_set():
            cause: DeathCause = "crowded" if self.crowded else "deadline"
            told = f"did not end within {self.limits.deadline:.0f} s"
            return JobDiedError(cause, told, tuple(self.wanted))
        if ending.status in {None, ABANDONED}:  # neither the job nor anybody here has ended it
            return JobDiedError("engine", "the container engine stopped while it ran")
        if ending.out_of_memory or ending.status == CONTAINER_FULL:
            return JobDiedError("memory", "ran out of memory")
        if ending.status == MACHINE_FULL:
            return JobDiedError("machine-memory", "has met the end of the machine's memory")
        if ending.from_outside:
            told = "was ended by somebody else, as by `docker kill`"
            return JobDiedError("outside", told)
        return JobDiedError("killed", f"its container ended with status {ending.status}")


def _killed(memory: str, files: object, *, failed: bool) -> JobFailedError:
    """What to tell of a job of which the kernel has killed a process for want of memory.

    One that went on without it may have made anything of that, so it has failed too.
    """
    told = "" if failed else ", which killed a part of it, though it went on"
    if memory == "machine":
        return JobFailedError("machine-memory", f"has met the end of the machine's memory{told}")
    if isinstance(files, int) and files >= TELLING:
        told += f", of which its files took {human_size(files)}"
    return JobFailedError("memory", f"ran out of memory{told}")


class LineListener:
    """A listener that keeps the log in a file and hands on its newest line, not too often.

    :param on_line: called with a raw line at most every *interval* seconds.
    """

    def __init__(
        self,
        log: BinaryIO,
        on_line: Callable[[bytes], None],
        on_phase: Callable[[str], None],
        interval: float = 0.1,
    ) -> None:
        self._log = log
        self._on_line = on_line
        self._on_phase = on_phase
        self._interval = interval
        self._last = 0.0

    def output(self, data: bytes) -> None:
        """Keep *data*; show its last line."""
        self._log.write(data)
        now = time.monotonic()
        if now - self._last >= self._interval and (line := data.rstrip().rpartition(b"\n")[2]):
            self._last = now
            self._on_line(line)

    def phase(self, name: str) -> None:
        """Hand on the phase."""
        self._on_phase(name)
