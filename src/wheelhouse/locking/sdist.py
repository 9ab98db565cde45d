"""Reading an sdist without unpacking it, and without running anything of it.

The specifications: source distribution format, PEP 643 (which metadata is static), PEP 621.
"""

from __future__ import annotations

import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.metadata import parse_email
from packaging.version import InvalidVersion, Version

from wheelhouse.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

#: What a project without `[build-system]` requires, by PEP 517 and 518.
LEGACY_REQUIRES = ("setuptools>=40.8.0",)

#: Bounds of what is read of one sdist: members looked at, bytes of one file of interest.
MAX_MEMBERS = 200_000
MAX_FILE = 4 << 20

WANTED = ("PKG-INFO", "pyproject.toml")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sdist:
    """What an sdist says without being run.

    :ivar requires: its static build requirements.
    :ivar metadata: its core metadata, if that is static as far as dependencies go.
    """

    requires: tuple[str, ...]
    metadata: str | None


def read_sdist(path: Path, filename: str) -> Sdist:
    """Read the sdist at *path*, whose name on the index is *filename*.

    :raises BuildError: it is broken, or its pyproject.toml is.
    """
    try:
        files = _zip_files(path) if filename.endswith(".zip") else _tar_files(path)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise BuildError(
            f"{filename} is no sdist that can be read: {error}",
            hint="pin another version, or tell the project's maintainers",
        ) from error
    project = _pyproject(filename, files.get("pyproject.toml"))
    info = files.get("PKG-INFO")
    static = _static_metadata(info.decode("utf-8", "replace")) if info is not None else None
    return Sdist(requires=_requires(filename, project), metadata=static)


def _tar_files(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(path) as tar:
        for count, member in enumerate(tar):
            if count > MAX_MEMBERS:
                raise ValueError(f"it has more than {MAX_MEMBERS:,} members")
            name = _of_interest(member.name)
            if name and member.isfile() and member.size <= MAX_FILE and name not in found:
                file = tar.extractfile(member)
                assert file is not None
                found[name] = file.read()
                if len(found) == len(WANTED):
                    break
    return found


def _zip_files(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        members = [
            (name, info) for info in file.infolist() if (name := _of_interest(info.filename))
        ]
        return {name: file.read(info) for name, info in members if info.file_size <= MAX_FILE}


def _of_interest(member: str) -> str | None:
    """``NAME`` for ``TOP/NAME`` if it is one of the two; deeper ones are of vendored projects."""
    parts = member.removeprefix("./").split("/")
    return parts[1] if len(parts) == 2 and parts[1] in WANTED else None


def _pyproject(filename: str, content: bytes | None) -> dict[str, Any]:
    if content is None:
        return {}
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BuildError(
            f"{filename}: its pyproject.toml cannot be read: {error}",
            hint="pin another version, or tell the project's maintainers",
        ) from error


def _requires(filename: str, project: dict[str, Any]) -> tuple[str, ...]:
    system = project.get("build-system")
    if system is None:
        return LEGACY_REQUIRES
    requires = system.get("requires") if isinstance(system, dict) else None
    if not isinstance(requires, list) or not all(isinstance(line, str) for line in requires):
        raise BuildError(
            f"{filename}: its pyproject.toml has no valid list [build-system] requires",
            hint="pin another version, or tell the project's maintainers",
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
