"""What another Python would have: releases for the right CUDA that the target's does not take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from wheelhouse.alignment.statements import majors_of
from wheelhouse.locking.requiring import holds, requirements_in

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from wheelhouse.alignment.statements import Statement
    from wheelhouse.locking.candidates import Release
    from wheelhouse.locking.view import View


def of_later_python(side: Statement, major: int, view: View) -> str:
    """The newest release of *side*'s project, if it is for CUDA *major* and other Pythons alone.

    :raises WheelhouseError: it cannot be told, or it takes too long.
    """
    view = view.rehearsal(any_hash=True)
    python = view.interpreter.full_version
    newer = [
        release
        for version, release in (view.releases(side.name) or {}).items()
        if version > side.version
        and not version.is_prerelease
        and release.yanked is None
        and release.requires_python is not None
        and not release.requires_python.contains(python)
    ]
    if not newer:
        return ""
    newest = max(newer, key=lambda release: release.version)
    if _majors(side.name, newest, view) != {major}:
        return ""
    return (
        f"{side.name} {newest.version} is made for CUDA {major}, and takes Python "
        f"{newest.requires_python}"
    )


def _majors(name: NormalizedName, release: Release, view: View) -> set[int]:
    """The CUDAs that *release* is made for; none if no wheel for the target's platform tells it.

    A hint is not worth gigabytes: a wheel that would have to be fetched for it tells nothing.
    """
    platforms = {tag.platform for tag in view.interpreter.tags}
    file = next(
        (
            file
            for file in (*release.wheels, *release.others)
            if any(tag.platform in platforms for tag in parse_wheel_filename(file.filename)[3])
        ),
        None,
    )
    text = None if file is None else view.told_by(file)
    if text is None:
        return set()
    environment = view.interpreter.environment
    asked = (each for each in requirements_in(text) if holds(each.marker, environment, ()))
    return majors_of(name, release.version, asked)
