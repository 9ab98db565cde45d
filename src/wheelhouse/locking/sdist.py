"""Reading an sdist, or another source, without unpacking it or running anything of it.

The specifications: source distribution format, PEP 643 (which metadata is static), PEP 621.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tomllib
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from wheelhouse.errors import BuildError
from wheelhouse.locking.projecttable import core_metadata, project_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: What a project without `[build-system]` requires, by PEP 517 and 518.
LEGACY_REQUIRES = ("setuptools>=40.8.0",)

#: Bounds of what is read of one sdist: members looked at, bytes of all, bytes of one file of
#: interest; bytes read at once, which is how `tarfile` reads headers, whatever their size.
MAX_MEMBERS = 200_000
MAX_BYTES = 8 << 30
MAX_FILE = 4 << 20
MAX_READ = 8 << 20

#: What the standard library raises for archives that somebody broke, by accident or not.
UNREADABLE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, ValueError, RuntimeError, LookupError, OverflowError),
)

WANTED = ("PKG-INFO", "pyproject.toml")

#: What to do about a broken pyproject.toml.
MEND = "correct it; if it is not yours, pin another version, or tell the project's maintainers"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sdist:
    """What an sdist says without being run.

    :ivar requires: its static build requirements.
    :ivar metadata: its core metadata, if that is static as far as dependencies go.
    """

    requires: tuple[str, ...]
    metadata: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What a source that is not known by a file name says without being run.

    :ivar name: the project's, as it is written there; None if only its backend knows it.
    :ivar requires: its static build requirements.
    :ivar metadata: its core metadata, if all that counts of that is static.
    """

    name: str | None
    requires: tuple[str, ...]
    metadata: str | None


def read_sdist(path: Path, filename: str) -> Sdist:
    """Read the sdist at *path*, whose name on the index is *filename*.

    :raises BuildError: it is broken, or its pyproject.toml is, or it is of another project.
    """
    files = _files(path, filename, is_zipped=filename.endswith(".zip"), inside=())
    project = _pyproject(filename, files.get("pyproject.toml"))
    info = files.get("PKG-INFO", b"").decode("utf-8", "replace")
    _check_identity(filename, info)
    return Sdist(requires=_requires(filename, project), metadata=_static_metadata(info))


def read_source(path: Path, *, subdirectory: str = "", shown: str = "the source") -> Source:
    """Read the archive at *path*: any with one top folder.

    :param subdirectory: where in that the project is.
    :param shown: what to call it in messages.
    :raises BuildError: it is broken, or its pyproject.toml is.
    """
    inside = tuple(part for part in subdirectory.split("/") if part not in ("", "."))
    files = _files(path, shown, is_zipped=is_zip(path), inside=inside)
    project = _pyproject(shown, files.get("pyproject.toml"))
    info = files.get("PKG-INFO", b"").decode("utf-8", "replace")
    metadata = _whole_metadata(info) or core_metadata(project)
    name = parse_email(metadata)[0].get("name") if metadata else project_name(project)
    return Source(name=name, requires=_requires(shown, project), metadata=metadata)


def is_zip(path: Path) -> bool:
    """Whether the archive at *path* is a zip: a tar that ends with one is none."""
    with path.open("rb") as file:
        return file.read(4) in {b"PK\x03\x04", b"PK\x05\x06"}


def _check_identity(filename: str, info: str) -> None:
    """An sdist has a PKG-INFO, which names the same project and version as its file name does.

    pip and uv take one that does not; then what is built is not what was locked.
    """
    raw, _ = parse_email(info)
    name, version = parse_sdist_filename(filename)
    said = f"{raw.get('name', '')} {raw.get('version', '')}".strip()
    try:
        same = canonicalize_name(raw.get("name", "")) == name
        same = same and Version(raw.get("version", "")) == version
    except InvalidVersion:
        same = False
    if not same:
        raise BuildError(
            f"{filename} is not what its name says: its PKG-INFO "
            + (f"is that of {said}" if said else "is missing"),
            hint="do not use it; tell the project's maintainers",
        )


