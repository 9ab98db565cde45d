"""Which sources have to do with CUDA, by their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lockingfactory import tar_bytes

from wheelhouse.errors import BuildError
from wheelhouse.locking.cudasource import MOST, cuda_among, cuda_in_archive

if TYPE_CHECKING:
    from pathlib import Path


def told_by(*files: tuple[str, str]) -> str:
    return cuda_among((f"demo-1.0/{name}", [text.encode()]) for name, text in files)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("src/kernel.cu", ""),
        ("csrc/common.cuh", ""),
        ("src/config.cu.in", ""),
        ("CMakeLists.txt", "project(demo LANGUAGES CXX CUDA)"),
        ("CMakeLists.txt", "project(demo\n  VERSION 1.0\n  LANGUAGES CUDA\n)"),
        ("CMakeLists.txt", "if(WITH_GPU)\n  enable_language(CUDA)\nendif()"),
        ("CMakeLists.txt", "include(CheckLanguage)\ncheck_language(CUDA)"),
        ("cmake/gpu.cmake", "find_package(CUDAToolkit 12 REQUIRED)"),
        ("cmake/gpu.cmake", "FIND_PACKAGE( CUDA )"),
        ("meson.build", "project('demo', 'cpp', 'cuda')"),
        ("src/meson.build", "add_languages('cuda', required: false)"),
        ("src/meson.build", "cuda = dependency('cuda', modules: ['cublas'])"),
        ("setup.py", "from torch.utils.cpp_extension import CUDAExtension"),
        ("setup.py", "nvcc = shutil.which('nvcc')"),
        ("setup.py", "home = os.environ['CUDA_HOME']"),
        ("pyproject.toml", '[tool.demo]\ncompiler = "nvcc"'),
    ],
)
def test_what_tells_that_a_build_takes_nvcc(name: str, text: str) -> None:
    assert told_by(("README.md", "no"), (name, text)) == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tests/kernel.cu", ""),
        ("demo/unit_tests/kernel.cu", ""),
        ("vendored/meson/test cases/cuda/1 simple/prog.cu", ""),
        ("examples/gpu/CMakeLists.txt", "project(x LANGUAGES CUDA)"),
        ("docs/sample.cuh", ""),
        ("src/focus.c", ""),
        ("demo.cut", ""),
        ("README.md", "Faster with CUDA: set CUDA_HOME, run nvcc."),
        ("CMakeLists.txt", "project(barracuda LANGUAGES CXX)"),
        ("CMakeLists.txt", "# enable_language(CUDA)"),
        ("CMakeLists.txt", "set(CUDA_LIKE 1)\nproject(x LANGUAGES CXX)"),
        ("CMakeLists.txt", "find_package(CUDALike)"),
        ("meson.build", "project('demo', 'c')\nwith_cuda = get_option('cuda')"),
        ("setup.py", "# CUDA_HOME is not used here"),
        ("demo/vendored/tool/setup.py", "CUDA_HOME = None"),
    ],
)
def test_what_does_not_tell_it(name: str, text: str) -> None:
    assert told_by((name, text)) == ""


def test_an_archive_is_read_up_to_what_tells_it(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0.tar.gz"
    path.write_bytes(tar_bytes({"demo-1.0/setup.py": "pass", "demo-1.0/src/a.cu": "kernel"}))
    assert cuda_in_archive(path, "demo 1.0") == "src/a.cu"
    path.write_bytes(tar_bytes({"demo-1.0/setup.py": "pass"}))
    assert cuda_in_archive(path, "demo 1.0") == ""


def test_a_script_of_a_megabyte_is_not_looked_through(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0.tar.gz"
    path.write_bytes(tar_bytes({"demo-1.0/setup.py": "nvcc = 1\n" + " " * MOST}))
    assert cuda_in_archive(path, "demo 1.0") == ""


def test_a_broken_archive_is_told(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0.tar.gz"
    path.write_bytes(b"no archive")
    with pytest.raises(BuildError, match=r"demo 1\.0 is no source that can be read"):
        cuda_in_archive(path, "demo 1.0")
