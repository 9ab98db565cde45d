"""The same build elsewhere: through a daemon that is remote, and on this machine itself."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import wait_for

import gpuwheels
from projects import LocalIndex, ProjectSdist, write_project
from wheelhouse.cuda import has_compiler
from wheelhouse.engine.local_machine import own_release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Workplace

pytestmark = pytest.mark.containers

PYTHON = "/usr/bin/python3.11"
SOCKET = "/var/run/docker.sock"


@pytest.mark.skipif(not Path(SOCKET).exists(), reason="the engine has no socket at the usual place")
def test_a_remote_daemon_serves_as_well(workplace: Workplace, index: LocalIndex) -> None:
    """Nothing travels through host paths, so a daemon behind TCP is enough."""
    index.add(ProjectSdist(name="alpha", native=True))
    write_project(workplace.project, index, "alpha\n")
    with _forwarding(SOCKET) as port:
        done = workplace.run("build", DOCKER_HOST=f"tcp://127.0.0.1:{port}")
    assert done.status == 0, done.said
    assert workplace.run("verify", str(workplace.house())).status == 0


@pytest.mark.skipif(not Path(SOCKET).exists(), reason="the engine has no socket at the usual place")
def test_a_build_whose_engine_was_away_is_done_again(
    workplace: Workplace, index: LocalIndex
) -> None:
    slow = "def before_build(d):\n    import time\n    print('sleeping', flush=True)\n    time.sleep(4)"
    index.add(ProjectSdist(name="slow", extra=slow))
    write_project(workplace.project, index, "slow\n")
    with (
        _forwarding(SOCKET) as port,
        subprocess.Popen(
            workplace.command("build"),
            cwd=workplace.project,
            env={**workplace.environment(), "DOCKER_HOST": f"tcp://127.0.0.1:{port}"},
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        wait_for("sleeping", workplace)
        _cut()
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "the container engine stopped during slow" in " ".join(said.split())
    assert "memory" not in said


def _machine_fits() -> bool:
    if os.confstr("CS_GNU_LIBC_VERSION") != "glibc 2.36" or not Path(PYTHON).exists():
        return False
    return (
        subprocess.run([PYTHON, "-m", "ensurepip", "--version"], capture_output=True).returncode
        == 0
    )


@pytest.mark.skipif(not _machine_fits(), reason="this machine is no Debian 12 with its Python")
def test_this_machine_as_the_target(workplace: Workplace, index: LocalIndex) -> None:
    look = """
    def before_build(directory):
        import json, os, socket
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=2).close()
            reached = True
        except OSError:
            reached = False
        print("FOUND " + json.dumps({"reached": reached, "env": dict(os.environ)}), flush=True)
    """
    port = index.url.rpartition(":")[2].partition("/")[0]
    index.add(ProjectSdist(name="alpha", extra=look.replace("PORT", port)))
    write_project(workplace.project, index, "alpha\n")
    done = workplace.run("build", "--engine", "local", PLANTED="a-secret")
    assert done.status == 0, done.said
    assert "on this machine itself" in done.err
    line = next(line for line in workplace.logs().splitlines() if line.startswith("FOUND "))
    found = json.loads(line.removeprefix("FOUND "))
    assert "PLANTED" not in found["env"]
    assert found["reached"] is ("WITH the network" in done.err)
    assert not list((workplace.store / "tmp").iterdir())


def _own_cuda() -> str:
    """The release of this machine's toolkit, if that is of a CUDA that PyPI has, too."""
    own = own_release() if _machine_fits() else None
    return str(own) if own and has_compiler(own) else ""


@pytest.mark.index
@pytest.mark.skipif(not _own_cuda(), reason="this machine is no Debian 12 with a CUDA toolkit")
def test_kernels_are_compiled_with_this_machines_toolkit(
    workplace: Workplace, tmp_path: Path
) -> None:
    """It is no part of the manifest, and a wheel of that name, of the lock, is not fetched."""
    alpha = gpuwheels.project("alpha", requires=(f"nvidia-cuda-runtime=={_own_cuda()}.*",))
    (workplace.project / alpha.filename).write_bytes(alpha.content())
    (workplace.project / "requirements.txt").write_text(f"./{alpha.filename}\n")
    (workplace.project / "wheelhouse.toml").write_text(
        '[targets.gpu]\nplatform = "debian12"\npython = "3.11"\n'
        f'cuda = "{_own_cuda()}"\ncuda-arch = ["90"]\n'
    )
    done = workplace.run("build", "--engine", "local")
    assert done.status == 0, done.said + workplace.logs()
    house = workplace.house("gpu")
    wheel = gpuwheels.wheel_of(house, "alpha", tmp_path)
    assert gpuwheels.dynamic(wheel.extension)["RPATH"] == ["$ORIGIN/../nvidia/cu13/lib"]
    stories = {each["name"]: each["story"] for each in gpuwheels.manifest(house)["wheels"]}
    assert stories["alpha"]["toolkit"] == []
    lock = (workplace.project / "pylock.gpu.toml").read_text()
    (compiler,) = re.findall('nvidia_cuda_nvcc-.*?sha256 = "(.*?)"', lock, flags=re.DOTALL)
    assert compiler not in workplace.blobs()


@pytest.mark.skipif(not _machine_fits(), reason="this machine is no Debian 12 with its Python")
def test_another_machine_than_the_target_is_refused(
    workplace: Workplace, index: LocalIndex
) -> None:
    write_project(workplace.project, index, "alpha\n")
    text = (workplace.project / "wheelhouse.toml").read_text()
    text = text.replace("debian12", "debian13").replace("3.11", "3.13")
    (workplace.project / "wheelhouse.toml").write_text(text)
    done = workplace.run("build", "--engine", "local")
    assert done.status == 6
    assert "this machine is" in " ".join(done.err.split())


_CONNECTIONS: list[socket.socket] = []


def _cut() -> None:
    """Close all that goes through the forwarded port, as a daemon does that starts anew."""
    for each in _CONNECTIONS[1:]:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextmanager
def _forwarding(path: str) -> Iterator[int]:
    """A TCP port on loopback that leads to the Unix socket at *path*."""
    server = socket.create_server(("127.0.0.1", 0))
    _CONNECTIONS[:] = [server]

    def accept() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            daemon = socket.socket(socket.AF_UNIX)
            daemon.connect(path)
            _CONNECTIONS.extend((client, daemon))
            for one, other in ((client, daemon), (daemon, client)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


def _pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(1 << 16):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    finally:
        one.close()
