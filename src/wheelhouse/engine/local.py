"""The `local` engine: *this* machine, or the CI container the job runs in, is the target.

No daemon is needed. Every job gets a folder and an environment of its own, and namespaces for
network and processes where the kernel allows: then it has no network, and all it started ends
with it. What it cannot have is the isolation of a container: package code runs as this user and
can read what this user can. So a run tells what holds and what does not (:meth:`notices`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import selectors
import signal
import subprocess
import sys
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.engine import ContainerSpec, Exit, Image, Pipe, TargetImages
from wheelhouse.engine.jobs import ROOT
from wheelhouse.engine.local_machine import (
    build_place,
    check_machine,
    check_toolkit,
    fingerprint,
    is_installed,
    nvcc_says,
    os_name,
    programs,
    python_of,
)
from wheelhouse.errors import EngineError, ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from wheelhouse.engine import EngineCommand, Limits, Role
    from wheelhouse.store import Store
    from wheelhouse.targets import Target
    from wheelhouse.toolkit import Toolkit

BLOCK = 1 << 16

#: Seconds after which a killed job's output is given up, should something of it live on.
LINGER = 0.5

#: Seconds that a job has to end all that it has started.
OBEDIENCE = 4.0

#: New namespaces for network and processes; the last process to enter ends with its parent.
NAMESPACES = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
UNPRIVILEGED = ("--user", "--map-current-user")


class LocalEngine:
    """Implements :class:`wheelhouse.engine.Engine`.

    :param store: in which jobs get their folders, and which removes those of a killed run.
    """

    name = "local"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: set[LocalContainer] = set()
        self._lock = threading.Lock()

    @property
    def cpus(self) -> int:
        """CPUs that this process may use."""
        return len(os.sched_getaffinity(0))

    @property
    def memory(self) -> int:
        """Bytes of memory of this machine."""
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    @property
    def arch(self) -> str:
        """The architecture of this machine."""
        return platform.machine()

    def answers(self) -> bool:
        """Always."""
        return True

    def check_runs(self, arch: str) -> None:
        """See :class:`wheelhouse.engine.Engine`. A target has to be like this machine."""
        if arch != self.arch:
            raise ImageError(
                f"the local engine builds for this machine, which is {self.arch}, not {arch}",
                hint=f"use `--engine docker`, or run it on an {arch} machine",
            )

    @cached_property
    def isolation(self) -> tuple[str, ...]:
        """The command that cuts network and processes off; empty where the kernel forbids it."""
        for prefix in (NAMESPACES, (*NAMESPACES, *UNPRIVILEGED)):
            with contextlib.suppress(OSError):
                done = subprocess.run([*prefix, "true"], capture_output=True, check=False)
                if done.returncode == 0:
                    return prefix
        return ()

    def notices(self) -> list[str]:
        """What a person should know of how jobs run here."""
        network = (
            "without network"
            if self.isolation
            else "WITH the network of this machine: its kernel allows no namespaces"
        )
        return [
            f"builds and the proof run on this machine itself, as user {os.getuid()}, {network}",
            "the proof cannot know what a clean machine lacks: compilers and libraries are here",
        ]

    def images(self, target: Target) -> TargetImages:
        """This machine, if it is what *target* says. Raises ImageError."""
        check_machine(target)
        python = python_of(target)
        here = Image(id=fingerprint(python), name=f"this machine ({os_name()})", origin="local")
        return TargetImages(
            builder=here,
            runtime=here,
            builder_python=python,
            runtime_python=python,
            tool_python=sys.executable,
            tool_path=str(Path(sys.executable).parent),
            build_place=build_place(target),
            place=target.place,
        )

    def with_system(
        self, target: Target, packages: tuple[str, ...], toolkit: Toolkit | None = None
    ) -> Image:
        """This machine, if it has the *packages* and a toolkit like *toolkit*. Raises ImageError.

        Its wheels are not looked at: nothing can be put where build tools expect it.
        """
        if toolkit is not None:
            check_toolkit(toolkit)
        missing = [name for name in packages if not is_installed(name)]
        if missing:
            raise ImageError(
                f"this machine lacks {', '.join(missing)}",
                hint=f"apt-get install {' '.join(missing)}",
            )
        here = self.images(target).builder
        parts = [here.id, sorted(packages), *([nvcc_says()] if toolkit else [])]
        digest = hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()
        return Image(id=f"local:{digest}", name=here.name, origin="local")

    def has_toolkit(self, target: Target, toolkit: Toolkit) -> bool:
        """See :class:`wheelhouse.engine.Engine`. This machine's own takes no wheels."""
        check_toolkit(toolkit)
        return True

    def with_runtime_system(self, target: Target, packages: tuple[str, ...]) -> Image:
        """This machine, if it has the distribution's *packages*. Raises ImageError."""
        return self.with_system(target, packages)

    def index(self, target: Target, role: Role) -> None:
        """There is none: this machine fetches nothing of its distribution for a run."""

    def for_cibuildwheel(
        self,
        target: Target,
        packages: tuple[str, ...],
        folder: str,
        toolkit: Toolkit | None = None,
    ) -> Image:
        """There is none: cibuildwheel makes containers. Raises ImageError."""
        raise ImageError(
            "cibuildwheel builds in containers, which the `local` engine has none of",
            hint='use `--engine docker`, or leave out `builder = "cibuildwheel"`',
        )

    def command(self, purpose: str, limits: Limits, *, network: bool) -> EngineCommand:
        """There is none. Raises EngineError."""
        raise EngineError("the `local` engine has no command that makes containers")

    def start(self, spec: ContainerSpec) -> LocalContainer:
        """Start process 1 of *spec* in a folder of its own. Raises EngineError."""
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(self._store.workspace())
            argv = [str(folder) if part == ROOT else part for part in spec.argv]
            try:
                process = subprocess.Popen(
                    [*self.isolation, *argv],
                    cwd=folder,
                    env={"PATH": programs(), "LANG": "C.UTF-8", **spec.environment},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                raise EngineError(f"{argv[0]} cannot be started: {error.strerror}") from error
            container = LocalContainer(self, process, stack.pop_all())
        with self._lock:
            self._running.add(container)
        return container

    def forget(self, container: LocalContainer) -> None:
        """*container* is over."""
        with self._lock:
            self._running.discard(container)

    def reap(self) -> int:
        """Nothing is left: processes end with their input, and the store removes their folders."""
        return 0

    def close(self) -> None:
        """Kill what still runs."""
        with self._lock:
            running = list(self._running)
        for container in running:
            container.__exit__(None, None, None)


class LocalContainer:
    """Implements :class:`wheelhouse.engine.Container` over a process and its pipes.

    :param folder: closed at its end, which removes the job's folder.
    """

    def __init__(
        self,
        engine: LocalEngine,
        process: subprocess.Popen[bytes],
        folder: contextlib.ExitStack,
    ) -> None:
        self._engine = engine
        self._process = process
        self._folder = folder
        self._killed = threading.Event()

    def __enter__(self) -> LocalContainer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._folder.close()
        self._engine.forget(self)

    def write(self, data: bytes) -> None:
        """See :class:`wheelhouse.engine.Container`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise EngineError("the process ended while it was being fed") from error

    def read(self) -> Iterator[tuple[Pipe, bytes]]:
        """Both pipes' output in the order it comes, until both are closed.

        Where there are no namespaces, something that the job has started can outlive it and keep
        them open: nobody waits for that once the job was killed.
        """
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ, "stdout")
            selector.register(self._process.stderr, selectors.EVENT_READ, "stderr")
            while selector.get_map():
                ready = selector.select(LINGER)
                if not ready and self._killed.is_set():
                    return
                for key, _ in ready:
                    if data := os.read(key.fd, BLOCK):
                        yield key.data, data
                    else:
                        selector.unregister(key.fileobj)

    def wait(self) -> Exit:
        """How it ended. Whether for want of memory, only its agent could have told."""
        # Left unreaped until the end, so that what it started can still be killed by its number.
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        exited = ended.si_code == os.CLD_EXITED
        return Exit(status=ended.si_status if exited else -ended.si_status)

    def kill(self) -> None:
        """Kill its process group; with namespaces, all it ever started.

        Without, its first process ends the rest, for which it has some time.
        """
        if self._engine.isolation:
            self._signal(os.killpg, signal.SIGKILL)
        elif not self._killed.is_set():
            self._signal(os.kill, signal.SIGTERM)
            last = threading.Timer(OBEDIENCE, self._signal, (os.killpg, signal.SIGKILL))
            last.daemon = True
            last.start()
        self._killed.set()

    def _signal(self, send: Callable[[int, int], None], number: int) -> None:
        if self._process.returncode is None:  # else its number may be another's by now
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(self._process.pid, number)
