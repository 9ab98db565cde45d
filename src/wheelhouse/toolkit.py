"""The CUDA toolkit of builders: NVIDIA's wheels on PyPI, laid out as build tools expect it.

Each part is a wheel with its share of one tree, ``nvidia/cu13/{bin,include,lib,nvvm}``. Together
they are what NVIDIA's installer puts into ``/usr/local/cuda-13.2``, but for what its packages of
distributions add: ``images/cuda.Dockerfile`` does that, see `docs/cuda.md`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName, parse_wheel_filename

from wheelhouse.cuda import HOME, first_with, misfit_of_arch
from wheelhouse.targets import presets
from wheelhouse.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.version import Version

    from wheelhouse.cuda import Cuda
    from wheelhouse.engine import TargetImages
    from wheelhouse.locking.model import BuildRequirement, LockedFile, LockedPackage
    from wheelhouse.targets import Place, Preset, Target

#: The tree that all parts share. NVIDIA's CMake files of libcudacxx, CUB and Thrust stand in a
#: prefix of their own there, and look for their headers from it: in the tree's own `lib` they
#: find them.
_TREE = re.compile(r"nvidia/cu\d+/(?:cuda_cccl/)?(?P<path>.+)")

#: What `images/cuda-nvcc.sh` calls by this name.
_MOVED = {"bin/nvcc": "bin/nvcc.bin"}

#: The project whose wheel has no files, and whose version is that of the whole.
PROJECT = NormalizedName("cuda-toolkit")


@dataclass(frozen=True, kw_only=True, slots=True)
class Toolkit:
    """A toolkit that a builder is to have.

    :ivar version: ``MAJOR.MINOR``, which names its folder.
    :ivar wheels: its parts, locked; none where the builder's image brings it.
    """

    version: Version
    wheels: tuple[LockedFile, ...]


def layout(member: str) -> str | None:
    """Where a wheel's *member* goes in the context; None if it is not of the tree."""
    match = _TREE.fullmatch(member)
    if match is None:
        return None
    path = match["path"]
    return f"toolkit/{_MOVED.get(path, path)}"


def version_file(toolkit: Toolkit) -> bytes:
    """What ``version.json`` of its folder says: tools that do not run `nvcc` ask that."""
    versions = {name: version for name, version, _ in parts(toolkit.wheels)}
    whole = versions.get(PROJECT, toolkit.version)
    said = {"cuda": {"name": "CUDA SDK", "version": str(whole)}}
    return json.dumps(said, indent=2).encode() + b"\n"


def parts(
    wheels: Iterable[LockedFile],
) -> Iterator[tuple[NormalizedName, Version, LockedFile]]:
    """Each of a toolkit's *wheels*, with its project and version."""
    for wheel in wheels:
        name, version, *_ = parse_wheel_filename(wheel.filename)
        yield name, version, wheel


def makes_for(own: Version, cuda: Version) -> bool:
    """Whether what the toolkit of release *own* makes runs with *cuda*.

    That of a later one makes what the run time and the driver of *cuda* may not have: its headers
    call functions that are new in it, and drivers read its PTX only from then on.
    """
    return own.major == cuda.major and own <= cuda


def comes_with(preset: Preset, cuda: Cuda) -> bool:
    """Whether the image of *preset* has a toolkit that makes what runs with *cuda*."""
    return preset.cuda is not None and makes_for(preset.cuda, cuda.version)


def toolkit_for(
    target: Target, images: TargetImages, locked: Iterable[BuildRequirement]
) -> Toolkit | None:
    """The toolkit for builds of *target*: its builder's own, or else what is *locked*.

    None if there is neither.
    """
    cuda, wheels = target.cuda, tuple(each.file for each in locked)
    if cuda is None:
        return None
    own = images.build_place.preset
    if own.cuda is not None and comes_with(own, cuda):
        return Toolkit(version=own.cuda, wheels=())
    return Toolkit(version=cuda.version, wheels=wheels) if wheels else None


