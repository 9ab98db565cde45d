"""Whether builds for CUDA can have its toolkit: from their builder's image, or from the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.building.downloads import check_room, weighed_files
from wheelhouse.cli.checks import Check
from wheelhouse.cuda import doubt, has_compiler
from wheelhouse.errors import WheelhouseError
from wheelhouse.locking.lockfile import load_lock, lock_path
from wheelhouse.phases import DOUBT_HINT
from wheelhouse.probe import probe
from wheelhouse.toolkit import toolkit_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelhouse.cuda import Cuda
    from wheelhouse.engine import TargetImages
    from wheelhouse.run import Run
    from wheelhouse.targets import Target


def cuda_checks(target: Target) -> Iterator[Check]:
    """What is to be said of the version of CUDA that *target* names, without looking anywhere."""
    if target.cuda and (message := doubt(target.cuda.version)):
        yield Check(
            name="cuda", good=True, noted=True, said=message, hint=DOUBT_HINT, target=target.name
        )


def toolkit_check(run: Run, target: Target, cuda: Cuda) -> Check:
    """Whether builds of *target* can have the toolkit of *cuda*; its images are there."""
    try:
        images = run.engine.images(target)
        toolkit = toolkit_for(target, images, ())
        if toolkit is not None:  # the builder's own
            run.engine.has_toolkit(target, toolkit)
            said = f"{images.build_place.preset.title} has that of CUDA {toolkit.version}"
        elif has_compiler(cuda.version):
            said = _of_index(run, target, images)
        else:
            return _without(target, cuda, images)
    except WheelhouseError as error:
        return Check(
            name="toolkit", good=False, said=error.message, hint=error.hint, target=target.name
        )
    return Check(name="toolkit", good=True, said=f"{target.name}: {said}", target=target.name)


def _of_index(run: Run, target: Target, images: TargetImages) -> str:
    """What is to come of NVIDIA's wheels for *target*, which are locked or those of now.

    :raises WheelhouseError: they cannot be had, or have no room.
    """
    lock = load_lock(lock_path(run.project.root, target.name))
    interpreter = probe(run.runner, target, images)
    locked = run.locker.inspector(target, interpreter, images, lock).toolkits.wheels()
    toolkit = toolkit_for(target, images, locked)
    assert toolkit is not None
    if run.engine.has_toolkit(target, toolkit):
        return f"that of CUDA {toolkit.version} is ready to build with"
    weights = weighed_files({each.name: each.file for each in locked}, run.fetcher, run.scheduler)
    check_room(weights, run.store)
    come = weights.download
    if not come.files:
        return f"that of CUDA {toolkit.version} is in the store"
    return (
        f"that of CUDA {toolkit.version} is on the index: {come.told} are to be downloaded once a "
        "package is built with it"
    )


def _without(target: Target, cuda: Cuda, images: TargetImages) -> Check:
    """That there is none, which matters to packages alone that are compiled for GPUs."""
    return Check(
        name="toolkit",
        good=True,
        noted=True,
        said=f"{target.name}: PyPI has no compiler of {cuda}, and {images.build_place.preset.title}"
        " has none that will do: packages with kernels of their own cannot be built",
        hint="for such packages, name a `builder` that has it; `wheelhouse targets` lists some",
        target=target.name,
    )
