"""Frameworks for GPUs with all of CUDA that they need: locked, fetched, proven, installed offline.

Each takes 3 GB of the index and a few minutes, so these wait to be asked for: `make closures`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from measuring import measured

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Workplace

pytestmark = [
    pytest.mark.containers,
    pytest.mark.index,
    pytest.mark.skipif(
        not os.environ.get("WHEELHOUSE_TEST_CLOSURES"),
        reason="fetches gigabytes: WHEELHOUSE_TEST_CLOSURES=1, or `make closures`, asks for it",
    ),
]

MB = 10**6

#: Bytes of memory that may be used, whatever comes.
ALLOWED = 300 * MB

#: Bytes of room on the disk for store, wheelhouse, and what is installed in two containers.
ROOM = 30_000 * MB


@dataclass(frozen=True, kw_only=True)
class Closure:
    """A framework.

    :ivar heaviest: a distribution of NVIDIA's that comes with it.
    :ivar program: computes with it on the CPU, and says which CUDA it is made for.
    """

    requirement: str
    cuda: str
    heaviest: str
    program: str
    says: str


TORCH = Closure(
    requirement="torch>=2.15",
    cuda="13.2",
    heaviest="nvidia-cudnn-cu13",
    program="import torch; print(torch.version.cuda, (torch.ones(3) @ torch.ones(3)).item())",
    says="13.2 3.0",
)
TENSORFLOW = Closure(
    requirement="tensorflow[and-cuda]>=2.21",
    cuda="12.9",
    heaviest="nvidia-cudnn-cu12",
    program="import tensorflow as tf; v = tf.sysconfig.get_build_info()['cuda_version']; "
    "print(v.split('.')[0], float(tf.reduce_sum(tf.ones(3))))",
    says="12 3.0",
)


def say(text: str) -> None:
    """Tell who waits for it; `pytest -s` shows it."""
    sys.stderr.write(f"\n{text}\n")


def offline(house: Path, program: str) -> str:
    """What *program* says in a clean container in which install.sh has installed *house*."""
    steps = (
        "sh /house/install.sh --no-compile --venv /tmp/venv >&2"
        ' && exec /tmp/venv/bin/python -c "$0"'
    )
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--network=none", "--user=65534:65534", "--env=HOME=/tmp"),
            *(f"--volume={house}:/house:ro", os.environ["WHEELHOUSE_TEST_RUNTIME_IMAGE"]),
            *("sh", "-c", steps, program),
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("closure", [TORCH, TENSORFLOW], ids=["torch", "tensorflow"])
def test_a_closure_goes_all_the_way(workplace: Workplace, closure: Closure) -> None:
    free = shutil.disk_usage(workplace.root).free
    assert free > ROOM, f"{free // MB} MB of room are too few"
    (workplace.project / "requirements.txt").write_text(f"{closure.requirement}\n")
    (workplace.project / "wheelhouse.toml").write_text(
        f'[targets.d12]\nplatform = "debian12"\npython = "3.11"\ncuda = "{closure.cuda}"\n'
    )
    try:
        size = _plan(workplace, closure)
        _build(workplace)
        _check_links(workplace, size)
        assert offline(workplace.house(), closure.program).split() == closure.says.split()
    finally:
        shutil.rmtree(workplace.root)  # pytest keeps the folders of a few runs


def _plan(workplace: Workplace, closure: Closure) -> int:
    """Weigh the closure before anything of it is there; its bytes."""
    done = measured(workplace.project, workplace.environment(), "plan", "--json")
    (target,) = json.loads(done.out)["targets"]
    size: dict[str, Any] = target["size"]
    assert size["wheels"]["unknown"] == 0
    assert size["cuda-download"]["bytes"] > 2000 * MB
    assert size["wheels"]["bytes"] > size["cuda"]["bytes"]
    heavy = {step["name"]: step["size"] for step in target["steps"] if step["size"] > 300 * MB}
    assert closure.heaviest in heavy
    assert not [path for path in workplace.store.glob("blobs/*/*") if path.stat().st_size > 20 * MB]
    say(f"{closure.requirement}: {size['wheels']['bytes']:,} bytes; {heavy}")
    return int(size["wheels"]["bytes"])


def _build(workplace: Workplace) -> None:
    started = time.monotonic()
    done = measured(workplace.project, workplace.environment(), "build", timeout=1800)
    seconds = time.monotonic() - started
    say(f"{done.err}built in {seconds:.0f} s with at most {done.peak / MB:.0f} MB of memory")
    assert done.peak < ALLOWED


def _check_links(workplace: Workplace, size: int) -> None:
    """The wheelhouse is what was planned, and what of it is big is the store's."""
    wheels = [path.stat() for path in (workplace.house() / "wheels").iterdir()]
    assert sum(each.st_size for each in wheels) == size
    copied = sum(each.st_size for each in wheels if each.st_nlink == 1)
    assert copied < size // 5
