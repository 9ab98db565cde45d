"""Which builds of a target with CUDA get its toolkit, when it is resolved, and what is locked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lockingfactory import index_file, interpreter, metadata, sha, tar_bytes, target
from lockingworld import HATCH, World, answer
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.config import PackageSettings
from wheelhouse.cuda import Cuda
from wheelhouse.errors import BuildError, LockError
from wheelhouse.inputs import read_inputs
from wheelhouse.scheduler import Scheduler
from wheelhouse.targets import Place, Target, presets
from wheelhouse.toolkit import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.locking.model import Lock

CUDA = Cuda(version=Version("13.2"), libraries=("cublas",))


class GpuWorld(World):
    """A world whose target has GPUs."""

    target: Target = replace(target(), cuda=CUDA)

    def source(self, name: str, files: dict[str, str] | None = None, level: str = "2.2") -> None:
        """An sdist with *files*, which requires hatchling."""
        top = f"{name}-1.0"
        found = {"PKG-INFO": metadata(name, "1.0", level=level), "pyproject.toml": HATCH}
        found |= files or {}
        data = tar_bytes({f"{top}/{path}": text for path, text in found.items()})
        self.store.add([data])
        self._put(name, index_file(f"{top}.tar.gz", sha256=sha(data)))

    def lock(self, *_: object) -> Lock:
        requirements = read_inputs(self.root, self.project.requirements)
        with Scheduler(2) as scheduler:
            return self.locker(scheduler).lock(
                self.target, interpreter(), self.images, requirements, None
            )

    def build_on(self, place: Place) -> None:
        """Images of *place*, of which the runtime is, too: its Python is known already."""
        self.images = replace(self.images, build_place=place, place=place)

    def images_used(self) -> list[str]:
        return [spec.image for spec in self.engine.started]


@pytest.fixture
def world(tmp_path: Path) -> GpuWorld:
    made = GpuWorld(tmp_path)
    made.tool("hatchling-1.27")
    made.wheel(
        *("cuda-toolkit", "13.2.2", "nvidia-cuda-nvcc; extra == 'nvcc'"),
        *("nvidia-cublas; extra == 'cublas'", "nvidia-cufft; extra == 'cufft'"),
    )
    made.wheel("cuda-toolkit", "13.3.0")
    for part in ("nvidia-cuda-nvcc", "nvidia-cublas", "nvidia-cufft"):
        made.wheel(part, "13.2.86")
    made.containers(answer())
    return made


def toolkit(lock: Lock) -> list[str]:
    return [f"{each.name} {each.version}" for each in lock.toolkit]


WHOLE = ["cuda-toolkit 13.2.2", "nvidia-cublas 13.2.86", "nvidia-cuda-nvcc 13.2.86"]


def test_a_source_with_kernels_is_built_with_the_toolkit(world: GpuWorld) -> None:
    world.ask("demo\n")
    world.source("demo", {"src/kernel.cu": "__global__ void go() {}"})
    lock = world.lock()
    assert toolkit(lock) == WHOLE
    assert lock.packages[0].build is not None
    assert lock.packages[0].build.cuda
    assert world.images_used() == ["sha256:cuda-13.2"]  # its hooks see it, too


def test_the_toolkit_is_resolved_for_nobody_who_does_not_need_it(world: GpuWorld) -> None:
    world.ask("demo\n")
    world.source("demo", {"tests/kernel.cu": ""})
    del world.index.pages[PROJECT]
    lock = world.lock()
    assert toolkit(lock) == []
    assert lock.packages[0].build is not None
    assert not lock.packages[0].build.cuda
    assert world.images_used() == ["sha256:builder"]


@pytest.mark.parametrize("has_kernels", [True, False])
def test_settings_know_better_than_the_files(world: GpuWorld, *, has_kernels: bool) -> None:
    world.ask("demo\n")
    world.source("demo", {"src/kernel.cu": ""} if has_kernels else {})
    world.configure(demo=PackageSettings(cuda=not has_kernels))
    assert toolkit(world.lock()) == ([] if has_kernels else WHOLE)


def test_a_hook_that_tells_metadata_has_it(world: GpuWorld) -> None:
    world.ask("demo\n")
    world.source("demo", {"setup.py": "nvcc = 1"}, level="2.1")
    world.containers(answer(text=metadata("demo", "1.0")))
    assert toolkit(world.lock()) == WHOLE
    assert set(world.images_used()) == {"sha256:cuda-13.2"}


def test_a_build_requirement_with_kernels_has_it_too(world: GpuWorld) -> None:
    world.ask("demo\n")
    world.source("demo")
    del world.index.pages[canonicalize_name("hatchling")]
    own = {"src/kernel.cu": "", "pyproject.toml": "[build-system]\nrequires = []\n"}
    world.source("hatchling", own)
    with pytest.raises(BuildError):  # containers give no wheel here
        world.lock()
    assert set(world.images_used()) == {"sha256:cuda-13.2"}


def test_a_target_without_cuda_has_none(world: GpuWorld) -> None:
    world.target = target()
    world.ask("demo\n")
    world.source("demo", {"src/kernel.cu": ""})
    world.configure(demo=PackageSettings(cuda=True))
    assert toolkit(world.lock()) == []
    assert world.images_used() == ["sha256:builder"]


def test_a_builder_with_a_toolkit_needs_no_other(world: GpuWorld) -> None:
    world.target = replace(world.target, builder=presets()["manylinux_2_28_cuda13_1"])
    world.build_on(world.target.build_place)
    world.ask("demo\n")
    world.source("demo", {"src/kernel.cu": ""})
    lock = world.lock()
    assert toolkit(lock) == []
    assert lock.packages[0].build is not None
    assert lock.packages[0].build.cuda


def test_a_toolkit_that_cannot_be_had_is_told(world: GpuWorld) -> None:
    world.ask("demo\n")
    world.source("demo", {"src/kernel.cu": ""})
    world.target = replace(world.target, cuda=Cuda(version=Version("13.1")))
    with pytest.raises(LockError) as caught:
        world.lock()
    assert caught.value.message.startswith("the toolkit of CUDA 13.1 cannot be had: ")
    assert "`cuda` of [targets.web]" in (caught.value.hint or "")
    assert world.images_used() == []


def test_without_a_compiler_on_the_index_a_builder_has_to_have_it(world: GpuWorld) -> None:
    world.ask("demo\n")
    world.source("demo", {"src/kernel.cu": ""})
    world.target = replace(world.target, cuda=Cuda(version=Version("12.9")))
    with pytest.raises(LockError, match=r"demo 1\.0 takes the compiler of CUDA 12\.9") as caught:
        world.lock()
    assert 'builder = "manylinux_2_28_cuda12_9" in [targets.web]' in (caught.value.hint or "")
    assert world.images_used() == []
    world.target = replace(world.target, builder=presets()["manylinux_2_28_cuda12_9"])
    world.build_on(world.target.build_place)
    assert world.lock().packages[0].build is not None


def test_a_stand_in_for_such_a_builder_does_not_do(world: GpuWorld) -> None:
    world.ask("demo\n")
    world.source("demo", {"src/kernel.cu": ""})
    world.target = replace(
        world.target,
        cuda=Cuda(version=Version("12.9")),
        builder=presets()["manylinux_2_28_cuda12_9"],
    )
    place = Place(preset=presets()["portable"], python="3.11", arch="x86_64")
    world.build_on(place)
    with pytest.raises(LockError, match=r"cannot be had, and Portable Linux .* has no toolkit"):
        world.lock()
