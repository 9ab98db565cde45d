"""Having the images of targets ready: found, fetched, bootstrapped or built, each once.

Which images there are is told in :mod:`wheelhouse.imagesteps`. How an engine keeps them is behind
:class:`ImageStore`.
"""

from __future__ import annotations

import os
import re
import tarfile
import tempfile
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import IO, TYPE_CHECKING, Literal, Protocol

from wheelhouse import toolbox
from wheelhouse.bootstrap import (
    DEFAULT_MIRROR,
    MIRROR_VARIABLE,
    check_host,
    checked_mirror,
    root_archive,
)
from wheelhouse.engine import Image, TargetImages
from wheelhouse.errors import (
    ImageError,
    InterruptedRunError,
    WheelhouseError,
    raise_all,
)
from wheelhouse.imagefailures import clean, failure
from wheelhouse.imagesteps import (
    Kind,
    Step,
    base_name,
    base_recipe,
    builder_step,
    checked_packages,
    cibuildwheel_step,
    family,
    packages_step,
    pinned,
    python_step,
    runtime_step,
    toolbox_step,
    toolchain_step,
    with_python_step,
)
from wheelhouse.targets import OCI_ARCHITECTURES, Place, presets, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wheelhouse.targets import Target


BOOTSTRAP_HINT = "run `wheelhouse images bootstrap`"

_PROXY = re.compile(r"(https?|ftp|all|no)_proxy", re.IGNORECASE)
_KEPT_LINES = 200


class Reader(Protocol):
    """A stream that is read to its end; ``b""`` says that it is there."""

    def read(self, size: int = ..., /) -> bytes:
        """At most *size* bytes."""


class _Bases(Protocol):
    def __call__(self, place: Place, /) -> Image:
        """The base of *place*. Raises ImageError."""


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

        :raises ImageError: a step failed; its output went to *on_line*.
        """

    def import_tar(
        self, stream: Reader, name: str, *, labels: Mapping[str, str], platform: str
    ) -> Image:
        """Make *stream*, a tar archive of a root file system, the image *name*.

        Whatever *stream*'s ``read`` raises comes through, and then there is no image.
        """


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables of *environment*, in the spellings in which they occur.

    Engines know these as build arguments without a recipe's asking, and keep them out of the
    image's history.
    """
    return {name: value for name, value in environment.items() if _PROXY.fullmatch(name)}


