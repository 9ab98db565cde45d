"""Removing images from an engine, while runs use it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wheelhouse.imageuses import InUseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.imagepruning import KeptImage, Shelf
    from wheelhouse.imageuses import ImageUses


class Engine(Protocol):
    """Keeps images, and can tell of all of them."""

    def images(self) -> list[KeptImage]:
        """All images. Raises EngineError."""

    def remove(self, reference: str) -> str:
        """Take a name from its image, or remove the image with this ID; why it has to stay.

        Raises EngineError, ImageError.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleared:
    """What has become of images that were to go.

    :ivar gone: those that the engine has no more.
    :ivar kept: by the name of an image that had to stay, why.
    """

    gone: tuple[KeptImage, ...]
    kept: dict[str, str]


def clear(
    choice: Sequence[KeptImage], shelf: Shelf, engine: Engine, uses: ImageUses, before: float
) -> Cleared:
    """Remove the images of *choice*, each before what it was made from.

    :param before: what was used at that time or later, in seconds since 1970, stays none the less.
    :raises EngineError: the engine does not answer.
    :raises ImageError: it refuses for another reason than that an image is in use.
    """
    kept: dict[str, str] = {}
    leftovers = {each.id for each in shelf.leftovers}
    for image in choice:
        for name in image.names:
            with uses.removing(name):
                used = uses.last(name) >= before
                if why := "a run has just used it" if used else engine.remove(name):
                    kept[name] = why
        if image.id in leftovers:
            # Who makes an image goes on from such steps: then they are no leftovers.
            with suppress(InUseError), uses.clearing():
                engine.remove(image.id)
    there = {each.id for each in engine.images()}
    return Cleared(gone=tuple(each for each in choice if each.id not in there), kept=kept)
