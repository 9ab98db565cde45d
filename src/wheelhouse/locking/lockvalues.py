"""Values of our own tables in a lock file, checked: somebody may have edited or damaged it. Pure.

Each function raises TypeError or ValueError, with a message that shows the value.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from wheelhouse.locking.model import is_file_name

if TYPE_CHECKING:
    from wheelhouse.locking.model import LockedFile

_SYSTEM_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def text(value: object) -> str:
    """*value*, which must be a text."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def texts(values: object) -> tuple[str, ...]:
    """*values*, which must be a list of texts."""
    if not isinstance(values, list):
        raise TypeError(f"{values!r} is no list")
    return tuple(text(value) for value in values)


def flag(value: object) -> bool:
    """*value*, which must be true or false."""
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def requirement(value: object) -> str:
    """*value*, which must be a requirement such as ``setuptools<82``."""
    Requirement(text(value))
    return text(value)


def requirements(values: object) -> tuple[str, ...]:
    """*values*, which must be a list of requirements."""
    return tuple(requirement(value) for value in texts(values))


def system_package(value: object) -> str:
    """*value*, which must be a package's name, and neither an option nor a command."""
    if not _SYSTEM_PACKAGE.fullmatch(text(value)):
        raise ValueError(f"{value!r} is no name of a system package")
    return text(value)


def system_packages(values: object) -> tuple[str, ...]:
    """*values*, which must be a list of such names."""
    return tuple(system_package(value) for value in texts(values))


def size(value: object) -> int | None:
    """*value*, which must be a number of bytes, or None."""
    if value is not None and not isinstance(value, int):
        raise TypeError(f"{value!r} is no size")
    return value


def moment(value: object) -> datetime | None:
    """*value*, which must be a point in time with its offset from UTC, or None."""
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"{value!r} is no time with an offset")
    return value


def sound(file: LockedFile) -> LockedFile:
    """*file*, of which neither name nor hash can lead out of a folder."""
    if not is_file_name(file.filename):
        raise ValueError(f"{file.filename!r} is no name of a file")
    if not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
        raise ValueError(f"{file.filename}: {file.sha256!r} is no SHA-256")
    return file
