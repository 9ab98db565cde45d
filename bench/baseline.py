"""pip and auditwheel doing the job, in one container of the image that wheelhouse builds in."""

from __future__ import annotations

import io
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contender import RunFailedError
from bench.measure import BASELINE, Measured, spans
from bench.workloads import TARGET, Workload
from wheelhouse.engine.docker_connect import connect
from wheelhouse.engine.docker_images import DockerImages
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.images import TargetImageMaker
from wheelhouse.store import Store, default_root
from wheelhouse.wheels.policy import repair_policy

if TYPE_CHECKING:
    import docker  # noqa: TID251  (a type; the client comes from the engine)

    from wheelhouse.engine import TargetImages
    from wheelhouse.wheelcontext import PinnedWheel

LABEL = "dev.wheelhouse.bench"

CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
CA_FILE = "/bench/ca.crt"

_PROXY = re.compile(r"(https?|all|no)_proxy", re.IGNORECASE)
_MARK = re.compile(r"^@ (\w+) ([0-9.]+)$", re.MULTILINE)
_WHEELS = re.compile(r"^(\d+) wheels$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Workplace:
    """The engine, and how target images are made and found in it."""

    client: docker.APIClient
    maker: TargetImageMaker
    images: TargetImages


def open_workplace() -> Workplace:
    """The engine that wheelhouse itself would use. Raises WheelhouseError."""
    client = connect(timeout=3600)
    store = Store(default_root())
    fetcher = Fetcher(Client(), store, lambda: None)

    def fetch(pin: PinnedWheel) -> Path:
        return fetcher.fetch(pin.url, pin.sha256)

    maker = TargetImageMaker(
        DockerImages(client), fetch, store.root / "locks", on_line=lambda line: None
    )
    return Workplace(client=client, maker=maker, images=maker.prepare(TARGET))


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """One workload done by hand.

    :ivar requirements: pinned and hashed, the very file that wheelhouse gets.
    :ivar system: the distribution's packages that its builds need; in the image from the start.
    """

    workplace: Workplace
    workload: Workload
    requirements: Path
    system: tuple[str, ...]

    def run(self) -> Measured:
        """Do it once, in a container that is gone afterwards. Raises RunFailedError."""
        client, image = self.workplace.client, self._image()
        container = client.create_container(
            image,
            ["sh", "/bench/baseline.sh"],
            environment=self._environment(),
            labels={LABEL: self.workload.name},
            host_config=client.create_host_config(network_mode="host"),
        )["Id"]
        try:
            client.put_archive(container, "/", self._files())
            client.start(container)
            status = client.wait(container)["StatusCode"]
            output = client.logs(container).decode(errors="replace")
        finally:
            client.remove_container(container, force=True, v=True)
        made = _WHEELS.search(output)
        if status or not made or int(made[1]) != len(self.workload.names()):
            raise RunFailedError(f"the baseline ended with status {status}: {output[-2000:]}")
        return self._measured(output)

    def _image(self) -> str:
        return self.workplace.maker.with_system(self.workplace.images, self.system).id

    def _measured(self, output: str) -> Measured:
        marks = [(name, float(at)) for name, at in _MARK.findall(output)]
        _, end = marks.pop()
        return Measured(
            workload=self.workload.name,
            contender=BASELINE,
            seconds=end - marks[0][1],
            phases=spans(marks, end),
        )

    def _environment(self) -> dict[str, str]:
        images, no_binary = self.workplace.images, ""
        if self.workload.sdists:
            no_binary = ",".join(self.workload.names())
        kept = {name: value for name, value in os.environ.items() if _PROXY.fullmatch(name)}
        authorities = {name: CA_FILE for name in CA_VARIABLES if _authorities()}
        return (
            kept
            | authorities
            | {
                "NO_BINARY": no_binary,
                "POLICY": repair_policy(TARGET),
                "PYTHON": images.builder_python,
                "TOOLS": images.tool_path,
                "TOOL_PYTHON": images.tool_python,
            }
        )

    def _files(self) -> bytes:
        files = {
            "baseline.sh": Path(__file__).with_suffix(".sh"),
            "requirements.txt": self.requirements,
        }
        if authorities := _authorities():
            files["ca.crt"] = authorities
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, path in files.items():
                member, data = tarfile.TarInfo(f"bench/{name}"), path.read_bytes()
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return buffer.getvalue()


def _authorities() -> Path | None:
    """The certificate authorities that this machine was told to trust instead of the usual."""
    named = next((os.environ[name] for name in CA_VARIABLES if os.environ.get(name)), None)
    return Path(named) if named else None


def remove_leftovers(client: docker.APIClient) -> None:
    """Remove the containers of benchmarks that were killed."""
    for found in client.containers(all=True, filters={"label": LABEL}):
        client.remove_container(found["Id"], force=True, v=True)
