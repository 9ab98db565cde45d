"""The `local` engine, where a build wants a CUDA toolkit: this machine's own is used, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lockingfactory import images, locked, target
from packaging.version import Version

from wheelhouse.engine import local
from wheelhouse.engine.local import LocalEngine
from wheelhouse.errors import ImageError
from wheelhouse.store import Store
from wheelhouse.toolkit import Toolkit

if TYPE_CHECKING:
    from pathlib import Path

TOOLKIT = Toolkit(version=Version("13.2"), wheels=(locked("nvcc-13.2-py3-none-any.whl"),))
SAYING = "#!/bin/sh\necho 'Cuda compilation tools, release {}, V{}.86'\n"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalEngine:
    """One on a machine that is the target, and has the folder ``cuda`` as its toolkit."""
    monkeypatch.setattr(local, "CUDA_HOME", str(tmp_path / "cuda"))
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


def test_without_one_it_is_told_where_it_has_to_be(engine: LocalEngine, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=f"in {tmp_path}/cuda, and this machine has none") as error:
        engine.with_system(target(), (), TOOLKIT)
    assert error.value.hint == (
        "use `--engine docker`, which makes an image with it, or install CUDA 13.2 there"
    )


def test_one_of_another_version_does_not_do(engine: LocalEngine, tmp_path: Path) -> None:
    install(tmp_path, "13.1")
    with pytest.raises(ImageError, match=r"has that of CUDA 13\.1 there, not that of CUDA 13\.2"):
        engine.with_system(target(), (), TOOLKIT)
