"""The `local` engine, where a build wants a CUDA toolkit: this machine's own is used, or none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lockfactory import build, built
from lockingfactory import images, locked, target
from packaging.version import Version

from wheelhouse.cuda import Cuda
from wheelhouse.engine import local, local_machine
from wheelhouse.engine.local import LocalEngine
from wheelhouse.errors import ImageError
from wheelhouse.store import Store
from wheelhouse.toolkit import NoCompiler, Toolkit, toolkit_for

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.engine import TargetImages
    from wheelhouse.targets import Target

TOOLKIT = Toolkit(version=Version("13.2"), wheels=(locked("nvcc-13.2-py3-none-any.whl"),))
SAYING = "#!/bin/sh\necho 'Cuda compilation tools, release {}, V{}.86'\n"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalEngine:
    """One on a machine that is the target, and has the folder ``cuda`` as its toolkit."""
    monkeypatch.setattr(local_machine, "CUDA_HOME", str(tmp_path / "cuda"))
    found = LocalEngine(Store(tmp_path / "store"))
    monkeypatch.setattr(found, "images", lambda _: images())
    return found


def install(tmp_path: Path, version: str) -> None:
    folder = tmp_path / "cuda" / "bin"
    folder.mkdir(parents=True)
    (folder / "nvcc").write_text(SAYING.format(version, version))
    (folder / "nvcc").chmod(0o755)


def test_a_toolkit_of_that_version_is_used(engine: LocalEngine, tmp_path: Path) -> None:
    without = engine.with_system(target(), ())
    install(tmp_path, "13.2")
    assert engine.with_system(target(), (), TOOLKIT).id != without.id
    assert engine.with_system(target(), ()).id == without.id
    assert engine.has_toolkit(target(), TOOLKIT)


def test_without_one_it_is_told_where_it_has_to_be(engine: LocalEngine, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=f"in {tmp_path}/cuda, and this machine has none") as error:
        engine.with_system(target(), (), TOOLKIT)
    with pytest.raises(ImageError, match="this machine has none"):
        engine.has_toolkit(target(), TOOLKIT)
    assert error.value.hint == (
        "use `--engine docker`, which makes an image with it, or install CUDA 13.2 there"
    )


def test_one_of_another_version_does_not_do(engine: LocalEngine, tmp_path: Path) -> None:
    install(tmp_path, "13.1")
    with pytest.raises(ImageError, match=r"has that of CUDA 13\.1 there, not that of CUDA 13\.2"):
        engine.with_system(target(), (), TOOLKIT)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalEngine:
    """The same, which tells itself what this machine is."""
    monkeypatch.setattr(local_machine, "CUDA_HOME", str(tmp_path / "cuda"))
    monkeypatch.setattr(local, "check_machine", lambda _: None)
    monkeypatch.setattr(local, "python_of", lambda _: "/usr/bin/python3")
    return LocalEngine(Store(tmp_path / "store"))


def on(cuda: str) -> Target:
    return replace(target("gpu"), cuda=Cuda(version=Version(cuda)))


def used(engine: LocalEngine, wanted: Target) -> Toolkit | None:
    return toolkit_for(wanted, engine.images(wanted), ())


def test_a_cuda_whose_compiler_pypi_lacks_is_built_for_with_this_machines(
    here: LocalEngine, tmp_path: Path
) -> None:
    install(tmp_path, "12.4")
    toolkit = used(here, on("12.9"))
    assert toolkit == Toolkit(version=Version("12.4"), wheels=())
    assert here.with_system(on("12.9"), (), toolkit).origin == "local"
    assert used(here, on("12.1")) is None  # older than what it would be made with
    assert used(here, on("11.8")) is None


def test_a_cuda_whose_compiler_pypi_has_is_locked_for_every_engine(
    here: LocalEngine, tmp_path: Path
) -> None:
    install(tmp_path, "13.0")
    assert used(here, on("13.0")) is None


def no_compiler(wanted: Target, found: TargetImages) -> NoCompiler:
    return NoCompiler(package=built("demo", build()), target=wanted, images=found)


def test_where_neither_has_the_compiler_it_is_to_be_installed(
    here: LocalEngine, tmp_path: Path
) -> None:
    wanted = on("12.9")
    without = no_compiler(wanted, here.images(wanted))
    assert without.message.endswith("and this machine has no toolkit in /usr/local/cuda")
    assert without.hint.startswith("use `--engine docker`, or install CUDA 12.9 there; if demo")
    install(tmp_path, "13.0")
    other = no_compiler(wanted, here.images(wanted))
    assert other.message.endswith("this machine has that of CUDA 13.0 in /usr/local/cuda")
