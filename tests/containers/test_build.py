"""The main job, whole: from requirements to a proven wheelhouse, in real containers."""

from __future__ import annotations

import json
import random
import subprocess
import time
import zipfile
from typing import TYPE_CHECKING

import pytest
from conftest import Workplace, orphans, wait_for

from projects import LocalIndex, ProjectSdist, write_project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.containers


def test_builds_proves_and_then_does_nothing(workplace: Workplace, index: LocalIndex) -> None:
    index.add(
        ProjectSdist(name="alpha", requires=("beta>=1",)),
        ProjectSdist(name="beta", native=True),
        ProjectSdist(name="beta", version="0.9"),
    )
    write_project(workplace.project, index, "alpha\n")

    first = workplace.run("build")
    assert first.status == 0, first.said
    wheels = {path.name for path in workplace.house().glob("wheels/*")}
    assert "alpha-1.0-py3-none-any.whl" in wheels
    (native,) = wheels - {"alpha-1.0-py3-none-any.whl"}
    assert native.startswith("beta-1.0-cp311-cp311-manylinux")

    manifest = json.loads((workplace.house() / "manifest.json").read_text())
    told = {wheel["name"]: wheel for wheel in manifest["wheels"]}
    assert told["beta"]["required_by"] == ["alpha"]
    assert told["alpha"]["required_by"] == ["requirements.txt:1"]
    assert told["alpha"]["story"]["kind"] == "built"
    assert manifest["target"]["environment"]["platform_release"] == "", "of no one machine"

    index.requests.clear()
    before = _bytes(workplace.house())
    second = workplace.run("build")
    assert second.status == 0
    assert "nothing changed" in second.said
    assert not index.requests
    third = workplace.run("build", "--again")
    assert third.status == 0, third.said
    assert not index.requests, "everything comes from the store"
    assert _bytes(workplace.house()) == before


def test_only_what_changed_is_built(workplace: Workplace, index: LocalIndex) -> None:
    index.add(ProjectSdist(name="alpha"), ProjectSdist(name="beta"))
    write_project(workplace.project, index, "alpha\nbeta\n")
    assert workplace.run("build").status == 0
    index.add(ProjectSdist(name="alpha", version="2.0"), ProjectSdist(name="beta", version="2.0"))
    write_project(workplace.project, index, "alpha==2.0\nbeta\n")

    done = workplace.run("build")

    assert done.status == 0, done.said
    wheels = {path.name for path in workplace.house().glob("wheels/*")}
    assert wheels == {"alpha-2.0-py3-none-any.whl", "beta-1.0-py3-none-any.whl"}
    assert "1 built" in done.said or "alpha built" in done.said
    assert "beta built" not in done.said


def test_same_inputs_give_same_bytes_elsewhere(tmp_path: Path, index: LocalIndex) -> None:
    index.add(ProjectSdist(name="alpha", native=True))
    houses = []
    for name in ("one", "two with a space"):
        (tmp_path / name).mkdir()
        workplace = Workplace(tmp_path / name)
        write_project(workplace.project, index, "alpha\n")
        assert workplace.run("build").status == 0
        houses.append(_bytes(workplace.house()))
    assert houses[0] == houses[1]


#: Writes where it is into the module, and into the log what kind of place that is.
PLACE = """
import os

def before_build(directory):
    with open("module.py", "a") as module:
        print("BUILT_IN =", repr(os.getcwd()), file=module)
    for line in open("/proc/mounts"):
        print("mounted:", *line.split()[1:3], flush=True)
"""


def test_what_memory_is_too_small_for_is_built_in_the_same_place_on_a_disk(
    tmp_path: Path, index: LocalIndex
) -> None:
    big = {"data.txt": random.Random(1).randbytes(12 << 20).hex()}
    index.add(ProjectSdist(name="alpha", extra=PLACE, files=big))
    wheels, kinds = set(), []
    for memory in ("4GiB", "128MiB"):
        (tmp_path / memory).mkdir()
        workplace = Workplace(tmp_path / memory)
        limits = f'[limits]\nmemory = "{memory}"\n'
        write_project(workplace.project, index, "alpha\n", more=limits)
        done = workplace.run("build")
        assert done.status == 0, done.said
        (wheel,) = workplace.house().glob("wheels/*")
        wheels.add(wheel.read_bytes())
        logs = "".join(log.read_text() for log in workplace.store.glob("logs/*"))
        kinds.append("mounted: /build tmpfs" in logs)
    assert kinds == [True, False]
    assert len(wheels) == 1


