"""`[packages.tool.wheelhouse.direct]` of a lock file: what comes from no index. Pure.

PEP 751 has a table for each kind of place; other tools read that. What was asked for, and the hash
of what was found, which it has no field for, stand in ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.pylock import PackageArchive, PackageDirectory, PackageVcs

from wheelhouse.inputs.model import Direct
from wheelhouse.locking.lockvalues import size, sound, text
from wheelhouse.locking.model import LockedFile
from wheelhouse.sources.location import pylock_source

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELDS = {PackageArchive: "archive", PackageDirectory: "directory", PackageVcs: "vcs"}


def direct_fields(direct: Direct, file: LockedFile) -> dict[str, Any]:
    """What was asked for, and the *file* that it was, as a table."""
    fields = {
        "location": direct.location,
        "revision": direct.revision,
        "subdirectory": direct.subdirectory,
        "name": file.filename,
        "url": file.url,
        "size": file.size,
        "hashes": {"sha256": file.sha256},
    }
    return {name: value for name, value in fields.items() if value}


def locked_direct(own: Mapping[str, Any]) -> tuple[Direct, LockedFile]:
    """What a table says. Raises LookupError, TypeError or ValueError if it is damaged."""
    direct = Direct(
        location=text(own["location"]),
        revision=text(own.get("revision", "")),
        subdirectory=text(own.get("subdirectory", "")),
    )
    file = LockedFile(
        filename=text(own["name"]),
        url=text(own["url"]),
        sha256=text(own["hashes"]["sha256"]),
        size=size(own.get("size")),
    )
    return direct, sound(file)


def standard_source(direct: Direct, file: LockedFile) -> dict[str, Any]:
    """The same as PEP 751 has it: by its field's name, the table."""
    source = pylock_source(direct, file.url, file.sha256, file.size)
    return {_FIELDS[type(source)]: source}
