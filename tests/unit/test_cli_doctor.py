"""`wheelhouse doctor`: what programs are told, and whether a toolkit of CUDA can be had."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakeengine import FakeEngine
from lockingfactory import images, target
from lockingworld import World
from packaging.version import Version

from wheelhouse.building import downloads
from wheelhouse.building.runner import Runner
from wheelhouse.cli.checks import Check, told  # noqa: TID251  (it is what is tested)
from wheelhouse.cli.toolkitdoctor import (  # noqa: TID251  (it is what is tested)
    cuda_checks,
    toolkit_check,
)
from wheelhouse.cuda import Cuda
from wheelhouse.engine import Limits
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.run import Run
from wheelhouse.scheduler import Scheduler
from wheelhouse.targets import Target, presets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.engine import TargetImages

CHECKS = [
    Check(name="engine", good=True, said="docker: x86_64", hint="not told"),
    Check(name="gpu", good=True, noted=True, said="no GPU", hint="use another", target="gpu"),
]


@pytest.mark.parametrize("broken", [False, True])
def test_programs_are_told_the_same(broken: bool, capsys: pytest.CaptureFixture[str]) -> None:
    checks = [*CHECKS, Check(name="disk", good=not broken, said="full", hint="make room")]
    assert told(checks, as_json=True) is not broken
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is not broken
    assert found["checks"] == [
        {
            "check": "engine",
            "target": None,
            "state": "ok",
            "message": "docker: x86_64",
            "hint": None,
        },
        {
            "check": "gpu",
            "target": "gpu",
            "state": "note",
            "message": "no GPU",
            "hint": "use another",
        },
        {
            "check": "disk",
            "target": None,
            "state": "fail" if broken else "ok",
            "message": "full",
            "hint": "make room" if broken else None,
        },
    ]
    assert told(checks) is not broken
    assert ("FAIL  disk" in capsys.readouterr().out) is broken


class Ready(FakeEngine):
    """An engine that has images, and no toolkit unless told otherwise."""

    toolkit_is_there = False

    def __init__(self, has: TargetImages) -> None:
        super().__init__()
        self.has = has

    def images(self, target: Target) -> TargetImages:
        return self.has


class Here(World):
    """A machine, and an index with the toolkit of CUDA 13.2."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.engine = Ready(images())
        self.wheel("cuda-toolkit", "13.2.2", "nvidia-cuda-nvcc; extra == 'nvcc'", size=2000)
        self.wheel("nvidia-cuda-nvcc", "13.2.86", size=40_000_000)

    @contextmanager
    def run(self) -> Iterator[Run]:
        with Scheduler(1) as scheduler:
            yield Run(
                project=self.project,
                store=self.store,
                engine=self.engine,
                fetcher=Fetcher(Client(), self.store, self.cancellation.check),
                locker=self.locker(scheduler),
                runner=Runner(self.engine, self.store, Limits(), self.reporter, self.cancellation),
                scheduler=scheduler,
                reporter=self.reporter,
                cancellation=self.cancellation,
            )

    def check(self, version: str) -> Check:
        cuda = Cuda(version=Version(version))
        with self.run() as run:
            return toolkit_check(run, replace(target("gpu"), cuda=cuda), cuda)


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def test_a_toolkit_of_the_index(here: Here) -> None:
    assert here.check("13.2") == Check(
        name="toolkit",
        good=True,
        said="gpu: that of CUDA 13.2 is on the index: 40 MB in 2 files are to be downloaded once a "
        "package is built with it",
        target="gpu",
    )


def test_a_toolkit_that_is_in_an_image_already(here: Here) -> None:
    here.engine.toolkit_is_there = True
    assert here.check("13.2").said == "gpu: that of CUDA 13.2 is ready to build with"


def test_a_toolkit_that_has_no_room(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "free_room", lambda folder: 30_000_000)
    found = here.check("13.2")
    assert (found.state, found.target) == ("fail", "gpu")
    assert "has room for 30 MB, and 40 MB are to come" in found.said


def test_a_toolkit_that_the_index_has_not(here: Here) -> None:
    found = here.check("13.1")
    assert found.state == "fail"
    assert found.said.startswith("the toolkit of CUDA 13.1 cannot be had")
    assert "name a `builder`" in (found.hint or "")


def test_a_builder_that_has_a_toolkit(here: Here) -> None:
    place = replace(target(), builder=presets()["manylinux_2_28_cuda12_9"]).build_place
    here.engine = Ready(replace(images(), build_place=place))
    found = here.check("12.9")
    assert (found.state, found.said) == ("ok", f"gpu: {place.preset.title} has that of CUDA 12.9")


def test_no_compiler_anywhere(here: Here) -> None:
    """That is no failure: what is not compiled for GPUs needs none."""
    found = here.check("12.9")
    assert found.state == "note"
    assert "PyPI has no compiler of CUDA 12.9" in found.said


@pytest.mark.parametrize(("version", "states"), [("13.2", []), ("99.0", ["note"])])
def test_a_cuda_that_is_newer_than_all_known_ones(version: str, states: list[str]) -> None:
    found = cuda_checks(replace(target("gpu"), cuda=Cuda(version=Version(version))))
    assert [check.state for check in found] == states
