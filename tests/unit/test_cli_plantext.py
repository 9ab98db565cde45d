"""A plan for people and for programs: what is built first, and what failures have taught."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from lockingfactory import images, interpreter, locked, project, sha, target
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.building.durations import Pace
from wheelhouse.cli.plantext import plan_lines  # noqa: TID251  (it is what is tested)
from wheelhouse.engine import Image
from wheelhouse.locking.model import (
    NOTHING_MORE,
    BuildRequirement,
    Lock,
    LockedBuild,
    LockedPackage,
    Provision,
)
from wheelhouse.plan import Built, Circumstances, Planned, plan_target
from wheelhouse.reporting.lines import to_text
from wheelhouse.store import Store
from wheelhouse.weighing import Load
from wheelhouse.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


TOOL = "a build requirement that has no wheel for the builder"

LEARNED = Provision(
    system={"debian12": ("libpq-dev",), "debian13": ("libother-dev",)},
    constraints=("setuptools<82",),
    before=datetime(2021, 1, 20, 8, 30, tzinfo=UTC),
)


def sdist_build(*environment: BuildRequirement, provision: Provision = NOTHING_MORE) -> LockedBuild:
    return LockedBuild(
        static=("ninja",),
        dynamic=(),
        environment=environment,
        system=("zlib1g-dev",),
        provision=provision,
    )


def requirement(name: str, *environment: BuildRequirement) -> BuildRequirement:
    """A build requirement that has no wheel."""
    return BuildRequirement(
        name=canonicalize_name(name),
        version=Version("2.0"),
        file=locked(f"{name}-2.0.tar.gz"),
        build=LockedBuild(static=(), dynamic=(), environment=environment),
    )


def package(name: str, build: LockedBuild | None) -> LockedPackage:
    return LockedPackage(
        name=canonicalize_name(name),
        version=Version("1.0"),
        wheels=() if build else (locked(f"{name}-1.0-py3-none-any.whl"),),
        sdist=locked(f"{name}-1.0.tar.gz"),
        required_by=("requirements.txt:1",),
        build=build,
    )


def planned(
    folder: Path,
    *packages: LockedPackage,
    known: Callable[[str], Built | None] = lambda key: None,
) -> Planned:
    lock = Lock(
        target="web",
        inputs="digest",
        python="3.11.2",
        environment=dict(interpreter().environment),
        packages=packages,
    )
    here = Circumstances(
        target=target(),
        interpreter=interpreter(),
        images=images(),
        builder=lambda _, names, __: Image(id="+".join(names), name="builder", origin="derived"),
        for_cibuildwheel=lambda _, __, folder, ___: Image(id=folder, name="x", origin="derived"),
        known=known,
        last=lambda name, version: None,
        versions={},
        cibuildwheel=lambda: "4",
        pace=Pace(store=Store(folder / "store"), emulated=False),
    )
    return Planned(
        target=target(),
        images=images(),
        interpreter=interpreter(),
        lock=lock,
        plan=plan_target(lock, project(folder), here),
    )


def text(plan: Planned) -> str:
    """The plan for a person, of files that nobody has weighed."""
    load = Load(weights=Weights(files=()), rooms=())
    return "\n".join(map(to_text, plan_lines(plan, load)))


def test_what_was_learned_is_told_below_what_is_asked_for(tmp_path: Path) -> None:
    plan = planned(tmp_path, package("demo", sdist_build(provision=LEARNED)), package("pure", None))
    assert text(plan).splitlines() == [
        "web: 2 packages (1 to build, 1 to fetch)",
        "  build   demo 1.0  demo-1.0.tar.gz",
        "          no wheel on the index fits the target; with zlib1g-dev",
        (
            "          learned from failures: libpq-dev; build requirements of before 2021-01-20; "
            "with setuptools<82"
        ),
        "  fetch   pure 1.0  pure-1.0-py3-none-any.whl",
        "          its wheel fits everywhere",
    ]


def test_what_a_wheel_would_have_needed_is_not_told(tmp_path: Path) -> None:
    fetched = package("pure", None)
    assert "learned" not in text(planned(tmp_path, fetched))


def test_build_requirements_without_a_wheel_come_first(tmp_path: Path) -> None:
    cmake = requirement("cmake")
    build = sdist_build(requirement("ninja", cmake))
    plan = planned(tmp_path, package("demo", build))
    assert [str(step.package) for step in plan.plan.first] == ["cmake 2.0", "ninja 2.0"]
    assert text(plan).splitlines() == [
        "web: 1 package (1 to build; first 2 build requirements without a wheel)",
        "  build   cmake 2.0  cmake-2.0.tar.gz",
        f"          {TOOL}; needed by the build of ninja",
        "  build   ninja 2.0  ninja-2.0.tar.gz",
        f"          {TOOL}; needed by the build of demo",
        "  build   demo 1.0   demo-1.0.tar.gz",
        "          no wheel on the index fits the target; with zlib1g-dev",
    ]


def test_nothing_comes_before_what_is_there_already(tmp_path: Path) -> None:
    done = Built(filename="demo-1.0-py3-none-any.whl", sha256=sha("x"), facts={})
    build = sdist_build(requirement("ninja"))
    plan = planned(tmp_path, package("demo", build), known=lambda key: done)
    assert text(plan).splitlines()[0] == "web: 1 package (1 to reuse)"


@pytest.mark.parametrize("provision", [LEARNED, NOTHING_MORE], ids=["learned", "nothing more"])
def test_for_programs_it_is_as_in_the_lock(tmp_path: Path, provision: Provision) -> None:
    plan = planned(
        tmp_path, package("demo", sdist_build(provision=provision)), package("pure", None)
    )
    demo, pure = json.loads(json.dumps([step.to_dict() for step in plan.plan.steps]))
    expected = {
        "system": {"debian12": ["libpq-dev"], "debian13": ["libother-dev"]},
        "constraints": ["setuptools<82"],
        "before": "2021-01-20T08:30:00+00:00",
    }
    assert demo["provision"] == (expected if provision == LEARNED else {})
    present = {"libpq-dev"} if provision == LEARNED else set()
    assert set(demo["system"]) == {"zlib1g-dev", *present}
    assert (pure["provision"], pure["system"]) == ({}, [])
