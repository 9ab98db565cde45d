"""What people install for a GPU, from the real index: it agrees on one CUDA, or is refused.

Nothing of it is downloaded but what its metadata takes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from conftest import Workplace

from wheelhouse.locking.lockfile import load_lock, lock_path

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Finished

pytestmark = [pytest.mark.containers, pytest.mark.index]

#: For more bytes than this, some wheel must have been fetched whole: PyTorch's alone has 500 MB.
METADATA = 200 << 20


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests: each needs much of what the others do."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def place(tmp_path: Path, store: Path) -> Workplace:
    made = Workplace(tmp_path)
    made.store = store
    return made


def locked(place: Workplace, cuda: str | None, *asked: str) -> Finished:
    """Lock what is *asked* for, for a target with that CUDA."""
    (place.project / "requirements.txt").write_text("".join(f"{each}\n" for each in asked))
    (place.project / "wheelhouse.toml").write_text(
        '[targets.gpu]\nplatform = "debian12"\npython = "3.11"\n'
        + (f'cuda = "{cuda}"\n' if cuda else "")
    )
    return place.run("lock")


def versions(place: Workplace) -> dict[str, str]:
    lock = load_lock(lock_path(place.project, "gpu"))
    assert lock is not None
    return {each.name: str(each.version) for each in lock.packages}


@pytest.mark.parametrize(
    ("cuda", "asked", "number"),
    [
        ("13.2", ("torch", "jax[cuda13]", "cupy-cuda13x[ctk]"), "13"),
        (
            "12.9",
            ("torch==2.10.0", "tensorflow[and-cuda]>=2.20", "jax[cuda12]", "cupy-cuda12x"),
            "12",
        ),
    ],
)
def test_what_agrees_is_locked_and_planned(
    place: Workplace, cuda: str, asked: tuple[str, ...], number: str
) -> None:
    done = locked(place, cuda, *asked)
    assert done.status == 0, done.said
    found = versions(place)
    (cudnn,) = (name for name in found if name.startswith("nvidia-cudnn-"))
    assert cudnn == f"nvidia-cudnn-cu{number}"
    runtime = found["nvidia-cuda-runtime" if number == "13" else f"nvidia-cuda-runtime-cu{number}"]
    assert runtime.startswith(f"{number}.")
    done = place.run("explain", "torch", "--locked", "--json")
    assert done.status == 0, done.said
    (torch,) = json.loads(done.out)["targets"][0]["packages"]
    assert torch["action"] == "fetch"
    assert torch["made-for"][0]["cuda"].startswith(f"{number}.")
    fetched = sum(path.stat().st_size for path in place.store.rglob("*") if path.is_file())
    assert fetched < METADATA


def test_two_cudas_in_one_lock_are_refused_with_what_would_agree(place: Workplace) -> None:
    done = locked(place, None, "torch==2.15.0", "cupy-cuda12x==14.2.0")
    assert done.status == 3, done.said
    told = " ".join(done.err.split())
    assert "torch 2.15.0 is made for CUDA 13.2, but cupy-cuda12x 14.2.0 is made for CUDA 12" in told
    assert "for CUDA 12, torch 2.10.0 (requirements.txt:1) would do" in told
    assert "for CUDA 13, cupy-cuda13x 14" in told
    assert not lock_path(place.project, "gpu").exists()


def test_what_is_told_to_agree_agrees(place: Workplace) -> None:
    """XGBoost for CUDA 13 takes a later Python than Debian 12 has."""
    done = locked(place, "13.2", "torch", "xgboost")
    assert done.status == 3, done.said
    told = " ".join(done.err.split())
    assert "instead of xgboost would do, without a GPU; or xgboost 3." in told
    assert "is made for CUDA 13, and takes Python >=3.12" in told
    assert (
        'hint: cuda = "12.8" in [targets.gpu] would do, with torch 2.10.0; or xgboost-cpu' in told
    )
    assert locked(place, "12.8", "torch", "xgboost").status == 0
    assert locked(place, "13.2", "torch", "xgboost-cpu").status == 0
