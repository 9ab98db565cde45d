"""Reading an sdist, or another source, without unpacking it or running anything of it.

The specifications: source distribution format, PEP 643 (which metadata is static), PEP 621.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name, parse_sdist_filename
from packaging.version import Version

from wheelhouse.agent.archives import read_archive
from wheelhouse.agent.streams import ArchiveProblem
from wheelhouse.errors import BuildError
from wheelhouse.locking.projecttable import core_metadata, project_name
from wheelhouse.text import clip
from wheelhouse.wheels.headers import HeaderProblem, fields_of, read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What a project without `[build-system]` requires, by PEP 517 and 518.
LEGACY_REQUIRES = ("setuptools>=40.8.0",)

#: Bytes of one file of interest.
MAX_FILE = 4 << 20

#: Characters of what is told of an archive: it chooses its names.
LONGEST = 400

#: Bytes of pyproject.toml, of which every few can make the parser set up a table.
MAX_PYPROJECT = 512 << 10

#: A key of so many parts that the parser takes too much time, or memory, for many of these.
LONG_KEY = re.compile(
    rb"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){20}""", re.ASCII
)

#: Characters of what is told of an archive: it chooses its names.
LONGEST = 400

#: Dots in one line of pyproject.toml: the parser takes quadratic time for a key of many parts.
MAX_DOTS = 1000

_BACKEND = re.compile(r"[\w.]+(?::[\w.]+)?")

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
    files = _files(path, filename, inside=())
    project = _pyproject(filename, files.get("pyproject.toml"))
    info = files.get("PKG-INFO", b"")
    _check_identity(filename, info)
    return Sdist(requires=_requires(filename, project), metadata=_static_metadata(info))


def read_source(path: Path, *, subdirectory: str = "", shown: str = "the source") -> Source:
    """Read the archive at *path*: any with one top folder.

    :param subdirectory: where in that the project is.
    :param shown: what to call it in messages.
    :raises BuildError: it is broken, or its pyproject.toml is.
    """
    inside = tuple(part for part in subdirectory.split("/") if part not in ("", "."))
    files = _files(path, shown, inside=inside)
    project = _pyproject(shown, files.get("pyproject.toml"))
    info = files.get("PKG-INFO", b"")
    metadata = _whole_metadata(info) or core_metadata(project)
    name = parse_email(metadata)[0].get("name") if metadata else project_name(project)
    return Source(name=name, requires=_requires(shown, project), metadata=metadata)


def _check_identity(filename: str, info: bytes) -> None:
    """An sdist has a PKG-INFO, which names the same project and version as its file name does.

    pip and uv take one that does not; then what is built is not what was locked.
    """
    name, version = parse_sdist_filename(filename)
    try:
        raw, _ = parse_email(fields_of(info))
        said = f"{raw.get('name', '')} {raw.get('version', '')}".strip()
        same = canonicalize_name(raw.get("name", "")) == name
        same = same and Version(raw.get("version", "")) == version
    except HeaderProblem as problem:
        said, same = f"nobody: {problem}", False
    except ValueError:  # no version; of thousands of digits, it is no InvalidVersion
        same = False
    if not same:
        raise BuildError(
            f"{filename} is not what its name says: its PKG-INFO "
            + (f"is that of {said}" if said else "is missing"),
            hint="do not use it; tell the project's maintainers",
        )


def _files(path: Path, filename: str, inside: tuple[str, ...]) -> dict[str, bytes]:
    """The files of interest in the folder *inside* of the top one. Raises BuildError."""
    try:
        return dict(_chosen(path, inside))
    except (ArchiveProblem, OSError) as error:
        raise BuildError(
            f"{filename} is no sdist that can be read: {clip(str(error), LONGEST)}",
            hint="pin another version, or tell the project's maintainers",
        ) from error


def _chosen(path: Path, inside: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    for member, content in read_archive(str(path)):
        name = _of_interest(member.name, inside)
        if name is None:
            continue
        if member.kind != "file":
            raise ArchiveProblem(f"{member.name} is a {member.kind}, and no file")
        if member.size > MAX_FILE:
            raise ArchiveProblem(f"{member.name} has {member.size:,} bytes")
        yield name, b"".join(content)


def _of_interest(member: str, inside: tuple[str, ...]) -> str | None:
    """``NAME`` for ``TOP/INSIDE/NAME`` if it is one of the two; others are of other projects."""
    _, *parts = member.split("/")
    return parts[-1] if parts and tuple(parts[:-1]) == inside and parts[-1] in WANTED else None


def _pyproject(filename: str, content: bytes | None) -> dict[str, Any]:
    if content is None:
        return {}
    try:
        return _loads(content)
    except (ValueError, RecursionError) as error:
        raise BuildError(
            f"{filename}: its pyproject.toml cannot be read: {clip(str(error), LONGEST)}",
            hint=MEND,
        ) from error


def _loads(content: bytes) -> dict[str, Any]:
    if len(content) > MAX_PYPROJECT:
        raise ValueError(f"it has {len(content):,} bytes")
    if LONG_KEY.search(content):
        raise ValueError("a key of it has very many parts")
    return tomllib.loads(content.decode("utf-8"))


def _requires(filename: str, project: dict[str, Any]) -> tuple[str, ...]:
    system = project.get("build-system")
    if system is None:
        return LEGACY_REQUIRES
    requires = system.get("requires") if isinstance(system, dict) else None
    if not isinstance(requires, list) or not all(isinstance(line, str) for line in requires):
        raise _unusable(filename, "has no valid list [build-system] requires")
    _check_backend(filename, system)
    return tuple(requires)


def _check_backend(filename: str, system: dict[str, Any]) -> None:
    """What PEP 517 allows to name: an object, and folders of the sdist to find it in."""
    backend, path = system.get("build-backend", "x"), system.get("backend-path", [])
    if not isinstance(backend, str) or not _BACKEND.fullmatch(backend):
        raise _unusable(filename, "has a build-backend that is none")
    if not isinstance(path, list) or not all(isinstance(each, str) for each in path):
        raise _unusable(filename, "has a backend-path that is no list of folders")
    if any(each.startswith("/") or ".." in each.split("/") for each in path):
        raise _unusable(filename, "has a backend-path that leads out of it")


def _unusable(filename: str, why: str) -> BuildError:
    return BuildError(f"{filename}: its pyproject.toml {why}", hint=MEND)


def _static_metadata(info: bytes) -> str | None:
    """The fields of *info* if what they say of dependencies every wheel will say (PEP 643)."""
    try:
        raw = read_metadata(info)
        version = Version(raw.get("metadata_version", "1.0"))
    except ValueError:
        return None
    dynamic = {field.lower() for field in raw.get("dynamic", [])}
    if version < Version("2.2") or dynamic & {"requires-dist", "requires-python", "provides-extra"}:
        return None
    return fields_of(info).decode("utf-8", "replace")


def _whole_metadata(info: bytes) -> str | None:
    """That of *info* if it is static, and has a version (PEP 643 allows no other)."""
    text = _static_metadata(info)
    try:
        Version(parse_email(text or "")[0].get("version", ""))
    except ValueError:
        return None
    return text
