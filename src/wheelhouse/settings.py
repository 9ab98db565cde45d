"""What `wheelhouse.toml` and the command line say of inputs, indexes and audits. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from packaging.utils import NormalizedName

#: By this name, settings of packages mean the index that the others come from.
DEFAULT_INDEX = "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class InputFile:
    """A file that says what is wanted; what kind of file it is, its name tells.

    :ivar path: absolute, inside the project.
    :ivar extras: of a `pyproject.toml` or a lock, the extras that are wanted too, normalized.
    :ivar groups: of the same, the dependency groups that are wanted too, normalized.
    :ivar project: whether the project that the file belongs to is wanted itself; None is what the
        file's own tool does.
    """

    path: Path
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    project: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexSettings:
    """A package index, or a folder or page of files.

    :ivar name: the user's for it; :data:`DEFAULT_INDEX` for that of the top level.
    :ivar url: of its Simple API, of a page of links, or of a folder (``file:///…``): without
        credentials, or a slash at the end of an index's.
    :ivar flat: whether it is a page or a folder with the files of all projects.
    :ivar packages: patterns of names, such as ``corp-*``: what matches comes from here only.
    :ivar username: the name to sign in with, where it is not in the environment or a netrc file.
    """

    name: str
    url: str
    flat: bool = False
    packages: tuple[str, ...] = ()
    username: str = ""

    def has_to_have(self, name: NormalizedName) -> bool:
        """Whether the project *name* is to come from here only."""
        return any(fnmatchcase(name, pattern) for pattern in self.packages)


@dataclass(frozen=True, kw_only=True, slots=True)
class IgnoredAdvisory:
    """An advisory that an audit does not count.

    :ivar id: any of its names.
    :ivar reason: why; empty if the command line says so.
    :ivar until: the last day on which that holds; None: for ever.
    :ivar package: the only package for which it holds, normalized; None: for all.
    """

    id: str
    reason: str = ""
    until: date | None = None
    package: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditSettings:
    """How the locked set is compared with advisories.

    :ivar sources: where those are: a path relative to the project, an address, or ``osv``.
    :ivar mirrors: the names of indexes that have what PyPI has.
    :ivar max_age: offline copies that are older are told.
    """

    sources: tuple[str, ...] = ()
    ignored: tuple[IgnoredAdvisory, ...] = ()
    mirrors: tuple[str, ...] = ()
    max_age: timedelta = timedelta(days=7)


def portable_url(url: str, root: Path) -> str:
    """*url*; a folder in the project at *root* as it is on every machine: ``file:vendor``."""
    base = root.as_uri()
    if url == base:
        return "file:."
    return f"file:{url[len(base) + 1 :]}" if url.startswith(f"{base}/") else url


def absolute_url(url: str, root: Path) -> str:
    """What :func:`portable_url` was made of."""
    path = url.removeprefix("file:")
    if path == url or path.startswith("/"):
        return url
    return root.as_uri() if path == "." else f"{root.as_uri()}/{path}"


#: Files of which extras and groups may be wanted, beside those of PEP 751.
_WITH_PARTS = frozenset(("pyproject.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"))


def has_parts(path: Path) -> bool:
    """Whether what is at *path* is of a kind that has extras and groups, by its name."""
    from packaging.pylock import is_valid_pylock_path

    return path.name in _WITH_PARTS or is_valid_pylock_path(path)
