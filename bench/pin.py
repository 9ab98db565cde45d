"""`python -m bench.pin`: pin the workloads anew, with the newest versions on the index."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contender import Project
from bench.workloads import TARGET, WORKLOADS, Workload
from wheelhouse.locking.lockfile import load_lock, lock_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.locking.model import Lock


def requirements(lock: Lock, *, sdists: bool) -> str:
    """The packages of *lock* as a requirements file with the hashes of the files it may use."""
    blocks: list[str] = []
    for package in sorted(lock.packages, key=lambda each: each.name):
        files = list(package.wheels)
        if package.sdist and (sdists or not files):
            files = [package.sdist]
        hashes = sorted(file.sha256 for file in files)
        lines = [f"{package.name}=={package.version}", *(f"--hash=sha256:{h}" for h in hashes)]
        blocks.append(" \\\n    ".join(lines) + "\n")
    return "".join(blocks)


def pin(workload: Workload) -> int:
    """Write the pins of *workload*; their number. Raises RunFailedError."""
    known = set(workload.names()) if workload.pinned.exists() else set()
    lines = workload.asked.read_text().splitlines()
    asked = {line.partition("[")[0] for line in lines if line and not line.startswith("#")}
    with tempfile.TemporaryDirectory() as folder:
        project = Project(workload=workload, folder=Path(folder) / workload.name)
        project.write(workload.asked, sorted(asked | known))
        project.lock()
        lock = load_lock(lock_path(project.folder, TARGET.name))
    assert lock is not None
    workload.pinned.write_text(requirements(lock, sdists=workload.sdists))
    return len(lock.packages)


def main(names: Sequence[str]) -> None:
    """Pin the workloads *names*, or all."""
    for name in names or WORKLOADS:
        print(f"{name}: {pin(WORKLOADS[name])} packages")


if __name__ == "__main__":
    main(sys.argv[1:])
