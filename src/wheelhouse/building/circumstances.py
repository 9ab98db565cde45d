"""What plans and builds of a target depend on, as it is in a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wheelhouse.building import cibuildwheel, suppliers
from wheelhouse.building.build import known_build
from wheelhouse.building.durations import Pace
from wheelhouse.building.history import last_build
from wheelhouse.building.neighbours import never_grafted
from wheelhouse.engine.jobs import agent_digest
from wheelhouse.plan import Circumstances
from wheelhouse.store import digest_of
from wheelhouse.toolkit import toolkit_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheelhouse.building.downloads import Downloads
    from wheelhouse.building.runner import Runner
    from wheelhouse.engine import Image, TargetImages
    from wheelhouse.locking.model import BuildRequirement, LockedPackage
    from wheelhouse.targets import Interpreter, Target
    from wheelhouse.toolkit import Toolkit


def circumstances(
    runner: Runner,
    target: Target,
    images: TargetImages,
    interpreter: Interpreter,
    toolkit: Iterable[BuildRequirement] = (),
    *,
    downloads: Downloads,
) -> Circumstances:
    """Those of building for *target* with *runner*.

    :param toolkit: that of CUDA, as it is locked.
    :param downloads: fetches, and tells, what builders take that are not there yet.
    """
    return Circumstances(
        target=target,
        interpreter=interpreter,
        images=images,
        toolkit=toolkit_for(target, images, toolkit),
        builder=partial(_builder, partial(runner.engine.with_system, target), downloads),
        known=lambda key: known_build(runner.store, key),
        last=lambda name, version: last_build(runner.store, name, version, target.place),
        for_cibuildwheel=partial(
            _for_cibuildwheel, partial(runner.engine.for_cibuildwheel, target), downloads
        ),
        versions={
            "agent": agent_digest("build"),
            "left alone": digest_of(never_grafted()),
            "suppliers": suppliers.VERSION,
        },
        cibuildwheel=cibuildwheel.version,
        pace=Pace.of(runner.engine, runner.store, target),
    )


def _builder(
    make: Callable[[tuple[str, ...], Toolkit | None], Image],
    downloads: Downloads,
    package: LockedPackage,
    system: tuple[str, ...],
    toolkit: Toolkit | None,
) -> Image:
    """The builder of *package* that is to *make*, once what it takes of *toolkit* is there."""
    if toolkit is not None:
        downloads.toolkit(toolkit, package)
    return make(system, toolkit)


def _for_cibuildwheel(
    make: Callable[[tuple[str, ...], str, Toolkit | None], Image],
    downloads: Downloads,
    package: LockedPackage,
    system: tuple[str, ...],
    folder: str,
    toolkit: Toolkit | None,
) -> Image:
    """As :func:`_builder`, with the target's Python in *folder*."""
    if toolkit is not None:
        downloads.toolkit(toolkit, package)
    return make(system, folder, toolkit)
