"""A lock is made for one CUDA, or not made; and what would be is found out from the index."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from alignmentfactory import gpu
from lockfactory import file, package
from lockingfactory import images, interpreter, metadata, sha
from lockingworld import HATCH, World, answer, names
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from wheelhouse.config import PackageSettings
from wheelhouse.errors import LockError
from wheelhouse.events import Notice
from wheelhouse.locking import agreeing
from wheelhouse.locking.current import Freshness, check_locks, current_lock
from wheelhouse.locking.lockfile import dump_lock, load_lock, lock_path
from wheelhouse.locking.model import AddedRequirement
from wheelhouse.scheduler import Scheduler
from wheelhouse.settings import InputFile

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.locking.model import Lock


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An index with PyTorch, JAX and CuPy for two CUDAs."""
    made = World(tmp_path)
    made.tool("setuptools-80.1")
    for version, runtime in (("2.9", "12.6.77"), ("2.10", "12.8.90")):
        made.wheel("nvidia-cuda-runtime-cu12", runtime)
        made.wheel("torch", version, f"nvidia-cuda-runtime-cu12=={runtime}")
        made.wheel("torchvision", f"0.{version.partition('.')[2]}", f"torch=={version}")
    made.wheel("nvidia-cuda-runtime", "13.0.96")
    made.wheel("cuda-toolkit", "13.0.2", "nvidia-cuda-runtime==13.0.*")
    made.wheel("torch", "2.11", "cuda-toolkit==13.0.2")
    made.wheel("torchvision", "0.11", "torch==2.11")
    for major in ("12", "13"):
        made.wheel(f"jax-cuda{major}-plugin", "0.9")
        made.wheel(f"cupy-cuda{major}x", "14.2")
    extras = (f"jax-cuda{major}-plugin; extra == 'cuda{major}'" for major in ("12", "13"))
    made.wheel("jax", "0.9", *extras)
    return made


def current(
    world: World,
    cuda: str | None,
    freshness: Freshness = Freshness.RENEW_IF_STALE,
    *,
    arches: tuple[str, ...] = (),
) -> Lock:
    target = gpu(cuda)
    if target.cuda is not None:
        target = replace(target, cuda=replace(target.cuda, arches=arches))
    with Scheduler(2) as scheduler:
        return current_lock(
            *(world.locker(scheduler), world.project, target, interpreter(), images()),
            freshness,
        )


def refused(world: World, cuda: str | None, *, arches: tuple[str, ...] = ()) -> LockError:
    """What is said instead of making a lock; none is written."""
    with pytest.raises(LockError) as caught:
        current(world, cuda, arches=arches)
    assert load_lock(lock_path(world.root, "gpu")) is None
    assert caught.value.kind == "cuda"
    return caught.value


def way(error: LockError) -> str:
    assert error.hint is not None
    return error.hint.partition(" would do")[0]


def test_what_agrees_is_locked(world: World) -> None:
    world.ask("torch\njax[cuda13]\n")
    assert "torch 2.11" in names(current(world, "13.0"))


def test_what_is_for_the_targets_cuda_is_chosen_where_the_lines_allow_it(world: World) -> None:
    world.ask("torch\ntorchvision\n")
    assert names(current(world, "12.8")) == [
        "nvidia-cuda-runtime-cu12 12.8.90",
        "torch 2.10",
        "torchvision 0.10",
    ]
    (notice,) = (each for each in world.reporter.events if isinstance(each, Notice))
    assert notice.message == (
        "the target has CUDA 12.8, and for that there is torch 2.10 rather than 2.11 (CUDA 13.0) "
        "and torchvision 0.10 rather than 0.11"
    )


@pytest.mark.parametrize(
    ("cuda", "chosen"), [("13.0", "13.0.96"), ("13.2", "13.2.86"), ("13.5", "13.4.92")]
)
def test_parts_of_cuda_are_of_the_targets_release(world: World, cuda: str, chosen: str) -> None:
    world.ask("kernels\n")
    world.wheel("kernels", "1.0", "nvidia-cuda-runtime>=13.0,<14")
    for version in ("13.2.75", "13.2.86", "13.4.92", "14.0.1"):
        world.wheel("nvidia-cuda-runtime", version)
    assert names(current(world, cuda)) == ["kernels 1.0", f"nvidia-cuda-runtime {chosen}"]


