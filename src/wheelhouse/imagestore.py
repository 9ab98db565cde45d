"""What keeps images: the protocol of an engine's store of them."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wheelhouse.engine import Image


class Reader(Protocol):
    """A stream that is read to its end; ``b""`` says that it is there."""

    def read(self, size: int = ..., /) -> bytes:
        """At most *size* bytes."""


class ImageStore(Protocol):
    """Keeps images: a container engine. All of it may be called from several threads."""

    def find(self, name: str, platform: str) -> Image | None:
        """The image called *name* (also by tag or digest), if it is there and for *platform*."""

    def pull(self, reference: str, platform: str, on_line: Callable[[str], None]) -> Image:
        """Fetch *reference* from its registry. The image is named by its digest.

        :raises ImageError: it cannot be had.
        """

    def build(
        self,
        context: IO[bytes],
        name: str,
        *,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        network: Literal["default", "none"],
        platform: str,
        on_line: Callable[[str], None],
    ) -> Image:
        """Build the Dockerfile in *context* (a tar archive) and call the result *name*.

        :param on_line: receives its output, and an empty line now and then while there is none;
            what it raises ends the build.
        :raises ImageError: a step failed; its output went to *on_line*.
        """

    def import_tar(
        self, stream: Reader, name: str, *, labels: Mapping[str, str], platform: str
    ) -> Image:
        """Make *stream*, a tar archive of a root file system, the image *name*.

        Whatever *stream*'s ``read`` raises comes through, and then there is no image.
        """
