"""Unpacking an sdist, within bounds and inside its folder.

The specification: https://packaging.python.org/en/latest/specifications/source-distribution-format/
"""

from __future__ import annotations

import os
import tarfile
import zipfile

from .errors import JobError

MAX_MEMBERS = 200_000
MAX_BYTES = 8 << 30


def unpack(archive: str, destination: str) -> str:
    """Unpack the sdist *archive* into *destination*; its one top folder's path.

    Raises JobError(``unpack``) for an archive that is broken, reaches outside its folder,
    exceeds the bounds, or has not exactly one top folder.
    """
    os.makedirs(destination)
    try:
        if archive.endswith(".zip"):
            _unzip(archive, destination)
        else:
            _untar(archive, destination)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise JobError("unpack", f"the sdist cannot be unpacked: {error}") from error
    tops = os.listdir(destination)
    if len(tops) != 1 or not os.path.isdir(os.path.join(destination, tops[0])):
        raise JobError("unpack", f"an sdist has one top folder; this has {len(tops)} entries there")
    return os.path.join(destination, tops[0])


def _untar(archive: str, destination: str) -> None:
    count = size = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            count, size = count + 1, size + member.size
            _bound(count, size)
            if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
                raise ValueError(f"{member.name} is a device or a pipe")
            tar.extract(member, destination, filter="data")


def _unzip(archive: str, destination: str) -> None:
    size = 0
    with zipfile.ZipFile(archive) as file:
        for count, member in enumerate(file.infolist(), 1):
            size += member.file_size
            _bound(count, size)
            file.extract(member, destination)  # never outside: zipfile drops "..", drives and roots


def _bound(count: int, size: int) -> None:
    if count > MAX_MEMBERS:
        raise ValueError(f"it has more than {MAX_MEMBERS:,} members")
    if size > MAX_BYTES:
        raise ValueError(f"it unpacks to more than {MAX_BYTES >> 30} GiB")
