"""Which images may go, told from facts; and that no run loses one."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from wheelhouse.imageclearing import clear
from wheelhouse.imagepruning import (
    KIND,
    KeptImage,
    Shelf,
    StepReader,
    Wish,
    mark_of,
    total,
    unfinished,
)
from wheelhouse.imageuses import ImageUses
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HASH = "0123456789ab"


def image(
    kind: str,
    parent: str = "",
    *,
    size: int = 0,
    made: float = 10,
    called: Sequence[str] | None = None,
    preset: str = "p",
    origin: str = "derived",
) -> KeptImage:
    """An image of ours, whose ID is its kind."""
    names = [f"wheelhouse/p-{kind}:{HASH}"] if called is None else called
    labels = {KIND: kind, "wheelhouse.preset": preset, "wheelhouse.origin": origin}
    return KeptImage(
        id=kind, names=tuple(names), labels=labels, parent=parent, size=size, made=made
    )


def step(name: str, parent: str, *, size: int = 0, made: float = 10) -> KeptImage:
    """What came of an image's recipe on the way, or before it was stopped."""
    labels = {KIND: "unfinished", "wheelhouse.preset": "p"}
    return KeptImage(id=name, names=(), labels=labels, parent=parent, size=size, made=made)


FOREIGN = KeptImage(id="debian", names=("debian:12",), labels={}, parent="", size=100, made=1)
CHAIN = (
    FOREIGN,
    step("a", "debian", size=100),
    image("runtime", "a", size=130),
    step("b", "runtime", size=200),
    image("toolchain", "b", size=230),
    image("builder", "toolchain", size=300),
)
ALL = Wish(before=100)
EVERYTHING = Wish(before=100, others=True)


def noted(*images: KeptImage) -> dict[str, float]:
    """That a run on this store used them all, long ago."""
    return {name: 5.0 for image in images for name in image.names}


def ids(found: Sequence[KeptImage]) -> list[str]:
    return [each.id for each in found]


def test_images_go_before_what_they_were_made_from_and_nothing_foreign_does() -> None:
    shelf = Shelf(images=CHAIN, used=noted(*CHAIN))
    found = shelf.removable(ALL)
    assert ids(found) == ["builder", "toolchain", "b", "runtime", "a"]
    assert total(shelf, found) == 200


def test_what_anything_that_stays_was_made_from_stays() -> None:
    system = image("system", "builder", size=350, made=200)
    shelf = Shelf(images=(*CHAIN, system), used=noted(*CHAIN, system))
    assert shelf.removable(ALL) == []
    theirs = KeptImage(id="x", names=("mine:1",), labels={}, parent="toolchain", size=9, made=1)
    shelf = Shelf(images=(*CHAIN, theirs), used=noted(*CHAIN))
    assert ids(shelf.removable(ALL)) == ["builder"]


@pytest.mark.parametrize(
    ("wish", "used", "busy", "gone"),
    [
        (Wish(before=10), {}, (), []),
        (Wish(before=11), {}, (), ["system", "builder"]),
        (Wish(before=100), {f"wheelhouse/p-system:{HASH}": 100}, (), []),
        (Wish(before=100), {f"wheelhouse/p-builder:{HASH}": 100}, (), ["system"]),
        (Wish(before=100, needed=[f"wheelhouse/p-builder:{HASH}"]), {}, (), ["system"]),
        (Wish(before=100), {}, {"system"}, []),
        (Wish(before=100), {}, {"builder"}, ["system"]),
        (Wish(before=100, presets=["q"]), {}, (), []),
        (Wish(before=100, presets=["p", "q"]), {}, (), ["system", "builder"]),
    ],
)
def test_what_is_young_used_needed_or_busy_stays(
    wish: Wish, used: dict[str, float], busy: Sequence[str], gone: list[str]
) -> None:
    images = (image("builder"), image("system", "builder"))
    shelf = Shelf(images=images, used=noted(*images) | used, busy=busy)
    assert ids(shelf.removable(wish)) == gone


