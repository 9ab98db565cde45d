"""Packages that come to the server without the wheelhouse: chosen to fit, listed, and not in it."""

from __future__ import annotations

import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest

from projects import LocalIndex, ProjectSdist, write_project
from wheelhouse.manifest import Bypassed, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Workplace

pytestmark = pytest.mark.containers

SETTINGS = """
[packages.six]
bypass = true

[packages.baked]
bypass = true

[targets.d12.provided]
six = "system:python3-six"
baked = "wheel"
"""


def check(house: Path, image: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What install.sh says of a machine such as *image*."""
    return install(house, image, "--check", *arguments)


def install(house: Path, image: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What it does there."""
    command = ["docker", "run", "--rm", "--network=none", f"--volume={house}:/house:ro", image]
    return subprocess.run(
        [*command, "sh", "/house/install.sh", "--venv", "/tmp/v", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_what_the_distribution_and_others_bring(workplace: Workplace, index: LocalIndex) -> None:
    """Debian 12 has six 1.16.0, so no later one is chosen, and what fits no earlier one is not."""
    index.add(
        ProjectSdist(name="demo", version="1.0", requires=("six>=1.10", "baked")),
        ProjectSdist(name="demo", version="2.0", requires=("six>=1.17", "baked")),
        ProjectSdist(name="baked", module_code="import deeper", requires=("deeper",)),
        ProjectSdist(name="deeper"),
    )
    write_project(workplace.project, index, "demo\n", more=SETTINGS)
    done = workplace.run("build")
    assert done.status == 0, done.said

    manifest = read_manifest(workplace.house())
    assert [(each.name, each.version) for each in manifest.wheels] == [("demo", "1.0")]
    assert manifest.bypassed == (
        Bypassed(name="baked", version="1.0", way="wheel", required_by=("demo",)),
        Bypassed(name="deeper", version="1.0", way="wheel", required_by=("baked",), needed=False),
        Bypassed(
            name="six",
            version="1.16.0",
            way="system",
            package="python3-six",
            required_by=("demo",),
        ),
    )
    lock = tomllib.loads((workplace.project / "pylock.d12.toml").read_text())
    ways = {each["name"]: each["tool"]["wheelhouse"].get("provided") for each in lock["packages"]}
    assert ways == {"baked": "wheel", "deeper": "wheel", "demo": None}
    (six,) = lock["tool"]["wheelhouse"]["provided"]
    assert (six["name"], six["provided"]) == ("six", "system:python3-six")
    text = (workplace.house() / "requirements.txt").read_text()
    assert (
        "# Not in here, to be on the server already: baked==1.0, deeper==1.0, six==1.16.0;" in text
    )

    refused = check(workplace.house(), manifest.runtime.id)
    assert refused.returncode == 1, refused.stdout
    assert "* baked 1.0 is to be here already, and is not\n" in refused.stderr
    assert "six" not in refused.stderr
    accepted = check(workplace.house(), manifest.runtime.id, "--without", "baked")
    assert accepted.returncode == 0, accepted.stderr
    installed = install(workplace.house(), manifest.runtime.id, "--without", "baked")
    assert (installed.returncode, installed.stderr) == (0, "")


def test_what_nobody_brings(workplace: Workplace, index: LocalIndex) -> None:
    index.add(ProjectSdist(name="demo", requires=("six",)))
    write_project(workplace.project, index, "demo\n", more="\n[packages.six]\nbypass = true\n")
    done = workplace.run("build")
    assert done.status == 3, done.said
    assert "six bypasses the wheelhouse, but the runtime of d12 does not have it" in done.said
    assert '[targets.d12.provided]` six = "system:PACKAGE"' in done.said.replace("\n", " ")