def test_a_later_release_is_taken_where_it_is_asked_for(world: World) -> None:
    world.ask("kernels\n")
    world.wheel("kernels", "1.0", "nvidia-cuda-runtime>=13.4")
    world.wheel("nvidia-cuda-runtime", "13.4.92")
    assert "nvidia-cuda-runtime 13.4.92" in names(current(world, "13.2"))


@pytest.mark.parametrize(
    ("cuda", "left"), [("13.2", True), ("13.0", False), ("12.8", False), (None, False)]
)
def test_what_was_learnt_for_one_cuda_does_not_outlive_it(
    world: World, cuda: str | None, left: bool
) -> None:
    world.ask("kernels\n")
    world.wheel("kernels", "1.0")
    world.wheel("nvidia-cuda-runtime", "13.2.75")
    learnt = AddedRequirement(
        package=canonicalize_name("kernels"),
        requirement="nvidia-cuda-runtime==13.2.*",
        library="libcudart.so.13",
    )
    lock = current(world, "13.2")
    lock_path(world.root, "gpu").write_text(dump_lock(replace(lock, added=(learnt,))))
    found = current(world, cuda, Freshness.UPGRADE)
    assert found.added == ((learnt,) if left else ())
    assert ("nvidia-cuda-runtime 13.2.75" in names(found)) is left


def test_without_a_cuda_of_the_target_the_newest_is_taken(world: World) -> None:
    world.ask("nvidia-cuda-runtime\n")
    world.wheel("nvidia-cuda-runtime", "13.4.92")
    assert names(current(world, None)) == ["nvidia-cuda-runtime 13.4.92"]


def test_other_pins_stay_where_another_is_chosen_for_the_targets_cuda(world: World) -> None:
    world.ask("torch==2.9\nclick\n")
    world.wheel("click", "8.1")
    current(world, None)
    world.wheel("click", "8.2")
    world.ask("torch\nclick\n")
    assert {"torch 2.11", "click 8.1"} <= set(names(current(world, "13.0")))


def test_what_only_a_backend_can_tell_is_chosen_for_the_targets_cuda(world: World) -> None:
    # First it is taken to need nothing; then its backend is asked.
    world.containers(answer(text=metadata("flash", "2.8", ["torch"])), answer())
    world.sdist("flash", "2.8", level="2.1")
    world.tool("hatchling-1.27")
    world.ask("flash\ntorch\n")
    assert {"flash 2.8", "torch 2.10"} <= set(names(current(world, "12.8")))


def test_the_version_for_the_targets_cuda_is_told(world: World) -> None:
    world.ask("torch>=2.11\n")
    error = refused(world, "12.8")
    assert error.message == "torch 2.11 is made for CUDA 13.0, but the target gpu has CUDA 12.8"
    assert error.hint == (
        'torch 2.10 (requirements.txt:1) would do; or torch-backend = "cu128" in [targets.gpu]; '
        'or cuda = "13.0" there; or `cuda = false` in [packages.torch], if it is to stay as it is'
    )


def test_only_the_line_that_asks_for_it_is_changed_if_that_is_enough(world: World) -> None:
    world.ask("torchvision\ntorch==2.10\n")
    assert way(refused(world, "13.0")) == "torch 2.11 (requirements.txt:2)"


def test_every_line_is_changed_that_has_to_be(world: World) -> None:
    world.ask("torchvision==0.10\ntorch==2.10\n")
    assert way(refused(world, "13.0")) == (
        "torchvision 0.11 (requirements.txt:1) and torch 2.11 (requirements.txt:2)"
    )


def test_what_names_a_cuda_is_asked_for_by_another_name(world: World) -> None:
    world.ask("jax[cuda12]\ncupy-cuda12x>=14\n")
    assert way(refused(world, "13.0")) == (
        "jax[cuda13] 0.9 (requirements.txt:1) and cupy-cuda13x 14.2 (requirements.txt:2)"
    )


def test_a_version_without_the_extra_that_is_asked_for_does_not_do(world: World) -> None:
    world.wheel("jax", "0.4")
    world.ask("jax[cuda12]\n")
    assert way(refused(world, "13.0")) == "jax[cuda13] 0.9 (requirements.txt:1)"


