"""What is known of CUDA beforehand, and what a target may say of it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from wheelhouse import cuda
from wheelhouse.config import load_project
from wheelhouse.cuda import Cuda, misfit_of_arch
from wheelhouse.errors import SeveralErrors, WheelhouseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wheelhouse.targets import Target

TARGET = '[targets.gpu]\nplatform = "debian12"\npython = "3.11"\n'


def said(version: str, *arches: str, libraries: tuple[str, ...] = ()) -> Cuda:
    return Cuda(version=Version(version), arches=arches, libraries=libraries)


# -- data ----------------------------------------------------------------------------------------


def test_newer_releases_take_newer_compilers_and_drivers() -> None:
    for (_, before), (_, after) in itertools.pairwise(cuda.releases().items()):
        assert before.gcc <= after.gcc
        assert before.driver is not None
        assert after.driver is not None
        assert Version(before.driver) < Version(after.driver)


def test_every_release_runs_with_a_driver_of_its_major() -> None:
    for version, release in cuda.releases().items():
        oldest = cuda.oldest_driver(version.major)
        assert oldest is not None
        assert release.driver is not None
        assert Version(oldest) <= Version(release.driver)


def test_capabilities_are_sorted_and_written_as_the_compiler_writes_them() -> None:
    for release in cuda.releases().values():
        numbers = [cuda.split(arch) for arch in release.arches]
        assert numbers == sorted(set(numbers))
        assert not any(only for _, only in numbers)


def test_what_came_out_since_is_like_the_newest() -> None:
    newest = max(cuda.releases())
    later = Version(f"{newest.major}.{newest.minor + 1}")
    assert cuda.is_known(later)
    assert cuda.release(later).driver is None
    assert cuda.release(later).arches == cuda.release(newest).arches
    assert not cuda.is_known(Version("12.7"))
    assert not cuda.is_known(Version("12.99"))
    assert cuda.oldest_driver(99) is None


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("13.99", "with drivers from 580.65.06 on, as all of CUDA 13;"),
        (
            "99.0",
            "the driver that it takes is not known, so install.sh believes what a driver says",
        ),
    ],
)
def test_what_is_not_known_of_one_that_is_newer(version: str, said: str) -> None:
    told = cuda.doubt(Version(version)) or ""
    assert told.startswith(f"CUDA {version} is newer than this wheelhouse knows")
    assert said in told
    assert told.endswith(f"is taken to be like that of {max(cuda.releases())}")


def test_nothing_is_doubted_of_what_is_known() -> None:
    assert {cuda.doubt(version) for version in cuda.releases()} == {None}


def test_a_newer_one_may_be_for_newer_gpus() -> None:
    newest = max(cuda.releases())
    later, beyond = Version(f"{newest.major + 1}.0"), "999"
    assert misfit_of_arch(beyond, later) is None
    assert misfit_of_arch(beyond, newest) is not None
    assert misfit_of_arch("85", later) is not None


def test_compilers_are_on_the_index_from_13_on() -> None:
    assert [cuda.has_compiler(Version(v)) for v in ("11.8", "12.9", "13.0", "14.0")] == [
        *(False, False),
        *(True, True),
    ]


# -- libraries -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("soname", "projects"),
    [
        ("libcudart.so.12", {12: "nvidia-cuda-runtime-cu12"}),
        ("libcudart.so.13", {13: "nvidia-cuda-runtime"}),
        ("libcusparse.so.12", {12: "nvidia-cusparse-cu12", 13: "nvidia-cusparse"}),
        ("libnccl.so.2", {11: "nvidia-nccl-cu11", 12: "nvidia-nccl-cu12", 13: "nvidia-nccl-cu13"}),
    ],
)
def test_who_has_a_library(soname: str, projects: dict[int, str]) -> None:
    library = cuda.library(soname)
    assert library is not None
    assert library.soname == soname
    assert library.majors == set(projects)
    assert library.projects == projects


@pytest.mark.parametrize("soname", ["libcuda.so.1", "libcudart.so", "libc.so.6", ""])
def test_what_is_no_library_of_the_toolkit(soname: str) -> None:
    assert cuda.library(soname) is None


# -- what builds get -----------------------------------------------------------------------------


def test_the_toolkit_is_a_requirement() -> None:
    text = cuda.toolkit_requirement(said("13.2", libraries=("cublas",)))
    assert text == "cuda-toolkit[cccl,cublas,cudart,nvcc]==13.2.*"
    assert "13.2.2" in Requirement(text).specifier
    assert "13.3.0" not in Requirement(text).specifier


def test_builds_are_told_where_it_is() -> None:
    assert cuda.build_environment(said("13.2")) == {
        "CUDA_HOME": "/usr/local/cuda",
        "CUDA_PATH": "/usr/local/cuda",
        "CUDACXX": "/usr/local/cuda/bin/nvcc",
    }


@pytest.mark.parametrize(
    ("arches", "cmake", "torch"),
    [
        (("80",), "80", "8.0+PTX"),
        (("90", "80"), "80-real;90", "8.0;9.0+PTX"),
        (("100", "90", "75"), "75-real;90-real;100", "7.5;9.0;10.0+PTX"),
        (("80", "90a"), "80-real;90a", "8.0;9.0a"),
    ],
)
def test_builds_are_told_what_for(arches: tuple[str, ...], cmake: str, torch: str) -> None:
    found = cuda.build_environment(said("13.2", *arches))
    assert found["CUDAARCHS"] == cmake
    assert found["TORCH_CUDA_ARCH_LIST"] == torch


@pytest.mark.parametrize("text", ["", "8.0", "sm_80", "080", "80b", "8", "1000"])
def test_no_compute_capability(text: str) -> None:
    with pytest.raises(ValueError, match="no compute capability"):
        cuda.split(text)


# -- settings ------------------------------------------------------------------------------------


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Target]:
    (tmp_path / "requirements.txt").touch()

    def _load(text: str) -> Target:
        file = tmp_path / "wheelhouse.toml"
        file.write_text(text)
        return load_project(file).targets["gpu"]

    return _load


def refusal(load: Callable[[str], Target], text: str) -> WheelhouseError:
    with pytest.raises(WheelhouseError) as error:
        load(text)
    assert not isinstance(error.value, SeveralErrors)
    return error.value


def test_a_target_says_all_of_it(load: Callable[[str], Target]) -> None:
    more = 'cuda = "13.2"\ncuda-arch = ["90", "80", "90"]\ncuda-libraries = ["cublas"]\n'
    target = load(TARGET + more)
    assert target.cuda == said("13.2", "80", "90", libraries=("cublas",))
    assert str(target.cuda) == "CUDA 13.2"


def test_a_target_says_nothing_of_it(load: Callable[[str], Target]) -> None:
    assert load(TARGET).cuda is None


@pytest.mark.parametrize(
    ("more", "message", "hint"),
    [
        ('cuda = "13"', "not a version of CUDA", "13.0, 13.1"),
        ('cuda = "12"', "not a version of CUDA", 'write it as "12.9"; 12.0, 12.1'),
        ('cuda = "13.2.1"', "not a version of CUDA", 'write it as "13.2"'),
        ('cuda = "cu128"', "not a version of CUDA", 'write it as "12.8"'),
        ('cuda = "12.7"', "unknown version of CUDA: 12.7", "12.0, 12.1"),
        ('cuda = "12.99"', 'unknown version of CUDA: 12.99; did you mean "12.9"?', "and 12.9 are"),
        ('cuda = "10.2"', "unknown version of CUDA: 10.2", "11.2, "),
        ("cuda = 13.2", "a string", "write it in quotes"),
        ('cuda-arch = ["80"]', "cuda-arch is given, but no `cuda`", 'cuda = "13.2"'),
        ('cuda-libraries = ["cublas"]', "cuda-libraries is given, but no", 'cuda = "13.2"'),
        ('cuda = "13.2"\ncuda-arch = ["8.0"]', '"8.0" is not a compute capability', 'write "80"'),
        ('cuda = "13.2"\ncuda-arch = ["sm_90"]', "not a compute capability", 'write "90"'),
        ('cuda = "13.2"\ncuda-arch = ["ampere"]', "not a compute capability", "(an A100)"),
        (
            'cuda = "13.2"\ncuda-arch = ["70"]',
            "CUDA 13.2 no longer makes code for 70; of those known, 12.9 does",
            "CUDA 13.2 has 75, 80,",
        ),
        (
            'cuda = "12.6"\ncuda-arch = ["120"]',
            "CUDA 12.6 not yet makes code for 120",
            "CUDA 12.6 has 50,",
        ),
        (
            'cuda = "13.2"\ncuda-arch = ["85"]',
            'no GPU of compute capability "85" is known',
            "has 75",
        ),
        ('cuda = "13.2"\ncuda-arch = ["999"]', 'compute capability "999" is known', "has 75"),
        ('cuda = "13.2"\ncuda-arch = ["9999"]', "not a compute capability", "75, 80, 86"),
        ('cuda = "12.8"\ntorch-backend = "cu130"', '"cu130" is for CUDA 13.0', 'cuda = "13.0"'),
        ('cuda = "13.2"\ntorch-backend = "cu128"', "and everything else of ", '"cu130"'),
        ('cuda = "13.2"\ncuda-arch = []', "must not be empty", "leave it out"),
        ('cuda = "13.2"\ncuda-arch = ["native"]', "not a compute", "builds have none to look at"),
        ('cuda = "13.2"\ncuda-arch = ["90+PTX"]', "not a compute", 'write "90": PTX of the newest'),
        ('cuda = "13.2"\ncuda-arch = ["9.0a+PTX"]', "not a compute", 'write "90a": PTX'),
        ("cuda = false", "not a version of CUDA", "leave it out"),
        ("cuda = true", "not a version of CUDA", 'write the version, such as "13.2"'),
        (
            'cuda = "13.2"\ncuda-libraries = ["cublass"]',
            'unknown part of the toolkit: "cublass"; did you mean "cublas"?',
            "there are cublas,",
        ),
        (
            'cuda = "12.8"\ncuda-libraries = ["cublas"]',
            "PyPI has no toolkit of CUDA 12.8",
            "leave it out",
        ),
    ],
)
def test_what_a_target_may_not_say(
    load: Callable[[str], Target], more: str, message: str, hint: str | None
) -> None:
    error = refusal(load, TARGET + more + "\n")
    assert message in error.message
    assert (hint or "") in (error.hint or "")


def test_there_is_none_for_musl(load: Callable[[str], Target]) -> None:
    error = refusal(
        load, '[targets.gpu]\nplatform = "alpine3.23"\npython = "3.12"\ncuda = "13.2"\n'
    )
    assert "NVIDIA has no CUDA for Alpine" in error.message
