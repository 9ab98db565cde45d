"""An engine whose containers say what they were told to: a real one's protocol, without one."""

from __future__ import annotations

import json
import struct
import threading
from typing import TYPE_CHECKING

from wheelhouse.engine import Container, ContainerSpec, Exit, Image, TargetImages
from wheelhouse.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from wheelhouse.engine import EngineCommand, Limits, Pipe, Role
    from wheelhouse.targets import Target
    from wheelhouse.toolkit import Toolkit

SOON = 5.0


def frame(header: object, body: bytes = b"") -> bytes:
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">I", len(data)) + data + body


def file_frame(name: object, body: bytes, size: object = None) -> bytes:
    return frame({"type": "file", "name": name, "size": len(body) if size is None else size}, body)


RESULT = frame({"type": "result", "value": 1, "size": 0})


#: What tells the frames of an answer.
ANSWERS = (b'"type": "result"', b'"type": "failed"')


class FakeContainer:
    """A container that says *script*; then ends as *exit*, or lives on until it is killed.

    One that has answered ends by itself, as the agent does, unless it is *lingering*.
    """

    def __init__(
        self,
        script: list[tuple[Pipe, bytes]],
        exit: Exit | None = None,  # noqa: A002
        *,
        before: Callable[[FakeContainer], None] = lambda _: None,
        lingering: bool = False,
    ) -> None:
        self.script = script
        self.exit = exit
        self.before = before
        said = b"".join(data for pipe, data in script if pipe == "stdout")
        self.ends = not lingering and any(kind in said for kind in ANSWERS)
        self.killed = threading.Event()
        self.fed = bytearray()
        self.open = 0
        self.asked = 0  # how often how it ended

    def __enter__(self) -> Container:
        self.open += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.open -= 1

    def write(self, data: bytes) -> None:
        if self.killed.is_set():
            raise EngineError("gone")
        self.fed += data

    def read(self) -> Iterator[tuple[Pipe, bytes]]:
        self.before(self)
        for piece in self.script:
            if self.killed.is_set():
                return
            yield piece
        if self.exit is None and not self.ends:
            assert self.killed.wait(SOON), "nobody ended it"

    def wait(self) -> Exit:
        self.asked += 1
        return self.exit or Exit(status=137)

    def kill(self) -> None:
        self.killed.set()


class FakeEngine:
    """Starts the containers it was given, in turn, then always the last."""

    name = "fake"
    cpus = 1
    memory = 1 << 30
    arch = "x86_64"
    indexed: Image | None = None
    toolkit_is_there = True

    def __init__(self, *containers: FakeContainer) -> None:
        self.containers = list(containers)
        self.started: list[ContainerSpec] = []

    def start(self, spec: ContainerSpec) -> Container:
        self.started.append(spec)
        return self.containers.pop(0) if len(self.containers) > 1 else self.containers[0]

    def answers(self) -> bool:
        return True

    def check_runs(self, arch: str) -> None:
        assert arch == self.arch

    def images(self, target: Target) -> TargetImages:
        raise AssertionError("not asked for in these tests")

    def with_system(
        self, target: Target, packages: tuple[str, ...], toolkit: Toolkit | None = None
    ) -> Image:
        parts = [*packages, *([f"cuda-{toolkit.version}"] if toolkit else [])]
        return Image(id=f"sha256:{'+'.join(parts)}", name="builder", origin="derived")

    def has_toolkit(self, target: Target, toolkit: Toolkit) -> bool:
        return self.toolkit_is_there

    def with_runtime_system(self, target: Target, packages: tuple[str, ...]) -> Image:
        return Image(id=f"sha256:{'+'.join(packages)}", name="server", origin="derived")

    def index(self, target: Target, role: Role) -> Image | None:
        return self.indexed

    def for_cibuildwheel(
        self,
        target: Target,
        packages: tuple[str, ...],
        folder: str,
        toolkit: Toolkit | None = None,
    ) -> Image:
        return self.with_system(target, (*packages, folder), toolkit)

    def command(self, purpose: str, limits: Limits, *, network: bool) -> EngineCommand:
        raise AssertionError("not asked for in these tests")

    def notices(self) -> list[str]:
        return []

    def reap(self) -> int:
        return 0

    def close(self) -> None:
        for container in self.containers:
            container.kill()