def test_two_cudas_may_agree_on_either(world: World) -> None:
    world.ask("torch\ncupy-cuda12x\n")
    error = refused(world, None)
    assert (
        error.message
        == "torch 2.11 is made for CUDA 13.0, but cupy-cuda12x 14.2 is made for CUDA 12"
    )
    assert error.hint is not None
    assert error.hint.startswith(
        'for CUDA 12, cuda = "12.8" in [targets.gpu] would do, with torch 2.10, or '
    )
    assert "for CUDA 13, cupy-cuda13x 14.2 (requirements.txt:2) would do" in error.hint
    # What is told to do, does.
    assert "torch 2.10" in names(current(world, "12.8"))
    lock_path(world.root, "gpu").unlink()
    world.ask("torch\ncupy-cuda13x\n")
    assert "torch 2.11" in names(current(world, None))


def test_naming_a_cuda_is_not_told_where_the_lines_leave_no_choice(world: World) -> None:
    world.ask("torch==2.11\ncupy-cuda12x\n")
    error = refused(world, None)
    assert error.hint is not None
    assert error.hint.startswith("for CUDA 12, torch 2.10 (requirements.txt:1) would do")
    assert 'cuda = "1' not in error.hint


@pytest.mark.parametrize("digits", ["100", "102", "14"])
def test_a_cuda_of_which_no_release_is_known_is_not_told_to_be_named(
    world: World, digits: str
) -> None:
    """Some line for the other one would do; a target for that one would not, or nobody knows."""
    world.wheel("nvidia-tiles-cu12", "1")
    world.wheel(f"nvidia-tiles-cu{digits}", "1")
    world.wheel("old", "1", f"nvidia-tiles-cu{digits}")
    world.wheel("two", "1", f"nvidia-tiles-cu{digits}")
    world.wheel("two", "2", "nvidia-tiles-cu12")
    world.ask("old\ntwo\n")
    error = refused(world, None)
    major = digits[:2]
    assert f"old 1 is made for CUDA {major}" in error.message
    assert error.hint is not None
    assert f"for CUDA {major}, two 1 (requirements.txt:2) would do; or " in error.hint
    assert 'cuda = "1' not in error.hint


def test_no_release_is_told_for_a_target_that_nobody_knows(world: World) -> None:
    """CUDA 10.2 was, and is none that a target can have."""
    world.wheel("cupy-cuda102", "12.3")
    world.ask("cupy-cuda102\n")
    error = refused(world, "12.8")
    assert error.hint is not None
    assert 'cuda = "1' not in error.hint


def test_a_release_that_would_do_takes_a_compiler_for_what_is_built(world: World) -> None:
    """PyPI has none of CUDA 12."""
    (world.root / "gpumath").mkdir()
    pyproject = HATCH + '[project]\nname = "gpumath"\nversion = "1.0"\n'
    (world.root / "gpumath/pyproject.toml").write_text(pyproject)
    (world.root / "gpumath/kernel.cu").write_text("__global__ void go() {}")
    world.tool("hatchling-1.27")
    world.ask("torch\ncupy-cuda12x\n./gpumath\n")
    error = refused(world, None)
    assert error.hint is not None
    assert error.hint.startswith(
        'for CUDA 12, cuda = "12.8" in [targets.gpu] would do, with torch 2.10 and builder = '
        '"rocky8_cuda12_8" there, whose image nvidia/cuda:12.8.1-devel-rockylinux8 has the '
        "compiler of CUDA 12, for what is built, or torch-backend"
    )


@pytest.fixture
def boosted(world: World) -> World:
    """With XGBoost, whose releases for CUDA 13 are for later Pythons."""
    later = SpecifierSet(">=3.12")
    for major in ("12", "13"):
        world.wheel(f"nvidia-nccl-cu{major}", "2.27")
    world.wheel("xgboost", "3.2", "nvidia-nccl-cu12")
    world.wheel("xgboost", "3.3", "nvidia-nccl-cu12", requires_python=later)
    world.wheel("xgboost", "3.4", "nvidia-nccl-cu13", requires_python=later)
    world.wheel("xgboost", "3.5rc1", "nvidia-nccl-cu14", requires_python=later)
    return world


def test_what_uses_no_gpu_and_what_takes_another_python_are_told(boosted: World) -> None:
    boosted.wheel("xgboost-cpu", "3.1")
    boosted.ask("torch==2.11\nxgboost>=3\n")
    told = (
        "xgboost-cpu 3.1 (requirements.txt:2) instead of xgboost would do, without a GPU; or "
        "xgboost 3.4 is made for CUDA 13, and takes Python >=3.12; or `cuda = false` in "
    )
    error = refused(boosted, "13.0")
    assert error.hint is not None
    assert error.hint.startswith(told)
    boosted.ask("torch==2.11\nxgboost-cpu\n")
    assert "xgboost-cpu 3.1" in names(current(boosted, "13.0"))