def lacking(toolkit: Toolkit, cuda: Cuda) -> str | None:
    """The GPU of *cuda* that the compiler of *toolkit*, which may be older, makes no code for."""
    return next((each for each in cuda.arches if misfit_of_arch(each, toolkit.version)), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class TooOld:
    """That *package* is to be built for *arch*, of which its builder's toolkit knows nothing."""

    package: LockedPackage
    arch: str
    toolkit: Toolkit
    target: Target
    images: TargetImages

    @property
    def message(self) -> str:
        """What is wrong."""
        return (
            f"{self.package} is built with that of CUDA {self.toolkit.version}, whose compiler "
            f"makes no code for {self.arch}"
        )

    @property
    def hint(self) -> str:
        """What to do."""
        cuda = self.target.cuda
        assert cuda is not None
        first = first_with(cuda.arches, cuda.version)
        which = f"CUDA {first}" + ("" if first == cuda.version else f" to {cuda.version}")
        if self.images.builder.origin == "local":
            return f"use `--engine docker`, or install {which} in {HOME}"
        return f"name as `builder` of the target a platform whose image has {which}"


@dataclass(frozen=True, kw_only=True, slots=True)
class NoCompiler:
    """That *package* is to be built for CUDA, and neither its builder nor PyPI has the compiler."""

    package: LockedPackage
    target: Target
    images: TargetImages

    @property
    def message(self) -> str:
        """What is wrong."""
        lack = Lack(target=self.target, images=self.images)
        return (
            f"{self.package} takes the compiler of {self.target.cuda}: PyPI does not have it, and "
            f"{lack.clause}"
        )

    @property
    def hint(self) -> str:
        """What to do."""
        name = self.package.name
        without = f"if {name} can do without, write cuda = false into [packages.{name}]"
        return f"{Lack(target=self.target, images=self.images).remedy}; {without}"


def is_this_machine(images: TargetImages) -> bool:
    """Whether this machine itself is the builder, by the `local` engine."""
    return images.builder.origin == "local"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lack:
    """That the builder of *target* does not have the compiler of its CUDA."""

    target: Target
    images: TargetImages

    @property
    def clause(self) -> str:
        """What the builder has instead."""
        wanted, used = self.target.build_place.preset, self.images.build_place.preset
        has = f"that of CUDA {used.cuda}" if used.cuda else "no toolkit"
        if is_this_machine(self.images):
            return f"this machine has {has} in {HOME}"
        if wanted != used:
            return (
                f"{wanted.title} cannot be had, and {used.title}, which stands in for it, has {has}"
            )
        return f"{used.title} has {has}"

    @property
    def remedy(self) -> str:
        """How to get one that has it, in one clause."""
        if is_this_machine(self.images):
            return f"use `--engine docker`, or install {self.target.cuda} there"
        if self.target.build_place.preset != self.images.build_place.preset:
            reference = self.target.build_place.image
            return f"let the engine reach its registry, or `docker load` {reference}"
        assert self.target.cuda is not None
        able = [f'"{each.name}"' for each in builders_with(self.target.cuda, self.target.place)]
        if not able:
            return "declare a platform whose image has the toolkit, and build on it"
        return (
            f"build on an image that has it: builder = {able[0]} in [targets.{self.target.name}]"
            + (f" ({listed(able[1:])} would do, too)" if able[1:] else "")
        )


def builders_with(cuda: Cuda, place: Place) -> list[Preset]:
    """Platforms to build on for *place*, whose images have a toolkit for *cuda*: newest first."""
    able = [
        (preset.cuda, preset)
        for preset in presets().values()
        if preset.cuda
        and comes_with(preset, cuda)
        and place.python in preset.pythons
        and place.arch in preset.arches
        and place.preset.runs_what_is_built_on(preset)
    ]
    return [preset for _, preset in sorted(able, key=itemgetter(0), reverse=True)]
