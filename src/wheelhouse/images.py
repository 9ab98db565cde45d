"""The images of a target: which there are, what they are called, and how they come to be.

====================  ===========================================================
base                  the distribution: an official image, or one bootstrapped here
runtime               base + what the server has: Python, and pip for its environments
toolchain             runtime + compilers and Python's headers
toolbox               ``/opt/wheelhouse``, the same for all targets (:mod:`.toolbox`)
builder               toolchain + toolbox
system                builder + packages of the distribution that a build asked for
====================  ===========================================================

An image's name ends in a hash of everything that went into it: its recipe, the ID of the image
it starts from, the packages and pins. So an image that is there under its name is the right one,
and a changed input makes a new one. How images are kept is behind :class:`ImageStore`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
import tempfile
import threading
import tomllib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, Protocol

from wheelhouse import toolbox
from wheelhouse.bootstrap import (
    DEFAULT_MIRROR,
    MIRROR_VARIABLE,
    Recipe,
    check_host,
    checked_mirror,
    root_archive,
)
from wheelhouse.engine import Image, TargetImages
from wheelhouse.errors import (
    ConfigError,
    ImageError,
    InterruptedRunError,
    WheelhouseError,
    raise_all,
)
from wheelhouse.targets import OCI_ARCHITECTURES, presets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from wheelhouse.targets import Preset, Target

Kind = Literal["base", "runtime", "toolchain", "toolbox", "builder", "system"]

BOOTSTRAP_HINT = "run `wheelhouse images bootstrap`"

#: Debian policy 5.6.1. A name that ended in a minus would ask apt to *remove* the package.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]*[a-z0-9+]")
_PROXY = re.compile(r"(https?|ftp|all|no)_proxy", re.IGNORECASE)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNKNOWN_PACKAGES = "unknown packages:"
_VIRTUAL = re.compile(
    r"^Package (\S+) is a virtual package provided by:\n((?: +\S.*\n)+)", re.MULTILINE
)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """What ``images/FAMILY.toml`` says about a family of distributions.

    :ivar bases: pinned digests by the base's reference, such as ``debian:12-slim``.
    """

    name: str
    runtime: tuple[str, ...]
    toolchain: tuple[str, ...]
    bases: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One image to build: a recipe and what goes into it.

    :ivar files: the build context.
    :ivar inputs: build arguments that make a difference; they are part of the name.
    :ivar network: whether the recipe fetches anything.
    """

    kind: Kind
    preset: str
    arch: str
    files: Mapping[str, bytes]
    inputs: Mapping[str, str]
    wheels: tuple[toolbox.Pin, ...] = ()
    network: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The image's name, which hashes everything above but the labels."""
        return image_name(
            self.preset,
            self.arch,
            self.kind,
            {
                "files": {
                    name: hashlib.sha256(content).hexdigest()
                    for name, content in self.files.items()
                },
                "inputs": dict(self.inputs),
                "wheels": [pin.sha256 for pin in self.wheels],
            },
        )

    @property
    def title(self) -> str:
        """The step for a person, such as ``debian12 system (libpq-dev)``."""
        packages = f" ({self.inputs['PACKAGES']})" if self.kind == "system" else ""
        return f"{self.preset} {self.kind}{packages}"


def image_name(preset: str, arch: str, kind: Kind, content: object) -> str:
    """Such as ``wheelhouse/debian12-builder:0123456789ab``; the tag hashes *arch* and *content*."""
    text = json.dumps([preset, arch, kind, content], sort_keys=True)
    subject = preset if arch == "x86_64" else f"{preset}-{arch}"
    return f"wheelhouse/{subject}-{kind}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@cache
def _recipes() -> Path:
    """The folder ``images``: beside the package's data, or in a checkout at its top."""
    installed = Path(str(resources.files("wheelhouse"))) / "data" / "images"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "images"


@cache
def _recipe(name: str) -> bytes:
    return (_recipes() / name).read_bytes()


@cache
def family(name: str) -> Family:
    """The family called *name*.

    :raises ImageError: there are no recipes for it.
    """
    try:
        data = tomllib.loads(_recipe(f"{name}.toml").decode())
    except FileNotFoundError:
        raise ImageError(
            f"There are no image recipes for the {name} family",
            hint="Choose a target of another platform.",
        ) from None
    return Family(
        name=name,
        runtime=tuple(data["runtime"]),
        toolchain=tuple(data["toolchain"]),
        bases={reference: base["digest"] for reference, base in data["bases"].items()},
    )


def pinned(preset: Preset) -> str | None:
    """The reference by digest of the preset's official base, such as ``debian@sha256:…``."""
    digest = family(preset.family).bases.get(preset.image)
    return f"{_repository(preset.image)}@{digest}" if digest else None


def _repository(reference: str) -> str:
    """*reference* without its tag; a port is not one."""
    folder, slash, last = reference.rpartition("/")
    return folder + slash + last.partition(":")[0]


def checked_packages(packages: Iterable[str]) -> tuple[str, ...]:
    """*packages*, each once and sorted.

    :raises ConfigError: one cannot be the name of a Debian package. All of those are named.
    """
    wrong = [package for package in packages if not _PACKAGE.fullmatch(package)]
    if wrong:
        raise ConfigError(
            f"Not a Debian package's name: {', '.join(map(repr, wrong))}",
            hint="Names consist of small letters, digits, '+', '-' and '.', such as libpq-dev.",
        )
    return tuple(sorted(set(packages)))