@pytest.mark.parametrize(
    "names",
    [
        ["mine:latest"],
        [f"wheelhouse/p-builder:{HASH}", "mine:latest"],
        [f"wheelhouse/p-runtime:{HASH}"],
        [f"registry.example/wheelhouse/p-builder:{HASH}"],
        ["wheelhouse/p-builder:latest"],
    ],
)
def test_what_was_made_from_ours_or_was_given_another_name_is_not_ours(names: list[str]) -> None:
    shelf = Shelf(images=(image("builder", called=names),))
    assert shelf.ours == []
    assert shelf.removable(EVERYTHING) == []


def test_leftovers_are_what_this_store_has_noted_as_unfinished_or_replaced() -> None:
    """Whatever is made from an image inherits its labels; a parent is not always known."""
    ours = (
        image("base", called=[], origin="bootstrap", made=0),
        step("young", "", made=100),
        step("old", "runtime"),
        step("older", "old"),
    )
    theirs = (
        step("from a step of ours", ""),
        step("from a step of ours, too", "older"),
        image("from a base of ours", called=[], origin="bootstrap"),
        KeptImage(id="runtime", names=(), labels={}, parent="", size=1, made=1),
    )
    used = {mark_of(each.id): 20.0 for each in (*ours, theirs[-1])}
    shelf = Shelf(images=(*ours, *theirs[:1], *theirs[2:]), used=used)
    assert ids(shelf.leftovers) == ["base", "young", "older"]
    assert sorted(ids(shelf.removable(ALL))) == ["base", "old", "older"]
    assert ids(Shelf(images=(*ours, *theirs), used=used).removable(ALL)) == ["base"]
    assert Shelf(images=(*ours, *theirs)).removable(EVERYTHING) == []


def test_what_this_store_has_not_noted_stays_unless_everything_is_to_go() -> None:
    """Runs on another store may be about it, and nobody may know how old it is."""
    shelf = Shelf(images=(image("base", made=0, origin="bootstrap"), image("index")))
    assert shelf.removable(ALL) == []
    assert sorted(ids(shelf.removable(EVERYTHING))) == ["base", "index"]
    noted = replace(shelf, used={f"wheelhouse/p-base:{HASH}": 50})
    assert ids(noted.removable(ALL)) == ["base"]


@pytest.mark.parametrize("kind", ["", "runtime"])
def test_steps_on_the_way_to_what_goes_do_so_and_nothing_below_them(kind: str) -> None:
    """A start that somebody else has made, maybe from ours, and whose name another has by now."""
    theirs = KeptImage(id="x", names=(), labels={KIND: kind}, parent="", size=100, made=1)
    labelled = replace(image("runtime", "a", called=[]), id="b")
    shelf = Shelf(images=(theirs, step("a", "x"), labelled, image("runtime", "b")))
    assert ids(shelf.removable(EVERYTHING)) == ["runtime", "b", "a"]


def test_all_for_a_platform_stays_if_what_is_needed_is_not_known() -> None:
    shelf = Shelf(images=(image("base"), image("builder", preset="q")))
    wish = Wish(before=100, kept=["p"], others=True)
    assert ids(shelf.removable(wish)) == ["builder"]


@pytest.mark.parametrize("kind", ["index", "cibuildwheel"])
def test_what_no_lock_tells_of_is_needed_with_what_it_starts_from(kind: str) -> None:
    shelf = Shelf(images=(image("base"), step("s", "base"), image(kind, "s"), image("system")))
    wish = Wish(before=100, needed=[f"wheelhouse/p-base:{HASH}"], others=True)
    assert ids(shelf.removable(wish)) == ["system"]
    untold = Shelf(images=[replace(each, parent="") for each in shelf.images if each.names])
    assert ids(untold.removable(wish)) == ["system"], "no parent is known"


