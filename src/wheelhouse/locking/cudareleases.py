"""CUDA's own parts in the release that a target has, where nothing asks for a later one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.alignment.frameworks import parts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.cuda import Cuda
    from wheelhouse.locking.resolver import Pin
    from wheelhouse.locking.view import View


def earlier(pins: Iterable[Pin], view: View, cuda: Cuda) -> dict[NormalizedName, Version]:
    """By name, what to prefer to those of *pins* that are of a later release than *cuda*.

    A resolver takes the newest version that is allowed. Of a part of CUDA that may well be of a
    release for which the target's driver is too old, and for which it was not meant.
    """
    later = (pin.name for pin in pins if _is_part(pin.name, cuda) and _later(pin.version, cuda))
    return {name: max(fitting) for name in later if (fitting := _fitting(name, view, cuda))}


def _is_part(name: NormalizedName, cuda: Cuda) -> bool:
    """Whether the versions of *name* begin with CUDA's own."""
    return name.removesuffix(f"-cu{cuda.major}") in parts().releases


def _later(version: Version, cuda: Cuda) -> bool:
    return version.major == cuda.major and version.minor > cuda.version.minor


def _fitting(name: NormalizedName, view: View, cuda: Cuda) -> list[Version]:
    """Versions of *name* that are of *cuda*'s release or an earlier one of the same major."""
    return [
        version
        for version, release in (view.releases(name) or {}).items()
        if version.major == cuda.major
        and not _later(version, cuda)
        and not version.is_prerelease
        and release.yanked is None
        and view.fits(name, release)
    ]
