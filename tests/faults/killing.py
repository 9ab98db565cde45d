"""A build that is killed by force at any moment, again and again, and what must hold each time."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from faults.aftermath import PATIENCE
from faults.mixture import REQUIREMENTS, lock_of, undisturbed
from faults.world import TARGET, digests, succeeded
from wheelhouse.store import Store, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.world import World
    from projects import LocalIndex

#: What a run begins with, beside another project's wheelhouse in the output: each leads through
#: other phases. What the one before has left is the commonest.
BEGINNINGS = ("as left", "as left", "as left", "nothing", "nothing", "no lock", "no builds")

#: How often a run is killed before one is let through.
SERIES = 6


class Killing:
    """Kills runs of one project on one store and one output.

    :param seed: of the moments; the same gives the same.
    """

    def __init__(self, world: World, index: LocalIndex, seed: int) -> None:
        self.world = world
        self.figures = world.figures
        self.random = random.Random(seed)
        world.own_store()
        world.configure(REQUIREMENTS, index=index.url)
        world.plant()
        world.killed = world.replaces = True
        self.before = digests(world.house)
        self.wanted, self.lock, self.length = undisturbed(world.shop, index)

    def kill(self, times: int) -> None:
        """Kill so many runs, and let one through now and then and in the end.

        :raises AssertionError: something does not hold.
        """
        left = times
        while left:
            for number in range(min(SERIES, left)):
                self._begin(self.random.choice(BEGINNINGS if number else BEGINNINGS[3:]))
                left -= self._killed()
            self._finish()

    def _begin(self, beginning: str) -> None:
        world = self.world
        if beginning == "as left":
            return
        shutil.rmtree(world.dist)
        world.plant()
        if beginning in {"nothing", "no lock"}:
            (world.project / f"pylock.{TARGET}.toml").unlink(missing_ok=True)
        if beginning == "nothing":
            shutil.rmtree(world.store, ignore_errors=True)
        if beginning == "no builds":
            shutil.rmtree(world.store / "records" / "build", ignore_errors=True)

    def _killed(self) -> bool:
        """Start a run and kill it at some moment; whether it still ran."""
        started = self.world.start("build", "--json")
        try:
            out, _ = started.communicate(timeout=self.random.uniform(0, self.length))
        except subprocess.TimeoutExpired:
            started.kill()
            out, _ = started.communicate()
            self.figures.add("kills")
            self.figures.add(f"kills in phase {_phase(out)}")
        self._look(started.pid)
        return started.returncode != 0

    def _finish(self) -> None:
        """The next run completes, to the bytes of one that nobody disturbed, and clears up."""
        done = self.world.build()
        self.world.finished.pop()
        succeeded(done)
        assert digests(self.world.house) == self.wanted, "other bytes than those of a run in peace"
        assert lock_of(self.world) == self.lock, "another lock than that of a run in peace"
        left = self._temporaries()
        assert not left, f"left by a run in peace: {left}"

    # -- after each kill -----------------------------------------------------------------------

    def _look(self, pid: int) -> None:
        problems = [*self._objects(), *self._outputs(), *self._left(pid)]
        assert not problems, "; ".join(problems)

    def _objects(self) -> Iterator[str]:
        for path in self.world.store.glob("blobs/*/*"):
            self.figures.add("objects")
            if sha256_of(path) != path.name:
                self.figures.add("corrupt objects")
                yield f"{path.name} is not what it is called"
        for path in self.world.store.glob("records/*/*"):
            self.figures.add("objects")
            if problem := self._record_problem(path):
                self.figures.add("corrupt objects")
                yield f"the record {path.parent.name}/{path.name} {problem}"

    def _record_problem(self, path: Path) -> str | None:
        store = Store(self.world.store)
        record = store.record(path.parent.name, path.stem)
        if record is None:
            return "is damaged"
        if path.parent.name == "build" and not store.has(record["sha256"]):
            return "points at nothing"
        return None

    def _outputs(self) -> Iterator[str]:
        if digests(self.world.house) not in (self.before, self.wanted):
            self.figures.add("lost wheelhouses")
            yield "the wheelhouse is neither the one before nor the new one"
        if lock_of(self.world) not in (None, self.lock):
            yield "the lock is not whole"

    def _left(self, pid: int) -> Iterator[str]:
        deadline = time.monotonic() + PATIENCE
        while found := [*_containers(pid), *_processes(self.world.store), *self._temporaries()]:
            if time.monotonic() > deadline:
                leaked = sum(each.startswith("container") for each in found)
                self.figures.add("leaked containers", leaked)
                yield f"left {PATIENCE:.0f} s after: {', '.join(found)}"
                return
            time.sleep(0.1)

    def _temporaries(self) -> list[str]:
        world = self.world
        found = (*world.store.glob("tmp/*"), *world.dist.glob(".*"), *world.project.glob(".*"))
        return [str(path.relative_to(world.root)) for path in found]


def _phase(told: str) -> str:
    """The phase that a run was in when it told no more."""
    phase = "start"
    for line in told.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            break  # the line that the kill cut off
        phase = str(event.get("phase", phase))
    return phase


def _containers(pid: int) -> Iterator[str]:
    """The labelled containers of the process that had the number *pid*."""
    from wheelhouse.engine.docker import LABEL, OWNER
    from wheelhouse.engine.docker_connect import connect

    client = connect()
    try:
        for each in client.containers(all=True, filters={"label": LABEL}):
            if each["Labels"].get(OWNER, "").startswith(f"{socket.gethostname()}:{pid}:"):
                yield f"container {each['Id'][:12]}"
    finally:
        client.close()


def _processes(store: Path) -> Iterator[str]:
    """The processes that work on files of *store*, as the resolver does."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue  # gone meanwhile
        if str(store).encode() in command:
            yield f"process {command.replace(bytes(1), b' ').decode(errors='replace')}"