def test_a_failed_build_stops_no_other_and_changes_nothing(
    workplace: Workplace, index: LocalIndex
) -> None:
    index.add(ProjectSdist(name="alpha"), ProjectSdist(name="gamma"))
    write_project(workplace.project, index, "alpha\n")
    assert workplace.run("build").status == 0
    before = _bytes(workplace.house())
    index.add(ProjectSdist(name="broken", extra="def before_build(d): raise SystemExit('no luck')"))
    write_project(workplace.project, index, "alpha\nbroken\ngamma\n")

    done = workplace.run("build")

    assert done.status == 4
    assert "broken 1.0" in done.err
    assert "log:" in done.err
    assert "gamma built" in done.said
    assert _bytes(workplace.house()) == before


def test_a_hidden_dependency_is_found_by_the_proof(workplace: Workplace, index: LocalIndex) -> None:
    index.add(ProjectSdist(name="alpha", module_code="import pkg_resources"))
    write_project(workplace.project, index, "alpha\n")
    done = workplace.run("build")
    assert done.status == 5
    assert "setuptools" in done.err
    assert not workplace.house().exists()


def test_locked_refuses_a_missing_and_a_stale_lock(workplace: Workplace, index: LocalIndex) -> None:
    index.add(ProjectSdist(name="alpha"), ProjectSdist(name="beta"))
    write_project(workplace.project, index, "alpha\n")
    assert "there is no pylock.d12.toml" in workplace.run("build", "--locked").err
    assert workplace.run("lock").status == 0
    assert workplace.run("lock", "--check").status == 0
    assert workplace.run("build", "--locked").status == 0
    write_project(workplace.project, index, "beta\n")
    assert workplace.run("build", "--locked").status == 3
    assert workplace.run("lock", "--check").status == 3


def test_the_lock_is_read_by_uv(workplace: Workplace, index: LocalIndex) -> None:
    from uv import find_uv_bin

    index.add(ProjectSdist(name="alpha", requires=("beta",)), ProjectSdist(name="beta"))
    write_project(workplace.project, index, "alpha\n")
    assert workplace.run("lock").status == 0
    command = [find_uv_bin(), "pip", "install", "--no-config", "--dry-run", "--python", "3.11"]
    command += ["--target", str(workplace.root / "t"), "-r", "pylock.d12.toml"]
    done = subprocess.run(command, cwd=workplace.project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "alpha==1.0" in done.stderr
    assert "beta==1.0" in done.stderr


def test_plan_says_why(workplace: Workplace, index: LocalIndex) -> None:
    index.add(ProjectSdist(name="alpha"))
    write_project(workplace.project, index, "alpha\n")
    (step,) = json.loads(workplace.run("plan", "--json").out)["targets"][0]["steps"]
    assert step["action"] == "build"
    assert step["reason"] == "no wheel on the index fits the target"
    assert not workplace.house().exists()
    assert workplace.run("build").status == 0
    (step,) = json.loads(workplace.run("plan", "--json").out)["targets"][0]["steps"]
    assert step["action"] == "reuse"


def test_sigkill_leaves_no_container_and_the_next_run_completes(
    workplace: Workplace, index: LocalIndex
) -> None:
    code = "def before_build(d):\n    import time\n    print('sleeping', flush=True)\n    time.sleep(4)"
    index.add(ProjectSdist(name="slow", extra=code), ProjectSdist(name="alpha"))
    write_project(workplace.project, index, "slow\nalpha\n")
    with subprocess.Popen(
        workplace.command("build"),
        cwd=workplace.project,
        env=workplace.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_for("sleeping", workplace)
        process.kill()
    time.sleep(2)
    assert orphans() == []
    done = workplace.run("build")
    assert done.status == 0, done.said
    assert not list((workplace.store / "tmp").iterdir())
    assert {path.name for path in (workplace.project / "dist").iterdir()} == {"d12"}


def test_concurrent_runs_build_once_and_agree(workplace: Workplace, index: LocalIndex) -> None:
    index.add(*[ProjectSdist(name=f"p{number}") for number in range(3)])
    write_project(workplace.project, index, "p0\np1\np2\n")
    assert workplace.run("lock").status == 0
    runs = [
        subprocess.Popen(
            workplace.command("build"),
            cwd=workplace.project,
            env=workplace.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4)
    ]
    said = [run.communicate(timeout=200)[0] for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, said
    logs = [path.name for path in workplace.store.glob("logs/*-d12-p*-*.log")]
    assert len([name for name in logs if "-d12-p0-" in name]) == 1, "built once"
    assert workplace.run("verify", str(workplace.house())).status == 0


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_wheel_holds_nothing_of_the_build_machine(
    workplace: Workplace, index: LocalIndex
) -> None:
    index.add(ProjectSdist(name="alpha", native=True))
    write_project(workplace.project, index, "alpha\n")
    assert workplace.run("build").status == 0
    (wheel,) = workplace.house().glob("wheels/*")
    with zipfile.ZipFile(wheel) as file:
        content = b"".join(file.read(name) for name in file.namelist())
    assert str(workplace.root).encode() not in content