def test_another_cuda_of_the_target_is_told_before_what_uses_no_gpu(boosted: World) -> None:
    """And nothing by which files would be overwritten, since there is something better."""
    boosted.wheel("xgboost-cpu", "3.1")
    boosted.wheel("nvidia-nccl-cu13", "2.28")
    boosted.wheel("torch", "2.12", "cuda-toolkit==13.0.2", "nvidia-nccl-cu13")
    boosted.ask("torch\nxgboost\n")
    error = refused(boosted, "13.0")
    assert error.hint == (
        'cuda = "12.8" in [targets.gpu] would do, with torch 2.10; or '
        "xgboost-cpu 3.1 (requirements.txt:2) instead of xgboost would do, without a GPU; or "
        "xgboost 3.4 is made for CUDA 13, and takes Python >=3.12"
    )
    assert {"torch 2.10", "xgboost 3.2"} <= set(names(current(boosted, "12.8")))


@pytest.mark.parametrize(("arches", "cuda"), [(("80", "100"), "12.8"), (("103",), "12.9")])
def test_another_cuda_of_the_target_makes_code_for_its_gpus(
    world: World, arches: tuple[str, ...], cuda: str
) -> None:
    world.wheel("old", "1", "nvidia-cuda-runtime-cu12==12.8.90")
    world.ask("old\n")
    hint = refused(world, "13.0", arches=arches).hint
    assert hint is not None
    assert hint.startswith(f'cuda = "{cuda}" in [targets.gpu] would do; or ')


def test_another_cuda_of_the_target_that_makes_no_code_for_its_gpus_is_not_told(
    world: World,
) -> None:
    world.wheel("old", "1", "nvidia-cuda-runtime-cu12==12.8.90")
    world.ask("old\ntorch==2.11\n")
    assert "would do" not in (refused(world, "13.0", arches=("110",)).hint or "")


@pytest.fixture
def flowing(world: World) -> World:
    """With TensorFlow, whose extra brings CUDA 12, without a GPU as well."""
    for name in ("tensorflow", "tensorflow-cpu"):
        world.wheel(name, "2.21", "nvidia-cuda-runtime-cu12>=12.8,<13; extra == 'and-cuda'")
    return world


def test_an_extra_that_is_given_up_is_told(flowing: World) -> None:
    flowing.ask("tensorflow[and-cuda]\ntorch==2.11\n")
    error = refused(flowing, "13.0")
    assert error.hint is not None
    assert error.hint.startswith(
        "tensorflow-cpu 2.21 (requirements.txt:1), without the extra and-cuda, instead of "
        "tensorflow would do, without a GPU; or "
    )
    flowing.ask("tensorflow-cpu\ntorch==2.11\n")
    assert "tensorflow-cpu 2.21" in names(current(flowing, "13.0"))


def test_an_extra_that_alone_brings_another_cuda_is_the_cause(flowing: World) -> None:
    flowing.ask("tensorflow-cpu[and-cuda]\ntorch==2.11\n")
    error = refused(flowing, "13.0")
    assert dict(error.context)["tensorflow-cpu 2.21"].startswith(
        "with the extra and-cuda, requires nvidia-cuda-runtime-cu12"
    )
    assert way(error) == "tensorflow-cpu 2.21 (requirements.txt:1), without the extra and-cuda,"


def test_an_extra_is_not_the_cause_of_what_is_required_without_it(world: World) -> None:
    runtime = "nvidia-cuda-runtime-cu12"
    world.wheel("old", "1", runtime, f"{runtime}>=12.6; extra == 'more'")
    world.ask("old[more]\ntorch==2.11\n")
    assert dict(refused(world, "13.0").context)["old 1"].startswith(f"requires {runtime}")


def test_only_of_another_python_is_told_if_nothing_else_does(boosted: World) -> None:
    boosted.ask("torch==2.11\nxgboost\n")
    error = refused(boosted, "13.0")
    assert error.hint is not None
    assert error.hint.startswith(
        "xgboost 3.4 is made for CUDA 13, and takes Python >=3.12; or `cuda = false` in "
    )


