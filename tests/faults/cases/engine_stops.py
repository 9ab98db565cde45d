"""Group 19: an engine that stops in the middle of a build: told as that, and tried again."""

from __future__ import annotations

import re
import signal
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from faults.case import Case, LeftOut
from faults.cases.limits import before
from faults.seconddaemon import SecondDaemon, can_be_had, second_daemon
from faults.world import refused, succeeded
from projects import LocalIndex, ProjectSdist, serving
from wheelhouse.engine.docker_connect import connect

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from faults.world import World

#: A build that lasts, but not the second time.
LASTS = before("""
    import time
    print("asleep", flush=True)
    time.sleep(8)
""")

#: What must not be said.
BLAMED = ("memory", "cannot be built", "status 137", "killed")
STOPPED = "the container engine stopped during slow: that is done once more if it is back within"


#: Those that builds and proofs of Debian 12 are in, and what these are made from: the name of each
#: has to do with what it is made from, so that has to be there too.
IMAGES = re.compile(
    r"wheelhouse/debian(?:12-(?:base|toolchain|builder|runtime)|13-(?:base|unpacked|toolbox)):"
)


def _images() -> list[str]:
    """The names of those that the usual engine has."""
    with closing(connect()) as client:
        names = [name for each in client.images() for name in each["RepoTags"] or ()]
    return [name for name in names if IMAGES.match(name)]


def _stops(world: World) -> None:
    """Stopped and killed, each time to come back; at last for good."""
    if not can_be_had():
        raise LeftOut("a second daemon takes root, and dockerd")
    with ExitStack() as stack:
        daemon = stack.enter_context(second_daemon(_images()))
        index = stack.enter_context(serving(LocalIndex()))
        for number in (signal.SIGTERM, signal.SIGKILL):
            _comes_back(world, daemon, index, number)
        _stays_away(world, daemon, index)


def _comes_back(world: World, daemon: SecondDaemon, index: LocalIndex, number: int) -> None:
    process = _building(world, daemon, index, f"1.{int(number)}")
    daemon.end(number)
    daemon.start()
    done = succeeded(world.ended(process))
    assert STOPPED in done.said, done.said
    assert not [word for word in BLAMED if word in done.said], done.said
    world.figures.add("builds that outlived their engine")
    deadline = time.monotonic() + 10
    while left := daemon.containers():
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def _stays_away(world: World, daemon: SecondDaemon, index: LocalIndex) -> None:
    process = _building(world, daemon, index, "2")
    daemon.end(signal.SIGTERM)
    done = refused(
        *(world.ended(process), 6, "the container engine stopped in the middle of a job"),
        "start it again",
    )
    assert not [word for word in BLAMED if word in done.said], done.said


def _building(
    world: World, daemon: SecondDaemon, index: LocalIndex, version: str
) -> subprocess.Popen[str]:
    """A run on *daemon* in the middle of a build."""
    index.add(ProjectSdist(name="slow", version=version, extra=LASTS))
    world.configure(f"slow=={version}\n", index=index.url)
    seen = set(_logs(world))
    process = world.start("build", "--plain", DOCKER_HOST=daemon.address)
    deadline = time.monotonic() + 60
    while not any("asleep" in text for name, text in _logs(world).items() if name not in seen):
        assert process.poll() is None and time.monotonic() < deadline, world.ended(process).said
        time.sleep(0.1)
    return process


def _logs(world: World) -> dict[str, str]:
    return dict(_each_log(world))


def _each_log(world: World) -> Iterator[tuple[str, str]]:
    for log in world.store.glob("logs/*"):
        yield log.name, log.read_text("utf-8", "replace")


CASES = [Case(group=19, name="the daemon is stopped, and killed", attempt=_stops)]
