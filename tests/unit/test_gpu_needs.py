"""What a wheelhouse asks of a GPU's machine: in its manifest, and in its ``install.sh``."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING

import jsonschema
import pytest
from packaging.version import Version

from housefactory import Package, make_house, this_target
from wheelhouse import manifest as manifests
from wheelhouse.cuda import Cuda
from wheelhouse.manifest import GpuNeeds
from wheelhouse.needs import gpu_needs

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.house import House

DRIVER = ("libcuda.so.1", "libnvidia-ml.so.1")


def house(folder: Path, cuda: Cuda | None) -> House:
    package = Package(name="one", system_libraries=(*DRIVER, "libGL.so.1"))
    return make_house(folder, [package], replace(this_target(), cuda=cuda))


def variables(house: House) -> dict[str, str]:
    """The facts at the beginning of ``install.sh``."""
    head = (house.path / "install.sh").read_text().partition("\nusage()")[0]
    lines = (line.partition("=") for line in head.splitlines() if "=" in line)
    return {name: value.partition(" # ")[0].strip("'") for name, _, value in lines}


@pytest.mark.parametrize(
    ("version", "driver", "release_driver"),
    [
        ("11.8", "450.80.02", "520.61.05"),
        ("12.4", "525.60.13", "550.54.14"),
        ("13.0", "580.65.06", "580.65.06"),
        ("13.2", "580.65.06", "595.45.04"),
        ("13.9", "580.65.06", ""),
        ("14.0", "", ""),
    ],
)
def test_the_drivers_of_a_cuda(version: str, driver: str, release_driver: str) -> None:
    found = gpu_needs(Cuda(version=Version(version), arches=("80",)))
    assert found == GpuNeeds(
        cuda=version, driver=driver, release_driver=release_driver, arches=("80",)
    )


def test_the_manifest_has_them(tmp_path: Path) -> None:
    made = house(tmp_path, Cuda(version=Version("13.2"), arches=("80", "90a")))
    text = manifests.to_json(made.manifest)
    assert json.loads(text)["needs"]["gpu"] == {
        "arches": ["80", "90a"],
        "cuda": "13.2",
        "driver": "580.65.06",
        "release_driver": "595.45.04",
    }
    assert manifests.from_json(text) == made.manifest
    schema = resources.files("wheelhouse").joinpath("data/manifest.schema.json").read_text("utf-8")
    jsonschema.validate(json.loads(text), json.loads(schema))


def test_install_sh_has_them(tmp_path: Path) -> None:
    """The driver's libraries are not among those that any machine must have."""
    made = variables(house(tmp_path, Cuda(version=Version("13.2"), arches=("80", "90"))))
    assert made["cuda"] == "13.2"
    assert made["driver"] == "580.65.06"
    assert made["release_driver"] == "595.45.04"
    assert made["arches"] == "80 90"
    assert made["makes"].startswith("75 80 ")
    assert made["driver_libraries"] == "libcuda.so.1 libnvidia-ml.so.1"
    assert made["libraries"] == "libGL.so.1"


def test_a_target_that_names_no_cuda_asks_for_the_libraries_alone(tmp_path: Path) -> None:
    made = house(tmp_path, None)
    assert made.manifest.needs.gpu is None
    assert variables(made)["cuda"] == ""
    assert variables(made)["libraries"] == f"libGL.so.1 {' '.join(DRIVER)}"
    assert "cuInit" not in (made.path / "install.sh").read_text()