def base_recipe(preset: Preset, arch: str) -> Recipe:
    """What the bootstrapped base of *preset* is made of.

    The runtime's packages are in it from the start: adding them in one go is several times
    faster than in a step of its own.

    :raises ImageError: the preset cannot be bootstrapped, or not for *arch*.
    """
    if preset.suite is None or arch not in preset.arches:
        raise ImageError(
            f"{preset.title} cannot be bootstrapped for {arch}",
            hint=f"Pull {preset.image} where a registry answers.",
        )
    return Recipe(suite=preset.suite, arch=arch, packages=family(preset.family).runtime)


def base_name(preset: Preset, arch: str) -> str:
    """The name of the bootstrapped base. The mirror is not part of it: contents are signed."""
    recipe = base_recipe(preset, arch)
    return image_name(preset.name, arch, "base", [recipe.command(DEFAULT_MIRROR)])


def packages_step(
    kind: Kind, preset: Preset, arch: str, base: Image, packages: Sequence[str]
) -> Step:
    """The step that adds *packages* to *base*."""
    inputs = {"BASE": base.id, "PACKAGES": " ".join(packages)}
    if kind != "runtime":
        inputs["KEEP_LISTS"] = "yes"
    return Step(
        kind=kind,
        preset=preset.name,
        arch=arch,
        files={"Dockerfile": _recipe(f"{preset.family}-packages.Dockerfile")},
        inputs=inputs,
        network=True,
        labels={"wheelhouse.base": base.name} if kind == "runtime" else {},
    )


def toolbox_step(runtime: Image, arch: str) -> Step:
    """The step that makes the toolbox from the runtime image of its source preset."""
    return Step(
        kind="toolbox",
        preset=toolbox.SOURCE_PRESET,
        arch=arch,
        files={
            "Dockerfile": _recipe("toolbox.Dockerfile"),
            "assemble.sh": _recipe("toolbox-assemble.sh"),
        },
        inputs={"BASE": runtime.id},
        wheels=toolbox.pins(arch),
    )


def builder_step(preset: Preset, arch: str, toolchain: Image, tools: Image) -> Step:
    """The step that puts the toolbox beside the toolchain."""
    return Step(
        kind="builder",
        preset=preset.name,
        arch=arch,
        files={"Dockerfile": _recipe("builder.Dockerfile")},
        inputs={"TOOLCHAIN": toolchain.id, "TOOLBOX": tools.id},
    )


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables of *environment*, in the spellings in which they occur.

    Engines know these as build arguments without a recipe's asking, and keep them out of the
    image's history.
    """
    return {name: value for name, value in environment.items() if _PROXY.fullmatch(name)}


def clean(line: str) -> str:
    """*line* as it may be shown: without control characters and what a carriage return hides."""
    return _CONTROL.sub("", line.rstrip("\r\n").rpartition("\r")[2]).rstrip()


_HINTS = {
    r"No space left on device": (
        "Free disk space where the engine keeps its images (`docker system df`)."
    ),
    r"Hash Sum mismatch|File has unexpected size|Mirror sync in progress": (
        "The mirror is being updated: run it again in a few minutes."
    ),
    r"Release file .* is (expired|not valid yet)": (
        f"Check the clock of the engine's machine, or choose another mirror with {MIRROR_VARIABLE}."
    ),
    r"Temporary failure resolving|Could not resolve|Unable to connect|Could not connect"
    r"|Connection (timed out|refused|failed)|Failed to fetch|Network is unreachable": (
        "Building images needs the distribution's packages: allow the engine to reach the "
        f"mirror, set http_proxy, or choose another mirror with {MIRROR_VARIABLE}."
    ),
}


def failure(step: Step, suite: str | None, lines: Sequence[str], cause: str) -> ImageError:
    """The error that says why *step* failed, from the *lines* it printed.

    :param suite: the distribution's release, to look package names up in.
    :param cause: what the engine said of it.
    """
    for line in lines:
        if line.startswith(_UNKNOWN_PACKAGES):
            names = line.removeprefix(_UNKNOWN_PACKAGES).split()
            return ImageError(
                f"{step.preset} has no package {', '.join(names)}",
                hint="Look the name up at https://packages.debian.org/" + (suite or ""),
            )
    text = "\n".join(lines)
    if virtual := _VIRTUAL.search(text):
        providers = [line.split()[0] for line in virtual[2].splitlines()]
        return ImageError(
            f"{virtual[1]} is no package of {step.preset} but a name that several have",
            hint=f"Choose one of {', '.join(providers)}.",
        )
    hint = next((hint for pattern, hint in _HINTS.items() if re.search(pattern, text)), None)
    telling = [line for line in lines if line.startswith(("E: ", "Err:", "error: "))]
    telling = telling or [line for line in lines if line and not line.startswith("Step ")]
    return ImageError(
        f"The image {step.title} cannot be built: {'; '.join(telling[-4:]) or cause}",
        hint=hint or "Read the output above of the step that failed.",
    )


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
