"""wheelhouse doing the job, as a user would have it do it: the command, in a project's folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.measure import COLD, UNCHANGED, Measured, spans
from bench.workloads import TARGET, Workload
from wheelhouse.locking.lockfile import load_lock, lock_path

if TYPE_CHECKING:
    from pathlib import Path


class RunFailedError(Exception):
    """The command failed; its message is what it wrote."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A user's project with a workload's requirements, in a *folder* of its own."""

    workload: Workload
    folder: Path

    @property
    def _cache(self) -> Path:
        return self.folder / "cache"

    def write(self, requirements: Path, names: list[str]) -> None:
        """Make the project; *names* are the packages of *requirements*."""
        self.folder.mkdir(parents=True)
        shutil.copy(requirements, self.folder / "requirements.txt")
        (self.folder / "wheelhouse.toml").write_text(self.workload.configuration(names))

    def lock(self) -> float:
        """Lock from nothing; the seconds it took. Raises RunFailedError."""
        self.forget()
        seconds, _ = self._run("lock", "--json")
        return seconds

    def system_packages(self) -> tuple[str, ...]:
        """All packages of the distribution that builds need, as locked."""
        lock = load_lock(lock_path(self.folder, TARGET.name))
        assert lock is not None
        builds = [each.build for each in lock.packages if each.build]
        return tuple(sorted({name for build in builds for name in build.system}))

    def make_images(self) -> None:
        """Have the engine make the images that the lock asks for. Raises RunFailedError."""
        self._run("plan", "--locked", "--json")

    def cold(self) -> Measured:
        """Build from the lock and nothing else. Raises RunFailedError."""
        self.forget()
        return self._build(COLD)

    def unchanged(self) -> Measured:
        """Build once more. Raises RunFailedError."""
        return self._build(UNCHANGED)

    def forget(self) -> None:
        """Remove the store and the output."""
        shutil.rmtree(self._cache, ignore_errors=True)
        shutil.rmtree(self.folder / "dist", ignore_errors=True)

    def _build(self, contender: str) -> Measured:
        seconds, output = self._run("build", "--locked", "--json")
        events = [json.loads(line) for line in output.splitlines()]
        return Measured(
            workload=self.workload.name,
            contender=contender,
            seconds=seconds,
            phases=_phases(events, seconds) if contender == COLD else {},
        )

    def _run(self, *arguments: str) -> tuple[float, str]:
        environment = os.environ | {"WHEELHOUSE_CACHE": str(self._cache)}
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "wheelhouse", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - started
        if done.returncode:
            raise RunFailedError(_reason(done.stdout) or done.stderr)
        return seconds, done.stdout


def _phases(events: list[dict[str, Any]], seconds: float) -> dict[str, float]:
    """Seconds of each phase; `start` is all before the first, the interpreter's start included."""
    marks = [(each["phase"], each["at"]) for each in events if each["event"] == "phase-started"]
    before = seconds - events[-1]["at"]  # the events' clock starts with the reporter
    return spans([("start", 0.0), *((name, at + before) for name, at in marks)], seconds)


def _reason(output: str) -> str:
    """The errors among the events of a failed command."""
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return "\n".join(each["message"] for each in events if each["event"] == "error")
