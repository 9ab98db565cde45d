"""Which images may go, told from facts; and that no run loses one."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from wheelhouse.imageclearing import Cleared, clear
from wheelhouse.imagepruning import KIND, KeptImage, Shelf, Wish, total, unfinished
from wheelhouse.imageuses import MAKING, ImageUses
from wheelhouse.locks import locked
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


def ids(found: Sequence[KeptImage]) -> list[str]:
    return [each.id for each in found]


def test_images_go_before_what_they_were_made_from_and_nothing_foreign_does() -> None:
    shelf = Shelf(images=CHAIN)
    found = shelf.removable(ALL)
    assert ids(found) == ["builder", "toolchain", "b", "runtime", "a"]
    assert total(shelf, found) == 200


def test_what_anything_that_stays_was_made_from_stays() -> None:
    system = image("system", "builder", size=350, made=200)
    shelf = Shelf(images=(*CHAIN, system))
    assert shelf.removable(ALL) == []
    theirs = KeptImage(id="x", names=("mine:1",), labels={}, parent="toolchain", size=9, made=1)
    assert ids(Shelf(images=(*CHAIN, theirs)).removable(ALL)) == ["builder"]


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
    shelf = Shelf(images=(image("builder"), image("system", "builder")), used=used, busy=busy)
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
    assert shelf.removable(Wish(before=100, ageless=True)) == []


def test_leftovers_are_what_our_recipes_left_unfinished() -> None:
    theirs = KeptImage(id="x", names=(), labels={KIND: "runtime"}, parent="r", size=1, made=1)
    replaced = image("base", called=[], origin="bootstrap", made=0)
    young = step("young", "", made=100)
    shelf = Shelf(images=(theirs, replaced, young, step("old", "theirs"), step("older", "old")))
    assert ids(shelf.leftovers) == ["base", "young", "older"]
    assert sorted(ids(shelf.removable(ALL))) == ["base", "old", "older"]


def test_an_image_of_which_nobody_knows_the_age_stays_unless_it_is_asked_for() -> None:
    shelf = Shelf(images=(image("base", made=0, origin="bootstrap"),))
    assert shelf.removable(ALL) == []
    assert ids(shelf.removable(Wish(before=100, ageless=True))) == ["base"]


@pytest.mark.parametrize("kind", ["index", "cibuildwheel"])
def test_what_no_lock_tells_of_is_needed_with_what_it_starts_from(kind: str) -> None:
    shelf = Shelf(images=(image("base"), step("s", "base"), image(kind, "s"), image("system")))
    wish = Wish(before=100, needed=[f"wheelhouse/p-base:{HASH}"])
    assert ids(shelf.removable(wish)) == ["system"]


def test_the_label_of_what_is_unfinished_is_the_first_of_the_last_stage() -> None:
    text = b"ARG A\nFROM ${B} AS box\nFROM ${A}\nARG P\nRUN make # FROM here\n"
    assert unfinished(text) == (
        b"ARG A\nFROM ${B} AS box\nFROM ${A}\nLABEL wheelhouse.image=unfinished\n"
        b"ARG P\nRUN make # FROM here\n"
    )


# --- with runs at work ------------------------------------------------------------------------


class Engine:
    """Has the images that it was given, and removes them as an engine does."""

    def __init__(self, *images: KeptImage) -> None:
        self.held = {each.id: each for each in images}
        self.refuses: dict[str, str] = {}

    def images(self) -> list[KeptImage]:
        return list(self.held.values())

    def remove(self, reference: str) -> str:
        if why := self.refuses.get(reference):
            return why
        for each in self.images():
            if each.id == reference or reference in each.names:
                del self.held[each.id]
        return ""

    def has(self, name: str) -> bool:
        return any(name in each.names for each in self.images())


OLD = image("builder")
NAME = OLD.names[0]


def cleared(engine: Engine, uses: ImageUses, *, before: float = 100) -> Cleared:
    shelf = Shelf(images=engine.images())
    return clear(shelf.removable(Wish(before=before)), shelf, engine, uses, before)


def test_what_an_engine_refuses_stays_and_is_told(tmp_path: Path) -> None:
    engine = Engine(OLD, image("runtime"))
    engine.refuses[NAME] = "a container uses it"
    found = cleared(engine, ImageUses(Store(tmp_path)))
    assert found.kept == {NAME: "a container uses it"}
    assert ids(found.gone) == ["runtime"]


def test_what_a_run_has_used_since_it_was_chosen_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    engine, uses = Engine(OLD), ImageUses(store)
    with uses.using(NAME):
        pass
    assert cleared(engine, uses).kept == {NAME: "a run has just used it"}
    assert engine.has(NAME)


def test_a_use_is_remembered_and_renewed(tmp_path: Path) -> None:
    uses = ImageUses(Store(tmp_path))
    assert uses.last(NAME) == 0
    with uses.using(NAME):
        pass
    first = uses.last(NAME)
    assert first > 0
    record = next((tmp_path / "records").glob("image/*.json"))
    os.utime(record, (1, 1))
    with ImageUses(Store(tmp_path)).using(NAME):
        pass
    assert uses.last(NAME) >= first
    with uses.using("debian:12-slim"):
        pass
    assert uses.last("debian:12-slim") == 0


def test_who_asks_for_an_image_that_is_being_removed_is_told_that_it_is_gone(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    engine, uses = Engine(OLD), ImageUses(store)
    told: list[bool] = []

    def ask() -> None:
        with ImageUses(Store(tmp_path)).using(NAME):
            told.append(engine.has(NAME))

    asking = threading.Thread(target=ask)
    remove = engine.remove

    def meanwhile(reference: str) -> str:
        asking.start()
        asking.join(0.2)  # as long as it would take, if it did not wait
        return remove(reference)

    engine.remove = meanwhile  # type: ignore[method-assign]
    assert ids(cleared(engine, uses).gone) == ["builder"]
    asking.join()
    assert told == [False]


def test_leftovers_stay_while_an_image_is_being_made(tmp_path: Path) -> None:
    uses = ImageUses(Store(tmp_path))
    engine = Engine(step("left", ""))
    with locked(tmp_path / "locks" / MAKING, shared=True):
        assert cleared(engine, uses).gone == ()
    assert ids(cleared(engine, uses).gone) == ["left"]


def test_uses_of_images_that_are_no_more_are_forgotten(tmp_path: Path) -> None:
    uses = ImageUses(Store(tmp_path))
    other = f"wheelhouse/p-system:{HASH}"
    for name in (NAME, other):
        with uses.using(name):
            pass
    uses.forget(10, set())
    assert uses.last(NAME)
    uses.forget(uses.last(other) + 1, {NAME})
    assert uses.last(NAME)
    assert not uses.last(other)
