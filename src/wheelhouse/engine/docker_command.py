"""The engine's own command line program, for a program that makes containers by it.

Such a program cannot be told what a container may do but by arguments of ``create``, and does not
tell which containers it made. So each carries a label, by which it is held to its end.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from typing import TYPE_CHECKING, Any

from wheelhouse.engine.docker_container import UNREACHABLE, remove_labelled
from wheelhouse.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    import docker

    from wheelhouse.engine import Limits

LABEL = "dev.wheelhouse.command"

#: What decides which engine the `docker` command speaks to, and how it gets there.
REACHING = re.compile(r"DOCKER_\w+|CONTAINER_HOST|HOME|PATH|SSH_AUTH_SOCK|XDG_RUNTIME_DIR")

#: What root needs to install a distribution's packages. Without a network it gets none of that.
INSTALLING = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")

#: The command hands over the proxies of its own settings, which may hold a password, but for those
#: that are given to it.
PROXIES = tuple(
    form(f"{kind}_proxy")
    for kind in ("http", "https", "ftp", "no", "all")
    for form in (str.lower, str.upper)
)


class DockerCommand:
    """Implements :class:`wheelhouse.engine.EngineCommand`.

    :param labels: of every container of this run.
    :param cpus: those of the engine's machine: it refuses to give more.
    :raises EngineError: neither `docker` nor `podman` is installed on this machine.
    """

    def __init__(
        self,
        client: docker.APIClient,
        labels: Mapping[str, str],
        limits: Limits,
        *,
        cpus: int,
        network: bool,
        clock_ahead: float,
    ) -> None:
        self._client = client
        self._label = f"{LABEL}={uuid.uuid4().hex}"
        self._started = time.time() + clock_ahead
        self._ahead = clock_ahead
        self.name = _installed()
        self.environment: Mapping[str, str] = reaching(os.environ, _socket(client))
        self.create_args: tuple[str, ...] = (
            *(f"--label={name}={value}" for name, value in labels.items()),
            f"--label={self._label}",
            *profile(limits, cpus, network=network),
        )

    def __enter__(self) -> DockerCommand:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Remove what is left of its containers."""
        remove_labelled(self._client, self._label)

    def out_of_memory(self) -> bool:
        """See :class:`wheelhouse.engine.EngineCommand`."""
        span: dict[str, Any] = {
            "since": f"{self._started - 1:.6f}",
            "until": f"{time.time() + self._ahead + 1:.6f}",
        }
        filters = {"label": self._label, "event": "oom"}
        try:
            return any(self._client.events(**span, filters=filters, decode=True))
        except UNREACHABLE:
            return False


def _installed() -> str:
    for name in ("docker", "podman"):
        if shutil.which(name):
            return name
    raise EngineError(
        "cibuildwheel drives containers with the command `docker`, which is not on this machine",
        hint="install it (`sudo apt-get install docker-cli`), or leave out "
        '`builder = "cibuildwheel"`',
    )


def _socket(client: docker.APIClient) -> str | None:
    """The path by which *client* reaches an engine on this machine; a Podman's, perhaps."""
    path: str | None = getattr(client.get_adapter(client.base_url), "socket_path", None)
    return path


def reaching(variables: Mapping[str, str], path: str | None) -> dict[str, str]:
    """Of *variables* those that lead to the engine, made exact where it is at *path*.

    The program may run in a folder of strangers: nothing there may pass for a command.
    """
    found = {name: value for name, value in variables.items() if REACHING.fullmatch(name)}
    folders = [each for each in found.get("PATH", "").split(os.pathsep) if each.startswith("/")]
    found["PATH"] = os.pathsep.join(folders)
    if path:
        found |= {"DOCKER_HOST": f"unix://{path}", "CONTAINER_HOST": f"unix://{path}"}
    return found


def profile(limits: Limits, cpus: int, *, network: bool) -> Iterator[str]:
    """The same as every container's, but for a root that can be written: recipes install things."""
    yield from ("--rm", "--user=0:0", "--ipc=private", "--log-driver=none")
    yield from ("--cap-drop=ALL", "--security-opt=no-new-privileges")
    if network:
        yield from (f"--cap-add={name}" for name in INSTALLING)
    else:
        yield "--network=none"
    yield f"--pids-limit={limits.processes}"
    yield from (f"--memory={limits.memory}", f"--memory-swap={limits.memory}")
    yield f"--cpus={min(limits.cpus, cpus)}"
    yield from (f"--env={name}={_proxy(name) if network else ''}" for name in PROXIES)


def _proxy(name: str) -> str:
    """The user's proxy, for a container that may use the network; not if it holds a password."""
    value = os.environ.get(name, "")
    return "" if "@" in value else value
