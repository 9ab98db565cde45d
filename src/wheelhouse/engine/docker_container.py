"""A running container of the `docker` engine: its three pipes, how it ended, and ending it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import requests
from docker.errors import DockerException

from wheelhouse.engine import Exit, Pipe
from wheelhouse.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import docker

    from wheelhouse.engine.docker import DockerEngine

RECEIVE = 1 << 18

#: Seconds that may lie between an event's time by our reckoning and by the engine's.
MARGIN = 0.25

#: What Docker, and Podman, call the event of a container's end.
DYING = {"die", "died"}

#: What an engine that is not there, or not ready, makes the SDK raise.
UNREACHABLE = (DockerException, requests.exceptions.RequestException, OSError)


def remove(client: docker.APIClient, container_id: str) -> None:
    """Remove a container, whether it runs or not, unless it is gone already."""
    with contextlib.suppress(*UNREACHABLE):  # it has removed itself, or its engine is gone
        client.remove_container(container_id, force=True, v=True)


def remove_labelled(client: docker.APIClient, label: str) -> None:
    """Remove every container that carries *label*, as far as the engine answers."""
    with contextlib.suppress(*UNREACHABLE):
        for found in client.containers(all=True, filters={"label": label}):
            remove(client, found["Id"])


class DockerContainer:
    """Implements :class:`wheelhouse.engine.Container` over an attached socket."""

    def __init__(self, engine: DockerEngine, client: docker.APIClient, container_id: str) -> None:
        self._engine = engine
        self._client = client
        self._id = container_id
        self._started = time.time()
        self._killed = threading.Event()
        self._socket: Any = None
        self._attached: Any = None

    def start(self) -> None:
        """Attach first, so that nothing of its output is missed, then start."""
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._attached = self._client.attach_socket(self._id, params=streams)
        self._socket = getattr(self._attached, "_sock", self._attached)
        self._socket.settimeout(None)
        self._client.start(self._id)

    def __enter__(self) -> DockerContainer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.end()

    def end(self) -> None:
        """End it and let go of its streams."""
        self.kill()
        for opened in (self._socket, self._attached):
            if opened is not None:
                with contextlib.suppress(OSError):
                    opened.close()

    def write(self, data: bytes) -> None:
        """See :class:`wheelhouse.engine.Container`."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise EngineError("the container ended while it was being fed") from error

    def read(self) -> Iterator[tuple[Pipe, bytes]]:
        """Demultiplex the attached stream.

        The format is that of the engine API's "attach to a container": a header of eight bytes
        (stream, three zeros, big-endian length) before each chunk.
        """
        buffer = bytearray()
        while data := self._receive():
            buffer += data
            while len(buffer) >= 8:
                stream, length = struct.unpack(">BxxxI", buffer[:8])
                if len(buffer) < 8 + length:
                    break
                yield ("stdout" if stream == 1 else "stderr"), bytes(buffer[8 : 8 + length])
                del buffer[: 8 + length]

    def _receive(self) -> bytes:
        try:
            data: bytes = self._socket.recv(RECEIVE)
        except OSError:
            return b""
        return data

    def wait(self) -> Exit:
        """How it ended. The engine's events tell it of a container that is removed already.

        They are asked in any case, over a new connection. An engine that is being stopped ends its
        containers in good order, with a status like any other, and goes on answering over the
        connections it has; one that has started anew remembers no event.
        """
        try:
            status = self._status()
            told = self._events()
        except (*UNREACHABLE, EngineError):
            return Exit(status=None)
        kinds = {event.get("status") for event in told}
        # Of a long job the engine may have forgotten the start, but not the end a moment ago.
        if "start" not in kinds and (status is None or not kinds & DYING):
            return Exit(status=None)
        ours = self._killed.is_set()
        return Exit(
            status=_exit_code(told) if status is None else status,
            out_of_memory="oom" in kinds and not ours,
            from_outside="kill" in kinds and not ours,
        )

    def _status(self) -> int | None:
        try:
            ended = self._client.wait(self._id, timeout=10, condition="removed")
            return int(ended["StatusCode"])
        except UNREACHABLE:  # it is gone, or its files take long to remove
            return None

    def _events(self) -> list[dict[str, Any]]:
        """Past events of this container. The daemon remembers its last few hundred of all."""
        span: dict[str, Any] = {  # fractions are text, by the API
            "since": f"{self._started + self._engine.ahead - MARGIN:.6f}",
            "until": f"{time.time() + self._engine.ahead + MARGIN:.6f}",
        }
        with contextlib.closing(self._engine.reached_anew()) as client:
            return list(client.events(**span, filters={"container": self._id}, decode=True))

    def kill(self) -> None:
        """Close its input, which ends it, and have it removed in case it does not obey."""
        if self._killed.is_set():
            return
        self._killed.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._engine.remove_later(self._id)


def _exit_code(events: list[dict[str, Any]]) -> int:
    for event in events:
        if event.get("status") in DYING:
            return int(event["Actor"]["Attributes"].get("exitCode", 137))
    return 137
