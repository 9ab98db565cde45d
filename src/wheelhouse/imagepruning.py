"""Which images of an engine are ours, what they take, and which may go. Pure.

An engine is shared with others, so ours is only what says so twice: by its label, which whatever is
made from it inherits, and by its name, which is not. What has no name is a step on the way to an
image whose making was stopped; our recipes label these as ``unfinished`` from their first step on.

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
    def is_leftover(self) -> bool:
        """Whether it is of an image whose making was stopped, or a base that another replaced."""
        if self.names:
            return False
        replaced = self.labels.get("wheelhouse.origin") == "bootstrap" and not self.parent
        return self.kind == UNFINISHED or replaced


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is to go.

    :ivar before: what was last used before may, in seconds since 1970.
    :ivar presets: only images for these platforms; of all, if there are none.
    :ivar needed: the names of images that have to stay.
    :ivar ageless: whether images may go of which nobody knows when they were made.
    """

    before: float
    presets: Collection[str] = ()
    needed: Collection[str] = ()
    ageless: bool = False


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """All images of an engine, steps on the way to them too.

    :ivar used: when a run last used an image, by its name, in seconds since 1970.
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
        """What is left of images that were not finished, and that nothing is made from."""
        return [each for each in self.images if each.is_leftover and not self._children[each.id]]

    def last_use(self, image: KeptImage) -> float:
        """When *image* was last used, or made, in seconds since 1970; 0 if nobody knows."""
        return max(image.made, *(self.used.get(name, 0.0) for name in image.names))

    def start(self, image: KeptImage) -> KeptImage | None:
        """The nearest image with a name that *image* was made from, if the engine tells."""
        return next((each for each in self._line(image) if each.names), None)

    def _line(self, image: KeptImage) -> Iterator[KeptImage]:
        """What *image* was made from, the nearest first."""
        while (above := self._by_id.get(image.parent)) is not None:
            yield above
            image = above

    def own_size(self, image: KeptImage) -> int:
        """The bytes that *image* takes beyond what it was made from."""
        above = self._by_id.get(image.parent)
        return image.size - (above.size if above else 0)

    @property
    def size(self) -> int:
        """The bytes that ours, the leftovers, and the steps on the way to both take."""
        found = {each.id: each for each in (*self.ours, *self.leftovers)}
        for image in list(found.values()):
            found |= {each.id: each for each in self._line(image) if not each.names}
        return total(self, found.values())

    def removable(self, wish: Wish) -> list[KeptImage]:
        """What may go by *wish*, each before what it was made from.

        Steps that go by themselves are among it.
        """
        gone: set[str] = set()
        deepest_first = sorted(self.images, key=lambda each: -len(list(self._line(each))))
        for image in deepest_first:
            below = self._children[image.id]
            alone = all(child.id in gone for child in below)
            if alone and image.id not in self.busy and self._may_go(image, wish, bool(below)):
                gone.add(image.id)
        return [image for image in deepest_first if image.id in gone]

    def _may_go(self, image: KeptImage, wish: Wish, is_step: bool) -> bool:
        if not image.names and is_step:
            return True  # of what goes, and of nothing else
        if wish.presets and image.preset not in wish.presets:
            return False
        if image.is_leftover:
            return image.made < wish.before
        if not image.is_ours or self._is_needed(image, wish.needed):
            return False
        last = self.last_use(image)
        return last < wish.before if last else wish.ageless

    def _is_needed(self, image: KeptImage, needed: Collection[str]) -> bool:
        """Whether *image* has to stay. What no lock tells of is, where what it starts from is."""
        if any(name in needed for name in image.names):
            return True
        start = self.start(image) if image.kind in {"index", "cibuildwheel"} else None
        return start is not None and any(name in needed for name in start.names)


def total(shelf: Shelf, images: Iterable[KeptImage]) -> int:
    """The bytes that are free when all of *images* are gone and nothing else is."""
    return sum(shelf.own_size(image) for image in images)
