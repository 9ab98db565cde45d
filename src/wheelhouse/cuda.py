"""CUDA, as far as it is known beforehand: `data/cuda.toml`. Pure.

A target says ``cuda = "13.2"``: its builders then have that toolkit, everything in its lock is
made for that major version, and its servers have a driver that runs it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from packaging.utils import NormalizedName
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Where a toolkit stands in every builder that has one.
HOME = "/usr/local/cuda"

#: ``80``; ``90a`` and ``100f`` are for one GPU or one family, and run on no later one.
ARCHITECTURE = re.compile(r"(?P<number>[1-9]\d{1,2})(?P<only>[af]?)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cuda:
    """What a target says of CUDA.

    :ivar version: ``MAJOR.MINOR`` of the toolkit, and of what its servers are to run.
    :ivar arches: the GPUs there, by their compute capabilities: ``80`` is 8.0; empty for whatever
        the packages choose.
    :ivar libraries: parts of the toolkit that builds need beyond compiler and run time.
    """

    version: Version
    arches: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()

    @property
    def major(self) -> int:
        """The number that libraries and wheels are told apart by."""
        return self.version.major

    def __str__(self) -> str:
        return f"CUDA {self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A release of CUDA.

    :ivar gcc: the newest major version of GCC that its compiler takes.
    :ivar driver: the driver for Linux that came with it; None where that is not known.
    :ivar arches: compute capabilities that its compiler makes code for.
    """

    gcc: int
    driver: str | None
    arches: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """A shared library of CUDA's, which NVIDIA has on PyPI.

    :ivar majors: the versions of CUDA that have it under its soname.
    """

    soname: str
    majors: frozenset[int]
    projects: Mapping[int, NormalizedName] = field(hash=False)


def arches() -> list[str]:
    """The compute capabilities that any release that is known makes code for, in their order."""
    return sorted({arch for each in releases().values() for arch in each.arches}, key=int)


def siblings(major: str) -> list[str]:
    """The releases of CUDA *major* that are known, or all, if none is."""
    every = [str(version) for version in releases()]
    return [each for each in every if each.partition(".")[0] == major] or every


@cache
def releases() -> Mapping[Version, Release]:
    """All that are known, the oldest first."""
    tables = _data()["versions"]
    return {Version(name): _release(tables, name) for name in tables}


def _release(tables: Mapping[str, Any], name: str) -> Release:
    data = tables[name]
    while "like" in data:
        like = data["like"]
        data = {**tables[like], **{key: value for key, value in data.items() if key != "like"}}
    return Release(gcc=data["gcc"], driver=data["driver"], arches=tuple(data["arches"]))


def release(version: Version) -> Release:
    """What is known of *version*; one that is newer than all known ones is like the newest."""
    known = releases()
    if version in known:
        return known[version]
    newest = known[max(known)]
    return Release(gcc=newest.gcc, driver=None, arches=newest.arches)


def is_newer(version: Version) -> bool:
    """Whether *version* is newer than all known ones: nobody can know here whether it exists."""
    return version > max(releases())


def misfit_of_arch(arch: str, version: Version) -> str | None:
    """Why CUDA *version* makes no code for *arch*, in a sentence; None if it does.

    One that is newer than all known ones may do so for GPUs that are newer than all known ones.
    """
    number, _ = split(arch)
    if is_newer(version) and number > max(int(each) for each in release(version).arches):
        return None
    known = release(version).arches
    if str(number) in known:
        return None
    having = [str(each) for each, of in releases().items() if str(number) in of.arches]
    if not having:
        return f'no GPU of compute capability "{arch}" is known'
    word = "no longer" if Version(having[-1]) < version else "not yet"
    return f"CUDA {version} {word} makes code for {arch}; of those known, {having[-1]} does"


def first_with(arches: Iterable[str], version: Version) -> Version:
    """The oldest release of the same major version, up to *version*, that makes code for *arches*.

    *version* itself, which is to make it, if no earlier one does.
    """
    wanted = list(arches)
    able = (
        each
        for each in releases()
        if each.major == version.major
        and each < version
        and not any(misfit_of_arch(arch, each) for arch in wanted)
    )
    return next(able, version)


