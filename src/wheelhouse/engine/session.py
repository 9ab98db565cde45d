"""One job in one container: sends the agent and the inputs, reads the answer, ends it in time.

The protocol is described in ``agent/channel.py``. This module trusts nothing that comes back:
frames are bounded, names are those that were asked for, and an answer that never came is
explained by what is known of the container's end.
"""

from __future__ import annotations

import hashlib
import json
import struct
import tarfile
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, Protocol

from wheelhouse.engine import Container, ContainerSpec, Engine, Exit
from wheelhouse.errors import EngineError, InterruptedRunError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

#: The one writable folder of a container; the same in every build, so that paths in wheels are.
ROOT = "/build"

#: What process 1 executes: unpack what comes in, then leave the rest to the agent.
BOOTSTRAP = """\
import os, sys, tarfile
os.umask(0o22)
root = sys.argv[1]
safe = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}
tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall(root, **safe)
sys.path.insert(0, os.path.join(root, "agent"))
from wheelhouse_agent.main import main
main(root)
"""

#: The agent's modules that every kind of job goes through.
COMMON_MODULES = frozenset(
    ["__init__.py", "channel.py", "environment.py", "errors.py", "main.py", "sources.py"]
)

MAX_HEADER = 64 << 20
MAX_NAME = 255
BLOCK = 1 << 20

#: Seconds that a container has to end once it has answered.
PARTING = 2.0

