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

import docker
from docker.context import ContextAPI
from docker.errors import APIError, NotFound
from docker.types import LogConfig
from docker.utils import kwargs_from_env

from wheelhouse.emulation import hint, runs_in
from wheelhouse.engine.docker_command import DockerCommand
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
    from collections.abc import Iterator

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

LABEL = "dev.wheelhouse.run"
OWNER = "dev.wheelhouse.owner"

#: `nobody` and `nogroup` of every distribution.
USER = "65534:65534"

MINIMUM_API = (1, 40)


def connect(timeout: int = 60) -> docker.APIClient:
    """A client for the daemon that the `docker` command would use, or for Podman's socket.

    Tried in this order: ``DOCKER_HOST``, the CLI's current context, then the usual sockets.

    :raises EngineError: none answers, or it is not allowed, or it is too old.
    """
    problems: list[str] = []
    for settings in _candidates():
        try:
            client = docker.APIClient(version="auto", timeout=timeout, **settings)
        except UNREACHABLE as error:
            problems.append(_explain(settings, error))
            continue
        version = tuple(int(part) for part in client.api_version.split("."))
        if version < MINIMUM_API:
            raise EngineError(
                f"the container engine speaks API {client.api_version}, too old for wheelhouse",
                hint="upgrade to Docker 19.03 or later, or Podman 4 or later",
            )
        return client
    raise _no_engine(problems)


def _candidates() -> Iterator[dict[str, Any]]:
    if "DOCKER_HOST" in os.environ:
        yield dict(kwargs_from_env())
        return  # who names an engine wants that one or none
    try:
        settings = ContextAPI.kwargs_from_context()
    except (*UNREACHABLE, ValueError):
        settings = {}
    yield {key: value for key, value in settings.items() if value is not None}
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    for path in (f"{runtime}/podman/podman.sock", "/run/podman/podman.sock"):
        if Path(path).exists():
            yield {"base_url": f"unix://{path}"}


def _explain(settings: dict[str, Any], error: BaseException) -> str:
    url = settings.get("base_url", "unix:///var/run/docker.sock").replace("http+unix", "unix")
    text = str(error)
    for known, meaning in (
        ("Permission denied", "permission denied"),
        ("PermissionError", "permission denied"),
        ("No such file", "no socket there"),
        ("FileNotFoundError", "no socket there"),
        ("Connection refused", "nobody listens there"),
        ("ConnectionRefusedError", "nobody listens there"),
    ):
        if known in text:
            return f"{url}: {meaning}"
    return f"{url}: {text}"


def _no_engine(problems: list[str]) -> EngineError:
    told = "; ".join(dict.fromkeys(problems))
    if "paramiko" in told:
        hint = "pip install 'wheelhouse[ssh]'"
    elif "permission denied" in told:
        hint = "add yourself to the `docker` group (`sudo usermod -aG docker $USER`), log in anew"
    else:
        hint = (
            "start one (`sudo systemctl start docker`), install one "
            "(`sudo apt-get install docker.io`), set DOCKER_HOST, or use `--engine local`"
        )
    return EngineError(f"no container engine answers ({told})", hint=hint)


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

    def with_system(self, target: Target, packages: tuple[str, ...]) -> Image:
        """See :class:`wheelhouse.engine.Engine`."""
        return self._images.with_system(self.images(target), packages)

    def with_runtime_system(self, target: Target, packages: tuple[str, ...]) -> Image:
        """See :class:`wheelhouse.engine.Engine`."""
        return self._images.with_runtime_system(self.images(target), packages)

    def index(self, target: Target, role: Role) -> Image:
        """See :class:`wheelhouse.engine.Engine`."""
        return self._images.index(self.images(target), role)

    def for_cibuildwheel(self, target: Target, packages: tuple[str, ...], folder: str) -> Image:
        """See :class:`wheelhouse.engine.Engine`."""
        return self._images.for_cibuildwheel(self.images(target), packages, folder)

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
            raise EngineError(
                f"the image {spec.image} is gone from the engine", hint="run the command again"
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
        mounts = {"/tmp": "rw,exec,nosuid,nodev,mode=1777"}  # noqa: S108  (the container's own)
        volumes: list[str] = []
        if spec.scratch == "memory":
            mounts[ROOT] = f"rw,exec,nosuid,nodev,mode=1777,size={limits.memory}"
        else:
            volumes.append(ROOT)
        host = self._client.create_host_config(
            auto_remove=True,
            network_mode="none",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            read_only=True,
            tmpfs=mounts,
            pids_limit=limits.processes,
            mem_limit=limits.memory,
            memswap_limit=limits.memory,
            nano_cpus=int(min(limits.cpus, self.cpus) * 1e9),
            ipc_mode="private",
            log_config=LogConfig(type="none"),
        )
        return {
            "image": spec.image,
            "command": list(spec.argv),
            "entrypoint": [],
            "environment": dict(spec.environment),
            "host_config": host,
            "labels": self._labels(spec.purpose),
            "network_disabled": True,
            "stdin_open": True,
            "tty": False,
            "user": USER,
            "volumes": volumes,
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


def is_orphan(owner: str, mine: str) -> bool:
    """Whether the run that *owner* labels was on the machine of *mine* and is no more."""
    host, _, rest = owner.partition(":")
    pid, _, started = rest.partition(":")
    if host != mine.partition(":")[0] or not pid.isdigit():
        return False  # a run on another machine that shares the engine
    return _start_time(int(pid)) != started


def _reason(error: BaseException) -> str:
    return str(error.explanation) if isinstance(error, APIError) else str(error)