def is_known(version: Version) -> bool:
    """Whether *version* exists, as far as anybody can know: it may have come out since."""
    return version in releases() or is_newer(version)


def doubt(version: Version) -> str | None:
    """What is not known of *version* and taken for granted, in a sentence; None if all is known."""
    if not is_newer(version):
        return None
    newest, oldest = max(releases()), oldest_driver(version.major)
    driver = (
        f"it is taken to run with drivers from {oldest} on, as all of CUDA {version.major}"
        if oldest
        else "the driver that it takes is not known, so install.sh believes what a driver says of "
        "itself"
    )
    return (
        f"CUDA {version} is newer than this wheelhouse knows (up to {newest}): {driver}; its "
        f"compiler is taken to be like that of {newest}"
    )


def oldest_driver(major: int) -> str | None:
    """The oldest driver for Linux that runs all releases of CUDA *major*; None if not known."""
    found: str | None = _data()["majors"].get(str(major), {}).get("driver")
    return found


def has_compiler(version: Version) -> bool:
    """Whether its compiler is on PyPI; if not, it takes an image that has it."""
    compiler: bool = _data()["majors"].get(str(version.major), {"compiler": True})["compiler"]
    return compiler


def toolkit_libraries() -> tuple[str, ...]:
    """The parts of a toolkit that a target may ask for."""
    return tuple(_data()["toolkit"]["libraries"])


def toolkit_requirement(cuda: Cuda) -> str:
    """What has the toolkit for *cuda*: ``cuda-toolkit[cccl,cudart,nvcc]==13.2.*``."""
    toolkit = _data()["toolkit"]
    extras = ",".join(sorted({*toolkit["always"], *cuda.libraries}))
    return f"{toolkit['project']}[{extras}]=={cuda.version}.*"


def library(soname: str) -> Library | None:
    """The library of CUDA's that is called *soname*; None if it is none of those."""
    return _libraries().get(soname)


def sonames() -> frozenset[str]:
    """Those of all its libraries."""
    return frozenset(_libraries())


@cache
def _libraries() -> Mapping[str, Library]:
    return {
        soname: Library(
            soname=soname,
            majors=frozenset(majors),
            projects={major: _project(table, major) for major in majors},
        )
        for table in _data()["libraries"].values()
        for soname, majors in table["sonames"].items()
    }


def _project(table: Mapping[str, Any], major: int) -> NormalizedName:
    bare = major >= 13 and not table.get("suffixed", False)
    return NormalizedName(table["project"] if bare else f"{table['project']}-cu{major}")


def build_environment(cuda: Cuda) -> dict[str, str]:
    """Environment variables by which build tools find the toolkit and the GPUs to build for.

    CMake's are ``CUDACXX`` and ``CUDAARCHS``, PyTorch's ``TORCH_CUDA_ARCH_LIST``. Code for the
    newest GPU is kept as PTX, too, from which a driver makes that of later GPUs.
    """
    found = {"CUDA_HOME": HOME, "CUDA_PATH": HOME, "CUDACXX": f"{HOME}/bin/nvcc"}
    if cuda.arches:
        *others, newest = sorted(cuda.arches, key=_order)
        found["CUDAARCHS"] = ";".join([*(f"{each}-real" for each in others), newest])
        found["TORCH_CUDA_ARCH_LIST"] = ";".join([*map(_dotted, others), _with_ptx(newest)])
    return found


def _order(arch: str) -> tuple[int, str]:
    number, only = split(arch)
    return number, only


def split(arch: str) -> tuple[int, str]:
    """``90a`` as ``(90, "a")``.

    :raises ValueError: *arch* is no compute capability.
    """
    match = ARCHITECTURE.fullmatch(arch)
    if match is None:
        raise ValueError(f"{arch!r} is no compute capability")
    return int(match["number"]), match["only"]


def _dotted(arch: str) -> str:
    number, only = split(arch)
    return f"{number // 10}.{number % 10}{only}"


def _with_ptx(arch: str) -> str:
    return _dotted(arch) + ("" if split(arch)[1] else "+PTX")


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(files("wheelhouse").joinpath("data/cuda.toml").read_text("utf-8"))
