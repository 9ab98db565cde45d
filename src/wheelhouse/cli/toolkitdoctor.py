"""Whether builds for CUDA can have its toolkit: from their builder's image, or from the index."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wheelhouse.building.downloads import check_room, weighed_files
from wheelhouse.cli.checks import Check
from wheelhouse.cuda import doubt, has_compiler
from wheelhouse.errors import ImageError, WheelhouseError
from wheelhouse.inputs import read_inputs
from wheelhouse.locking.freshness import is_fresh
from wheelhouse.locking.lockfile import load_lock, lock_path
from wheelhouse.locking.toolkit import takes_toolkit
from wheelhouse.phases import DOUBT_HINT
from wheelhouse.probe import probe
from wheelhouse.toolkit import Lack, Toolkit, is_this_machine, toolkit_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelhouse.cuda import Cuda
    from wheelhouse.engine import TargetImages
    from wheelhouse.locking.model import Lock
    from wheelhouse.run import Run
    from wheelhouse.targets import Target


def cuda_checks(target: Target) -> Iterator[Check]:
    """What is to be said of the version of CUDA that *target* names, without looking anywhere."""
    if target.cuda and (message := doubt(target.cuda.version)):
        yield Check(
            name="cuda", good=True, noted=True, said=message, hint=DOUBT_HINT, target=target.name
        )


def toolkit_check(run: Run, target: Target, cuda: Cuda) -> Check:
    """Whether builds of *target* can have the toolkit of *cuda*; its images are there.

    It is no failure that a builder has none, unless something is locked that is built with it.
    """
    try:
        lock = load_lock(lock_path(run.project.root, target.name))
        images = run.engine.images(target)
        if problem := _problem(run, target, cuda, images):
            return replace(problem, good=not _is_needed(lock))
        said = _found(run, target, images, lock)
    except WheelhouseError as error:
        return Check(
            name="toolkit", good=False, said=error.message, hint=error.hint, target=target.name
        )
    return Check(name="toolkit", good=True, said=f"{target.name}: {said}", target=target.name)


def _is_needed(lock: Lock | None) -> bool:
    builds = (each.build for each in lock.packages) if lock else ()
    return any(takes_toolkit(build) for build in builds if build is not None)


def _problem(run: Run, target: Target, cuda: Cuda, images: TargetImages) -> Check | None:
    """What the builder lacks, and wheels of the index cannot give it; None if nothing."""
    lack = Lack(target=target, images=images)
    if has_compiler(cuda.version):
        if not is_this_machine(images):
            return None
        try:
            run.engine.has_toolkit(target, Toolkit(version=cuda.version, wheels=()))
        except ImageError as error:
            said, hint = error.message, error.hint
        else:
            return None
    elif toolkit_for(target, images, ()) is not None:
        return None
    else:
        said = f"PyPI has no compiler of {cuda}, and {lack.clause}"
        hint = lack.remedy
    return Check(
        name="toolkit",
        good=True,
        noted=True,
        said=f"{target.name}: {said}: packages with kernels of their own cannot be built",
        hint=f"for such packages, {hint}",
        target=target.name,
    )


def _found(run: Run, target: Target, images: TargetImages, lock: Lock | None) -> str:
    """Where the toolkit is, or is to come from: the builder's own, or else NVIDIA's wheels.

    :raises WheelhouseError: it cannot be had, or has no room.
    """
    own = toolkit_for(target, images, ())
    if own is None:
        return _of_index(run, target, images, lock)
    run.engine.has_toolkit(target, own)
    place = "this machine" if is_this_machine(images) else images.build_place.preset.title
    return f"{place} has that of CUDA {own.version}"


def _of_index(run: Run, target: Target, images: TargetImages, lock: Lock | None) -> str:
    """What is to come of NVIDIA's wheels for *target*: those of its *lock*, or those of now.

    A lock that is made anew has those of now, too.

    :raises WheelhouseError: they cannot be had, or have no room.
    """
    if lock is not None:
        requirements = read_inputs(run.project.root, run.project.requirements)
        lock = lock if is_fresh(lock, run.project, target, requirements) else None
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
