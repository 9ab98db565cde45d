"""What runs note of images while they find and make them."""

from __future__ import annotations

import io
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from test_images import MemoryStore, place

from wheelhouse.errors import ImageError
from wheelhouse.imagemaker import ImageMaker
from wheelhouse.imagepruning import mark_of
from wheelhouse.imagesteps import Step, base_recipe, root_name

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

FIRST, SECOND = "0123456789ab", "ba9876543210"


class Building(MemoryStore):
    """Says what it does as an engine does; after two steps it fails, if it is told to."""

    fails = False

    def build(self, *arguments: Any, **options: Any) -> Any:
        say = options["on_line"]
        for line in ("Step 1/9 : FROM x", f" ---> {63 * '1'}", "Step 2/9 : ", f" ---> {FIRST}"):
            say(line.replace("2/9 : ", "2/9 : LABEL wheelhouse.image=unfinished"))
        say(f" ---> {SECOND}")
        if self.fails:
            raise ImageError("returned a non-zero code: 1")
        return super().build(*arguments, **options)


@pytest.fixture
def noted() -> list[str]:
    return []


@pytest.fixture
def engine() -> Building:
    return Building()


@pytest.fixture
def maker(engine: Building, noted: list[str], tmp_path: Path) -> ImageMaker:
    return ImageMaker(
        engine,
        lambda pin: tmp_path,
        tmp_path / "locks",
        lambda _: None,
        mirror=None,
        building=lambda _: nullcontext(),
        used=noted.append,
    )


def step(start: str) -> Step:
    files = {"Dockerfile": b"ARG BASE\nFROM ${BASE}\n"}
    return Step(kind="runtime", place=place(), files=files, inputs={"BASE": start})


def test_what_is_found_or_made_is_noted_and_its_steps(
    engine: Building, maker: ImageMaker, noted: list[str]
) -> None:
    wanted = step(engine.add("base").id)
    maker.find(wanted.name, "x86_64")
    assert noted == [], "it is not there"
    maker.make(wanted)
    assert noted == [mark_of(FIRST), mark_of(SECOND), wanted.name]
    noted.clear()
    maker.make(wanted)
    assert noted == [wanted.name]


def test_the_steps_of_what_cannot_be_made_are_noted(
    engine: Building, maker: ImageMaker, noted: list[str]
) -> None:
    engine.fails = True
    with pytest.raises(ImageError, match="returned a non-zero code"):
        maker.make(step(engine.add("base").id))
    assert noted == [mark_of(FIRST), mark_of(SECOND)]


def test_a_start_that_was_removed_meanwhile_is_told(engine: Building, maker: ImageMaker) -> None:
    engine.fails = True
    with pytest.raises(ImageError, match="starts from is gone from the engine") as raised:
        maker.make(step("sha256:" + 64 * "0"))
    assert "again" in str(raised.value.hint)


def test_a_base_is_noted_and_the_one_that_it_replaces(
    maker: ImageMaker, noted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def archive(*_: object, **__: object) -> AbstractContextManager[io.BytesIO]:
        return nullcontext(io.BytesIO(b"packages"))

    monkeypatch.setattr("wheelhouse.imagemaker.root_archive", archive)
    recipe = base_recipe(place())
    name = root_name(place(), "base", recipe)
    first = maker.bootstrap("base", place(), recipe)
    assert noted == [name]
    noted.clear()
    maker.bootstrap("base", place(), recipe, refresh=True)
    assert noted == [name, mark_of(first.id), name]
