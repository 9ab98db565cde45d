"""All images that a Docker daemon keeps, and removing one: by the daemon's API, never by force."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests
from docker.errors import APIError, DockerException, NotFound

from wheelhouse.errors import EngineError, ImageError
from wheelhouse.imagepruning import KeptImage

if TYPE_CHECKING:
    import docker

#: How engines write that an image has no tag, or no digest.
_NOTHING = {"<none>:<none>", "<none>@<none>"}

#: What Podman puts before names that name no registry.
_PODMAN = "localhost/"

_GONE, _IN_USE = 404, 409


class DockerShelf:
    """The images of the daemon behind *api*."""

    def __init__(self, api: docker.APIClient) -> None:
        self._api = api

    def images(self) -> list[KeptImage]:
        """All images, steps on the way to others too. Raises EngineError."""
        try:
            found = [_image(each) for each in self._api.images(all=True)]
            return [self._dated(each) if each.is_ours else each for each in found]
        except (DockerException, requests.exceptions.RequestException) as error:
            raise _silent(error) from error

    def busy(self) -> set[str]:
        """The IDs of the images that containers, running or not, were made from.

        :raises EngineError: the engine does not answer.
        """
        try:
            return {each["ImageID"] for each in self._api.containers(all=True)}
        except (DockerException, requests.exceptions.RequestException) as error:
            raise _silent(error) from error

    def remove(self, image: KeptImage, name: str | None) -> str:
        """Take *name* from *image*, or remove it if it has no name.

        With its last name, and with nothing made from it, an image goes. What it was made from
        stays: the engine would remove whatever has no name, and that may be somebody else's.

        :return: why it has to stay; empty if it is gone.
        :raises EngineError: the engine does not answer.
        :raises ImageError: it refuses for another reason than that it is in use.
        """
        reference = name or image.id
        try:
            if self._has_changed(image, name):
                return "somebody has just made something else of it"
            self._api.remove_image(reference, noprune=True)
        except APIError as error:
            if error.status_code == _GONE:
                return ""
            told = str(error.explanation or error).strip()
            if error.status_code == _IN_USE:
                return told
            raise ImageError(
                f"the engine does not remove {reference}: {told}",
                hint=f"see what `docker image rm {reference}` says.",
            ) from error
        except (DockerException, requests.exceptions.RequestException) as error:
            raise _silent(error) from error
        return ""

    def _has_changed(self, image: KeptImage, name: str | None) -> bool:
        """Whether *name* is another image's by now, or *image* has a name where it had none."""
        data = self._inspect(name or image.id)
        return data["Id"] != image.id or (name is None and bool(data.get("RepoTags")))

    def _inspect(self, reference: str) -> dict[str, Any]:
        data: dict[str, Any] = self._api.inspect_image(reference)  # type: ignore[no-untyped-call]
        return data

    def _dated(self, image: KeptImage) -> KeptImage:
        """*image*, made when it got its name: what it consists of may be older, or have no time."""
        try:
            data = self._inspect(image.id)
        except NotFound:
            return image
        told = str((data.get("Metadata") or {}).get("LastTagTime", ""))
        try:
            named = datetime.fromisoformat(told).timestamp()
        except (ValueError, OverflowError):
            return image
        return replace(image, made=max(image.made, named))


def _image(data: dict[str, Any]) -> KeptImage:
    tags = {*(data.get("RepoTags") or ())} - _NOTHING
    digests = {*(data.get("RepoDigests") or ())} - _NOTHING
    # Some engines give what they have built a digest, under the name that it has by its tag.
    known = {tag.rpartition(":")[0] for tag in tags}
    names = tags | {each for each in digests if each.partition("@")[0] not in known}
    return KeptImage(
        id=data["Id"],
        names=tuple(sorted(name.removeprefix(_PODMAN) for name in names)),
        labels=data.get("Labels") or {},
        parent=data.get("ParentId") or "",
        size=max(0, data.get("Size") or 0),
        made=float(max(0, data.get("Created") or 0)),
    )


def _silent(error: Exception) -> EngineError:
    return EngineError(
        f"the container engine does not answer: {error}",
        hint="check that it runs (`docker info`), then start again.",
    )
