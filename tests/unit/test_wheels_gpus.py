from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.utils import NormalizedName
from packaging.version import Version

from wheelfactory import FAST, NATIVE, binary, cpython311, debian12, wheel
from wheelhouse.cuda import Cuda
from wheelhouse.wheels.check import check_house

if TYPE_CHECKING:
    from wheelhouse.targets import Target
    from wheelhouse.wheels.archive import Wheel
    from wheelhouse.wheels.elf import Binary
    from wheelhouse.wheels.findings import Finding

PYTHON = cpython311()

#: What the machine has, so that nothing is missing.
SYSTEM = (
    *("libcudart.so.11.0", "libcudart.so.12", "libcudart.so.13", "libcublas.so.11"),
    *("libcublas.so.12", "libcublas.so.13", "libcurand.so.10", "libcusparse.so.12"),
    *("libcusolver.so.11", "libcudnn.so.9", "libnppc.so.13"),
)


def target(version: str | None = "13.2", *arches: str) -> Target:
    cuda = Cuda(version=Version(version), arches=arches) if version else None
    return replace(debian12(), cuda=cuda)


def check(each: Wheel, on: Target, *, built: bool = False, any_cuda: bool = False) -> list[Finding]:
    findings = check_house(
        [each],
        on,
        PYTHON,
        built={each.filename} if built else (),
        system=SYSTEM,
        any_cuda={each.name} if any_cuda else set(),
    )
    assert all(finding.hint for finding in findings)
    return list(findings)


def needing(*sonames: str, member: str = FAST) -> Binary:
    return binary(member, needed=sonames)


def nvidias(member: str, project: str, **facts: object) -> Wheel:
    """A wheel of NVIDIA's with one library."""
    facts = {"soname": member.rpartition("/")[2], "initializes": False, **facts}
    return wheel(
        binary(f"nvidia/{member}", **facts),
        filename=f"{project}-1-py3-none-manylinux_2_28_x86_64.whl",
    )


# --- the CUDA that it is made for ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("needed", "version", "made_for"),
    [
        (("libcublas.so.12",), "13.2", "12"),
        (("libcublas.so.12",), "12.9", None),
        (("libcublas.so.13",), "12.9", "13"),
        (("libcudart.so.11.0", "libcurand.so.10"), "12.9", "11"),
        (("libcusolver.so.11",), "13.2", "11 or 12"),
        (("libcusolver.so.11",), "12.9", None),
        (("libcurand.so.10", "libcudnn.so.9"), "13.2", None),
        (("libcusparse.so.12",), "13.2", None),
        (("libcublas.so.12",), None, None),
        (("libcublas.so.13",), "14.1", None),  # nobody knows that one yet
        (("libcublas.so.12",), "14.1", "12"),
    ],
)
@pytest.mark.parametrize("built", [True, False])
def test_another_major_version(
    needed: tuple[str, ...], version: str | None, made_for: str | None, built: bool
) -> None:
    found = check(wheel(needing(*needed)), target(version), built=built)
    told = [
        f"made for CUDA {made_for} (needs {needed[0]}); the target has CUDA {version}"
        for _ in range(made_for is not None)
    ]
    assert [each.message for each in found] == told
    assert all((f.rule, f.level, f.member) == ("cuda-version", "error", FAST) for f in found)


def test_the_way_out_of_another_cuda() -> None:
    user = wheel(needing("libcublas.so.12"))
    (fetched,), (built,) = (check(user, target(), built=each) for each in (False, True))
    assert fetched.hint == (
        "Lock a version of it, or of what requires it, for CUDA 13. If it does without CUDA on the "
        "target: [packages.demo] cuda = false"
    )
    assert built.hint
    assert built.hint.startswith(
        "Let it be built with the target's toolkit: [packages.demo] cuda ="
    )
    assert check(user, target(), any_cuda=True) == []


def test_every_file_is_looked_at_and_told_of_once() -> None:
    user = wheel(
        needing("libcudart.so.13"),
        needing("libcudart.so.12", "libcublas.so.12", member="demo/a.abi3.so"),
        needing("libcublas.so.12", "libcudart.so.12", member="demo/b.abi3.so"),
        needing("libcudart.so.12", member="demo/c.abi3.so"),
    )
    assert check(user, target()) == []  # it chooses
    mixed = replace(user, binaries=user.binaries[1:])
    (finding,) = check(mixed, target())
    assert finding.message == (
        "made for CUDA 12 (needs libcudart.so.12); the target has CUDA 13.2 "
        "(and so for 2 other files)"
    )


