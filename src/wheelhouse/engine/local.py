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
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wheelhouse.engine import ContainerSpec, Exit, Image, Pipe, TargetImages
from wheelhouse.engine.session import ROOT
from wheelhouse.errors import EngineError, ImageError
from wheelhouse.targets import Libc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import BinaryIO

    from wheelhouse.targets import Target

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BLOCK = 1 << 16

#: New namespaces for network and processes; the last process to enter ends with its parent.
NAMESPACES = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
UNPRIVILEGED = ("--user", "--map-current-user")


class LocalEngine:
    """Implements :class:`wheelhouse.engine.Engine`.

    :param root: below which jobs get their folders; on a disk with room.
    """

    name = "local"

    def __init__(self, root: Path) -> None:
        self._root = root / "local"
        self._root.mkdir(parents=True, exist_ok=True)
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
        _check_machine(target)
        python = _python(target)
        here = Image(id=_fingerprint(python), name=f"this machine ({_os_name()})", origin="local")
        return TargetImages(
            builder=here,
            runtime=here,
            builder_python=python,
            runtime_python=python,
            tool_python=sys.executable,
            tool_path=str(Path(sys.executable).parent),
        )

    def with_system(self, target: Target, packages: tuple[str, ...]) -> Image:
        """This machine, if it has the distribution's *packages*. Raises ImageError."""
        missing = [name for name in packages if not _is_installed(name)]
        if missing:
            raise ImageError(
                f"this machine lacks {', '.join(missing)}",
                hint=f"apt-get install {' '.join(missing)}",
            )
        here = self.images(target).builder
        digest = hashlib.sha256(f"{here.id} {sorted(packages)}".encode()).hexdigest()
        return Image(id=f"local:{digest}", name=here.name, origin="local")

    def start(self, spec: ContainerSpec) -> LocalContainer:
        """Start process 1 of *spec* in a folder of its own. Raises EngineError."""
        folder = Path(tempfile.mkdtemp(prefix="job-", dir=self._root))
        argv = [str(folder) if part == ROOT else part for part in spec.argv]
        try:
            process = subprocess.Popen(
                [*self.isolation, *argv],
                cwd=folder,
                env={"PATH": PATH, "LANG": "C.UTF-8", **spec.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise EngineError(f"{argv[0]} cannot be started: {error.strerror}") from error
        container = LocalContainer(self, process, folder)
        with self._lock:
            self._running.add(container)
        return container

    def forget(self, container: LocalContainer) -> None:
        """*container* is over."""
        with self._lock:
            self._running.discard(container)

    def reap(self) -> int:
        """Remove the folders that a killed run left. Its processes ended with their input."""
        folders = [path for path in self._root.iterdir() if not _in_use(path)]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return len(folders)

    def close(self) -> None:
        """Kill what still runs."""
        with self._lock:
            running = list(self._running)
        for container in running:
            container.__exit__(None, None, None)


class LocalContainer:
    """Implements :class:`wheelhouse.engine.Container` over a process and its pipes."""

    def __init__(self, engine: LocalEngine, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._engine = engine
        self._process = process
        self._folder = folder
        (folder / ".owner").write_text(str(os.getpid()))

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
        shutil.rmtree(self._folder, ignore_errors=True)
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
        """Both pipes' output in the order it comes, until both are closed."""
        chunks: queue.Queue[tuple[Pipe, bytes]] = queue.Queue(maxsize=64)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        pipes: tuple[tuple[Pipe, Any], ...] = (
            ("stdout", self._process.stdout),
            ("stderr", self._process.stderr),
        )
        for name, pipe in pipes:
            threading.Thread(target=_pump, args=(name, pipe, chunks), daemon=True).start()
        open_pipes = len(pipes)
        while open_pipes:
            name, data = chunks.get()
            if data:
                yield name, data
            else:
                open_pipes -= 1

    def wait(self) -> Exit:
        """How it ended. Whether for want of memory, only its agent could have told."""
        return Exit(status=self._process.wait())

    def kill(self) -> None:
        """Kill its process group; with namespaces, all it ever started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _pump(name: Pipe, pipe: BinaryIO, chunks: queue.Queue[tuple[Pipe, bytes]]) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := os.read(pipe.fileno(), BLOCK):
            chunks.put((name, data))
    chunks.put((name, b""))


def _check_machine(target: Target) -> None:
    libc = Libc.parse(os.confstr("CS_GNU_LIBC_VERSION") or "musl 0.0")
    wanted = target.preset.libc
    if (platform.machine(), libc) != (target.arch, wanted):
        raise ImageError(
            f"target {target.name} is {target.describe()} ({wanted}), but this machine is "
            f"{_os_name()}, {platform.machine()} ({libc})",
            hint="use `--engine docker`, or run in a container of the target's platform",
        )


def _python(target: Target) -> str:
    for candidate in (target.python_path, shutil.which(f"python{target.python}")):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise ImageError(
        f"this machine has no Python {target.python}",
        hint=f"apt-get install python{target.python} python{target.python}-venv "
        f"python{target.python}-dev",
    )


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()


def _fingerprint(python: str) -> str:
    """What stands for an image's ID: the distribution, its package state, and the Python."""
    parts = [_os_name(), platform.release(), os.path.realpath(python)]
    for path in ("/var/lib/dpkg/status", "/var/lib/rpm/rpmdb.sqlite", "/lib/apk/db/installed"):
        with contextlib.suppress(OSError):
            parts.append(str(Path(path).stat().st_mtime_ns))
    return "local:" + hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _is_installed(package: str) -> bool:
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return True  # not a Debian; its build will tell what is missing
    return done.stdout == "installed"


def _in_use(folder: Path) -> bool:
    try:
        os.kill(int((folder / ".owner").read_text()), 0)
    except (OSError, ValueError):
        return False
    return True
