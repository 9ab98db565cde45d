"""A second container engine, to be stopped and killed: the one that others use stays as it is.

It has its own network namespace, because a daemon that is told to have no bridge deletes the one of
another daemon beside it; and its own folders. The images it needs are copied to it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from docker import APIClient
from docker.errors import DockerException
from requests.exceptions import RequestException

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Seconds that it has to begin to answer, and to end.
PATIENCE = 60.0


def can_be_had() -> bool:
    """Whether this machine can have one: who asks is root, and has the programs."""
    return os.geteuid() == 0 and all(map(shutil.which, ("containerd", "dockerd", "unshare")))


class SecondDaemon:
    """One that can be stopped and started again. As on most machines, containerd stays meanwhile.

    :ivar address: for DOCKER_HOST.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._log = (root / "log").open("ab")
        self.address = f"unix://{root}/docker.sock"
        (root / "containerd.toml").write_text(
            'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        )
        (root / "daemon.json").write_text("{}")
        self._containerd = self._started(
            *("containerd", "--config", f"{root}/containerd.toml", "--root", f"{root}/images"),
            *("--state", f"{root}/state", "--address", f"{root}/containerd.sock"),
        )
        self._daemon = self._containerd

    def _started(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdout=self._log, stderr=self._log, start_new_session=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        root = self._root
        self._daemon = self._started(
            *("unshare", "--net", "dockerd", "--host", self.address),
            *("--containerd", f"{root}/containerd.sock", "--data-root", f"{root}/data"),
            *("--exec-root", f"{root}/exec", "--pidfile", f"{root}/pid", "--bridge=none"),
            *("--iptables=false", "--ip6tables=false", "--config-file", f"{root}/daemon.json"),
        )
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            assert self._daemon.poll() is None, (root / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the second daemon does not answer"
            time.sleep(0.1)

    def answers(self) -> bool:
        """Whether it does."""
        try:
            client = APIClient(self.address, version="auto", timeout=5)
            client.close()
        except (DockerException, RequestException):
            return False
        return True

    def end(self, number: int) -> None:
        """Send it the signal *number*, and wait for its end."""
        self._daemon.send_signal(number)
        self._daemon.wait(PATIENCE)

    def load(self, images: Sequence[str]) -> None:
        """Copy *images* to it from the usual one."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
            load = ["docker", "--host", self.address, "load", "--quiet"]
            subprocess.run(load, stdin=saving.stdout, check=True, stdout=subprocess.DEVNULL)
        assert saving.returncode == 0

    def containers(self) -> list[str]:
        """All that it has."""
        client = APIClient(self.address, version="auto")
        try:
            return [each["Id"][:12] for each in client.containers(all=True)]
        finally:
            client.close()

    def close(self) -> None:
        """End it and what it has started, and let go of its folders' mounts."""
        for process in (self._daemon, self._containerd):
            if process.poll() is None:
                process.terminate()
                process.wait(PATIENCE)
        self._log.close()
        for mount in reversed(_mounts_below(self._root)):
            subprocess.run(["umount", "--lazy", mount], check=False)


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/mounts").read_text().splitlines()
    return [place for line in lines if (place := line.split()[1]).startswith(f"{folder}/")]


@contextmanager
def second_daemon(images: Sequence[str]) -> Iterator[SecondDaemon]:
    """One that has *images*, gone at the end of the block."""
    root = Path(tempfile.mkdtemp(prefix="seconddaemon-"))
    daemon = SecondDaemon(root)
    try:
        daemon.start()
        daemon.load(images)
        yield daemon
    finally:
        daemon.close()
        shutil.rmtree(root, ignore_errors=True)
