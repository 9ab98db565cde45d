"""Which images of an engine are ours, what they take, and which may go. Pure.

An engine is shared with others, so ours is only what says so twice: by its label, which whatever is
made from it inherits, and by its name, which is not. Of what has no name, no label tells whose it
is, nor does a parent, which is not always known. So ours are the steps that the store has noted by
their IDs while our recipes ran, and the bases that it has noted as replaced.

What another store's runs need is not known here. So what this store has not noted stays, but where
everything is to go.

What an image starts from takes no room of its own. So it stays as long as anything made from it
does: removing it would free nothing, and the rest could not be made again in part.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

#: The label that says what an image is.
KIND = "wheelhouse.image"

#: What it says of one that is still being made.
UNFINISHED = "unfinished"

_NAME = re.compile(r"wheelhouse/(?P<subject>[a-z0-9-]+)-(?P<kind>[a-z]+):[0-9a-f]{12}")
_FROM = re.compile(rb"^FROM .*$", re.MULTILINE)


#: How engines begin the line with a step's ID: Docker's, and Podman's.
_STEP = re.compile(r" *-{2,3}> ([0-9a-f]{12})[0-9a-f]*\s*")


def mark_of(image_id: str) -> str:
    """What stands for an image without a name: as much of its ID as builds print of it."""
    return f"sha256:{image_id.removeprefix('sha256:')[:12]}"


class StepReader:
    """Finds in the output of a build the steps that are ours, which begin with our label."""

    def __init__(self) -> None:
        self._labelled = False

    def mark(self, line: str) -> str | None:
        """The mark of the step that *line*, the next one, says to be done; None if it says none."""
        if f"LABEL {KIND}={UNFINISHED}" in line:
            self._labelled = True
        found = _STEP.fullmatch(line)
        return mark_of(found[1]) if found and self._labelled else None


def unfinished(dockerfile: bytes) -> bytes:
    """*dockerfile* with a label that all steps of its last stage have, until its own come."""
    last = list(_FROM.finditer(dockerfile))[-1]
    label = f"\nLABEL {KIND}={UNFINISHED}".encode()
    return dockerfile[: last.end()] + label + dockerfile[last.end() :]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptImage:
    """An image as an engine tells of it.

    :ivar names: all its tags and digests.
    :ivar parent: the ID of what it was made from in one step; empty if nobody knows.
    :ivar size: the bytes of it and of all that it was made from.
    :ivar made: when it was made or last named, in seconds since 1970; 0 if nobody knows.
    """

    id: str
    names: tuple[str, ...]
    labels: Mapping[str, str]
    parent: str
    size: int
    made: float

    @property
    def kind(self) -> str:
        """What its label says that it is; empty if it has none."""
        return self.labels.get(KIND, "")

    @property
    def preset(self) -> str:
        """The platform that it is for; empty if it does not say so."""
        return self.labels.get("wheelhouse.preset", "")

    @property
    def is_ours(self) -> bool:
        """Whether it is an image that was made to be used, and nobody has given it other names."""
        found = [_NAME.fullmatch(name) for name in self.names]
        return bool(found) and all(match and match["kind"] == self.kind for match in found)

    @property
    def marks(self) -> tuple[str, ...]:
        """What its uses are noted by: its names, or a part of its ID if it has none."""
        return self.names or (mark_of(self.id),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is to go.

    :ivar before: what was last used before may, in seconds since 1970.
    :ivar presets: only images for these platforms; of all, if there are none.
    :ivar needed: the names of images that have to stay.
    :ivar kept: the platforms whose images have to stay.
    :ivar others: whether images with a name may go that this store has not noted: another store's
        runs may need them. Their age may be unknown.
    """

    before: float
    presets: Collection[str] = ()
    needed: Collection[str] = ()
    kept: Collection[str] = ()
    others: bool = False


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """All images of an engine, steps on the way to them too.

    :ivar used: when a run on this store last used or made an image, by its mark, in seconds since
        1970; only what it has noted.
    :ivar busy: the IDs of what containers are made from.
    """

    images: Sequence[KeptImage]
    used: Mapping[str, float] = field(default_factory=dict)
    busy: Collection[str] = ()

    @cached_property
    def _by_id(self) -> dict[str, KeptImage]:
        return {image.id: image for image in self.images}

    @cached_property
    def _children(self) -> dict[str, list[KeptImage]]:
        found = defaultdict(list)
        for image in self.images:
            found[image.parent].append(image)
        return found

    @property
    def ours(self) -> list[KeptImage]:
        """The images that were made to be used, by name."""
        found = (image for image in self.images if image.is_ours)
        return sorted(found, key=lambda image: image.names)

    @property
    def leftovers(self) -> list[KeptImage]:
        """What was not finished, or was replaced, and what nothing is made from."""
        return [
            each for each in self.images if self._is_leftover(each) and not self._children[each.id]
        ]

    def _is_leftover(self, image: KeptImage) -> bool:
        return not image.names and bool(image.kind) and mark_of(image.id) in self.used

    def last_use(self, image: KeptImage) -> float:
        """When *image* was last used, or made, in seconds since 1970; 0 if nobody knows."""
        return max(image.made, *(self.used.get(mark, 0.0) for mark in image.marks))

    def start(self, image: KeptImage) -> KeptImage | None:
        """The nearest image with a name that *image* was made from, if the engine tells."""
        return next((each for each in self._line(image) if each.names), None)

    def _line(self, image: KeptImage) -> Iterator[KeptImage]:
        """What *image* was made from, the nearest first."""
        while (above := self._by_id.get(image.parent)) is not None:
            yield above
            image = above

    def own_size(self, image: KeptImage) -> int:
        """The bytes that *image* takes beyond what it was made from; all, if that is not known."""
        above = self._by_id.get(image.parent)
        return image.size - (above.size if above else 0)

    def knows_sizes(self, images: Iterable[KeptImage]) -> bool:
        """Whether the engine tells what each of *images* was made from, but those from nothing.

        Some do not, nor do any of what was loaded from an archive.
        """
        return all(
            image.parent in self._by_id or image.labels.get("wheelhouse.origin") == "bootstrap"
            for image in images
        )

    def with_steps(self) -> list[KeptImage]:
        """Ours, the leftovers, and the steps on the way to both."""
        found = {each.id: each for each in (*self.ours, *self.leftovers)}
        for image in list(found.values()):
            found |= {each.id: each for each in self._line(image) if not each.names}
        return list(found.values())

    def removable(self, wish: Wish) -> list[KeptImage]:
        """What may go by *wish*, each before what it was made from; steps on the way, too."""
        gone: set[str] = set()
        deepest_first = sorted(self.images, key=lambda each: -len(list(self._line(each))))
        for image in deepest_first:
            below = self._children[image.id]
            alone = all(child.id in gone for child in below)
            if alone and image.id not in self.busy and self._may_go(image, wish, below):
                gone.add(image.id)
        return [image for image in deepest_first if image.id in gone]

    def _may_go(self, image: KeptImage, wish: Wish, below: Sequence[KeptImage]) -> bool:
        """Whether *image* may go, if all that is *below* it does: what was made from it."""
        if below and _is_step(image, below):
            return True
        if image.preset in wish.kept or (wish.presets and image.preset not in wish.presets):
            return False
        if self._is_leftover(image):
            return self.last_use(image) < wish.before
        if not image.is_ours or self._is_needed(image, wish.needed):
            return False
        noted = any(name in self.used for name in image.names)
        return (noted or wish.others) and self.last_use(image) < wish.before

    def _is_needed(self, image: KeptImage, needed: Collection[str]) -> bool:
        """Whether *image* has to stay. What no lock tells of is, where what it starts from is.

        Where the engine does not tell that, it is where anything of its platform is.
        """
        if any(name in needed for name in image.names):
            return True
        if image.kind not in {"index", "cibuildwheel"}:
            return False
        start = self.start(image)
        near = [start] if start else [each for each in self.ours if each.preset == image.preset]
        return any(name in needed for each in near for name in each.names)


def _is_step(image: KeptImage, below: Sequence[KeptImage]) -> bool:
    """Whether *image* is a step of ours on the way to what is *below* it.

    The first step of ours is unfinished, whatever it was made from; the last ones say already what
    the image is, as one label after the other is put on it.
    """
    alike = all(each.kind == image.kind for each in below)
    return not image.names and bool(image.kind) and (image.kind == UNFINISHED or alike)


def total(shelf: Shelf, images: Iterable[KeptImage]) -> int:
    """The bytes that are free when all of *images* are gone and nothing else is."""
    return sum(shelf.own_size(image) for image in images)
