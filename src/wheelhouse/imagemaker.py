"""Making one image: found, pulled, bootstrapped or built, by one of all concurrent runs."""

from __future__ import annotations

import os
import re
import tarfile
import threading
from collections import deque
from typing import IO, TYPE_CHECKING

from wheelhouse.bootstrap import DEFAULT_MIRROR, MIRROR_VARIABLE, checked_mirror, root_archive
from wheelhouse.durable import temporary_file
from wheelhouse.errors import ImageError, InterruptedRunError
from wheelhouse.imagefailures import clean, failure, without_start
from wheelhouse.imagepruning import KIND, StepReader, mark_of, unfinished
from wheelhouse.imagesteps import Kind, Step, family, root_name
from wheelhouse.locks import locked
from wheelhouse.targets import oci_platform
from wheelhouse.wheelcontext import write_context, write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wheelhouse.bootstrap import Recipe
    from wheelhouse.engine import Image
    from wheelhouse.imagestore import ImageStore
    from wheelhouse.targets import Place
    from wheelhouse.wheelcontext import PinnedWheel

_PROXY = re.compile(r"(https?|ftp|all|no)_proxy", re.IGNORECASE)
_KEPT_LINES = 200


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables of *environment*, in the spellings in which they occur.

    Engines know these as build arguments without a recipe's asking, and keep them out of the
    image's history.
    """
    return {name: value for name, value in environment.items() if _PROXY.fullmatch(name)}


class ImageMaker:
    """Has single images ready. Its methods may be called from several threads.

    The parameters are those of :class:`wheelhouse.images.TargetImageMaker`. Every method raises
    InterruptedRunError once :meth:`stop` was called.
    """

    def __init__(
        self,
        store: ImageStore,
        fetch: Callable[[PinnedWheel], Path],
        lock_dir: Path,
        on_line: Callable[[str], None],
        *,
        mirror: str | None,
        building: Callable[[str], AbstractContextManager[object]],
        used: Callable[[str], None],
    ) -> None:
        self._store = store
        self._fetch = fetch
        self._lock_dir = lock_dir
        self._on_line = on_line
        self._building = building
        self._used = used
        self._stopping = threading.Event()
        self._mirror = checked_mirror(mirror or os.environ.get(MIRROR_VARIABLE) or DEFAULT_MIRROR)

    def stop(self) -> None:
        """Give up what is being made, or waited for, within a second. From any thread."""
        self._stopping.set()

    def find(self, name: str, arch: str) -> Image | None:
        """The image called *name*, if it is there and for *arch*."""
        image = self._store.find(name, oci_platform(arch))
        if image is not None:
            self._used(name)
        return image

    def pull(self, reference: str, place: Place) -> Image:
        """The image *reference*, fetched if it is not there. Raises ImageError."""
        with self._lock(reference):
            if image := self.find(reference, place.arch):
                return image
            say = self._lines(f"{place.preset.name} base")
            return self._store.pull(reference, oci_platform(place.arch), say)

    def bootstrap(
        self, kind: Kind, place: Place, recipe: Recipe, *, refresh: bool = False
    ) -> Image:
        """The image that *recipe* makes from packages, if it is not there. Raises ImageError.

        :param refresh: make it anew, with today's packages.
        """
        name = root_name(place, kind, recipe)
        with self._lock(name):
            if image := self.find(name, place.arch):
                if not refresh:
                    return image
                self._used(mark_of(image.id))  # it is about to lose its name
            self._check_running()
            say = self._lines(f"{place.preset.name} {kind}", stoppable=False)
            labels = _labels(kind, place) | {
                "wheelhouse.origin": "bootstrap",
                "wheelhouse.base": name,
            }
            with root_archive(
                recipe, mirror=self._mirror, on_line=say, stopping=self._stopping
            ) as archive:
                image = self._store.import_tar(
                    archive, name, labels=labels, platform=oci_platform(place.arch)
                )
            self._used(name)
            return image

    def make(self, step: Step) -> Image:
        """The image of *step*, built if it is not there. Raises ImageError."""
        name, arch = step.name, step.place.arch
        if image := self.find(name, arch):
            return image
        with self._lock(name):
            return self.find(name, arch) or self._build(step)

    def _build(self, step: Step) -> Image:
        self._check_running()
        with self._building(step.title), temporary_file(self._lock_dir) as context:
            self._write_context(step, context)
            context.seek(0)
            image = self._run(step, context)
        self._used(step.name)
        return image

    def _run(self, step: Step, context: IO[bytes]) -> Image:
        lines: deque[str] = deque(maxlen=_KEPT_LINES)
        try:
            return self._store.build(
                context,
                step.name,
                arguments=self._arguments(step),
                labels=_labels(step.kind, step.place) | dict(step.labels),
                network="default" if step.network else "none",
                platform=oci_platform(step.place.arch),
                on_line=self._noting(self._lines(step.title, lines)),
            )
        except ImageError as error:
            if self._lacks_start(step):
                raise without_start(step) from error
            if not lines:
                raise
            raise failure(step, lines, error.message) from error

    def _lacks_start(self, step: Step) -> bool:
        """Whether the engine no longer has something by whose ID *step* starts."""
        platform = oci_platform(step.place.arch)
        starts = (each for each in step.inputs.values() if each.startswith("sha256:"))
        return any(self._store.find(each, platform) is None for each in starts)

    def _noting(self, on_line: Callable[[str], None]) -> Callable[[str], None]:
        """*on_line*, with our steps noted as they are told: a build that stops leaves them."""
        steps = StepReader()

        def take(line: str) -> None:
            if mark := steps.mark(line):
                self._used(mark)
            on_line(line)

        return take

    def _write_context(self, step: Step, context: IO[bytes]) -> None:
        # No part of the image's name, as no label is.
        files = {**step.files, "Dockerfile": unfinished(step.files["Dockerfile"])}
        if step.wheels:
            write_context(context, step.wheels, self._fetch, files, step.layout)
            return
        with tarfile.open(fileobj=context, mode="w|") as archive:
            write_files(archive, files)

    def _arguments(self, step: Step) -> dict[str, str]:
        arguments = dict(step.inputs)
        if step.network:
            arguments |= proxies(os.environ)
            if self._mirror != DEFAULT_MIRROR and _is_debian(step.place):
                arguments["DEBIAN_MIRROR"] = self._mirror
        return arguments

    def _check_running(self) -> None:
        if self._stopping.is_set():
            raise InterruptedRunError("stopped")

    def _lines(
        self, title: str, kept: deque[str] | None = None, *, stoppable: bool = True
    ) -> Callable[[str], None]:
        """Passes lines on, and to *kept*; where *stoppable*, raises once the run is stopped."""

        def take(line: str) -> None:
            if stoppable:
                self._check_running()
            if not (line := clean(line)):
                return
            if kept is not None:
                kept.append(line)
            self._on_line(f"{title}: {line}")

        return take

    def _lock(self, name: str) -> AbstractContextManager[object]:
        """Be the only run that makes the image *name*: another one may need minutes for it."""
        self._lock_dir.mkdir(parents=True, exist_ok=True)
        file = re.sub(r"[^A-Za-z0-9.-]", "_", name) + ".lock"
        return locked(self._lock_dir / file, self._check_running)


def _is_debian(place: Place) -> bool:
    return family(place.preset.family).manager == "apt"


def _labels(kind: Kind, place: Place) -> dict[str, str]:
    return {
        KIND: kind,
        "wheelhouse.preset": place.preset.name,
        "wheelhouse.arch": place.arch,
        "wheelhouse.origin": "derived",
    }
