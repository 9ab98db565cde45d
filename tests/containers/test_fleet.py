"""One requirements file, five kinds of machines, in one `wheelhouse build`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import Workplace
from packaging.version import Version

from wheelhouse.emulation import runs_here
from wheelhouse.engine.docker_connect import connect

pytestmark = [pytest.mark.containers, pytest.mark.index]

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet"

#: The newest symbols that each machine's own libraries have: glibc's and libstdc++'s.
LIMITS = {
    "debian11-py39": ("2.31", "3.4.28", "Advanced Micro Devices X86-64"),
    "debian12-py311": ("2.36", "3.4.30", "Advanced Micro Devices X86-64"),
    "debian13-py313": ("2.41", "3.4.33", "Advanced Micro Devices X86-64"),
    "al2023-py311": ("2.34", "3.4.29", "Advanced Micro Devices X86-64"),
    "debian12-py311-aarch64": ("2.36", "3.4.30", "AArch64"),
}

#: Fewer than the example's own, and C++ only where nothing is emulated.
REQUIREMENTS = """
cryptography
docopt
kiwisolver; platform_machine == "x86_64"
markupsafe
"""

#: The Python that was deployed to: one of our own making, or the distribution's.
FIND_PYTHON = "ls -d /opt/python/3.*/bin/python3.[0-9]* /usr/bin/python3.[0-9]* | grep -v config"

#: Away from here: in the runtime image, with nothing but the house.
DEPLOY = """
set -eu
! command -v cc
! command -v gcc
mkdir /tmp/in
tar -C /tmp/in -x
cd /tmp/in/"$1"
./install.sh --python "$2" --venv /tmp/app
/tmp/app/bin/python -c 'import cryptography.hazmat.primitives.hashes, docopt, markupsafe._speedups'
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    workplace = Workplace(tmp_path_factory.mktemp("fleet"))
    text = (EXAMPLE / "wheelhouse.toml").read_text()
    if not runs_here("aarch64"):
        text = re.sub(r"\[targets\.debian12-py311-aarch64\].*?\n\n", "", text, flags=re.DOTALL)
    (workplace.project / "wheelhouse.toml").write_text(text)
    (workplace.project / "requirements.txt").write_text(REQUIREMENTS)
    subprocess.run(
        [sys.executable, "-m", "wheelhouse", "images", "bootstrap"],
        cwd=workplace.project,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    done = workplace.run("build", timeout=900)
    assert done.status == 0, done.said
    return workplace


@pytest.fixture(params=LIMITS)
def target(request: pytest.FixtureRequest, fleet: Workplace) -> str:
    """The name of a target that was built."""
    name: str = request.param
    if name not in (fleet.project / "wheelhouse.toml").read_text():
        pytest.skip("this machine does not run programs of aarch64")
    return name


def manifest(fleet: Workplace, target: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((fleet.house(target) / "manifest.json").read_text())
    return found


def test_it_installs_in_its_runtime_container(fleet: Workplace, target: str) -> None:
    told = manifest(fleet, target)
    image = connect().inspect_image(told["runtime"]["id"])  # type: ignore[no-untyped-call]
    found = subprocess.run(
        ["docker", "run", "--rm", "--entrypoint", "sh", told["runtime"]["id"], "-c", FIND_PYTHON],
        capture_output=True,
        text=True,
        check=True,
    )
    python = found.stdout.split()[0]
    assert image["Architecture"] == ("arm64" if target.endswith("aarch64") else "amd64")
    archive = subprocess.run(
        ["tar", "-C", str(fleet.house(target).parent), "-c", target],
        capture_output=True,
        check=True,
    ).stdout
    command = ["docker", "run", "--rm", "--network=none", "--user=65534:65534", "--env=HOME=/tmp"]
    command += ["--interactive", told["runtime"]["id"], "sh", "-c", DEPLOY, "-", target, python]
    done = subprocess.run(command, input=archive, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_no_wheel_asks_for_more_than_the_machine_has(
    fleet: Workplace, target: str, tmp_path: Path
) -> None:
    *limits, machine = LIMITS[target]
    compiled = 0
    for wheel in (fleet.house(target) / "wheels").iterdir():
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if ".so" in Path(member).name:
                    path = Path(archive.extract(member, tmp_path))
                    assert f"Machine:                           {machine}" in readelf("-h", path)
                    compiled += 1
                    symbols = readelf("-V", path)
                    for family, limit in zip(("GLIBC", "GLIBCXX"), limits, strict=True):
                        wanted = re.findall(rf"\b{family}_([\d.]+)", symbols)
                        assert all(Version(each) <= Version(limit) for each in wanted), wheel.name
    assert compiled >= 3
    names = {wheel["name"] for wheel in manifest(fleet, target)["wheels"]}
    assert ("kiwisolver" in names) == (machine != "AArch64")


def readelf(option: str, path: Path) -> str:
    """What binutils say of a file; it shares no code with us."""
    command = ["readelf", "--wide", option, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_each_python_gets_the_newest_versions_that_support_it(fleet: Workplace) -> None:
    versions = {
        target: {wheel["name"]: wheel["version"] for wheel in manifest(fleet, target)["wheels"]}
        for target in ("debian11-py39", "debian13-py313")
    }
    oldest, newest = versions["debian11-py39"], versions["debian13-py313"]
    assert Version(oldest["kiwisolver"]) < Version(newest["kiwisolver"])


def test_what_stood_in_for_a_platform_is_told(fleet: Workplace) -> None:
    told = manifest(fleet, "al2023-py311")
    assert told["target"]["platform"] == "amazonlinux2023"
    done = fleet.run("build", "--again", "-t", "al2023-py311")
    assert done.status == 0, done.said
    own = "amazonlinux2023" in told["runtime"]["name"]
    assert own != ("so it is proven in Portable Linux (glibc 2.31)" in done.said)