DeathCause = Literal["memory", "deadline", "output", "engine", "killed", "protocol"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A file for the container, from the disk or from memory, under a relative *name*."""

    name: str
    source: Path | bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What the agent is to do; see ``agent/main.py`` for the kinds."""

    kind: str
    parameters: Mapping[str, Any]
    inputs: Sequence[Input] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """The agent's answer, and the files it sent, by their names."""

    message: Mapping[str, Any]
    files: Mapping[str, Path]


class JobFailedError(Exception):
    """The agent says that its job failed, and in which stage.

    *out_of_memory* is true if the kernel killed a process of the container meanwhile: then the
    stage's message is likely only the echo of that.
    """

    def __init__(self, stage: str, message: str, *, out_of_memory: bool) -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message
        self.out_of_memory = out_of_memory


class JobDiedError(Exception):
    """The container ended without an answer."""

    def __init__(self, cause: DeathCause, message: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message


class Listener(Protocol):
    """Hears of a job while it runs."""

    def output(self, data: bytes) -> None:
        """Bytes of its log, as they come, up to the limit."""

    def phase(self, name: str) -> None:
        """It enters a phase, such as ``building``."""


class Cancellation:
    """Ends all running containers at once; shared by all jobs of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Container] = set()
        self._cancelled = threading.Event()
        self._stops: list[Callable[[], None]] = []

    def also(self, stop: Callable[[], None]) -> None:
        """Have *stop* called too when the run is stopped."""
        self._stops.append(stop)

    @property
    def cancelled(self) -> bool:
        """Whether the run is being stopped."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise InterruptedRunError if the run is being stopped."""
        if self.cancelled:
            raise InterruptedRunError("stopped")

    def add(self, container: Container) -> None:
        """Track *container*; it is killed at once if it is too late."""
        with self._lock:
            self._running.add(container)
        if self.cancelled:
            container.kill()

    def discard(self, container: Container) -> None:
        """Forget *container*."""
        with self._lock:
            self._running.discard(container)

    def cancel(self) -> None:
        """Stop everything."""
        self._cancelled.set()
        with self._lock:
            running = list(self._running)
        for container in running:
            container.kill()
        for stop in self._stops:
            stop()


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
        self.unsent: Exception | None = None
        self.alarm: threading.Timer

    def run(self, job: Job, cancellation: Cancellation) -> Reply:
        sender = threading.Thread(target=self._send, args=(job,), daemon=True)
        self._set_alarm(self.limits.deadline, self._too_late)
        sender.start()
        try:
            self._receive()
            ending = self.container.wait() if self.frames.answer is None else Exit(status=0)
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
        logged = 0
        for pipe, data in self.container.read():
            if pipe == "stderr":
                kept = data[: max(0, self.limits.output - logged)]
                logged += len(data)
                if kept:
                    self.listener.output(kept)
                continue
            if self.frames.answer is not None:
                continue
            for message in self.frames.feed(data):
                if message["type"] == "phase":
                    self.listener.phase(str(message.get("phase")))
            if self.frames.answer is not None:
                self.alarm.cancel()
                self._set_alarm(PARTING, self.container.kill)

    def _conclude(self, ending: Exit) -> Reply:
        answer = self.frames.answer
        if answer is None:
            raise self.unsent or self._death(ending)
        if answer["type"] == "failed":
            raise JobFailedError(
                str(answer.get("stage")),
                str(answer.get("message")),
                out_of_memory=bool(answer.get("oom_kills")),
            )
        return Reply(message=answer, files=self.frames.files)

    def _death(self, ending: Exit) -> JobDiedError:
        if self.overdue.is_set():
            return JobDiedError("deadline", f"did not end within {self.limits.deadline:.0f} s")
        if ending.status is None:
            return JobDiedError("engine", "the container engine stopped while it ran")
        if ending.out_of_memory:
            return JobDiedError("memory", "the kernel ended it for want of memory")
        return JobDiedError("killed", f"its container ended with status {ending.status}")


def pack(job: Job) -> Iterator[bytes]:
    """The tar that goes to standard input: the agent, ``job.json`` and the inputs."""
    description = json.dumps({"kind": job.kind, **job.parameters}).encode()
    yield _member("job.json", len(description)) + _padded(description)
    for name, data in _agent_files():
        yield _member(f"agent/wheelhouse_agent/{name}", len(data)) + _padded(data)
    for item in job.inputs:
        if isinstance(item.source, bytes):
            yield _member(item.name, len(item.source)) + _padded(item.source)
        else:
            yield from _file_member(item.name, item.source)
    # Two empty blocks end an archive. A whole record more than fills up whatever block size the
    # reader reads by; anything left over is read by the watcher of the input and dropped.
    yield bytes(tarfile.RECORDSIZE * 2)


def _member(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.PAX_FORMAT)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % tarfile.BLOCKSIZE)


def _file_member(name: str, path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    with file:
        size = left = path.stat().st_size
        yield _member(name, size)
        while left:
            block = file.read(min(BLOCK, left))
            if not block:
                raise StorageError(f"{path} shrank while it was read")
            left -= len(block)
            yield block
    yield bytes(-size % tarfile.BLOCKSIZE)


@cache
def _agent_files() -> tuple[tuple[str, bytes], ...]:
    folder = resources.files("wheelhouse").joinpath("agent")
    return tuple(
        (item.name, item.read_bytes())
        for item in sorted(folder.iterdir(), key=lambda item: item.name)
        if item.name.endswith(".py")
    )


@cache
def agent_digest(kind: str) -> str:
    """The SHA-256 of the agent's code that takes part in jobs of *kind*: part of cache keys."""
    digest = hashlib.sha256(BOOTSTRAP.encode())
    for name, data in _agent_files():
        if name in COMMON_MODULES or name == f"{kind}.py":
            digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


class ProtocolError(JobDiedError):
    """What came from the container is no frame."""

    def __init__(self, message: str) -> None:
        super().__init__("protocol", message)


@dataclass(slots=True)
class FrameReader:
    """Reassembles frames from chunks; writes the bodies of files into a folder.

    :ivar folder: where; None where no file is expected.
    :ivar answer: the final message, once it came; nothing is read after it.
    :ivar files: the files so far, by name.
    """

    folder: Path | None
    max_bytes: int
    answer: dict[str, Any] | None = None
    files: dict[str, Path] = field(default_factory=dict)
    _buffer: bytearray = field(default_factory=bytearray)
    _start: int = 0
    _body: BinaryIO | None = None
    _left: int = 0

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Take *data*; yield each message that it completes. Raises JobDiedError."""
        self._buffer += data
        while self.answer is None and self._take_body():
            header = self._header()
            if header is None:
                break
            if header["type"] == "file":
                self._open(header)
                continue
            if header["type"] in {"result", "failed"}:
                self.answer = header
            yield header
        del self._buffer[: self._start]
        self._start = 0

    def _header(self) -> dict[str, Any] | None:
        begin = self._start + 4
        if len(self._buffer) < begin:
            return None
        (length,) = struct.unpack_from(">I", self._buffer, self._start)
        if length > MAX_HEADER:
            raise ProtocolError("its answer is not in the agent's form")
        if len(self._buffer) < begin + length:
            return None
        try:
            header = json.loads(self._buffer[begin : begin + length])
        except (ValueError, RecursionError):
            raise ProtocolError("its answer is not in the agent's form") from None
        if not isinstance(header, dict) or not isinstance(header.get("type"), str):
            raise ProtocolError("its answer is not in the agent's form")
        self._start = begin + length
        return header

    def _open(self, header: Mapping[str, Any]) -> None:
        name, size = header.get("name"), header.get("size")
        if not isinstance(name, str) or type(size) is not int or size < 0:
            raise ProtocolError("its answer is not in the agent's form")
        if not _is_file_name(name) or name in self.files:
            raise ProtocolError(f"it sent a file by the name {name[:300]!r}")
        if size > self.max_bytes:
            raise JobDiedError("output", f"{name} has {size:,} bytes, more than the limit")
        if self.folder is None:
            raise ProtocolError(f"it sent the file {name}, which nobody asked for")
        self.max_bytes -= size
        path = self.folder / name
        self.files[name] = path
        self._body, self._left = path.open("xb"), size
        if not size:
            self.close()

    def _take_body(self) -> bool:
        """Write what has come of the present file; whether a header is next."""
        if self._body is None:
            return True
        end = self._start + self._left
        with memoryview(self._buffer) as view, view[self._start : end] as part:
            self._body.write(part)
            self._left -= len(part)
            self._start += len(part)
        if self._left:
            return False
        self.close()
        return True

    def close(self) -> None:
        """Close the file that is being written, if one is."""
        if self._body is not None:
            self._body.close()
            self._body = None


def _is_file_name(name: str) -> bool:
    """Whether *name* is a file's name on every disk, and not a path."""
    printable = name.isprintable() and "/" not in name and name not in {"", ".", ".."}
    return printable and len(name.encode()) <= MAX_NAME


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