class _Bounded:
    """An unpacked tar, of which neither too much nor too much at once can be read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        if size > MAX_READ:
            raise ValueError(f"a header of it has {size:,} bytes")
        return self._file.read(size)

    def seek(self, position: int) -> int:
        if position > MAX_BYTES:
            raise ValueError(f"it unpacks to more than {MAX_BYTES >> 30} GiB")
        return self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()


def _unpacked(path: Path) -> BinaryIO:
    """The tar in *path*, unpacked as it is read. Some are packed otherwise than they say."""
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return cast("BinaryIO", gzip.open(path))
    if start.startswith(b"BZh"):
        return cast("BinaryIO", bz2.open(path))
    return cast("BinaryIO", lzma.open(path)) if start == b"\xfd7zXZ\0" else path.open("rb")


def _files(
    path: Path, filename: str, *, is_zipped: bool, inside: tuple[str, ...]
) -> dict[str, bytes]:
    """The files of interest in the folder *inside* of the top one. Raises BuildError."""

    def name_of(member: str) -> str | None:
        return _of_interest(member, inside)

    try:
        return _zip_files(path, name_of) if is_zipped else _tar_files(path, name_of)
    except UNREADABLE as error:
        raise BuildError(
            f"{filename} is no sdist that can be read: {error}",
            hint="pin another version, or tell the project's maintainers",
        ) from error


def _tar_files(path: Path, name_of: Callable[[str], str | None]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with (
        _unpacked(path) as unpacked,
        tarfile.open(fileobj=cast("BinaryIO", _Bounded(unpacked)), mode="r:") as tar,
    ):
        for count, member in enumerate(tar):
            if count > MAX_MEMBERS:
                raise ValueError(f"it has more than {MAX_MEMBERS:,} members")
            name = name_of(member.name)
            if name and member.isfile() and member.size <= MAX_FILE and name not in found:
                file = tar.extractfile(member)
                assert file is not None
                found[name] = file.read()
                if len(found) == len(WANTED):
                    break
    return found


def _zip_files(path: Path, name_of: Callable[[str], str | None]) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        members = [(name, info) for info in file.infolist() if (name := name_of(info.filename))]
        return {name: file.read(info) for name, info in members if info.file_size <= MAX_FILE}


def _of_interest(member: str, inside: tuple[str, ...]) -> str | None:
    """``NAME`` for ``TOP/INSIDE/NAME`` if it is one of the two; others are of other projects."""
    _, *parts = member.removeprefix("./").split("/")
    return parts[-1] if parts and tuple(parts[:-1]) == inside and parts[-1] in WANTED else None


def _pyproject(filename: str, content: bytes | None) -> dict[str, Any]:
    if content is None:
        return {}
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BuildError(
            f"{filename}: its pyproject.toml cannot be read: {error}",
            hint=MEND,
        ) from error


def _requires(filename: str, project: dict[str, Any]) -> tuple[str, ...]:
    system = project.get("build-system")
    if system is None:
        return LEGACY_REQUIRES
    requires = system.get("requires") if isinstance(system, dict) else None
    if not isinstance(requires, list) or not all(isinstance(line, str) for line in requires):
        raise BuildError(
            f"{filename}: its pyproject.toml has no valid list [build-system] requires",
            hint=MEND,
        )
    return tuple(requires)


def _static_metadata(info: str) -> str | None:
    """*info* if what it says of dependencies is what every wheel will say (PEP 643)."""
    raw, _ = parse_email(info)
    try:
        version = Version(raw.get("metadata_version", "1.0"))
    except InvalidVersion:
        return None
    dynamic = {field.lower() for field in raw.get("dynamic", [])}
    if version < Version("2.2") or dynamic & {"requires-dist", "requires-python", "provides-extra"}:
        return None
    return info


def _whole_metadata(info: str) -> str | None:
    """*info* if it is static, and names the project and a version (PEP 643 allows no other)."""
    raw, _ = parse_email(info)
    try:
        Version(raw.get("version", ""))
    except InvalidVersion:
        return None
    return _static_metadata(info) if raw.get("name") else None