def test_sizes_are_known_where_the_engine_tells_what_an_image_was_made_from() -> None:
    shelf = Shelf(images=CHAIN)
    assert shelf.knows_sizes(CHAIN[1:])
    assert shelf.knows_sizes([image("base", origin="bootstrap")])
    assert not shelf.knows_sizes([image("builder", "gone")])


def test_the_label_of_what_is_unfinished_is_the_first_of_the_last_stage() -> None:
    text = b"ARG A\nFROM ${B} AS box\nFROM ${A}\nARG P\nRUN make # FROM here\n"
    assert unfinished(text) == (
        b"ARG A\nFROM ${B} AS box\nFROM ${A}\nLABEL wheelhouse.image=unfinished\n"
        b"ARG P\nRUN make # FROM here\n"
    )


@pytest.mark.parametrize(
    ("label", "arrow"),
    [
        ("Step 2/4 : LABEL wheelhouse.image=unfinished", " ---> "),
        ("STEP 2/4: LABEL wheelhouse.image=unfinished", "--> "),
    ],
)
def test_steps_of_ours_begin_with_our_label(label: str, arrow: str) -> None:
    reader = StepReader()
    start, first = "0123456789ab", "ba9876543210"
    lines = [f"{arrow}{start}", label, f"{arrow}Running in {start}", f"{arrow}{first}", "done"]
    assert [reader.mark(each) for each in lines] == [None, None, None, f"sha256:{first}", None]
    assert mark_of(f"sha256:{first}{52 * '0'}") == f"sha256:{first}"


# --- with an engine, and a store ---------------------------------------------------------------


class Engine:
    """Has the images that it was given, and removes them as an engine does."""

    def __init__(self, *images: KeptImage) -> None:
        self.held = {each.id: each for each in images}
        self.refuses: dict[str, str] = {}

    def images(self) -> list[KeptImage]:
        return list(self.held.values())

    def remove(self, image: KeptImage, name: str | None) -> str:
        if why := self.refuses.get(name or image.id):
            return why
        left = tuple(each for each in self.held[image.id].names if each != name)
        self.held[image.id] = replace(image, names=left)
        if not left:
            del self.held[image.id]
        return ""


NAME = f"wheelhouse/p-builder:{HASH}"


def test_what_an_engine_refuses_stays_and_is_told() -> None:
    chosen = [image("builder"), image("runtime"), step("left", "")]
    engine = Engine(*chosen, FOREIGN)
    engine.refuses[NAME] = "a container uses it"
    found = clear(chosen, engine)
    assert found.kept == {NAME: "a container uses it"}
    assert ids(found.gone) == ["runtime", "left"]
    assert ids(engine.images()) == ["builder", "debian"]


def test_a_use_is_remembered_and_renewed_by_the_next_run(tmp_path: Path) -> None:
    uses = ImageUses(Store(tmp_path))
    assert uses.last(NAME) == 0
    uses.note(NAME)
    record = next((tmp_path / "records").glob("image/*.json"))
    os.utime(record, (1, 1))
    uses.note(NAME)
    assert uses.last(NAME) == 1, "a run notes it once"
    ImageUses(Store(tmp_path)).note(NAME)
    assert uses.last(NAME) > 1


@pytest.mark.parametrize("foreign", ["debian:12-slim", "mine", "sha256:" + 64 * "0"])
def test_what_is_not_ours_is_not_noted(tmp_path: Path, foreign: str) -> None:
    uses = ImageUses(Store(tmp_path))
    uses.note(foreign)
    assert uses.last(foreign) == 0


def test_uses_of_images_that_are_no_more_are_forgotten(tmp_path: Path) -> None:
    uses = ImageUses(Store(tmp_path))
    other = mark_of("0123456789abcdef")
    for mark in (NAME, other):
        uses.note(mark)
    uses.forget(10, set())
    assert uses.last(NAME)
    uses.forget(uses.last(other) + 1, {NAME})
    assert uses.last(NAME)
    assert not uses.last(other)
