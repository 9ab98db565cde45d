"""What a machine must have for the wheels of a house. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from wheelhouse.cuda import oldest_driver, release
from wheelhouse.data.gpu import DRIVER, Wanted
from wheelhouse.manifest import GpuNeeds, Needs, SystemPackage
from wheelhouse.targets import Libc
from wheelhouse.wheels.policy import DRIVER_SONAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheelhouse.cuda import Cuda
    from wheelhouse.locking.model import SystemRequirement
    from wheelhouse.manifest import WheelFacts
    from wheelhouse.targets import Target

#: The glibc that a legacy platform tag stands for (PEP 513, 571, 599).
_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_PLATFORM = re.compile(r"(?P<kind>many|musl)linux_(?P<major>\d+)_(?P<minor>\d+)_(?P<arch>\w+)")


def machine_needs(
    wheels: Sequence[WheelFacts], target: Target, system: Sequence[SystemRequirement]
) -> Needs:
    """What *wheels* need of a machine.

    :param system: the distribution's packages that it is to have for them.
    """
    libraries = {name for wheel in wheels for name in wheel.system_libraries}
    programs = {name for wheel in wheels for name in wheel.system_programs}
    return Needs(
        libc=needed_libc(wheels, target),
        libraries=_sorted(libraries, (each.libraries for each in system)),
        programs=_sorted(programs, (each.programs for each in system)),
        system=tuple(
            SystemPackage(
                package=each.package,
                platform=each.platform,
                libraries=each.libraries,
                programs=each.programs,
                required_by=each.required_by,
            )
            for each in sorted(system, key=lambda each: each.package)
        ),
        gpu=gpu_needs(target.cuda) if target.cuda else None,
    )


def gpu_needs(cuda: Cuda) -> GpuNeeds:
    """What *cuda* needs of a machine with a GPU."""
    return GpuNeeds(
        cuda=str(cuda.version),
        driver=oldest_driver(cuda.major) or "",
        release_driver=release(cuda.version).driver or "",
        arches=cuda.arches,
    )


def gpu_wanted(needs: Needs, gpu: GpuNeeds) -> Wanted:
    """*gpu* in the form in which a machine is held against it, with what *needs* has of it."""
    return Wanted(
        cuda=gpu.cuda,
        driver=gpu.driver,
        release_driver=gpu.release_driver,
        arches=gpu.arches,
        makes=release(Version(gpu.cuda)).arches,
        libraries=tuple(sorted({DRIVER, *DRIVER_SONAMES.intersection(needs.libraries)})),
    )


def _sorted(some: set[str], more: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(some.union(*more)))


def needed_libc(wheels: Iterable[WheelFacts], target: Target) -> str:
    """The oldest C library that all *wheels* run on; empty if they run on any."""
    needs = [need for wheel in wheels if (need := _libc_of(wheel, target)) is not None]
    return str(max(needs, key=lambda need: need.version)) if needs else ""


def _libc_of(wheel: WheelFacts, target: Target) -> Libc | None:
    """The oldest C library that one of the wheel's tags promises; None for a pure wheel."""
    promised: list[Libc] = []
    for tag in wheel.tags:
        platform = tag.rpartition("-")[2]
        if platform == "any":
            return None
        if (libc := _libc_of_platform(platform, target)) is not None:
            promised.append(libc)
    return min(promised, key=lambda libc: libc.version, default=target.preset.libc)


def _libc_of_platform(platform: str, target: Target) -> Libc | None:
    """What the platform tag promises to *target*; None if it is not for it or promises nothing."""
    family, arch = target.preset.libc.family, target.arch
    kind = platform.removesuffix(f"_{arch}")
    if kind in _LEGACY and family == "glibc":
        return Libc(family="glibc", version=_LEGACY[kind])
    match = _PLATFORM.fullmatch(platform)
    if match is None or match["arch"] != arch:
        return None
    found = "glibc" if match["kind"] == "many" else "musl"
    version = (int(match["major"]), int(match["minor"]))
    return Libc(family=found, version=version) if found == family else None
