"""CUDA 12, whose compiler is not on PyPI: builds on an image that brings it.

nvcc runs in the container. No kernel does.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import Workplace

from cudaimage import cuda_image
from gpuwheels import code_in, dynamic, manifest, project, wheel_of

pytestmark = [pytest.mark.containers, pytest.mark.index]

EXAMPLE = Path(__file__).parents[2] / "examples" / "cuda" / "gpumath"

#: The one is built by CMake, which has a variable for GPUs; the other by an nvcc without a word
#: about them, and has forgotten to require the run time.
NAMES = ("gpumath", "forgetful")

PROJECT = """
[platforms.carrier]
title = "Debian 12 with CUDA"
like = "debian12"
image = "{image}"
cuda = "{cuda}"

[targets.gpu]
platform = "debian12"
python = "3.11"
builder = "carrier"
cuda = "{cuda}"
cuda-arch = ["80", "90"]
"""


#: In the runtime image, without a network: neither compiler nor toolkit nor GPU is there.
DEPLOY = """
set -eu
mkdir /tmp/in
tar -C /tmp/in -x
sh /tmp/in/gpu/install.sh --venv /tmp/app
/tmp/app/bin/python -c "
import forgetful, gpumath
print(gpumath.runtime_version())
print(*{line.split()[-1] for line in open('/proc/self/maps') if 'libcudart' in line})"
"""


class Built(NamedTuple):
    """A house, and where its extensions are unpacked."""

    workplace: Workplace
    extensions: Path

    @property
    def house(self) -> Path:
        return self.workplace.house("gpu")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    return cuda_image(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def built(image: str, tmp_path_factory: pytest.TempPathFactory) -> Built:
    workplace = Workplace(tmp_path_factory.mktemp("built"))
    copy = workplace.project / "gpumath"
    shutil.copytree(EXAMPLE, copy)
    pyproject = (copy / "pyproject.toml").read_text()
    ours, theirs = "nvidia-cuda-runtime>=13.0,<14", "nvidia-cuda-runtime-cu12>=12.4,<13"
    assert ours in pyproject
    (copy / "pyproject.toml").write_text(pyproject.replace(ours, theirs))
    forgetful = project("forgetful")
    (workplace.project / forgetful.filename).write_bytes(forgetful.content())
    (workplace.project / "requirements.txt").write_text(f"./gpumath\n./{forgetful.filename}\n")
    (workplace.project / "wheelhouse.toml").write_text(PROJECT.format(image=image, cuda="12.4"))
    done = workplace.run("build", timeout=600)
    assert done.status == 0, done.said
    return Built(workplace, tmp_path_factory.mktemp("extensions"))


@pytest.mark.parametrize("name", NAMES)
def test_the_run_time_is_that_of_nvidias_wheel_for_cuda_12(built: Built, name: str) -> None:
    wheel = wheel_of(built.house, name, built.extensions)
    found = dynamic(wheel.extension)
    assert "libcudart.so.12" in found["NEEDED"]
    assert found["RPATH"] == ["$ORIGIN/../nvidia/cuda_runtime/lib"]
    assert "RUNPATH" not in found
    assert not [each for each in wheel.members if ".libs/" in each or "libcudart" in each]


@pytest.mark.parametrize("name", NAMES)
def test_code_is_for_the_gpus_of_the_target(built: Built, name: str) -> None:
    wheel = wheel_of(built.house, name, built.extensions)
    assert set(code_in(wheel.extension)) == {("sm", 80), ("sm", 90), ("compute", 90)}


def test_the_server_is_asked_for_a_driver_of_cuda_12(built: Built) -> None:
    told = manifest(built.house)
    versions = {each["name"]: each["version"] for each in told["wheels"]}
    assert set(versions) == {*NAMES, "nvidia-cuda-runtime-cu12"}
    assert versions["nvidia-cuda-runtime-cu12"].startswith("12.4.")
    assert told["needs"]["gpu"] == {
        "arches": ["80", "90"],
        "cuda": "12.4",
        "driver": "525.60.13",
        "release_driver": "550.54.14",
    }
    assert "\ndriver=525.60.13 " in (built.house / "install.sh").read_text()


def test_it_installs_and_imports_where_there_is_no_gpu(built: Built) -> None:
    tar = ["tar", "-c", "-C", str(built.house.parent), "gpu"]
    archive = subprocess.run(tar, capture_output=True, check=True).stdout
    image = manifest(built.house)["runtime"]["id"]
    command = ["docker", "run", "--rm", "--network=none", "--user=65534:65534", "--env=HOME=/tmp"]
    command += ["--interactive", image, "sh", "-c", DEPLOY]
    done = subprocess.run(command, input=archive, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    *_, version, loaded = done.stdout.decode().splitlines()
    assert version == "(12, 4)"
    assert loaded.endswith("/site-packages/nvidia/cuda_runtime/lib/libcudart.so.12")


def test_an_image_that_has_another_toolkit_is_told(image: str, workplace: Workplace) -> None:
    forgetful = project("forgetful")
    (workplace.project / forgetful.filename).write_bytes(forgetful.content())
    (workplace.project / "requirements.txt").write_text(f"./{forgetful.filename}\n")
    (workplace.project / "wheelhouse.toml").write_text(PROJECT.format(image=image, cuda="12.2"))
    done = workplace.run("build")
    assert done.status == 6, done.said
    said = " ".join(done.err.split())
    assert "has the toolkit of CUDA 12.4 in /usr/local/cuda, and is said to have that of" in said
    assert f"as `cuda` of the platform what {image} has" in said
