"""How builds are told the GPUs to build for, and what the `nvcc` of builders makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.version import Version

from wheelhouse.building.cudavariables import ARCHITECTURES, cuda_variables
from wheelhouse.cuda import Cuda

WRAPPER = Path(__file__).parents[2] / "images" / "cuda-nvcc.sh"

FOR_TWO = "-gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_90,code=[sm_90,compute_90]"


def variables(*arches: str, version: str = "13.2") -> dict[str, str]:
    return cuda_variables(Cuda(version=Version(version), arches=arches))


def test_code_is_for_each_gpu_and_as_ptx_for_later_ones() -> None:
    assert variables("90", "80")[ARCHITECTURES] == FOR_TWO
    assert variables("80")[ARCHITECTURES] == "-gencode=arch=compute_80,code=[sm_80,compute_80]"


def test_code_for_one_family_runs_on_no_later_gpu() -> None:
    assert variables("80", "90a")[ARCHITECTURES] == (
        "-gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_90a,code=sm_90a"
    )
    assert variables("100", "90")[ARCHITECTURES].endswith("code=[sm_100,compute_100]")


def test_without_gpus_compilers_choose() -> None:
    assert ARCHITECTURES not in variables()


def test_nvcc_names_intermediate_files_after_the_object() -> None:
    assert variables()["NVCC_PREPEND_FLAGS"] == "-objtemp"
    assert variables(version="11.8") == variables()
    assert "NVCC_PREPEND_FLAGS" not in variables(version="11.2")


# -- nvcc ----------------------------------------------------------------------------------------


@pytest.fixture
def nvcc(tmp_path: Path) -> Path:
    """The `nvcc` of a toolkit, by a link that leads there; the real one prints its arguments."""
    folder = tmp_path / "cuda-13.2" / "bin"
    folder.mkdir(parents=True)
    shutil.copy(WRAPPER, folder / "nvcc")
    (folder / "nvcc").chmod(0o755)
    (folder / "nvcc.bin").write_text("#!/bin/sh\nprintf '%s|' \"$@\"\n")
    (folder / "nvcc.bin").chmod(0o755)
    (tmp_path / "cuda").symlink_to("cuda-13.2")
    return tmp_path / "cuda" / "bin" / "nvcc"


def called(nvcc: Path, *arguments: str, **more: str) -> list[str]:
    environment = {"PATH": os.environ["PATH"], ARCHITECTURES: FOR_TWO, **more}
    done = subprocess.run(
        [nvcc, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.split("|")[:-1]


def test_who_chooses_no_gpus_gets_code_for_those_of_the_target(nvcc: Path) -> None:
    arguments = ["-c", "a b.cu", '-DNAME="x y"', "-o", "a.o"]
    assert called(nvcc, *arguments) == [*arguments, *FOR_TWO.split()]


@pytest.mark.parametrize(
    "argument",
    [
        *("-arch=sm_86", "-arch", "--gpu-architecture=sm_90", "-gencode", "-code=sm_80"),
        *("--generate-code=arch=compute_80,code=sm_80", "-ptx", "--cubin"),
    ],
)
def test_who_chooses_gpus_gets_code_for_them_alone(nvcc: Path, argument: str) -> None:
    assert called(nvcc, "-c", "a.cu", argument) == ["-c", "a.cu", argument]


@pytest.mark.parametrize("native", ["-arch=native", "--gpu-architecture=native"])
def test_where_there_is_no_gpu_native_is_no_choice(nvcc: Path, native: str) -> None:
    assert called(nvcc, native, "-c", "a.cu") == ["-c", "a.cu", *FOR_TWO.split()]
    assert called(nvcc, native, "-c", "a.cu", **{ARCHITECTURES: ""}) == [native, "-c", "a.cu"]


@pytest.mark.parametrize("variable", ["NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS"])
def test_nvccs_own_variables_may_choose_them(nvcc: Path, variable: str) -> None:
    assert called(nvcc, "-c", "a.cu", **{variable: "-O3 -arch=sm_86"}) == ["-c", "a.cu"]


def test_where_the_target_names_no_gpus_nothing_is_added(nvcc: Path) -> None:
    assert called(nvcc, "-c", "a.cu", **{ARCHITECTURES: ""}) == ["-c", "a.cu"]
