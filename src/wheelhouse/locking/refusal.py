"""Wheels that do not do what their tags promise: what a lock remembers of them. Pure.

Only its content tells that a wheel lies about its platform, so it is found out when a build has
fetched it, and never by locking alone. From then on the lock names it, and nothing is made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.utils import NormalizedName

    from wheelhouse.locking.model import Lock, RefusedFile
    from wheelhouse.targets import Target


def limits(target: Target) -> str:
    """What wheels are held against on *target*: elsewhere, what was refused here may do."""
    preset = target.preset
    glibcxx = f"GLIBCXX {preset.glibcxx}" if preset.glibcxx else ""
    parts = (str(preset.libc), glibcxx, target.arch, f"Python {target.python}")
    return ", ".join(part for part in parts if part)


def standing(refused: Iterable[RefusedFile], target: Target) -> tuple[RefusedFile, ...]:
    """Those of *refused* that hold for *target*, each file once."""
    held = {file.sha256: file for file in refused if file.platform == limits(target)}
    return tuple(sorted(held.values(), key=lambda file: (file.filename, file.sha256)))


def project_of(file: RefusedFile) -> NormalizedName:
    """The project whose file it is."""
    return canonicalize_name(file.filename.partition("-")[0])


def told(file: RefusedFile, lock: Lock) -> str:
    """What happened to *file*, and what of *lock*, made without it, takes its place."""
    return f"{broken_promise(file)}; {_instead(file, lock)}"


def broken_promise(file: RefusedFile) -> str:
    """``demo-1.0-….whl is not what its tag says: …``."""
    return f"{file.filename} is not what its tag says: {file.reason}"


def _instead(file: RefusedFile, lock: Lock) -> str:
    name, version, _, _ = parse_wheel_filename(file.filename)
    package = lock.package(name)
    if package is None:
        return f"what is used instead does without {name}"
    if package.version != version:
        return f"{package} is used instead"
    if package.wheels:
        return f"{package.wheels[0].filename} is used instead"
    return "it is built from its sdist instead"
