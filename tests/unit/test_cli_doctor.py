"""`wheelhouse doctor`: what programs are told, and whether a toolkit of CUDA can be had."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakeengine import FakeEngine
from lockfactory import build, built, lock
from lockingfactory import images, interpreter, locked, sha, target
from lockingworld import World
from packaging.utils import NormalizedName
from packaging.version import Version

from wheelhouse.building import downloads
from wheelhouse.building.runner import Runner
from wheelhouse.cli.checks import Check, told  # noqa: TID251  (it is what is tested)
from wheelhouse.cli.toolkitdoctor import (  # noqa: TID251  (it is what is tested)
    cuda_checks,
    toolkit_check,
)
from wheelhouse.cuda import Cuda
from wheelhouse.engine import Limits, local_machine
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.inputs import read_inputs
from wheelhouse.locking.freshness import inputs_digest
from wheelhouse.locking.lockfile import dump_lock, lock_path
from wheelhouse.locking.model import BuildRequirement
from wheelhouse.run import Run
from wheelhouse.scheduler import Scheduler
from wheelhouse.targets import Target, presets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.engine import TargetImages
    from wheelhouse.toolkit import Toolkit

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


class OfThisMachine(Ready):
    """One that builds with the toolkit of this machine, as the `local` engine does."""

    def has_toolkit(self, target: Target, toolkit: Toolkit) -> bool:
        local_machine.check_toolkit(toolkit)
        return True


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

    def check(self, version: str, builder: str | None = None) -> Check:
        cuda = Cuda(version=Version(version))
        own = presets()[builder] if builder else None
        with self.run() as run:
            return toolkit_check(run, replace(target("gpu"), cuda=cuda, builder=own), cuda)

    def locked_for(self, version: str, *, cuda: bool = True) -> None:
        """A lock for CUDA *version*, of a package that is built with it or not."""
        made_for = replace(target("gpu"), cuda=Cuda(version=Version(version)))
        self.ask("demo\n")
        requirements = read_inputs(self.root, self.project.requirements)
        wheel = locked("cuda_toolkit-13.2.2-py3-none-any.whl", sha256=sha("the toolkit"))
        self.store.add([b"the toolkit"])
        toolkit = BuildRequirement(
            name=NormalizedName("cuda-toolkit"), version=Version("13.2.2"), file=wheel
        )
        made = lock(
            built("demo", build(cuda=cuda)),
            toolkit=(toolkit,),
            inputs=inputs_digest(self.project, made_for, requirements),
            environment=dict(interpreter().environment),
        )
        made = replace(made, target="gpu")
        lock_path(self.root, "gpu").write_text(dump_lock(made))

    def build_on_this_machine(self, monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
        """By the `local` engine; *version* is that of its own toolkit."""
        own = Version(version) if version else None
        monkeypatch.setattr(local_machine, "own_release", lambda: own)
        here = replace(images().builder, origin="local")
        place = images().build_place
        if own and own.major < 13:
            place = replace(place, preset=replace(place.preset, cuda=own))
        self.engine = OfThisMachine(replace(images(), builder=here, build_place=place))


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
    assert found.said == (
        "gpu: PyPI has no compiler of CUDA 12.9, and Debian 12 (bookworm) has no toolkit: packages "
        "with kernels of their own cannot be built"
    )
    assert found.hint is not None
    assert found.hint.startswith(
        'for such packages, build on an image that has it: builder = "manylinux_2_28_cuda12_9" in '
        "[targets.gpu]"
    )


def test_no_compiler_although_a_builder_that_has_it_is_named_already(here: Here) -> None:
    """Its image cannot be had, and another stands in for it."""
    found = here.check("12.9", "manylinux_2_28_cuda12_9")
    assert "manylinux_2_28 with CUDA 12.9 cannot be had, and Debian 12 (bookworm)" in found.said
    assert found.hint is not None
    assert found.hint.startswith("for such packages, let the engine reach its registry, or ")
    assert "builder =" not in found.hint


@pytest.mark.parametrize("version", ["12.9", "13.2"])
@pytest.mark.parametrize(("needed", "state"), [(None, "note"), (False, "note"), (True, "fail")])
def test_a_machine_without_the_toolkit_does_unless_something_is_built_with_it(
    here: Here,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    needed: bool | None,
    state: str,
) -> None:
    here.build_on_this_machine(monkeypatch, f"{version[:2]}.10" if version == "12.9" else "13.0")
    if needed is not None:
        here.locked_for(version, cuda=needed)
    found = here.check(version)
    assert (found.state, found.target) == (state, "gpu")
    assert "this machine has" in found.said
    assert "Debian" not in found.said
    assert "use `--engine docker`" in (found.hint or "")


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("12.9", "gpu: this machine has that of CUDA 12.9"),
        ("13.2", "gpu: that of CUDA 13.2 is ready to build with"),
    ],
)
def test_a_machine_that_has_the_toolkit(
    here: Here, monkeypatch: pytest.MonkeyPatch, version: str, said: str
) -> None:
    here.build_on_this_machine(monkeypatch, version)
    found = here.check(version)
    assert (found.state, found.said) == ("ok", said)


def test_the_toolkit_of_a_lock_is_the_one_that_is_used(here: Here) -> None:
    here.locked_for("13.2")
    assert here.check("13.2").said == "gpu: that of CUDA 13.2 is in the store"


def test_a_lock_of_before_has_another_toolkit(here: Here) -> None:
    here.wheel("cuda-toolkit", "13.0.2", "nvidia-cuda-nvcc; extra == 'nvcc'", size=3000)
    here.locked_for("13.2")
    assert here.check("13.0").said == (
        "gpu: that of CUDA 13.0 is on the index: 40 MB in 2 files are to be downloaded once a "
        "package is built with it"
    )


@pytest.mark.parametrize(("version", "states"), [("13.2", []), ("99.0", ["note"])])
def test_a_cuda_that_is_newer_than_all_known_ones(version: str, states: list[str]) -> None:
    found = cuda_checks(replace(target("gpu"), cuda=Cuda(version=Version(version))))
    assert [check.state for check in found] == states
