"""Where package code runs: containers, or this machine standing in for one.

An :class:`Engine` starts a :class:`Container`: one process with three pipes. Everything that
goes in travels over standard input, everything that comes out over standard output, the log
over standard error. So there are no volumes, no host paths and no copying in or out, a remote
daemon works like a near one, and a container whose input closes because this program died ends
by itself.

:mod:`wheelhouse.engine.session` speaks the protocol over those pipes; ``docker.py`` and
``local.py`` provide them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from wheelhouse.targets import Place, Target
    from wheelhouse.toolkit import Toolkit

Pipe = Literal["stdout", "stderr"]

#: Which of a target's two images.
Role = Literal["builder", "runtime"]

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one container may use.

    :ivar memory: bytes, swap and tmpfs included.
    :ivar processes: at most this many processes and threads.
    :ivar cpus: CPUs' worth of time.
    :ivar deadline: seconds, after which the container is killed.
    :ivar output: bytes of log that are kept; the rest is read and dropped.
    :ivar result: bytes that its result files may have in all.
    """

    memory: int = 4 * GIB
    processes: int = 512
    cpus: float = 2.0
    deadline: float = 3600.0
    output: int = 64 * MIB
    result: int = 8 * GIB


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerSpec:
    """A container to start. There is never a network in it; that is not a setting.

    :ivar image: the image's ID.
    :ivar argv: process 1.
    :ivar purpose: for its label and name, such as ``build psycopg2``.
    :ivar scratch: ``memory`` for a tmpfs, ``disk`` for what may outgrow the memory.
    :ivar has_root: whether the image has the folder of jobs, and everybody may write there.
    :ivar user: who runs it, as UID:GID: by default `nobody` of every distribution.
    :ivar hostname: what it takes its machine to be called: builds keep that sometimes.
    :ivar processors: which CPUs it may run on, as in ``0,2-3``; empty for all.

    (The last three are for containers; where this machine stands in for one, they are its own.)
    """

    image: str
    argv: tuple[str, ...]
    purpose: str
    limits: Limits
    environment: Mapping[str, str] = field(default_factory=dict)
    scratch: Literal["memory", "disk"] = "memory"
    has_root: bool = False
    user: str = "65534:65534"
    hostname: str = "wheelhouse"
    processors: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """How process 1 ended.

    :ivar status: its exit status; None where the engine itself went away.
    :ivar out_of_memory: whether the kernel killed a process because the container's was used up.
    :ivar from_outside: whether somebody else had the engine kill it.
    """

    status: int | None
    out_of_memory: bool = False
    from_outside: bool = False


class Container(Protocol):
    """A running container; as a context manager, gone when its block ends, however it ended."""

    def __enter__(self) -> Container: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

    def write(self, data: bytes) -> None:
        """Send *data* to process 1's standard input. Raises EngineError if it is gone."""

    def read(self) -> Iterator[tuple[Pipe, bytes]]:
        """Its output as it comes, until it ends."""

    def wait(self) -> Exit:
        """How it ended; call after :meth:`read` is exhausted."""

    def kill(self) -> None:
        """End it now. Safe from any thread, at any time, more than once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An image that the engine has.

    :ivar id: its content-addressed ID; part of every build's cache key.
    :ivar name: the name it carries, for people.
    :ivar origin: where it came from: ``registry``, ``bootstrap``, ``derived`` or ``local``.
    """

    id: str
    name: str
    origin: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetImages:
    """The two images of a target.

    :ivar builder: has compilers, headers and our tools.
    :ivar runtime: has what the server has.
    :ivar builder_python: the target's Python in the builder.
    :ivar tool_python: the Python our own tools run on; independent of the target's.
    :ivar tool_path: the folder of our own programs, uv and patchelf.
    :ivar build_place: of which the builder is.
    :ivar place: of which the runtime is: the target's own, or its stand-in.
    :ivar lacking: why it is the stand-in, or None.
    """

    builder: Image
    runtime: Image
    builder_python: str
    runtime_python: str
    tool_python: str
    tool_path: str
    build_place: Place
    place: Place
    lacking: str | None = None


class EngineCommand(Protocol):
    """The engine's own command line program, for a program that makes containers by it.

    A context manager: no container that was made by it in its block outlives the block.

    :ivar name: ``docker`` or ``podman``.
    :ivar create_args: for each ``create``: the limits and rights of the container, and its labels.
    :ivar environment: what the program must see to reach the same engine.
    """

    name: str
    create_args: tuple[str, ...]
    environment: Mapping[str, str]

    def __enter__(self) -> EngineCommand: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

    def out_of_memory(self) -> bool:
        """Whether the kernel ended a process in one of its containers for want of memory."""


class Engine(Protocol):
    """Starts containers and has the images of targets."""

    name: str

    @property
    def cpus(self) -> int:
        """CPUs where its containers run."""

    @property
    def memory(self) -> int:
        """Bytes of memory there."""

    @property
    def arch(self) -> str:
        """The architecture of the machine there, as `platform.machine()` says."""

    def answers(self) -> bool:
        """Whether it can be asked for containers now; it may have been stopped meanwhile."""

    def check_runs(self, arch: str) -> None:
        """Raise ImageError unless its containers run programs of *arch*: its own, or emulated."""

    def start(self, spec: ContainerSpec) -> Container:
        """Start a container. Raises EngineError."""

    def images(self, target: Target) -> TargetImages:
        """The images of *target*, made or fetched if they are not there. Raises ImageError."""

    def with_system(
        self, target: Target, packages: tuple[str, ...], toolkit: Toolkit | None = None
    ) -> Image:
        """The builder of *target* with *toolkit* and the distribution's *packages* in it.

        Raises FetchError, ImageError.
        """

    def has_toolkit(self, target: Target, toolkit: Toolkit) -> bool:
        """Whether :meth:`with_system` takes none of the wheels of *toolkit*. Raises ImageError."""

    def with_runtime_system(self, target: Target, packages: tuple[str, ...]) -> Image:
        """The runtime of *target* with the distribution's *packages* in it. Raises ImageError."""

    def index(self, target: Target, role: Role) -> Image | None:
        """What knows the packages of *target*'s builder or runtime; None where nothing does.

        Raises ImageError.
        """

    def for_cibuildwheel(
        self,
        target: Target,
        packages: tuple[str, ...],
        folder: str,
        toolkit: Toolkit | None = None,
    ) -> Image:
        """That builder with the target's Python in *folder*, as cibuildwheel expects it.

        Raises FetchError, ImageError.
        """

    def command(self, purpose: str, limits: Limits, *, network: bool) -> EngineCommand:
        """Its command, for containers that are held to *limits*. Raises EngineError."""

    def notices(self) -> list[str]:
        """What a person should know of how jobs run here; nothing for containers."""

    def reap(self) -> int:
        """Remove what a killed run left; the number of containers removed."""

    def close(self) -> None:
        """Kill every container of this run."""
