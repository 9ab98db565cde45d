"""Builds with nvcc, for a target with `cuda`: the toolkit comes from PyPI's wheels."""

from __future__ import annotations

import os
import textwrap
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from wheelhouse.wheels.archive import read_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Workplace

pytestmark = [pytest.mark.containers, pytest.mark.index]

PROJECT = """
[targets.gpu]
platform = "debian12"
python = "3.11"
cuda = "13.2"
cuda-arch = ["80", "90"]
"""

KERNEL = """
__global__ void twice(float *values) { values[threadIdx.x] *= 2; }
extern "C" int run(float *values) { twice<<<1, 1>>>(values); return (int)cudaGetLastError(); }
"""

MODULE = """
#include <Python.h>
extern "C" int run(float *values);
static PyObject *call(PyObject *self, PyObject *none) { return PyLong_FromLong(run(nullptr)); }
static PyMethodDef methods[] = {{"call", call, METH_NOARGS, ""}, {}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "@NAME@", "", -1, methods};
PyMODINIT_FUNC PyInit_@NAME@(void) { return PyModule_Create(&module); }
"""

#: Calls nvcc as many packages do: found on the path, and without a word about architectures.
SETUP = """
import os, shutil, subprocess
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

class WithKernels(build_ext):
    def build_extension(self, extension):
        kernel = os.path.join(self.build_temp, "kernel.o")
        os.makedirs(self.build_temp, exist_ok=True)
        subprocess.check_call(
            [shutil.which("nvcc"), "-c", "kernel.cu", "-o", kernel, "-Xcompiler", "-fPIC"])
        extension.extra_objects.append(kernel)
        super().build_extension(extension)

setup(
    name="plainly", version="1.0", py_modules=[], cmdclass={"build_ext": WithKernels},
    ext_modules=[Extension(
        "plainly", ["plainly.cpp"], libraries=["cudart_static", "cuda", "rt", "dl"],
        library_dirs=[os.environ["CUDA_HOME"] + "/lib64", os.environ["CUDA_HOME"] + "/lib64/stubs"])],
)
"""

PLAIN_PYPROJECT = """
[build-system]
requires = ["setuptools==80.9.0"]
build-backend = "setuptools.build_meta"
"""

CMAKE = """
cmake_minimum_required(VERSION 3.24)
project(bycmake LANGUAGES CXX CUDA)
find_package(CUDAToolkit 13.2 REQUIRED)
find_package(CCCL REQUIRED)
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
python_add_library(bycmake MODULE WITH_SOABI bycmake.cpp kernel.cu)
target_link_libraries(bycmake PRIVATE CUDA::cudart CUDA::cuda_driver CCCL::CCCL)
install(TARGETS bycmake DESTINATION .)
"""

CMAKE_PYPROJECT = """
[build-system]
requires = ["scikit-build-core==0.11.6", "cmake==4.1.0", "ninja==1.13.0"]
build-backend = "scikit_build_core.build"

[project]
name = "bycmake"
version = "1.0"
dependencies = ["nvidia-cuda-runtime==13.2.*"]
"""

#: Asks the compiler for its version while it tells its metadata.
ASKING_SETUP = """
import re, subprocess
from setuptools import setup
said = subprocess.check_output(["nvcc", "--version"], text=True)
major, minor = re.search(r"release (\\d+)[.](\\d+)", said).groups()
setup(name="asking", version=f"1.0+cu{major}{minor}", py_modules=["asking"])
"""


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(textwrap.dedent(text).replace("@NAME@", folder.name))


@pytest.fixture
def project(workplace: Workplace) -> Path:
    folder = workplace.project
    write(
        folder / "plainly",
        {
            "pyproject.toml": PLAIN_PYPROJECT,
            "setup.py": SETUP,
            "plainly.cpp": MODULE,
            "kernel.cu": KERNEL,
        },
    )
    write(
        folder / "bycmake",
        {
            "pyproject.toml": CMAKE_PYPROJECT,
            "CMakeLists.txt": CMAKE,
            "bycmake.cpp": MODULE,
            "kernel.cu": KERNEL,
        },
    )
    write(
        folder / "asking",
        {"pyproject.toml": PLAIN_PYPROJECT, "setup.py": ASKING_SETUP, "asking.py": ""},
    )
    (folder / "requirements.txt").write_text("./plainly\n./bycmake\n./asking\n")
    (folder / "wheelhouse.toml").write_text(PROJECT)
    return folder


