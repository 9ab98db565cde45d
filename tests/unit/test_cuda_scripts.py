"""What is done in an image that brings a toolkit, by the scripts that do it.

They run as they are, but for the folders that they work in; compilers only say who they are.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

IMAGES = Path(__file__).parents[2] / "images"
SAYS = "echo 'Cuda compilation tools, release 12.9, V12.9.86'"


@dataclass(frozen=True)
class Root:
    """A folder that stands for the image's root."""

    path: Path

    @property
    def cuda(self) -> Path:
        return self.path / "cuda"

    def program(self, path: str, text: str, mode: int = 0o755) -> Path:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(mode)
        return file

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        text = (IMAGES / script).read_text()
        for folder, ours in (("/usr/local/cuda", self.cuda), ("/tmp/cuda", self.path / "given")):
            text = text.replace(folder, str(ours))
        return subprocess.run(
            ["sh", "-c", text, script, *arguments],
            env={"PATH": f"{self.path}/programs:/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )


@pytest.fixture
def root(tmp_path: Path) -> Root:
    found = Root(tmp_path)
    found.program("given/nvcc", "# ours")
    (tmp_path / "cuda-12.9" / "bin").mkdir(parents=True)
    found.cuda.symlink_to("cuda-12.9")
    return found


def test_our_nvcc_takes_the_place_of_the_images(root: Root) -> None:
    theirs = root.program("cuda-12.9/bin/nvcc", SAYS).read_text()
    assert root.run("cuda-own.sh", "12.9").returncode == 0
    assert (root.cuda / "bin" / "nvcc").read_text().endswith("# ours\n")
    assert (root.cuda / "bin" / "nvcc.bin").read_text() == theirs


def test_one_of_another_release_is_told(root: Root) -> None:
    root.program("cuda-12.9/bin/nvcc", SAYS)
    done = root.run("cuda-own.sh", "12.4")
    assert (done.returncode, done.stdout) == (1, "other toolkit: 12.9\n")


def test_none_is_told(root: Root) -> None:
    done = root.run("cuda-own.sh", "12.9")
    assert (done.returncode, done.stdout) == (1, "other toolkit: \n")


def test_one_without_the_right_to_be_run_is_not_taken_for_none(root: Root) -> None:
    nvcc = root.program("cuda-12.9/bin/nvcc", SAYS, mode=0o644)
    done = root.run("cuda-own.sh", "12.9")
    assert done.returncode == 1
    assert done.stdout == f"unusable nvcc: {nvcc} may not be executed\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo 'libfoo.so.1: cannot open shared object file' >&2; exit 127", "libfoo.so.1: cannot"),
        ("exit 1", "it ends with exit status 1"),
        ("true", "it does not say its release"),
    ],
)
def test_one_that_does_not_run_is_not_taken_for_none(root: Root, text: str, said: str) -> None:
    nvcc = root.program("cuda-12.9/bin/nvcc", text)
    done = root.run("cuda-own.sh", "12.9")
    assert done.returncode == 1
    assert done.stdout.startswith(f"unusable nvcc: {nvcc}: {said}")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_older_compiler_is_told_to_the_nvcc_that_is_run(root: Root, elsewhere: bool) -> None:
    """It reads the `nvcc.profile` beside itself, wherever a link has led to it."""
    folder = root.path / "elsewhere" if elsewhere else root.cuda / "bin"
    folder.mkdir(exist_ok=True)
    if elsewhere:
        (root.cuda / "bin" / "nvcc").symlink_to(root.path / "elsewhere" / "nvcc")
    root.program(str(folder / "nvcc"), SAYS)
    (folder / "nvcc.profile").write_text("TOP = $(_HERE_)/..\n")
    stubs = root.cuda / "lib64" / "stubs"
    stubs.mkdir(parents=True)
    (stubs / "libcuda.so").touch()
    (root.cuda / "include").mkdir()
    for name in ("gcc", "g++", "gcc-13", "g++-13"):
        root.program(f"programs/{name}", "echo 99")
    done = root.run("cuda-finish.sh", str(root.cuda), "14")
    assert done.returncode == 0, done.stderr
    told = (folder / "nvcc.profile").read_text().splitlines()
    assert told[1:] == [f"compiler-bindir = {root.cuda}/host"]
    assert (root.cuda / "host" / "g++").readlink() == root.path / "programs" / "g++-13"
