"""The CUDA toolkit of builders: what it is made of, and what is told where there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lockfactory import build, built
from lockingfactory import images, locked, target
from packaging.version import Version

from wheelhouse.cuda import Cuda
from wheelhouse.locking.model import BuildRequirement
from wheelhouse.targets import Place, Target, presets
from wheelhouse.toolkit import (
    PROJECT,
    NoCompiler,
    Toolkit,
    comes_with,
    layout,
    toolkit_for,
    version_file,
)

if TYPE_CHECKING:
    from wheelhouse.engine import TargetImages

CUDA_12 = Cuda(version=Version("12.9"))
CUDA_13 = Cuda(version=Version("13.2"))

WHEEL = locked("cuda_toolkit-13.2.2-py2.py3-none-any.whl")
LOCKED = (BuildRequirement(name=PROJECT, version=Version("13.2.2"), file=WHEEL),)


@pytest.mark.parametrize(
    ("member", "place"),
    [
        ("nvidia/cu13/bin/ptxas", "toolkit/bin/ptxas"),
        ("nvidia/cu13/bin/nvcc", "toolkit/bin/nvcc.bin"),
        ("nvidia/cu13/nvvm/bin/cicc", "toolkit/nvvm/bin/cicc"),
        ("nvidia/cu14/lib/libcudart.so.14", "toolkit/lib/libcudart.so.14"),
        (
            "nvidia/cu13/cuda_cccl/lib/cmake/cub/cub-config.cmake",
            "toolkit/lib/cmake/cub/cub-config.cmake",
        ),
        ("nvidia/__init__.py", None),
        ("nvidia_cuda_nvcc-13.2.86.dist-info/METADATA", None),
    ],
)
def test_where_the_files_of_its_wheels_go(member: str, place: str | None) -> None:
    assert layout(member) == place


def test_it_tells_its_version_to_who_asks_a_file() -> None:
    runtime = locked("nvidia_cuda_runtime-13.2.86-py3-none-manylinux2014_x86_64.whl")
    whole = Toolkit(version=Version("13.2"), wheels=(runtime, WHEEL))
    assert json.loads(version_file(whole))["cuda"]["version"] == "13.2.2"
    parts = Toolkit(version=Version("13.2"), wheels=(runtime,))
    assert json.loads(version_file(parts))["cuda"]["version"] == "13.2"


def on(platform: str, cuda: Cuda | None, *, builder: str | None = None) -> Target:
    return Target(
        name="gpu",
        preset=presets()[platform],
        python="3.11",
        builder=presets()[builder] if builder else None,
        cuda=cuda,
    )


def images_of(wanted: Target, used: Place | None = None) -> TargetImages:
    return replace(images(), build_place=used or wanted.build_place)


def test_a_builder_without_one_gets_what_is_locked() -> None:
    wanted = on("debian12", CUDA_13)
    assert toolkit_for(wanted, images_of(wanted), LOCKED) == Toolkit(
        version=Version("13.2"), wheels=(WHEEL,)
    )
    assert toolkit_for(wanted, images_of(wanted), ()) is None
    assert toolkit_for(target(), images(), LOCKED) is None


@pytest.mark.parametrize("locked", [(), LOCKED])
def test_a_builder_that_has_one_keeps_it(locked: tuple[BuildRequirement, ...]) -> None:
    wanted = on("debian12", CUDA_13, builder="manylinux_2_28_cuda13_1")
    own = Toolkit(version=Version("13.1"), wheels=())
    assert toolkit_for(wanted, images_of(wanted), locked) == own


@pytest.mark.parametrize(
    ("builder", "cuda", "fits"),
    [
        ("manylinux_2_28_cuda12_9", CUDA_12, True),
        ("manylinux_2_28_cuda12_9", Cuda(version=Version("12.10")), True),
        ("manylinux_2_28_cuda12_9", Cuda(version=Version("12.4")), False),
        ("manylinux_2_28_cuda12_9", CUDA_13, False),
        ("debian12", CUDA_13, False),
    ],
)
def test_a_toolkit_makes_what_runs_with_its_release_and_later_ones(
    builder: str, cuda: Cuda, *, fits: bool
) -> None:
    assert comes_with(presets()[builder], cuda) == fits


def test_beside_a_later_one_the_locked_one_is_used() -> None:
    wanted = on("debian12", Cuda(version=Version("13.0")), builder="manylinux_2_28_cuda13_1")
    assert toolkit_for(wanted, images_of(wanted), LOCKED) == Toolkit(
        version=Version("13.0"), wheels=(WHEEL,)
    )


def problem(wanted: Target, used: Place | None = None) -> NoCompiler:
    package = built("demo", build())
    return NoCompiler(package=package, target=wanted, images=images_of(wanted, used))


def test_where_pypi_has_no_compiler_the_builders_that_have_one_are_named() -> None:
    found = problem(on("debian12", CUDA_12))
    assert found.message == (
        "demo 1.0 takes the compiler of CUDA 12.9: PyPI does not have it, and Debian 12 (bookworm) "
        "has no toolkit"
    )
    first = 'build on an image that has it: builder = "manylinux_2_28_cuda12_9" in [targets.gpu]'
    assert found.hint.startswith(first)
    assert "_cuda13" not in found.hint
    assert found.hint.endswith("write cuda = false into [packages.demo]")


def test_the_builders_that_are_named_are_old_enough() -> None:
    wanted = replace(on("debian11", CUDA_12), python="3.9")
    assert '"manylinux_2_28_cuda12_9"' in problem(wanted).hint
    assert "2_34" not in problem(wanted).hint


def test_a_builder_with_a_later_release_is_told_and_those_that_would_do_the_newest_first() -> None:
    older = Cuda(version=Version("12.6"))
    found = problem(on("debian12", older, builder="manylinux_2_28_cuda12_9"))
    assert found.message.endswith("manylinux_2_28 with CUDA 12.9 has that of CUDA 12.9")
    assert found.hint.startswith(
        'build on an image that has it: builder = "rocky8_cuda12_6" in [targets.gpu] '
        '("rocky8_cuda12_4" would do, too)'
    )


def test_a_builder_that_cannot_be_had_is_told() -> None:
    wanted = on("debian12", CUDA_12, builder="manylinux_2_28_cuda12_9")
    used = Place(preset=presets()["portable"], python="3.11", arch="x86_64")
    found = problem(wanted, used)
    title = presets()["manylinux_2_28_cuda12_9"].title
    assert f"{title} cannot be had, and Portable Linux" in found.message
    assert found.hint.startswith(
        "let the engine reach its registry, or `docker load` "
        "quay.io/manylinux_cuda/manylinux_2_28_x86_64_cuda12_9:latest"
    )


def test_where_nothing_known_fits_a_platform_is_to_be_declared() -> None:
    found = problem(replace(on("debian11", Cuda(version=Version("11.8"))), python="3.9"))
    assert found.hint.startswith("declare a platform whose image has the toolkit")