def test_another_python_is_not_looked_for_once_it_has_taken_too_long(
    boosted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreeing, "SECONDS", -1.0)
    boosted.ask("torch==2.11\nxgboost\n")
    error = refused(boosted, "13.0")
    assert error.hint is not None
    assert "takes Python" not in error.hint


def test_another_python_is_not_told_if_its_newest_release_is_for_no_such_cuda(
    boosted: World,
) -> None:
    boosted.wheel("xgboost", "3.6", "nvidia-nccl-cu12", requires_python=SpecifierSet(">=3.12"))
    boosted.ask("torch==2.11\nxgboost\n")
    error = refused(boosted, "13.0")
    assert error.hint is not None
    assert error.hint.startswith("`cuda = false` in ")


def test_a_release_of_another_python_alone_is_read_too(world: World) -> None:
    """Its wheel's tag is of a Python that the target does not have."""
    filename = "kernels-2.0-cp312-cp312-manylinux_2_28_x86_64.whl"
    for version, requires, more in (
        ("1.0", "nvidia-cuda-runtime-cu12", {}),
        ("2.0", "nvidia-cuda-runtime==13.0.96", {"filename": filename, "sha256": sha(filename)}),
    ):
        python = SpecifierSet(">=3.12") if more else None
        world.wheel("kernels", version, requires, requires_python=python, **more)
    world.ask("kernels\n")
    error = refused(world, "13.0")
    assert error.hint is not None
    assert error.hint.startswith(
        'cuda = "12.9" in [targets.gpu] would do; or kernels 2.0 is made for CUDA 13, and takes '
        "Python >=3.12; or "
    )


def test_a_version_that_only_says_nothing_does_not_do(world: World) -> None:
    world.wheel("nvidia-nccl-cu12", "2.27")
    world.wheel("xgboost", "2.0")
    world.wheel("xgboost", "3.0", "nvidia-nccl-cu12")
    world.ask("torch==2.11\nxgboost\n")
    error = refused(world, "13.0")
    assert error.message == "xgboost 3.0 is made for CUDA 12, but the target gpu has CUDA 13.0"
    assert error.hint is not None
    assert "would do" not in error.hint


def test_what_another_tool_has_pinned_is_not_told_to_change(world: World) -> None:
    wheel = "cupy_cuda12x-14.2-py3-none-any.whl"
    (world.root / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "another"\n'
        '[[packages]]\nname = "cupy-cuda12x"\nversion = "14.2"\n'
        f'[[packages.wheels]]\nname = "{wheel}"\nurl = "https://files.example/{wheel}"\n'
        f'hashes = {{sha256 = "{sha(wheel)}"}}\n'
    )
    world.project = replace(
        world.project, requirements=(InputFile(path=world.root / "pylock.toml"),)
    )
    error = refused(world, "13.0")
    assert error.hint is not None
    assert error.hint.startswith(
        "ask for cupy-cuda13x instead of cupy-cuda12x; or "
        'cuda = "12.9" in [targets.gpu] would do; or `cuda = false`'
    )


def test_a_package_can_be_exempt(world: World) -> None:
    world.ask("torch\ncupy-cuda12x\n")
    world.configure(**{"cupy-cuda12x": PackageSettings(cuda=False)})
    assert names(current(world, "13.0"))[0:2] == ["cuda-toolkit 13.0.2", "cupy-cuda12x 14.2"]


def test_what_should_be_known_is_told_once(world: World) -> None:
    world.ask("jax\n")
    for _ in range(2):
        current(world, "13.0")
    found = [each for each in world.reporter.events if isinstance(each, Notice)]
    assert [each.hint for each in found] == [
        "ask for jax[cuda13], or say `cuda = false` in [packages.jax]"
    ]


def test_an_extra_that_the_release_does_not_have_is_not_told(world: World) -> None:
    world.wheel("jax", "0.4")
    world.ask("jax==0.4\n")
    current(world, "13.0")
    assert not [each for each in world.reporter.events if isinstance(each, Notice)]


