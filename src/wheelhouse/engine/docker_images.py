"""The images that a Docker daemon keeps: :class:`wheelhouse.imagestore.ImageStore` for it.

Everything travels through the daemon's API, so it may be on another machine. Only what the
daemon's classic builder knows is used, which Podman's service speaks as well.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from typing import IO, TYPE_CHECKING, Any, Literal, TypeVar

import requests
from docker.errors import APIError, DockerException, NotFound

from wheelhouse.durable import temporary_file
from wheelhouse.engine import Image
from wheelhouse.engine.docker_archive import write_archive
from wheelhouse.errors import EngineError, ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import docker

    from wheelhouse.imagestore import Reader

T = TypeVar("T")

#: Seconds without a word from the daemon before it is given up: steps may be silent for long.
_SILENCE = 1800.0

#: Seconds of silence after which whoever listens is asked whether to go on.
_PAUSE = 0.25


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Raise what the SDK raises as an error of ours."""
    try:
        yield
    except APIError as error:
        raise ImageError(str(error.explanation or error).strip()) from error
    except (DockerException, requests.exceptions.RequestException) as error:
        raise EngineError(
            f"the container engine does not answer: {error}",
            hint="check that it runs (`docker info`), then start again.",
        ) from error


def _digest_name(asked: str, digests: Iterable[str]) -> str | None:
    """Which of an image's repository *digests* belongs to the reference *asked* for."""
    found = sorted(digests)
    folder, slash, last = asked.partition("@")[0].rpartition("/")
    repository = folder + slash + last.partition(":")[0]
    same = [name for name in found if name == asked or name.partition("@")[0] == repository]
    return asked if asked in same else next(iter(same or found), None)


def _image(asked: str, data: Mapping[str, Any]) -> Image:
    """What the daemon says of an image, as ours."""
    labels = data.get("Config", {}).get("Labels") or {}
    origin = labels.get("wheelhouse.origin")
    digest = None if origin else _digest_name(asked, data.get("RepoDigests") or ())
    return Image(
        id=data["Id"],
        name=digest or asked,
        origin=origin or ("registry" if digest else "local"),
    )


def _in_time(items: Iterable[T]) -> Iterator[T | None]:
    """*items* as they come, and None in every pause: compiling may print nothing for minutes.

    Whoever stops listening leaves a daemon thread behind, which waits for the next item. The
    connection ends with this process at the latest, and with it what the daemon does for it.
    """
    came: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def wait() -> None:
        error: BaseException = StopIteration()
        try:
            for item in items:
                came.put((item, None))
        except BaseException as raised:
            error = raised
        came.put((None, error))

    threading.Thread(target=wait, daemon=True).start()
    while True:
        try:
            item, error = came.get(timeout=_PAUSE)
        except queue.Empty:
            yield None
            continue
        if isinstance(error, StopIteration):
            return
        if error is not None:
            raise error
        yield item


def _events(raw: Iterable[Mapping[str, Any]], on_line: Callable[[str], None]) -> None:
    """Pass a build's or pull's output on, to its end: an answer half read keeps its connection.

    :raises ImageError: one of the events is an error.
    """
    errors = []
    for event in _in_time(raw):
        if event is None:
            on_line("")
            continue
        if "error" in event:
            errors.append(str(event["error"]).strip())
        for line in str(event.get("stream", "")).splitlines():
            on_line(line)
        if event.get("status") and "progress" not in event:
            on_line(" ".join(str(event[key]) for key in ("id", "status") if event.get(key)))
    if errors:
        raise ImageError(errors[0])


class DockerImages:
    """The daemon's images.

    :param api: a client of its own or a shared one; the SDK's is safe to share among threads.
    """

    def __init__(self, api: docker.APIClient) -> None:
        self._api = api

    def find(self, name: str, platform: str) -> Image | None:
        """See :class:`wheelhouse.imagestore.ImageStore`."""
        try:
            with _told():
                data = self._inspect(name)
        except ImageError as error:
            if isinstance(error.__cause__, NotFound):
                return None
            raise
        return _image(name, data) if f"{data['Os']}/{data['Architecture']}" == platform else None

    def pull(self, reference: str, platform: str, on_line: Callable[[str], None]) -> Image:
        """See :class:`wheelhouse.imagestore.ImageStore`."""
        try:
            with _told():
                # Without a tag the SDK would ask for every tag of the repository.
                tag = None if "@" in reference or ":" in reference.rpartition("/")[2] else "latest"
                events = self._api.pull(reference, tag, platform=platform, stream=True, decode=True)
                _events(events, on_line)
        except ImageError as error:
            if other := self._other_platform(reference):
                told = f"{reference} is here, but for {other} instead of {platform}"
                raise ImageError(f"{told}; {error.message}") from error
            raise
        image = self.find(reference, platform)
        if image is None:
            raise ImageError(f"the registry has no {platform} image for {reference}")
        return image

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
        """See :class:`wheelhouse.imagestore.ImageStore`. Intermediate containers never stay."""
        with _told():
            events = self._api.build(
                fileobj=context,
                custom_context=True,
                tag=name,
                rm=True,
                forcerm=True,
                pull=False,
                buildargs=dict(arguments),
                labels=dict(labels),
                network_mode=network,
                platform=platform,
                timeout=int(_SILENCE),
                decode=True,
            )
            _events(events, on_line)
            return _image(name, self._inspect(name))

    def import_tar(
        self, stream: Reader, name: str, *, labels: Mapping[str, str], platform: str
    ) -> Image:
        """See :class:`wheelhouse.imagestore.ImageStore`.

        Loaded, not imported: older engines import for their own platform only.
        """
        with temporary_file() as archive:
            write_archive(stream, archive, name=name, platform=platform, labels=labels)
            with _told():
                self._load(archive)
                return _image(name, self._inspect(name))

    def _load(self, archive: IO[bytes]) -> None:
        """Not the SDK's `load_image`, which gives up on a load that is silent for a minute."""
        with contextlib.closing(
            self._api.post(
                f"{self._api.base_url}/v{self._api.api_version}/images/load",
                data=archive,
                headers={"Content-Type": "application/x-tar"},
                timeout=_SILENCE,
            )
        ) as response:
            if not response.ok:
                raise ImageError(f"the engine refused the image: {response.text.strip()}")
            _events(map(json.loads, response.text.splitlines()), lambda _: None)

    def _other_platform(self, name: str) -> str | None:
        """The platform of the image called *name*; None if there is none."""
        try:
            data = self._inspect(name)
        except (DockerException, requests.exceptions.RequestException):
            return None
        return f"{data['Os']}/{data['Architecture']}"

    def _inspect(self, name: str) -> dict[str, Any]:
        data: dict[str, Any] = self._api.inspect_image(name)  # type: ignore[no-untyped-call]
        return data
