"""Having the images of targets ready.

Which images there are is told in :mod:`wheelhouse.imagesteps`, how each of them is made in
:mod:`wheelhouse.imagemaker`.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from wheelhouse import toolbox
from wheelhouse.bootstrap import check_host
from wheelhouse.engine import Image, TargetImages
from wheelhouse.errors import (
    ImageError,
    InterruptedRunError,
    WheelhouseError,
    raise_all,
)
from wheelhouse.imagefailures import BOOTSTRAP_HINT, not_pulled, without_image
from wheelhouse.imagemaker import ImageMaker
from wheelhouse.imagesteps import (
    base_name,
    base_recipe,
    builder_step,
    checked_packages,
    cibuildwheel_step,
    cuda_step,
    index_step,
    packages_step,
    pinned,
    python_step,
    root_name,
    runtime_step,
    toolbox_step,
    toolchain_step,
    unpacked_recipe,
    with_python_step,
)
from wheelhouse.targets import Place, made_here, presets, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wheelhouse.engine import Role
    from wheelhouse.imagestore import ImageStore
    from wheelhouse.targets import Target
    from wheelhouse.toolkit import Toolkit
    from wheelhouse.wheelcontext import PinnedWheel


class _Bases(Protocol):
    def __call__(self, place: Place, /) -> Image:
        """The base of *place*. Raises ImageError."""


class TargetImageMaker:
    """Has the images of targets ready: finds, fetches or makes them, each once.

    :param fetch: gives the verified file of a pinned wheel; called from several threads.
    :param lock_dir: where runs on this machine wait for one another.
    :param on_line: receives what pulls and builds print, from several threads.
    :param building: entered with an image's title while it is built.
    :param used: called with each image that is found or made: its name, or a step's mark.
    :param mirror: of Debian; else ``WHEELHOUSE_DEBIAN_MIRROR``, else its official one.
    :raises ConfigError: *mirror* is not usable.

    Every method raises InterruptedRunError once :meth:`stop` was called, or where the thread
    that waits for it is interrupted.
    """

    def __init__(
        self,
        store: ImageStore,
        fetch: Callable[[PinnedWheel], Path],
        lock_dir: Path,
        on_line: Callable[[str], None],
        *,
        mirror: str | None = None,
        building: Callable[[str], AbstractContextManager[object]] = nullcontext,
        used: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._images = ImageMaker(
            store, fetch, lock_dir, on_line, mirror=mirror, building=building, used=used
        )
        self._settled_places: dict[Place, tuple[Place, str | None]] = {}

    def prepare(self, target: Target) -> TargetImages:
        """The images of *target*, made or fetched if they are not there.

        Where no image of its platform can be had, those of its stand-in.

        :raises ImageError: no base can be had, or a step failed.
        """
        proving, lacking = self._settled(target.place)
        building, _ = self._settled(target.build_place)
        with self._pool(1) as pool:
            tools = pool.submit(self._toolbox, target.arch)
            runtime = self._runtime(proving, self._base)
            toolchain = self._toolchain(building, self._base)
            builder = self._images.make(builder_step(building, toolchain, tools.result()))
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

    def with_system(
        self, images: TargetImages, packages: tuple[str, ...], toolkit: Toolkit | None = None
    ) -> Image:
        """The builder among *images* with *toolkit* and the distribution's *packages* in it.

        :raises ConfigError: what is asked for cannot be a package's name.
        :raises FetchError: a wheel of the toolkit cannot be had.
        :raises ImageError: the distribution has no such package, its compiler is none for the
            toolkit, or a step failed.
        """
        packages, place = checked_packages(packages), images.build_place
        builder = images.builder
        if toolkit is not None:
            builder = self._images.make(cuda_step(place, builder, toolkit))
        if not packages:
            return builder
        return self._images.make(packages_step("system", place, builder, packages))

    def has_toolkit(self, images: TargetImages, toolkit: Toolkit) -> bool:
        """Whether the builder among *images* is there with *toolkit* in it."""
        name = cuda_step(images.build_place, images.builder, toolkit).name
        return self._images.find(name, images.build_place.arch) is not None

    def with_runtime_system(self, images: TargetImages, packages: tuple[str, ...]) -> Image:
        """The runtime among *images* with the distribution's *packages* in it, and nothing else.

        :raises ConfigError: what is asked for cannot be a package's name.
        :raises ImageError: the distribution has no such package, or a step failed.
        """
        packages = checked_packages(packages)
        if not packages:
            return images.runtime
        return self._images.make(packages_step("server", images.place, images.runtime, packages))

    def index(self, images: TargetImages, role: Role) -> Image:
        """What knows the packages of the builder or the runtime among *images*.

        All Pythons of a platform share it.

        :raises ImageError: the distribution's index cannot be had.
        """
        place = (images.build_place if role == "builder" else images.place).origin
        return self._images.make(index_step(place, self._base(place), self._toolbox(place.arch)))

    def for_cibuildwheel(
        self,
        images: TargetImages,
        packages: tuple[str, ...],
        folder: str,
        toolkit: Toolkit | None = None,
    ) -> Image:
        """The same with the target's Python in *folder*, where cibuildwheel looks for it.

        Raises as :meth:`with_system` does.
        """
        builder = self.with_system(images, packages, toolkit)
        step = cibuildwheel_step(images.build_place, builder, images.builder_python, folder)
        return self._images.make(step)

    def bootstrap(self, places: Sequence[Place], *, refresh: bool = False) -> list[Image]:
        """Make the base images of *places* from packages, and all images on top of them.

        A place that cannot be made so is stood in for.

        :param refresh: make bases anew that are there already, with today's packages.
        :return: base, runtime and builder of each place, in the order of *places*.
        :raises ImageError: this machine cannot bootstrap, or a step failed. All failures are told.
        """
        places = tuple(dict.fromkeys(_makeable(place) for place in places))
        arches = dict.fromkeys(place.arch for place in places)
        for arch in arches:
            check_host(arch)
        wanted = dict.fromkeys(origin for place in places for origin in _origins(place))
        with self._pool(2 * len(wanted) + len(places) + len(arches)) as pool:
            bases = {
                place: pool.submit(
                    self._images.bootstrap, "base", place, base_recipe(place), refresh=refresh
                )
                for place in wanted
            }

            def base(place: Place) -> Image:
                return bases[place].result()

            tools = {
                arch: pool.submit(self._bootstrapped_toolbox, arch, refresh=refresh)
                for arch in arches
            }

            def finish(place: Place) -> list[Image]:
                runtime = self._runtime(place, base)
                toolchain = self._toolchain(place, base)
                builder = self._images.make(
                    builder_step(place, toolchain, tools[place.arch].result())
                )
                return [base(place.origin), runtime, builder]

            # In here, where an interrupt is noticed; leaving the block waits for the threads.
            made = _results([pool.submit(finish, place) for place in places])
        return list(dict.fromkeys(image for images in made for image in images))

    def stop(self) -> None:
        """Give up what is being made, or waited for, within a second. From any thread, for good.

        What waits for it raises InterruptedRunError. Finished images stay, others do not begin.
        """
        self._images.stop()

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
        exact = pinned(place)
        here = [exact, place.image, base_name(place) if place.preset.suite else None]
        for name in filter(None, here):
            if image := self._images.find(name, place.arch):
                return image
        reference = exact or place.image
        if reference is None:
            raise without_image(place)
        try:
            return self._images.pull(reference, place)
        except ImageError as error:
            raise not_pulled(place, error.message) from error

    # -- Derived images --------------------------------------------------------------------

    def _runtime(self, place: Place, base: _Bases) -> Image:
        """What the server has, on the *base* of *place*'s origin."""
        origin = self._images.make(runtime_step(place.origin, base(place.origin)))
        if not place.interpreter.from_source:
            return origin
        python = self._python(place, base)
        return self._images.make(with_python_step("runtime", place, origin, python))

    def _toolchain(self, place: Place, base: _Bases) -> Image:
        origin = self._origin_toolchain(place, base)
        if not place.interpreter.from_source:
            return origin
        python = self._python(place, base)
        return self._images.make(with_python_step("toolchain", place, origin, python))

    def _origin_toolchain(self, place: Place, base: _Bases) -> Image:
        return self._images.make(toolchain_step(place.origin, self._runtime(place.origin, base)))

    def _python(self, place: Place, base: _Bases) -> Image:
        """An image with a CPython built from the distribution's source package."""
        sources = self._runtime(_tool_place(place.arch), base)
        return self._images.make(python_step(place, self._origin_toolchain(place, base), sources))

    def _toolbox(self, arch: str) -> Image:
        place = _tool_place(arch)
        unpacked = self._images.find(root_name(place, "unpacked", unpacked_recipe(place)), arch)
        return self._images.make(toolbox_step(place, unpacked or self._runtime(place, self._base)))

    def _bootstrapped_toolbox(self, arch: str, *, refresh: bool) -> Image:
        place = _tool_place(arch)
        recipe = unpacked_recipe(place)
        unpacked = self._images.bootstrap("unpacked", place, recipe, refresh=refresh)
        return self._images.make(toolbox_step(place, unpacked))


def _tool_place(arch: str) -> Place:
    """Where the toolbox comes from. It is the newest Debian, so it knows the keys of all."""
    preset = presets()[toolbox.SOURCE_PRESET]
    return Place(preset=preset, python=next(iter(preset.pythons)), arch=arch)


def _origins(place: Place) -> tuple[Place, ...]:
    """The places whose bases the images of *place* are made from."""
    if place.interpreter.from_source:
        return place.origin, _tool_place(place.arch)
    return (place.origin,)


def _makeable(place: Place) -> Place:
    """*place*, or what stands in for it, of which images need no registry. Raises ImageError."""
    made = made_here(place)
    if made is None:
        raise ImageError(
            f"{place} cannot be made from packages, and nothing that can be stands in for it",
            hint=f"pull {place.image} into the engine where a registry answers."
            if place.image
            else "name an `image` of the platform in wheelhouse.toml.",
        )
    return made


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