def test_a_folder_that_requires_parts_of_another_cuda_is_told_to_require_others(
    world: World,
) -> None:
    (world.root / "kernels").mkdir()
    (world.root / "kernels" / "pyproject.toml").write_text(
        f'{HATCH}\n[project]\nname = "kernels"\nversion = "1.0"\n'
        'dependencies = ["nvidia-cuda-runtime-cu12"]\n'
    )
    world.ask("./kernels\n")
    error = refused(world, "13.0")
    assert error.message == "kernels 1.0 is made for CUDA 12, but the target gpu has CUDA 13.0"
    assert error.hint == (
        "have kernels require nvidia-cuda-runtime instead of nvidia-cuda-runtime-cu12; or "
        'cuda = "12.9" in [targets.gpu] would do, with builder = "manylinux_2_28_cuda12_9" there, '
        "whose image quay.io/manylinux_cuda/manylinux_2_28_x86_64_cuda12_9:latest has the compiler "
        "of CUDA 12, for what is built"
    )


def test_a_folder_for_a_later_cuda_is_told_what_it_takes_either_way(world: World) -> None:
    """To be built for CUDA 12 it takes a builder; CUDA 13 takes other drivers."""
    (world.root / "kernels").mkdir()
    (world.root / "kernels" / "pyproject.toml").write_text(
        f'{HATCH}\n[project]\nname = "kernels"\nversion = "1.0"\n'
        'dependencies = ["nvidia-cuda-runtime==13.0.*"]\n'
    )
    world.ask("./kernels\n")
    assert refused(world, "12.4").hint == (
        "have kernels require nvidia-cuda-runtime-cu12 instead of nvidia-cuda-runtime, and "
        'builder = "rocky8_cuda12_4" in [targets.gpu], whose image '
        "nvidia/cuda:12.4.1-devel-rockylinux8 has the compiler of CUDA 12, for what is built; or "
        'cuda = "13.0" there would do, with drivers from 580.65.06 on'
    )


@pytest.mark.parametrize("freshness", [Freshness.RENEW_IF_STALE, Freshness.REQUIRE])
def test_a_lock_that_somebody_has_mixed_is_not_used(world: World, freshness: Freshness) -> None:
    world.ask("torch\n")
    made = current(world, "13.0")
    wheels = (file("cupy_cuda12x-14.2-py3-none-any.whl"),)
    other = package("cupy-cuda12x", "14.2", "requirements.txt:2", wheels=wheels)
    path = lock_path(world.root, "gpu")
    path.write_text(dump_lock(replace(made, packages=(*made.packages, other))))
    with pytest.raises(LockError, match=r"cupy-cuda12x 14\.2 is made for CUDA 12, but the target"):
        current(world, "13.0", freshness)
    with pytest.raises(LockError, match="made for CUDA 12"):
        check_locks(world.project, [gpu("13.0")])


def test_pins_that_conflict_are_told_with_their_cuda(world: World) -> None:
    for version, runtime in (("2.15", "==12.6.77"), ("2.20", ">=12.5,<13")):
        world.wheel(
            "tensorflow", version, f"nvidia-cuda-runtime-cu12{runtime}; extra == 'and-cuda'"
        )
    world.wheel("tensorflow", "2.12")  # without that extra
    world.ask("tensorflow[and-cuda]==2.15\ntorch==2.10\n")
    with pytest.raises(LockError) as caught:
        current(world, "12.8")
    error = caught.value
    assert error.message == (
        "tensorflow 2.15 (requirements.txt:1) requires nvidia-cuda-runtime-cu12==12.6.77, but "
        "torch 2.10 (requirements.txt:2) requires nvidia-cuda-runtime-cu12==12.8.90"
    )
    assert ("tensorflow 2.15", "is made for CUDA 12.6") in error.context
    assert ("torch 2.10", "is made for CUDA 12.8") in error.context
    assert error.hint is not None
    assert error.hint.startswith("tensorflow 2.20 with nvidia-cuda-runtime-cu12 12.8.90 would do")
    assert "torch 2.9" in error.hint


def test_where_one_line_is_not_enough_both_are_changed(world: World) -> None:
    world.wheel("tensorflow", "2.15", "nvidia-cuda-runtime-cu12==12.2.140")
    world.wheel("tensorflow", "2.20", "nvidia-cuda-runtime-cu12>=12.8,<13")
    world.wheel("nvidia-cuda-runtime-cu12", "12.2.140")
    world.ask("tensorflow==2.15\ntorch==2.9\n")
    with pytest.raises(LockError) as caught:
        current(world, None)
    # Neither the one nor the other is there for the CUDA of what the other line pins.
    assert caught.value.hint == "tensorflow 2.20 with torch 2.10 would do (requirements.txt:1)"