class TargetImageMaker:
    """Has the images of targets ready: finds, fetches or makes them, each once.

    :param fetch: gives the verified file of a toolbox pin; called from several threads.
    :param lock_dir: where runs on this machine wait for one another.
    :param on_line: receives what pulls and builds print, from several threads.
    :param building: entered with an image's title while it is built.
    :param mirror: of Debian; else ``WHEELHOUSE_DEBIAN_MIRROR``, else its official one.
    :raises ConfigError: *mirror* is not usable.

    Every method raises InterruptedRunError once :meth:`stop` was called, or where the thread
    that waits for it is interrupted.
    """

    def __init__(
        self,
        store: ImageStore,
        fetch: Callable[[toolbox.Pin], Path],
        lock_dir: Path,
        on_line: Callable[[str], None],
        *,
        mirror: str | None = None,
        building: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._store = store
        self._fetch = fetch
        self._lock_dir = lock_dir
        self._on_line = on_line
        self._building = building
        self._stopping = threading.Event()
        self._settled_places: dict[Place, tuple[Place, str | None]] = {}
        self._mirror = checked_mirror(mirror or os.environ.get(MIRROR_VARIABLE) or DEFAULT_MIRROR)

    def prepare(self, target: Target) -> TargetImages:
        """The images of *target*, made or fetched if they are not there.

        Where no image of its platform can be had, those of its stand-in.

        :raises ImageError: no base can be had, or a step failed.
        """
        proving, lacking = self._settled(target.place)
        building, _ = self._settled(target.build_place)
        with self._pool(1) as pool:
            tools = pool.submit(self._toolbox, target.arch, self._base)
            runtime = self._runtime(proving, self._base)
            toolchain = self._toolchain(building, self._base)
            builder = self._make(builder_step(building, toolchain, tools.result()))
        return TargetImages(
            builder=builder,
            runtime=runtime,
            builder_python=building.interpreter.path,
            runtime_python=proving.interpreter.path,
            tool_python=toolbox.TOOL_PYTHON,
            tool_path=toolbox.TOOL_PATH,
            build_place=building,
            place=proving,
            lacking=lacking,
        )

    def with_system(self, target: Target, packages: tuple[str, ...]) -> Image:
        """The builder of *target* with the distribution's *packages* in it.

        :raises ConfigError: what is asked for cannot be a package's name.
        :raises ImageError: the distribution has no such package, or a step failed.
        """
        packages = checked_packages(packages)
        images = self.prepare(target)
        if not packages:
            return images.builder
        return self._make(packages_step("system", images.build_place, images.builder, packages))

    def for_cibuildwheel(self, target: Target, packages: tuple[str, ...], folder: str) -> Image:
        """The same with the target's Python in *folder*, where cibuildwheel looks for it.

        :raises ConfigError: what is asked for cannot be a package's name.
        :raises ImageError: the distribution has no such package, or a step failed.
        """
        builder, images = self.with_system(target, packages), self.prepare(target)
        step = cibuildwheel_step(images.build_place, builder, images.builder_python, folder)
        return self._make(step)

    def bootstrap(self, places: Sequence[Place], *, refresh: bool = False) -> list[Image]:
        """Make the base images of *places* from packages, and all images on top of them.

        A place that cannot be made so is stood in for.

        :param refresh: make bases anew that are there already, with today's packages.
        :return: base, runtime and builder of each place, in the order of *places*.
        :raises ImageError: this machine cannot bootstrap, or a step failed. All failures are told.
        """
        places = tuple(dict.fromkeys(_made_here(place) for place in places))
        arches = dict.fromkeys(place.arch for place in places)
        for arch in arches:
            check_host(arch)
        wanted = dict.fromkeys([*(place.origin for place in places), *map(_tool_place, arches)])
        with self._pool(2 * len(wanted) + len(places) + len(arches)) as pool:
            bases = {
                place: pool.submit(self._bootstrapped, place, refresh=refresh) for place in wanted
            }

            def base(place: Place) -> Image:
                return bases[place].result()

            tools = {arch: pool.submit(self._toolbox, arch, base) for arch in arches}

            def finish(place: Place) -> list[Image]:
                runtime = self._runtime(place, base)
                toolchain = self._toolchain(place, base)
                builder = self._make(builder_step(place, toolchain, tools[place.arch].result()))
                return [base(place.origin), runtime, builder]

            # In here, where an interrupt is noticed; leaving the block waits for the threads.
            made = _results([pool.submit(finish, place) for place in places])
        return list(dict.fromkeys(image for images in made for image in images))

    def stop(self) -> None:
        """Give up what is being made, a build at its next line. From any thread, and for good.

        What waits for it raises InterruptedRunError. Finished images stay, others do not begin.
        """
        self._stopping.set()

    def _check_running(self) -> None:
        if self._stopping.is_set():
            raise InterruptedRunError("stopped")

    @contextmanager
    def _pool(self, workers: int) -> Iterator[ThreadPoolExecutor]:
        with ThreadPoolExecutor(workers) as pool:
            try:
                yield pool
            except (InterruptedRunError, KeyboardInterrupt, SystemExit):
                self.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    # -- Bases -----------------------------------------------------------------------------

    def _settled(self, place: Place) -> tuple[Place, str | None]:
        """*place*, if a base of it can be had; else its stand-in, and why."""
        if place not in self._settled_places:  # asked twice by two threads, the answer is the same
            self._settled_places[place] = self._settle(place)
        return self._settled_places[place]

    def _settle(self, place: Place) -> tuple[Place, str | None]:
        try:
            self._base(place.origin)
        except ImageError as error:
            other = None if place.preset.is_made_here else stand_in(place)
            if other is None:
                raise
            try:
                self._base(other.origin)
            except ImageError:
                raise ImageError(
                    error.message,
                    hint=f"{BOOTSTRAP_HINT}: it makes {other.preset.title}, where "
                    f"{place.preset.title} is then built and proven for",
                ) from error
            return other, error.message
        return place, None

    def _base(self, place: Place) -> Image:
        """The base to start from: an official one that is here, a bootstrapped one, or a pull."""
        platform = _platform(place.arch)
        exact = pinned(place)
        here = [exact, place.image, base_name(place) if place.preset.suite else None]
        for name in filter(None, here):
            if image := self._store.find(name, platform):
                return image
        reference = exact or place.image
        if reference is None:
            raise ImageError(
                f"There is no base image for {place.preset.title}: it names none",
                hint="Name one, as `image` of the platform in wheelhouse.toml.",
            )
        return self._pulled(place, reference, platform)

    def _pulled(self, place: Place, reference: str, platform: str) -> Image:
        with self._lock(reference):
            if image := self._store.find(reference, platform):
                return image
            say = self._lines(f"{place.preset.name} base")
            try:
                return self._store.pull(reference, platform, say)
            except ImageError as error:
                raise ImageError(
                    f"There is no base image for {place.preset.title}: {error.message}",
                    hint=BOOTSTRAP_HINT
                    if place.preset.is_made_here
                    else "Let the engine reach its registry, or `docker load` the image there: "
                    f"nothing stands in for {place}",
                ) from error

    def _bootstrapped(self, place: Place, *, refresh: bool = False) -> Image:
        recipe, name, platform = base_recipe(place), base_name(place), _platform(place.arch)
        with self._lock(name):
            if not refresh and (image := self._store.find(name, platform)):
                return image
            self._check_running()
            say = self._lines(f"{place.preset.name} base", stoppable=False)
            labels = _labels("base", place) | {
                "wheelhouse.origin": "bootstrap",
                "wheelhouse.base": name,
            }
            with root_archive(
                recipe, mirror=self._mirror, on_line=say, stopping=self._stopping
            ) as archive:
                return self._store.import_tar(archive, name, labels=labels, platform=platform)

    # -- Derived images --------------------------------------------------------------------

    def _runtime(self, place: Place, base: _Bases) -> Image:
        """What the server has, on the *base* of *place*'s origin."""
        origin = self._make(runtime_step(place.origin, base(place.origin)))
        if not place.interpreter.from_source:
            return origin
        python = self._python(place, base)
        return self._make(with_python_step("runtime", place, origin, python))

    def _toolchain(self, place: Place, base: _Bases) -> Image:
        origin = self._origin_toolchain(place, base)
        if not place.interpreter.from_source:
            return origin
        python = self._python(place, base)
        return self._make(with_python_step("toolchain", place, origin, python))

    def _origin_toolchain(self, place: Place, base: _Bases) -> Image:
        return self._make(toolchain_step(place.origin, self._runtime(place.origin, base)))

    def _python(self, place: Place, base: _Bases) -> Image:
        """An image with a CPython built from the distribution's source package."""
        sources = self._runtime(_tool_place(place.arch), base)
        return self._make(python_step(place, self._origin_toolchain(place, base), sources))

    def _toolbox(self, arch: str, base: _Bases) -> Image:
        place = _tool_place(arch)
        return self._make(toolbox_step(place, self._runtime(place, base)))

    def _make(self, step: Step) -> Image:
        """The image of *step*, built if it is not there; by one of all concurrent runs."""
        name, platform = step.name, _platform(step.place.arch)
        if image := self._store.find(name, platform):
            return image
        with self._lock(name):
            return self._store.find(name, platform) or self._build(step)

    def _build(self, step: Step) -> Image:
        self._check_running()
        lines: deque[str] = deque(maxlen=_KEPT_LINES)
        try:
            with self._building(step.title), tempfile.TemporaryFile() as context:
                self._write_context(step, context)
                context.seek(0)
                return self._store.build(
                    context,
                    step.name,
                    arguments=self._arguments(step),
                    labels=_labels(step.kind, step.place) | dict(step.labels),
                    network="default" if step.network else "none",
                    platform=_platform(step.place.arch),
                    on_line=self._lines(step.title, lines),
                )
        except ImageError as error:
            if not lines:
                raise
            raise failure(step, lines, error.message) from error

    def _write_context(self, step: Step, context: IO[bytes]) -> None:
        if step.wheels:
            toolbox.write_context(context, step.wheels, self._fetch, step.files)
            return
        with tarfile.open(fileobj=context, mode="w|") as archive:
            toolbox.write_files(archive, step.files)

    def _arguments(self, step: Step) -> dict[str, str]:
        arguments = dict(step.inputs)
        if step.network:
            arguments |= proxies(os.environ)
            if self._mirror != DEFAULT_MIRROR and _is_debian(step.place):
                arguments["DEBIAN_MIRROR"] = self._mirror
        return arguments

    def _lines(
        self, title: str, kept: deque[str] | None = None, *, stoppable: bool = True
    ) -> Callable[[str], None]:
        """Passes lines on, and to *kept*; where *stoppable*, raises once the run is stopped."""

        def take(line: str) -> None:
            if stoppable:
                self._check_running()
            line = clean(line)
            if kept is not None:
                kept.append(line)
            if line:
                self._on_line(f"{title}: {line}")

        return take

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        from filelock import FileLock

        self._lock_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(self._lock_dir / (re.sub(r"[^A-Za-z0-9.-]", "_", name) + ".lock")):
            yield


def _tool_place(arch: str) -> Place:
    """Where the toolbox comes from. It is the newest Debian, so it knows the keys of all."""
    preset = presets()[toolbox.SOURCE_PRESET]
    return Place(preset=preset, python=next(iter(preset.pythons)), arch=arch)


def _is_debian(place: Place) -> bool:
    return family(place.preset.family).manager == "apt"


def _made_here(place: Place) -> Place:
    """*place*, or what stands in for it, of which images need no registry. Raises ImageError."""
    made = place if place.preset.is_made_here else stand_in(place)
    if made is None:
        raise ImageError(
            f"{place} cannot be made from packages, and nothing that can be stands in for it",
            hint=f"Pull {place.image} into the engine where a registry answers."
            if place.image
            else "Name an `image` of the platform in wheelhouse.toml.",
        )
    return made


def _platform(arch: str) -> str:
    return f"linux/{OCI_ARCHITECTURES[arch]}"


def _labels(kind: Kind, place: Place) -> dict[str, str]:
    return {
        "wheelhouse.image": kind,
        "wheelhouse.preset": place.preset.name,
        "wheelhouse.arch": place.arch,
        "wheelhouse.origin": "derived",
    }


def _results(futures: Sequence[Future[list[Image]]]) -> list[list[Image]]:
    """Their results; or every failure once, though several may wait for the same image."""
    results: list[list[Image]] = []
    errors: dict[str, WheelhouseError] = {}
    for future in futures:
        try:
            results.append(future.result())
        except WheelhouseError as error:
            errors.setdefault(error.message, error)
    raise_all(list(errors.values()))
    return results
