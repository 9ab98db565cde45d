"""Group 18: the tool is killed by force, and process 1 alone sees to it that its builds end."""

from __future__ import annotations

import os
import platform
import signal
import socket
import subprocess
import time
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from faults.case import Case, LeftOut
from faults.cases.limits import before
from faults.world import refused, succeeded
from projects import LocalIndex, ProjectSdist, serving
from wheelhouse.engine.docker import LABEL, OWNER
from wheelhouse.engine.docker_connect import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from faults.world import Finished, World

#: How often, and how many seconds a build may live on each time.
TIMES = 5
LIMIT = 5.0

PYTHON = "/usr/bin/python3.11"

#: It hears no signal, forks, and leaves its session, its parent and its standard streams.
STUBBORN = before("""
    import signal, time
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.setpriority(os.PRIO_PROCESS, 0, 19)
                for descriptor in range(3, 64):
                    try:
                        os.close(descriptor)
                    except OSError:
                        pass
                os.dup2(os.open(os.devnull, os.O_RDWR), 0)
                while True:
                    time.sleep(0.05)
                    if os.fork():  # each time another process, with another parent
                        os._exit(0)
            os._exit(0)
    print("asleep", flush=True)
    while True:
        time.sleep(60)
""")


def _containers(world: World) -> None:
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="stubborn", extra=STUBBORN))
        world.configure("stubborn==1.0\n", index=index.url)
        for _ in range(TIMES):
            process = _asleep(world)
            _kill(process)
            _gone(world, "a container", partial(_containers_of, process.pid))


def _local(world: World, *, namespaces: bool) -> None:
    if not _machine_fits():
        raise LeftOut("this machine is no Debian 12 with its Python")
    variables = {} if namespaces else {"PATH": "/nowhere"}  # there is no `unshare`
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="stubborn", extra=STUBBORN))
        world.configure("stubborn==1.0\n", index=index.url)
        for _ in range(2):
            process = _asleep(world, "--engine", "local", **variables)
            _kill(process)
            _gone(world, "all", lambda: _processes(world))
        limits = '[limits]\ndeadline = "4s"\n'
        world.configure("stubborn==1.0\n", index=index.url, more=limits)
        refused(_local_build(world, variables), 4, "did not end within 4 s")
        _gone(world, "all", lambda: _processes(world))
        index.add(ProjectSdist(name="mild", extra=STUBBORN.partition("print(")[0]))
        world.configure("mild==1.0\n", index=index.url)
        succeeded(_local_build(world, variables))
        _gone(world, "all", lambda: _processes(world))


def _local_build(world: World, variables: Mapping[str, str]) -> Finished:
    return world.ended(world.start("build", "--plain", "--engine", "local", **variables))


def _asleep(world: World, *options: str, **variables: str) -> subprocess.Popen[str]:
    """A run in the middle of its build, which is all that it started."""
    seen = set(world.store.glob("logs/*"))
    process = world.start("build", "--plain", *options, **variables)
    deadline = time.monotonic() + 120
    while not any("asleep" in log.read_text(errors="replace") for log in _new(world, seen)):
        assert process.poll() is None, world.ended(process).said
        assert time.monotonic() < deadline, "it does not build"
        time.sleep(0.05)
    return process


def _new(world: World, seen: set[Path]) -> list[Path]:
    return [log for log in world.store.glob("logs/*stubborn*") if log not in seen]


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill it, and before it the companion that would clear up in its stead."""
    for pid in _children(process.pid):
        if b"aftercare" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.communicate()


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(number) for number in text.split()]


def _gone(world: World, what: str, look: Callable[[], list[str]]) -> None:
    started = time.monotonic()
    while left := look():
        assert time.monotonic() < started + LIMIT, left
        time.sleep(0.02)
    name = f"seconds until {what} of a killed tool is gone"
    world.figures.sample(name, time.monotonic() - started)
    world.figures.add("kills")
    world.killed = True


def _containers_of(pid: int) -> list[str]:
    with closing(connect()) as client:
        found = client.containers(filters={"label": LABEL})
    mine = f"{socket.gethostname()}:{pid}:"
    return [each["Id"] for each in found if each["Labels"].get(OWNER, "").startswith(mine)]


def _processes(world: World) -> list[str]:
    """Those that run in the store: what a local build has started runs there."""
    return list(_below(world.store / "tmp"))


def _below(folder: Path) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            place = (process / "cwd").readlink()
            if folder in place.parents:
                yield f"process {process.name} in {place}"


def _machine_fits() -> bool:
    return (
        platform.machine() == "x86_64"
        and os.confstr("CS_GNU_LIBC_VERSION") == "glibc 2.36"
        and Path(PYTHON).exists()
        and subprocess.run([PYTHON, "-m", "ensurepip", "--version"], capture_output=True).returncode
        == 0
    )


CASES = [
    Case(
        group=18,
        name=f"kill -9 {TIMES} times, with a build that hears nothing",
        attempt=_containers,
    ),
    Case(
        group=18,
        name="kill -9 on the local engine, with namespaces",
        attempt=lambda world: _local(world, namespaces=True),
        engine=False,
    ),
    Case(
        group=18,
        name="kill -9 on the local engine, without namespaces",
        attempt=lambda world: _local(world, namespaces=False),
        engine=False,
    ),
]
