"""The `docker` engine: any daemon that the Docker SDK reaches, Podman's included.

Only the modules ``engine/docker*.py`` import `docker`.

A container gets no network, no capability, no new privileges, a read-only root, a user that
owns nothing, and limits. It removes itself when its process 1 ends, and that ends when its
standard input does; so a run that is killed leaves nothing behind, with one exception: a
container that was created and not yet started. :meth:`DockerEngine.reap` removes those.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, NotFound
from docker.types import LogConfig, Ulimit

from wheelhouse.emulation import hint, runs_in
from wheelhouse.engine.docker_command import DockerCommand
from wheelhouse.engine.docker_connect import connect
from wheelhouse.engine.docker_container import (
    UNREACHABLE,
    DockerContainer,
    remove,
    remove_labelled,
)
from wheelhouse.engine.docker_images import DockerImages
from wheelhouse.engine.jobs import ROOT
from wheelhouse.errors import EngineError, ImageError
from wheelhouse.targets import OCI_ARCHITECTURES

if TYPE_CHECKING:
    import docker

    from wheelhouse.engine import (
        ContainerSpec,
        EngineCommand,
        Image,
        Limits,
        Role,
        TargetImages,
    )
    from wheelhouse.images import TargetImageMaker
    from wheelhouse.targets import Target
    from wheelhouse.toolkit import Toolkit

LABEL = "dev.wheelhouse.run"
OWNER = "dev.wheelhouse.owner"

#: A new volume has the rights of what the image has in its place: everybody may write here, and not
#: in a folder that the image has not. Builders have that of jobs, runtimes are as servers are.
TMP = "/tmp"  # noqa: S108  (the container's own)
WITHIN_TMP = f"{TMP}{ROOT}"

#: The share of its memory that a container's files may take.
FILES = 0.75


class DockerEngine:
    """Implements :class:`wheelhouse.engine.Engine`."""

    name = "docker"

    def __init__(self, client: docker.APIClient, images: TargetImageMaker) -> None:
        self._client = client
        self._images = images
        self._prepared: dict[str, TargetImages] = {}
        self._runs: dict[str, bool] = {}
        self._run = uuid.uuid4().hex[:12]
        self._owner = _owner()
        # Removing takes the daemon a tenth of a second that no build should wait for.
        self._undertaker = ThreadPoolExecutor(max_workers=4, thread_name_prefix="remove")

    def reached_anew(self) -> docker.APIClient:
        """A client of its own; EngineError unless the engine takes new connections."""
        return connect()

    def answers(self) -> bool:
        """See :class:`wheelhouse.engine.Engine`."""
        try:
            self.reached_anew().close()
        except EngineError:
            return False
        return True

    @cached_property
    def _info(self) -> dict[str, Any]:
        try:
            info: dict[str, Any] = self._client.info()
        except UNREACHABLE as error:
            raise EngineError(f"the container engine does not answer: {error}") from error
        return info

    @property
    def cpus(self) -> int:
        """CPUs of the engine's machine."""
        return int(self._info["NCPU"])

    @property
    def memory(self) -> int:
        """Bytes of memory of the engine's machine."""
        return int(self._info["MemTotal"])

    @property
    def arch(self) -> str:
        """The architecture of the engine's machine; Podman says it as image platforms do."""
        said = str(self._info["Architecture"])
        return {oci: arch for arch, oci in OCI_ARCHITECTURES.items()}.get(said, said)

    def check_runs(self, arch: str) -> None:
        """See :class:`wheelhouse.engine.Engine`. Found out once, by trying."""
        if arch not in self._runs:
            images = DockerImages(self._client)
            self._runs[arch] = arch == self.arch or runs_in(self, images, arch)
        if not self._runs[arch]:
            raise ImageError(
                f"this container engine is on {self.arch} and runs no {arch} programs",
                hint=hint(arch),
            )

    @cached_property
    def ahead(self) -> float:
        """Seconds by which the clock of the engine's machine is ahead of this one's."""
        asked = time.time()
        told = str(self._client.info().get("SystemTime", ""))
        answered = time.time()
        try:
            return datetime.fromisoformat(told).timestamp() - (asked + answered) / 2
        except ValueError:
            return 0.0

    def images(self, target: Target) -> TargetImages:
        """See :class:`wheelhouse.engine.Engine`."""
        found = self._prepared.get(target.name)
        if found is None:
            self.check_runs(target.arch)
            found = self._prepared[target.name] = self._images.prepare(target)
        return found

    def with_system(
        self, target: Target, packages: tuple[str, ...], toolkit: Toolkit | None = None
    ) -> Image:
        """See :class:`wheelhouse.engine.Engine`."""
        return self._images.with_system(self.images(target), packages, toolkit)

    def has_toolkit(self, target: Target, toolkit: Toolkit) -> bool:
        """See :class:`wheelhouse.engine.Engine`."""
        return self._images.has_toolkit(self.images(target), toolkit)

    def with_runtime_system(self, target: Target, packages: tuple[str, ...]) -> Image:
        """See :class:`wheelhouse.engine.Engine`."""
        return self._images.with_runtime_system(self.images(target), packages)

    def index(self, target: Target, role: Role) -> Image:
        """See :class:`wheelhouse.engine.Engine`."""
        return self._images.index(self.images(target), role)

    def for_cibuildwheel(
        self,
        target: Target,
        packages: tuple[str, ...],
        folder: str,
        toolkit: Toolkit | None = None,
    ) -> Image:
        """See :class:`wheelhouse.engine.Engine`."""
        return self._images.for_cibuildwheel(self.images(target), packages, folder, toolkit)

    def command(self, purpose: str, limits: Limits, *, network: bool) -> EngineCommand:
        """See :class:`wheelhouse.engine.Engine`."""
        return DockerCommand(
            self._client,
            self._labels(purpose),
            limits,
            cpus=self.cpus,
            network=network,
            clock_ahead=self.ahead,
        )

    def start(self, spec: ContainerSpec) -> DockerContainer:
        """Create, attach to and start a container. Raises EngineError."""
        try:
            # Of the user's proxies, which may hold a password, a container without network has no
            # use; the SDK would hand them over.
            created = self._client.create_container(**self._settings(spec), use_config_proxy=False)
        except NotFound as error:
            raise ImageError(
                f"the image {spec.image} is gone from the engine: somebody has removed it",
                hint="run the command again: what is missing is made again",
            ) from error
        except UNREACHABLE as error:
            raise EngineError(f"the engine cannot create a container: {_reason(error)}") from error
        container = DockerContainer(self, self._client, created["Id"])
        try:
            container.start()
        except UNREACHABLE as error:
            container.end()
            raise EngineError(f"the engine cannot start a container: {_reason(error)}") from error
        return container

    def _settings(self, spec: ContainerSpec) -> dict[str, Any]:
        limits = spec.limits
        # A full disk is told as such; full memory is somebody killed. So files may not have all.
        tmpfs = f"rw,exec,nosuid,nodev,mode=1777,size={int(limits.memory * FILES)}"
        in_memory = spec.scratch == "memory"
        root = ROOT if in_memory or spec.has_root else WITHIN_TMP
        disks = [TMP, ROOT] if spec.has_root else [TMP]
        host = self._client.create_host_config(
            auto_remove=True,
            network_mode="none",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            read_only=True,
            tmpfs=dict.fromkeys((ROOT, TMP), tmpfs) if in_memory else {},
            pids_limit=limits.processes,
            mem_limit=limits.memory,
            memswap_limit=limits.memory,
            nano_cpus=int(min(limits.cpus, self.cpus) * 1e9),
            ipc_mode="private",
            dns=["127.0.0.1"],  # the agent, which tells what was asked for
            dns_search=["."],
            ulimits=[Ulimit(name="core", soft=0, hard=0)],
            cpuset_cpus=spec.processors or None,
            log_config=LogConfig(type="none"),
        )
        return {
            "image": spec.image,
            "command": [root if part == ROOT else part for part in spec.argv],
            "entrypoint": [],
            "environment": dict(spec.environment),
            "host_config": host,
            "labels": self._labels(spec.purpose),
            "network_disabled": True,
            "stdin_open": True,
            "stop_signal": "SIGKILL",  # an engine that is to end need not wait for it
            "tty": False,
            "user": spec.user,
            "hostname": spec.hostname,
            "volumes": [] if in_memory else disks,
            "working_dir": "/",
        }

    def _labels(self, purpose: str) -> dict[str, str]:
        return {LABEL: self._run, OWNER: self._owner, "dev.wheelhouse.job": purpose}

    def remove_later(self, container_id: str) -> None:
        """Remove a container in the background; :meth:`close` waits for it."""
        with contextlib.suppress(RuntimeError):  # already closing, which removes what is left
            self._undertaker.submit(remove, self._client, container_id)

    def notices(self) -> list[str]:
        """See :class:`wheelhouse.engine.Engine`."""
        return []

    def reap(self) -> int:
        """Remove containers that a killed run on this machine left; how many there were."""
        left = 0
        with contextlib.suppress(*UNREACHABLE):
            for found in self._client.containers(all=True, filters={"label": LABEL}):
                if is_orphan(found["Labels"].get(OWNER, ""), self._owner):
                    remove(self._client, found["Id"])
                    left += 1
        return left

    def close(self) -> None:
        """Wait until every container of this run is gone."""
        self._undertaker.shutdown(wait=True)
        remove_labelled(self._client, f"{LABEL}={self._run}")
        self._client.close()


def _owner() -> str:
    """This process, told apart from a later one with the same number."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_time(os.getpid())}"


def _start_time(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def remove_containers_of(pid: int, client: docker.APIClient) -> None:
    """Remove the containers of the process that had the number *pid*, on this machine, last.

    It has ended, though nobody may have asked for its exit status yet: then its number is taken.
    """
    owner = f"{socket.gethostname()}:{pid}:"
    for found in client.containers(all=True, filters={"label": LABEL}):
        if found["Labels"].get(OWNER, "").startswith(owner):
            remove(client, found["Id"])


def is_orphan(owner: str, mine: str) -> bool:
    """Whether the run that *owner* labels was on the machine of *mine* and is no more."""
    host, _, rest = owner.partition(":")
    pid, _, started = rest.partition(":")
    if host != mine.partition(":")[0] or not pid.isdigit():
        return False  # a run on another machine that shares the engine
    return _start_time(int(pid)) != started


def _reason(error: BaseException) -> str:
    return str(error.explanation) if isinstance(error, APIError) else str(error)
