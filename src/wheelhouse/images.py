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
    family,
    packages_step,
    pinned,
    toolbox_step,
)
from wheelhouse.targets import OCI_ARCHITECTURES, presets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wheelhouse.targets import Preset, Target


BOOTSTRAP_HINT = "run `wheelhouse images bootstrap`"

_PROXY = re.compile(r"(https?|ftp|all|no)_proxy", re.IGNORECASE)
_KEPT_LINES = 200


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
        self._mirror = checked_mirror(mirror or os.environ.get(MIRROR_VARIABLE) or DEFAULT_MIRROR)

    def prepare(self, target: Target) -> TargetImages:
        """The images of *target*, made or fetched if they are not there.

        :raises ImageError: no base can be had, or a step failed.
        """
        preset, arch = target.preset, target.arch
        with self._pool(1) as pool:
            tools = pool.submit(lambda: self._toolbox(arch, self._base(_toolbox_source(), arch)))
            runtime, builder = self._furnish(preset, arch, self._base(preset, arch), tools)
        return TargetImages(
            builder=builder,
            runtime=runtime,
            builder_python=target.python_path,
            runtime_python=target.python_path,
            tool_python=toolbox.TOOL_PYTHON,
            tool_path=toolbox.TOOL_PATH,
        )

    def with_system(self, target: Target, packages: tuple[str, ...]) -> Image:
        """The builder of *target* with the distribution's *packages* in it.

        :raises ConfigError: what is asked for cannot be a package's name.
        :raises ImageError: the distribution has no such package, or a step failed.
        """
        packages = checked_packages(packages)
        builder = self.prepare(target).builder
        if not packages:
            return builder
        step = packages_step("system", target.preset, target.arch, builder, packages)
        return self._make(step, target.preset.suite)

    def bootstrap(
        self, presets: Sequence[Preset], *, arch: str = "x86_64", refresh: bool = False
    ) -> list[Image]:
        """Make the base images of *presets* from packages, and all images on top of them.

        :param refresh: make bases anew that are there already, with today's packages.
        :return: base, runtime and builder of each preset, in the order of *presets*.
        :raises ImageError: this machine cannot bootstrap, or a step failed. All failures are told.
        """
        check_host(arch)
        source = _toolbox_source()
        wanted = {preset.name: preset for preset in (*presets, source)}
        with self._pool(2 * len(wanted) + 1) as pool:
            bases = {
                name: pool.submit(self._bootstrapped, preset, arch, refresh=refresh)
                for name, preset in wanted.items()
            }

            tools = pool.submit(lambda: self._toolbox(arch, bases[source.name].result()))

            def finish(preset: Preset) -> list[Image]:
                base = bases[preset.name].result()
                return [base, *self._furnish(preset, arch, base, tools)]

            # In here, where an interrupt is noticed; leaving the block waits for the threads.
            made = _results([pool.submit(finish, preset) for preset in presets])
        return [image for images in made for image in images]

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

    def _base(self, preset: Preset, arch: str) -> Image:
        """The base to start from: an official one that is here, a bootstrapped one, or a pull."""
        platform = _platform(arch)
        exact = pinned(preset)
        here = [exact, preset.image, base_name(preset, arch) if preset.suite else None]
        for name in filter(None, here):
            if image := self._store.find(name, platform):
                return image
        return self._pulled(preset, exact or preset.image, platform)

    def _pulled(self, preset: Preset, reference: str, platform: str) -> Image:
        with self._lock(reference):
            if image := self._store.find(reference, platform):
                return image
            try:
                return self._store.pull(reference, platform, self._lines(f"{preset.name} base"))
            except ImageError as error:
                raise ImageError(
                    f"There is no base image for {preset.title}: {error.message}",
                    hint=BOOTSTRAP_HINT,
                ) from error

    def _bootstrapped(self, preset: Preset, arch: str, *, refresh: bool = False) -> Image:
        recipe, name, platform = base_recipe(preset, arch), base_name(preset, arch), _platform(arch)
        with self._lock(name):
            if not refresh and (image := self._store.find(name, platform)):
                return image
            self._check_running()
            say = self._lines(f"{preset.name} base", stoppable=False)
            labels = _labels("base", preset.name, arch) | {
                "wheelhouse.origin": "bootstrap",
                "wheelhouse.base": name,
            }
            with root_archive(
                recipe, mirror=self._mirror, on_line=say, stopping=self._stopping
            ) as archive:
                return self._store.import_tar(archive, name, labels=labels, platform=platform)

    # -- Derived images --------------------------------------------------------------------

    def _furnish(
        self, preset: Preset, arch: str, base: Image, tools: Future[Image]
    ) -> tuple[Image, Image]:
        """Runtime and builder of *preset* on *base*, with *tools*, which may still be made."""
        runtime = self._runtime(preset, arch, base)
        step = packages_step("toolchain", preset, arch, runtime, family(preset.family).toolchain)
        toolchain = self._make(step, preset.suite)
        step = builder_step(preset, arch, toolchain, tools.result())
        return runtime, self._make(step, preset.suite)

    def _runtime(self, preset: Preset, arch: str, base: Image) -> Image:
        step = packages_step("runtime", preset, arch, base, family(preset.family).runtime)
        return self._make(step, preset.suite)

    def _toolbox(self, arch: str, base: Image) -> Image:
        source = _toolbox_source()
        runtime = self._runtime(source, arch, base)
        return self._make(toolbox_step(runtime, arch), source.suite)

    def _make(self, step: Step, suite: str | None) -> Image:
        """The image of *step*, built if it is not there; by one of all concurrent runs."""
        name, platform = step.name, _platform(step.arch)
        if image := self._store.find(name, platform):
            return image
        with self._lock(name):
            return self._store.find(name, platform) or self._build(step, suite)

    def _build(self, step: Step, suite: str | None) -> Image:
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
                    labels=_labels(step.kind, step.preset, step.arch) | dict(step.labels),
                    network="default" if step.network else "none",
                    platform=_platform(step.arch),
                    on_line=self._lines(step.title, lines),
                )
        except ImageError as error:
            if not lines:
                raise
            raise failure(step, suite, lines, error.message) from error

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
            if self._mirror != DEFAULT_MIRROR:
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


def _toolbox_source() -> Preset:
    return presets()[toolbox.SOURCE_PRESET]


def _platform(arch: str) -> str:
    return f"linux/{OCI_ARCHITECTURES[arch]}"


def _labels(kind: Kind, preset: str, arch: str) -> dict[str, str]:
    return {
        "wheelhouse.image": kind,
        "wheelhouse.preset": preset,
        "wheelhouse.arch": arch,
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
