"""cibuildwheel as a process of this machine: started in bounds, watched, and ended in any case."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.agent.repair import NO_ELF
from wheelhouse.building.attempts import stopped
from wheelhouse.building.cibuildwheel_config import failed_step, wants_network
from wheelhouse.building.runner import Failure, tail
from wheelhouse.engine.capping import Capped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelhouse.building.runner import Runner
    from wheelhouse.engine import EngineCommand
    from wheelhouse.engine.session import LineListener
    from wheelhouse.errors import EngineError

BLOCK = 1 << 16

#: Bytes of address space for cibuildwheel and for each command of the engine: it keeps what a
#: container says in memory, so that is bounded.
MEMORY = 4 << 30

#: Our Python, alone with what is installed for it. It writes no bytecode: where files are bounded,
#: it would leave cut ones behind, and every program that imports those fails.
PYTHON = (sys.executable, "-I", "-B")

#: Makes itself end with us and bounds its files and memory, before it becomes cibuildwheel.
LAUNCH = """\
import ctypes, os, resource, runpy, signal, sys
parent, memory, largest = (int(sys.argv.pop(1)) for _ in range(3))
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != parent:
    sys.exit("its parent is gone")
for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, largest)):
    given = resource.getrlimit(kind)[1]
    most = most if given == resource.RLIM_INFINITY else min(most, given)
    resource.setrlimit(kind, (most, most))
runpy.run_module("cibuildwheel", run_name="__main__", alter_sys=True)
"""

#: How cibuildwheel and auditwheel speak of a wheel that has nothing compiled in it.
PURE = ("a pure Python wheel was generated", NO_ELF)


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What cibuildwheel is to do.

    :ivar identifier: its name for the Python and platform.
    :ivar network: whether the recipe's commands have a network.
    :ivar source: the unpacked sdist; :ivar package: the folder in it that is built.
    :ivar config: the configuration.
    :ivar folder: for its temporary files and its output.
    """

    identifier: str
    network: bool
    source: Path
    package: Path
    config: Path
    folder: Path

    @property
    def output(self) -> Path:
        """Where its wheel will be."""
        return self.folder / "output"


def run(
    order: Order, command: EngineCommand, runner: Runner, listener: LineListener, log: Path
) -> Path:
    """Run cibuildwheel to its end; the wheel that it gave.

    :param command: how it makes containers.
    :param listener: hears its output, which goes to the file *log*.
    :raises Failure: it failed, had to be ended, or gave something else.
    :raises EngineError: the engine stopped.
    :raises InterruptedRunError: the run is being stopped.
    """
    process = _start(order, command, runner.limits.result)
    try:
        _Watch(process, order, runner, listener).follow(command, log)
    finally:
        make_removable(order.output)
    return _only_wheel(order.output, log)


def _start(order: Order, command: EngineCommand, largest: int) -> subprocess.Popen[bytes]:
    """Start it in a session of its own; of our environment it sees only the way to the engine.

    It is told which Pythons the project supports, or it would parse setup.py to find out.
    """
    temporary = order.folder / "tmp"
    temporary.mkdir()
    return subprocess.Popen(
        [
            *(*PYTHON, "-c", LAUNCH, str(os.getpid()), str(MEMORY), str(largest)),
            *("--only", order.identifier, "--config-file", str(order.config)),
            *("--output-dir", str(order.output), str(order.package)),
        ],
        cwd=order.source,
        env={
            **command.environment,
            "CIBW_CACHE_PATH": str(order.folder / "cache"),
            "CIBW_PROJECT_REQUIRES_PYTHON": ">=3",
            "LANG": "C.UTF-8",
            "TMPDIR": str(temporary),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


class _Watch:
    """A running cibuildwheel: its log, its clock, and the size of what it leaves."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        order: Order,
        runner: Runner,
        listener: LineListener,
    ) -> None:
        self._process = process
        self._order = order
        self._runner = runner
        self._listener = listener
        self._stopped = threading.Event()
        self._why = ""

    def kill(self) -> None:
        """Kill it and the engine's commands that it runs; its container is the engine's to end."""
        if not self._stopped.is_set() and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._stopped.set()

    def follow(self, command: EngineCommand, log: Path) -> None:
        """Keep its log until it ends, and see that it does. Raises as :func:`run`."""
        cancellation = self._runner.cancellation
        cancellation.add(self)
        try:
            self._read()
            status = self._process.wait()
        finally:
            self.kill()
            self._process.wait()
            cancellation.discard(self)
        cancellation.check()
        if status or self._why:
            raise self._failure(command, log)

    def _read(self) -> None:
        limits = self._runner.limits
        deadline = time.monotonic() + limits.deadline
        kept = Capped(limits.output)
        for data in self._blocks():
            if now := kept.take(data):
                self._listener.output(now)
            if time.monotonic() > deadline:
                self._end("deadline")
            elif _size(self._order.output) > limits.result:
                self._end("output")
        self._listener.output(kept.rest())

    def _end(self, why: str) -> None:
        self._why = self._why or why
        self.kill()

    def _blocks(self) -> Iterator[bytes]:
        """What it prints, as it comes; nothing, once a second, where it is silent."""
        pipe = self._process.stdout
        assert pipe is not None
        with pipe, selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                if not selector.select(timeout=1.0):
                    yield b""
                elif data := os.read(pipe.fileno(), BLOCK):
                    yield data
                else:
                    return

    def _failure(self, command: EngineCommand, log: Path) -> Failure | EngineError:
        text = tail(log)
        if not self._why and not self._runner.engine.answers():  # all else is the echo of that
            return stopped(self._order.package.name)
        if self._why == "output":
            return Failure("output", "it has more than the limit", log, text)
        if self._why:
            told = f"did not end within {self._runner.limits.deadline:.0f} s"
            return Failure(self._why, told, log, text)
        if any(each in text for each in PURE):
            return Failure("pure", "cibuildwheel refuses it", log, text)
        if command.out_of_memory():
            return Failure("memory", "ran out of memory", log, text)
        with log.open(encoding="utf-8", errors="replace") as lines:
            where = failed_step(lines)
        if wants_network(text) and not self._order.network:
            return Failure("recipe-network", where, log, text)
        return Failure("recipe", f"its recipe failed in {where}", log, text)


def _size(folder: Path) -> int:
    """Bytes of all files below *folder*, links not followed."""
    return sum(
        Path(place, name).lstat().st_size for place, _, names in os.walk(folder) for name in names
    )


def make_removable(folder: Path) -> None:
    """Give us back the rights to all folders in *folder*, whose modes the container has chosen."""
    pending = [folder] if folder.is_dir() else []
    while pending:
        place = pending.pop()
        place.chmod(0o700)
        with os.scandir(place) as entries:
            pending += [Path(each.path) for each in entries if each.is_dir(follow_symlinks=False)]


def _only_wheel(folder: Path, log: Path) -> Path:
    """The one wheel in *folder*, which the container has filled: no link is followed."""
    found = list(folder.iterdir())
    if len(found) != 1 or found[0].suffix != ".whl" or not stat.S_ISREG(found[0].lstat().st_mode):
        raise Failure("output", "it is not one wheel, and nothing else", log, tail(log))
    return found[0]
