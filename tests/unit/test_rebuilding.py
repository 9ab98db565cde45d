"""What is otherwise when wheels are built again, and what they are compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lockingfactory import locked
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.building.recipe import Recipe
from wheelhouse.engine import ContainerSpec, Limits
from wheelhouse.errors import CheckError, StorageError
from wheelhouse.locking.model import LockedPackage
from wheelhouse.manifest import BuiltStory, ImageFacts, WheelFacts
from wheelhouse.plan import Built, Step
from wheelhouse.rebuilding.originals import Original, Originals
from wheelhouse.rebuilding.variation import ALL, Variation, varied
from wheelhouse.store import Store, sha256_of

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = "demo-1.0-py3-none-any.whl"
KEY = "k" * 64

# -- what is otherwise -----------------------------------------------------------------------------


def usual(cpus: float = 2.0) -> ContainerSpec:
    return ContainerSpec(
        image="sha256:1",
        argv=("python", "-c", "pass"),
        purpose="build demo",
        limits=Limits(cpus=cpus),
        environment={"WHEELHOUSE_CPUS": "2"},
    )


def test_everything_that_a_container_can_have_otherwise_is() -> None:
    spec, before = Variation().spec(usual()), usual()
    assert spec.user != before.user
    assert spec.hostname != before.hostname
    assert {"TZ", "LANG", "LC_ALL"} <= spec.environment.keys()
    assert "umask" in " ".join(spec.argv)
    assert spec.argv[-3:] == before.argv
    assert spec.environment["WHEELHOUSE_CPUS"] == "1"
    assert spec.processors == "0"


def test_what_it_may_use_stays_the_same() -> None:
    assert Variation().spec(usual()).limits == usual().limits


def test_where_there_is_one_cpu_two_are_told() -> None:
    spec = Variation().spec(usual(1.0))
    assert spec.environment["WHEELHOUSE_CPUS"] == "2"
    assert spec.processors == ""
    assert Variation().parameters(1.0) == {"ahead": 400 * 24 * 3600, "cpus": 2}


def test_what_was_otherwise_is_told_as_it_was() -> None:
    assert varied("docker", ("clock", "CPU count")) == (*ALL[:5], "clock", "CPU count")
    assert varied("local", ()) == ("time zone", "locale", "umask")


# -- what it is compared with ----------------------------------------------------------------------


def step(built: Built | None = None) -> Step:
    sdist = locked("demo-1.0.tar.gz")
    package = LockedPackage(
        name=canonicalize_name("demo"), version=Version("1.0"), sdist=sdist, required_by=()
    )
    recipe = Recipe(sdist=sdist, image="i", python="p", tool_python="t", tool_path="t")
    return Step(
        action="build",
        package=package,
        file=sdist,
        reason="",
        recipe=recipe,
        key=KEY,
        built=built,
    )


def facts(sha256: str, version: str = "1.0", key: str = KEY) -> WheelFacts:
    image = ImageFacts(id="i", name="builder")
    story = BuiltStory(sdist_url="u", sdist_sha256="s", image=image, cache_key=key)
    return WheelFacts(
        filename=WHEEL,
        name="demo",
        version=version,
        sha256=sha256,
        size=5,
        tags=("py3-none-any",),
        story=story,
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def built(store: Store) -> Built:
    sha256 = store.add([b"a wheel of the store"])
    return Built(filename=WHEEL, sha256=sha256, facts={"seconds": {"build": 2.0, "repair": 1.0}})


def originals(store: Store, *wheels: WheelFacts) -> Originals:
    folder = store.root / "wheels"
    return Originals(
        target="web", store=store, folder=folder, house={each.name: each for each in wheels}
    )


def test_it_is_compared_with_what_the_wheelhouse_has(store: Store, built: Built) -> None:
    ((_, found),) = originals(store, facts("a" * 64)).pairs([step(built)])
    assert (found.place, found.sha256, found.same_inputs) == ("wheelhouse", "a" * 64, True)
    assert found.seconds == 3.0


def test_a_wheelhouse_of_another_image_is_told_as_such(store: Store) -> None:
    ((_, found),) = originals(store, facts("a" * 64, key="o" * 64)).pairs([step()])
    assert not found.same_inputs


@pytest.mark.parametrize("wheels", [[], [facts("a" * 64, version="0.9")]])
def test_else_with_what_the_store_has(store: Store, built: Built, wheels: list[WheelFacts]) -> None:
    ((_, found),) = originals(store, *wheels).pairs([step(built)])
    assert (found.place, found.sha256) == ("store", built.sha256)


def test_what_only_serves_builds_is_compared_with_the_store(store: Store, built: Built) -> None:
    tool, other = step(built), replace(step(), key="o" * 64)
    assert tool.recipe is not None
    user = replace(step(), recipe=replace(tool.recipe, built=(tool, other)))
    ((found, original),) = originals(store, facts("a" * 64)).tools([user, user])
    assert found is tool
    assert (original.sha256, original.tool) == (built.sha256, True)


def test_what_was_never_built_is_told_with_what_to_do(store: Store) -> None:
    gone = Built(filename=WHEEL, sha256="f" * 64, facts={"seconds": {}})
    with pytest.raises(StorageError, match=r"1 wheel of web was never built: demo 1\.0") as caught:
        originals(store).pairs([step(gone)])
    assert caught.value.hint == "first run `wheelhouse build --target web`"


def test_a_wheel_that_was_changed_is_no_original(store: Store, tmp_path: Path) -> None:
    path = tmp_path / WHEEL
    path.write_bytes(b"a wheel")
    original = Original(path=path, filename=WHEEL, sha256=sha256_of(path), place="wheelhouse")
    assert original.copied(tmp_path / "copy").read_bytes() == b"a wheel"
    path.write_bytes(b"a wheeL")
    with pytest.raises(CheckError, match="was changed since it was built"):
        original.copied(tmp_path / "another")
