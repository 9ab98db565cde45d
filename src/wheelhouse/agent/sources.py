"""Unpacking an sdist, within bounds and inside its folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .archives import read_archive
from .errors import JobError
from .streams import ArchiveProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .stricttar import Member

#: The first and the last time that a zip archive can hold. Some backends fail for others.
EARLIEST, LATEST = 315_532_800, 4_354_819_198

#: Characters of what is told of an archive: it chooses its names.
LONGEST = 400


def unpack(archive: str, destination: str, subdirectory: str = "") -> str:
    """Unpack the sdist *archive* into *destination*; the path of the project in it.

    That is its one top folder, or the *subdirectory* of that.

    Raises JobError(``unpack``) for an archive that is broken, reaches outside its folder,
    exceeds the bounds, or has not exactly one top folder; or has no such subdirectory.
    """
    os.makedirs(destination)
    name = ""
    try:
        for member, content in read_archive(archive):
            name = member.name
            _write(member, content, destination)
    except (ArchiveProblem, OSError, ValueError, OverflowError) as error:
        raise JobError("unpack", f"the sdist cannot be unpacked: {str(error)[:LONGEST]}") from error
    top = os.path.join(destination, name.partition("/")[0])
    return below(top, subdirectory) if subdirectory else top


def below(top: str, subdirectory: str) -> str:
    """The path of the folder *subdirectory* of *top*, which no link leads out of.

    Raises JobError(``unpack``) if there is none.
    """
    path = os.path.realpath(os.path.join(top, subdirectory))
    if not path.startswith(os.path.realpath(top) + os.sep) or not os.path.isdir(path):
        raise JobError("unpack", f"it has no folder {subdirectory}")
    return path


def _write(member: Member, content: Iterator[bytes], destination: str) -> None:
    """Write *member*, whose way leads through folders only; files for their owner to change."""
    path = os.path.join(destination, member.name)
    if member.kind == "folder":
        os.makedirs(path, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if member.kind == "link":
        os.symlink(member.target, path)
    elif member.kind == "hard link":
        os.link(os.path.join(destination, member.target), path)
    else:
        with open(path, "xb") as file:
            file.writelines(content)
        os.chmod(path, member.mode & (0o755 if member.mode & 0o100 else 0o644) | 0o600)
        moment = min(max(member.mtime, EARLIEST), LATEST)
        os.utime(path, (moment, moment))