def built(project: Path) -> dict[str, Any]:
    """By its name, what the lock says of each package that is built."""
    lock = tomllib.loads((project / "pylock.gpu.toml").read_text())
    own = {each["name"]: each["tool"]["wheelhouse"] for each in lock["packages"]}
    return {name: table["build"] for name, table in own.items() if "build" in table}


def gpus(house: Path, name: str) -> set[str]:
    (path,) = house.rglob(f"{name}-*.whl")
    return {code for binary in read_wheel(path).binaries for code in binary.gpu}


def test_backends_of_several_kinds_find_the_toolkit(workplace: Workplace, project: Path) -> None:
    """Each finds it in another way; all are proven without a GPU, and come out the same again."""
    done = workplace.run("build", timeout=600)
    assert done.status == 0, done.said
    assert {name: table["cuda"] for name, table in built(project).items()} == {
        "asking": True,
        "bycmake": True,
        "plainly": True,
    }
    house = workplace.house("gpu")
    assert list(house.rglob("asking-1.0+cu132-*.whl"))
    # The one by CMake's own variable, the other because its nvcc was not told otherwise.
    assert gpus(house, "bycmake") == gpus(house, "plainly") == {"sm_80", "sm_90", "compute_90"}
    again = workplace.run("rebuild", "--check", timeout=300)
    assert again.status == 0, again.said


def test_who_cannot_have_a_compiler_is_told_where_there_is_one(
    workplace: Workplace, project: Path
) -> None:
    (project / "wheelhouse.toml").write_text(PROJECT.replace('"13.2"', '"12.9"'))
    (project / "requirements.txt").write_text("./plainly\n")
    done = workplace.run("lock")
    assert done.status == 3, done.said
    assert "plainly takes the compiler of CUDA 12.9: PyPI does not have it" in done.err
    assert 'builder = "manylinux_2_28_cuda12_9" in [targets.gpu]' in done.err
    assert "is tried with" not in done.err, "no build requirement helps"


TORCH_PYPROJECT = """
[build-system]
requires = ["setuptools==80.9.0", "torch", "ninja", "numpy"]
build-backend = "setuptools.build_meta"

[project]
name = "torching"
version = "1.0"
dependencies = ["torch"]
"""

TORCH_SETUP = """
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension

setup(
    packages=["torching"],
    ext_modules=[CUDAExtension("torching._C", ["torching.cpp", "kernel.cu"])],
    cmdclass={"build_ext": BuildExtension},
)
"""

TORCH_MODULE = """
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
torch::Tensor twice(torch::Tensor values);
PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) { module.def("twice", &twice); }
"""

#: Includes a header that is in a wheel of the build environment, and in no toolkit by itself.
TORCH_KERNEL = """
#include <torch/all.h>
#include <cublas_v2.h>
__global__ void kernel(float *values) { values[threadIdx.x] *= 2; }
torch::Tensor twice(torch::Tensor values)
{
    auto result = values.clone();
    kernel<<<1, result.numel()>>>(result.data_ptr<float>());
    return result;
}
"""


@pytest.mark.skipif(
    not os.environ.get("WHEELHOUSE_TEST_CLOSURES"),
    reason="fetches gigabytes: WHEELHOUSE_TEST_CLOSURES=1, or `make closures`, asks for it",
)
def test_an_extension_of_pytorch(workplace: Workplace) -> None:
    """Its own build tool takes the toolkit, and the wheel uses the libraries of PyTorch's wheel."""
    folder = workplace.project
    write(
        folder / "torching",
        {
            "pyproject.toml": TORCH_PYPROJECT,
            "setup.py": TORCH_SETUP,
            "torching.cpp": TORCH_MODULE,
            "kernel.cu": TORCH_KERNEL,
        },
    )
    write(folder / "torching" / "torching", {"__init__.py": "import torch, torching._C"})
    (folder / "requirements.txt").write_text("./torching\n")
    against = '[packages.torching]\nbuild-against = ["torch"]\n'
    (folder / "wheelhouse.toml").write_text(PROJECT + against)
    done = workplace.run("build", timeout=1800)
    assert done.status == 0, done.said
    house = workplace.house("gpu")
    assert gpus(house, "torching") == {"sm_80", "sm_90", "compute_90"}
    (path,) = house.rglob("torching-*.whl")
    (binary,) = read_wheel(path).binaries
    assert {"libc10.so", "libcudart.so.13"} <= set(binary.needed)
    assert {"$ORIGIN/../torch/lib", "$ORIGIN/../nvidia/cu13/lib"} == set(binary.rpath)
