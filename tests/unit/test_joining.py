"""What is seen of built wheels once all of a house are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lockfactory import build, built, file, package
from packaging.utils import canonicalize_name

from wheelfactory import FAST, NATIVE, binary, debian12, wheel
from wheelhouse.building.recipe import Recipe
from wheelhouse.errors import CheckError
from wheelhouse.joining import Joining, UndeclaredError, as_built
from wheelhouse.locking.model import AddedRequirement
from wheelhouse.obtain import Obtained
from wheelhouse.plan import Built, Step
from wheelhouse.scheduler import Scheduler

if TYPE_CHECKING:
    from wheelhouse.wheels import Wheel


def test_the_gate_sees_where_a_wheel_was_built_to_look() -> None:
    """Repair takes some of it out, but of those files only that it has something to do for."""
    repaired = wheel(binary(rpath=("$ORIGIN/../demo.libs",)), binary("demo/libown.so"))
    repair = {"search": {FAST: ["/opt/planted"]}}
    built = Built(filename=repaired.filename, sha256="0" * 64, facts={"repair": repair})
    first, second = as_built(repaired, built).binaries
    assert first.search == ("$ORIGIN/../demo.libs", "/opt/planted")
    assert second.search == ()


def linked(**repair: Any) -> Obtained:
    """A built wheel that was linked with what its build requirement geo has."""
    locked = built("demo", build("geo-1.0"))
    assert locked.sdist is not None
    assert locked.build is not None
    recipe = Recipe(
        sdist=locked.sdist,
        image="",
        python="",
        tool_python="",
        tool_path="",
        environment=locked.build.environment,
    )
    told = {"suppliers": {"libgeo.so.1": {"geo": "1.0"}}, **repair}
    return Obtained(
        step=Step(action="build", package=locked, file=locked.sdist, reason="", recipe=recipe),
        wheel=wheel(binary(needed=("libgeo.so.1",))),
        sha256="0" * 64,
        built=Built(filename=NATIVE, sha256="0" * 64, facts={"repair": told}),
    )


def fetched(found: Wheel) -> Obtained:
    locked = package(found.name)
    step = Step(action="fetch", package=locked, file=file(found.filename), reason="")
    return Obtained(step=step, wheel=found, sha256="1" * 64, built=None)


def join(*obtained: Obtained) -> None:
    """Join them, with nothing to build or repair."""
    unwanted: Any = None
    with Scheduler(1) as scheduler:
        Joining(debian12(), unwanted, scheduler, repair=unwanted, build=unwanted, kept={}).join(
            obtained
        )


@pytest.mark.parametrize(
    "repair", [{"unlocated": ["libgeo.so.1"]}, {"grafted": {"libgeo.so.1": []}}]
)
def test_what_its_build_had_is_asked_for(repair: dict[str, Any]) -> None:
    """Whether the builder has it, too, or not."""
    with pytest.raises(UndeclaredError) as caught:
        join(linked(**repair))
    demo = canonicalize_name("demo")
    assert caught.value.added == (
        AddedRequirement(package=demo, requirement="geo", library="libgeo.so.1"),
    )


def test_whose_of_several_it_is_is_asked() -> None:
    both = {"libgeo.so.1": {"geo": "1.0", "plane": "2.0"}}
    with pytest.raises(CheckError) as caught:
        join(linked(unlocated=["libgeo.so.1"], suppliers=both))
    assert caught.value.message == (
        "demo 1.0 is linked with libgeo.so.1, which several of its build requirements have: "
        "geo, plane"
    )
    assert caught.value.hint == (
        "say which one it is to run with, under `[packages.demo] requires`, as "
        '"geo==1.0" or "plane==2.0"; if the distribution\'s library is meant, name that in '
        "`system-libraries` there"
    )


def test_what_its_build_had_and_the_house_has_not_is_refused() -> None:
    other = binary("geo/libgeo.so.2", soname="libgeo.so.2", initializes=False)
    geo = wheel(other, filename="geo-2.0-cp311-cp311-manylinux_2_28_x86_64.whl")
    with pytest.raises(CheckError) as caught:
        join(linked(unlocated=["libgeo.so.1"]), fetched(geo))
    assert caught.value.message == (
        "demo 1.0 is linked with libgeo.so.1 of geo 1.0, with which it was built, and no wheel of "
        "the house has that library as it needs it"
    )
    assert caught.value.fix == '[packages.demo]\nbuild-against = ["geo"]'
