"""Group 22: twenty runs at once agree, and do each thing once."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from faults.case import Case
from faults.world import digests, succeeded
from housefactory import Package, wheel_bytes
from projects import LocalIndex, ProjectSdist, serving
from wheelhouse.wholeness import verify_house

if TYPE_CHECKING:
    from faults.world import World

RUNS = 20

#: What containers do for these, besides proving.
JOBS = {
    *("d12-alpha", "d12-beta"),
    *("d12-metadata-alpha", "d12-metadata-beta"),
    *("d12-probe",),
}

REQUIREMENTS = "alpha\nbeta\nheavy\n"


def _index() -> LocalIndex:
    index = LocalIndex()
    index.add(ProjectSdist(name="alpha", requires=("beta",)), ProjectSdist(name="beta"))
    heavy = Package(name="heavy", files={"heavy/__init__.py": b"", "heavy/data": bytes(1 << 20)})
    index.files["heavy"] = {f"heavy-1.0-{heavy.tag}.whl": wheel_bytes(heavy)}
    return index


def _done_once(world: World, index: LocalIndex) -> None:
    """Every container's work was done once, but for proofs, and each file was fetched once."""
    jobs = Counter(
        re.sub(r"[\d-]+(.*)-\d+", r"\1", path.stem) for path in world.store.glob("logs/*")
    )
    assert jobs.pop("d12-prove") == RUNS
    assert set(jobs) == JOBS, jobs
    assert set(jobs.values()) == {1}, jobs
    files = Counter(path for path in index.requests if path.startswith("/files/"))
    assert len(files) == 3, files
    assert set(files.values()) == {1}, files


def _one_output(world: World) -> None:
    world.own_store()
    world.plant()
    world.replaces = True
    with serving(_index()) as index:
        world.configure(REQUIREMENTS, index=index.url)
        for run in [world.start("build", "--plain") for _ in range(RUNS)]:
            succeeded(world.ended(run))
        _done_once(world, index)
    assert [path.name for path in world.dist.iterdir()] == [world.house.name]


def _twenty_projects(world: World) -> None:
    """The same project in twenty folders: nothing but the store is common."""
    world.own_store()
    with serving(_index()) as index:
        world.configure(REQUIREMENTS, index=index.url)
        folders = [world.root / f"project {number}" for number in range(RUNS)]
        for folder in folders:
            folder.mkdir()
            for file in ("wheelhouse.toml", "requirements.txt"):
                (folder / file).write_bytes((world.project / file).read_bytes())
        runs = [
            subprocess.Popen(
                [sys.executable, "-m", "wheelhouse", "build", "--plain"],
                cwd=folder,
                env=world.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for folder in folders
        ]
        for run in runs:
            said, _ = run.communicate(timeout=300)
            assert run.returncode == 0, said
        _done_once(world, index)
    houses = [folder / "dist" / world.house.name for folder in folders]
    assert not any(map(verify_house, houses))
    assert len({tuple(digests(house).items()) for house in houses}) == 1


CASES = [
    Case(group=22, name=f"{RUNS} runs on one store and one output", attempt=_one_output),
    Case(group=22, name=f"{RUNS} projects on one store", attempt=_twenty_projects),
]