def test_what_fits_several_versions_is_no_choice() -> None:
    """`libcusparse.so.12` is CUDA 12's as well as 13's: it does not show that 13 is served."""
    user = wheel(
        needing("libcudart.so.12"), needing("libcusparse.so.12", member="demo/sparse.abi3.so")
    )
    assert [each.rule for each in check(user, target())] == ["cuda-version"]


@pytest.mark.parametrize(
    ("library", "project", "refused"),
    [
        ("cublas/lib/libcublas.so.12", "nvidia_cublas_cu12", True),
        ("cudnn/lib/libcudnn.so.9", "nvidia_cudnn_cu12", True),
        ("cudnn/lib/libcudnn_ops.so.9", "nvidia_cudnn_cu12", True),
        ("cudnn/lib/libcudnn.so.9", "nvidia_cudnn_cu13", False),
        ("cu13/lib/libcurand.so.10", "nvidia_curand", False),
        ("lib/libcupti.so.12", "triton", False),  # it has those of all versions
    ],
)
def test_nvidias_own(library: str, project: str, refused: bool) -> None:
    found = check(nvidias(library, project), target())
    assert [each.rule for each in found] == (["cuda-version"] if refused else [])
    assert all(f"(has {library.rpartition('/')[2]})" in each.message for each in found)


# --- the GPUs that it has code for ---------------------------------------------------------------


def coded(*codes: str, member: str = FAST) -> Binary:
    return binary(member, gpu=codes)


@pytest.mark.parametrize(
    ("codes", "arches", "fetched", "built"),
    [
        (("sm_80", "sm_90"), ("80", "90"), None, None),
        (("sm_80",), ("86", "89"), None, None),
        (("sm_75", "compute_75"), ("80", "90a"), None, None),
        (("sm_90a",), ("90",), None, None),
        (("sm_75",), ("80", "90"), "error", "error"),
        (("sm_90a",), ("100",), "error", "error"),
        (("sm_80",), ("80", "90"), "warning", "error"),
        (("sm_80",), (), None, None),
        ((), ("80",), None, None),
    ],
)
def test_gpus(
    codes: tuple[str, ...], arches: tuple[str, ...], fetched: str | None, built: str | None
) -> None:
    for is_built, level in ((False, fetched), (True, built)):
        found = check(wheel(coded(*codes)), target("13.2", *arches), built=is_built)
        assert [(f.rule, f.level) for f in found] == ([("gpu-code", level)] if level else [])
    assert check(wheel(coded(*codes)), target("13.2", *arches), any_cuda=True) == []
    assert check(wheel(coded(*codes)), target(None)) == []


def test_lacking_code_is_told_with_the_way_out() -> None:
    (finding,) = check(wheel(coded("sm_120", "sm_75")), target("13.2", "80", "90"), built=True)
    assert finding.message == (
        "has GPU code for sm_75 and sm_120, none of which the target's GPUs of compute capability "
        "80 and 90 run"
    )
    assert finding.hint
    assert (
        '[packages.demo.env] NVCC_APPEND_FLAGS = "-gencode=arch=compute_80,code=sm_80 '
        '-gencode=arch=compute_90,code=sm_90"'
    ) in finding.hint
    assert "[packages.demo] cuda = false" in finding.hint


def test_what_one_file_lacks_another_may_have() -> None:
    """Authors may leave a GPU to another file; of our own builds it is worth a word."""
    each = wheel(coded("sm_75"), coded("sm_80", "sm_90", member="demo/kernels.abi3.so"))
    on = target("13.2", "80", "90")
    assert check(each, on) == []
    (finding,) = check(each, on, built=True)
    assert (finding.level, finding.member) == ("warning", FAST)
    assert finding.message.endswith("; only other files of the wheel have more")


def test_nvidias_libraries_may_have_none() -> None:
    """cuSPARSELt has no code for GPUs that cannot do what it is for, yet PyTorch needs it there."""
    member = "cu13/lib/libcusparseLt.so.0"
    own = nvidias(member, "nvidia_cusparselt_cu13", gpu=("sm_80",))
    assert [f.level for f in check(own, target("13.2", "75"))] == ["warning"]
    copied = nvidias(member, "demo", gpu=("sm_80",))
    assert [f.level for f in check(copied, target("13.2", "75"))] == ["error"]


def test_code_for_other_machines_is_not_looked_at() -> None:
    foreign = binary("demo/libother.so", machine="aarch64", gpu=("sm_75",), needed=())
    assert check(wheel(binary(), foreign), target("13.2", "80")) == []


def test_projects_are_named_as_locked() -> None:
    each = wheel(needing("libcublas.so.12"), filename=NATIVE.replace("demo", "My_Demo"))
    assert each.name == NormalizedName("my-demo")
    (finding,) = check(each, target())
    assert finding.hint
    assert "[packages.my-demo]" in finding.hint
