"""Removing images from an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.imagepruning import KeptImage


class Engine(Protocol):
    """Keeps images, and can tell of all of them."""

    def images(self) -> list[KeptImage]:
        """All images. Raises EngineError."""

    def remove(self, image: KeptImage, name: str | None) -> str:
        """Take *name* from *image*, or remove it if it has no name; why it has to stay.

        Nothing else goes with it. Raises EngineError, ImageError.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleared:
    """What has become of images that were to go.

    :ivar gone: those that the engine has no more.
    :ivar kept: by the name of an image that had to stay, why.
    """

    gone: tuple[KeptImage, ...]
    kept: dict[str, str]


def clear(choice: Sequence[KeptImage], engine: Engine) -> Cleared:
    """Remove the images of *choice*, each before what it was made from.

    No run that could need one of them may look for it meanwhile.

    :raises EngineError: the engine does not answer.
    :raises ImageError: it refuses for another reason than that an image is in use.
    """
    kept: dict[str, str] = {}
    for image in choice:
        for name in image.names:
            if why := engine.remove(image, name):
                kept[name] = why
        if not image.names:
            engine.remove(image, None)
    there = {each.id for each in engine.images()}
    return Cleared(gone=tuple(each for each in choice if each.id not in there), kept=kept)
