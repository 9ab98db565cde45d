"""Unpacking an sdist, within bounds and inside its folder.

A tar's members are written here, not by `tarfile`: its filters came with patch releases that not
every machine has, and later ones mended ways around them.

The specification: https://packaging.python.org/en/latest/specifications/source-distribution-format/
"""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
import zlib

from .errors import JobError

MAX_MEMBERS = 200_000
MAX_BYTES = 8 << 30
MAX_NAME = 4096

#: What the two readers raise for archives that are broken, encrypted, or of an unknown method.
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def unpack(archive: str, destination: str, subdirectory: str = "") -> str:
    """Unpack the sdist *archive* into *destination*; the path of the project in it.

    That is its one top folder, or the *subdirectory* of that.

    Raises JobError(``unpack``) for an archive that is broken, reaches outside its folder,
    exceeds the bounds, or has not exactly one top folder; or has no such subdirectory.
    """
    os.makedirs(destination)
    try:
        if archive.endswith(".zip"):
            _unzip(archive, destination)
        else:
            _untar(archive, destination)
    except BROKEN as error:
        raise JobError("unpack", f"the sdist cannot be unpacked: {error}") from error
    tops = os.listdir(destination)
    top = os.path.join(destination, tops[0]) if len(tops) == 1 else ""
    if not os.path.isdir(top) or os.path.islink(top):
        raise JobError("unpack", f"an sdist has one top folder; this has {len(tops)} entries there")
    return below(top, subdirectory) if subdirectory else top


def below(top: str, subdirectory: str) -> str:
    """The path of the folder *subdirectory* of *top*, which no link leads out of.

    Raises JobError(``unpack``) if there is none.
    """
    path = os.path.realpath(os.path.join(top, subdirectory))
    if not path.startswith(os.path.realpath(top) + os.sep) or not os.path.isdir(path):
        raise JobError("unpack", f"it has no folder {subdirectory}")
    return path


def _untar(archive: str, destination: str) -> None:
    count = size = 0
    links: set[str] = set()
    with tarfile.open(archive) as tar:
        for member in tar:
            count, size = count + 1, size + member.size
            _bound(count, size, member.name)
            _place(tar, member, destination, links)


def _place(
    tar: tarfile.TarFile, member: tarfile.TarInfo, destination: str, links: set[str]
) -> None:
    """Write *member*. No path goes through one of *links*, which are those written so far."""
    name = _inside(member.name, links)
    path = os.path.join(destination, name)
    if member.isdir():
        os.makedirs(path, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)
        links.discard(name)
    if member.issym():
        _check_link(name, member.linkname)
        os.symlink(member.linkname, path)
        links.add(name)
    elif member.islnk():
        original = _inside(member.linkname, links)
        if original in links:
            raise ValueError(f"{member.name} is a second name of a link")
        os.link(os.path.join(destination, original), path)
    elif member.isfile():
        _write(tar, member, path)
    else:
        raise ValueError(f"{member.name} is a device or a pipe")


def _inside(name: str, links: set[str]) -> str:
    """The path that *name* is below the destination."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError(f"{name} is outside its folder")
    if links and any("/".join(parts[:end]) in links for end in range(1, len(parts))):
        raise ValueError(f"{name} lies behind a link")
    return "/".join(parts)


def _check_link(name: str, target: str) -> None:
    """Only first up, then down: so it stays inside, whatever the links are on its way down."""
    parts = [part for part in target.split("/") if part not in ("", ".")]
    down = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    if target.startswith("/") or ".." in parts[down:] or down > name.count("/"):
        raise ValueError(f"{name} is a link that leads outside its folder")


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    """Write the file *member*, executable or not, for its owner to change only."""
    source = tar.extractfile(member)
    assert source is not None
    with source, open(path, "xb") as file:
        shutil.copyfileobj(source, file)
    os.chmod(path, member.mode & (0o755 if member.mode & 0o100 else 0o644) | 0o600)
    os.utime(path, (member.mtime, member.mtime))


def _unzip(archive: str, destination: str) -> None:
    size = 0
    with zipfile.ZipFile(archive) as file:
        for count, member in enumerate(file.infolist(), 1):
            size += member.file_size
            _bound(count, size, member.filename)
            file.extract(member, destination)  # never outside: zipfile drops "..", drives and roots


def _bound(count: int, size: int, name: str) -> None:
    if len(name) > MAX_NAME:
        raise ValueError(f"it has a name of {len(name):,} characters")
    if count > MAX_MEMBERS:
        raise ValueError(f"it has more than {MAX_MEMBERS:,} members")
    if size > MAX_BYTES:
        raise ValueError(f"it unpacks to more than {MAX_BYTES >> 30} GiB")
