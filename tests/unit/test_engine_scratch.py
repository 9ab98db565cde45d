"""Where jobs keep their files: in memory, as long as they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.agent.limits import DISK
from wheelhouse.engine import GIB, MIB, Limits
from wheelhouse.engine.jobs import Input, Job
from wheelhouse.engine.scratch import scratch_for

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_small_is_in_memory() -> None:
    assert scratch_for(100 * MIB, Limits(memory=4 * GIB)).place == "memory"
    assert not scratch_for(100 * MIB, Limits(memory=4 * GIB)).environment


def test_what_grows_beyond_memory_is_on_a_disk_which_has_an_end_too() -> None:
    place, environment = scratch_for(3 * GIB, Limits(memory=4 * GIB))
    assert place == "disk"
    assert int(environment[DISK]) == 40 * GIB
    assert scratch_for(3 * GIB, Limits(memory=64 * GIB)).place == "memory"


def test_the_size_of_a_job_is_that_of_its_inputs(tmp_path: Path) -> None:
    (tmp_path / "torch.whl").write_bytes(b"x" * 1000)
    inputs = [
        Input(name="a", source=b"four"),
        Input(name="b", source=tmp_path / "torch.whl"),
        Input(name="c", source=tmp_path / "gone.whl"),  # told when it is packed
    ]
    assert Job(kind="build", parameters={}, inputs=inputs).size == 1004
