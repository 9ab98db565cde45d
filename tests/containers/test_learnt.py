"""What a build finds out by proving: packages of the distribution, and undeclared requirements."""

from __future__ import annotations

import json
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest

from projects import LocalIndex, ProjectSdist, write_project
from wheelhouse.manifest import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Workplace

pytestmark = pytest.mark.containers

#: As python-magic looks for its library: by its name, of which no header tells.
MAGIC = """
from ctypes import CDLL, util
found = util.find_library("magic") or util.find_library("magic1")
if found is None:
    raise ImportError("failed to find libmagic.  Check your installation")
CDLL(found).magic_version
"""

#: Has `pkg_resources` beside its own module, as setuptools had until 82.
WITH_PKG_RESOURCES = """
_own = files

def files():
    info, found = _own()
    found["pkg_resources/__init__.py"] = b""
    return info, found
"""


def check(house: Path, image: str) -> subprocess.CompletedProcess[str]:
    """What install.sh says of a machine such as *image*."""
    command = ["docker", "run", "--rm", "--network=none", f"--volume={house}:/house:ro", image]
    return subprocess.run(
        [*command, "sh", "/house/install.sh", "--check", "--venv", "/tmp/v"],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_what_a_clean_server_lacks(workplace: Workplace, index: LocalIndex) -> None:
    """A library that an import asks for by its name, and one that is known to be needed later."""
    index.add(
        ProjectSdist(name="demo", module_code=MAGIC), ProjectSdist(name="pyusb", module_code="")
    )
    write_project(workplace.project, index, "demo\npyusb\n")
    done = workplace.run("build")
    assert done.status == 0, done.said
    assert "the server must have libmagic1 (demo), libusb-1.0-0 (pyusb)" in done.said

    manifest = read_manifest(workplace.house())
    told = [(each.package, each.libraries, each.required_by) for each in manifest.needs.system]
    assert told == [
        ("libmagic1", ("libmagic.so.1",), ("demo",)),
        ("libusb-1.0-0", ("libusb-1.0.so.0",), ("pyusb",)),
    ]
    assert manifest.needs.libraries == ("libmagic.so.1", "libusb-1.0.so.0")
    lock = tomllib.loads((workplace.project / "pylock.d12.toml").read_text())
    assert "libmagic1" in json.dumps(lock["tool"]["wheelhouse"]["system"])

    bare = workplace.environment().get("WHEELHOUSE_TEST_RUNTIME_IMAGE", "")
    refused = check(workplace.house(), bare)
    assert refused.returncode == 1, refused.stdout
    assert (
        "  * not on this machine: libmagic.so.1, libusb-1.0.so.0\n"
        "    -> sudo apt-get install libmagic1 libusb-1.0-0\n"
    ) in refused.stderr
    assert refused.stderr.endswith("Nothing was changed.\n")
    accepted = check(workplace.house(), manifest.runtime.id)
    assert accepted.returncode == 0, accepted.stderr


def test_an_undeclared_requirement(workplace: Workplace, index: LocalIndex) -> None:
    index.add(
        ProjectSdist(name="demo", module_code="import pkg_resources"),
        ProjectSdist(name="setuptools", version="81.0.0", extra=WITH_PKG_RESOURCES),
        ProjectSdist(name="setuptools", version="82.0.1"),
    )
    write_project(workplace.project, index, "demo\n")
    done = workplace.run("build")
    assert done.status == 5, done.said
    assert "[packages.demo]\n" in done.said
    assert 'requires = ["setuptools<82"]' in done.said

    config = workplace.project / "wheelhouse.toml"
    config.write_text(f"auto-requires = true\n{config.read_text()}")
    done = workplace.run("build")
    assert done.status == 0, done.said
    wheels = {each.name: each for each in read_manifest(workplace.house()).wheels}
    assert wheels["setuptools"].version == "81.0.0"
    assert wheels["setuptools"].required_by == ("demo",)
    done = workplace.run("build", "--locked")
    assert done.status == 0, done.said
