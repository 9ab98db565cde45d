"""Files without a package index: a folder of them, a page of links to them, an index on a disk.

pip's ``--find-links`` takes the first two. The third is the layout of PEP 503 as files: a folder
for each project, with the files themselves or an ``index.html`` that leads to them.

What lies on this machine is known by locations, as :mod:`wheelhouse.sources` has them, and by the
hash of what is there now.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename

from wheelhouse.errors import FetchError
from wheelhouse.locking.index import (
    ABSOLUTE,
    ACCEPT,
    SUFFIXES,
    Index,
    IndexFile,
    Place,
    ProjectPage,
    no_page,
    page_from_html,
)
from wheelhouse.settings import DEFAULT_INDEX
from wheelhouse.sources.location import path_location
from wheelhouse.store import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from packaging.utils import NormalizedName

    from wheelhouse.fetch import Client
    from wheelhouse.settings import IndexSettings

PAGES = (".html", ".htm")


def place_of(
    settings: IndexSettings,
    client: Client,
    root: Path,
    is_another: Callable[[str], bool] = lambda _: False,
) -> Place:
    """Whichever kind of place *settings* are of.

    :param root: the project's folder.
    :param is_another: see :class:`~wheelhouse.locking.index.Index`.
    """
    name = "" if settings.name == DEFAULT_INDEX else settings.name
    if settings.url.startswith("file:"):
        return (LocalFiles if settings.flat else LocalIndex)(settings.url, root, name)
    if settings.flat:
        return FlatPage(client, settings.url, name)
    return Index(client, settings.url, name, is_another=is_another)


class FlatPage(Place):
    """A page at *url* with links to files of any project."""

    def __init__(self, client: Client, url: str, name: str = "") -> None:
        super().__init__(url, name)
        self._client = client
        self._reading = threading.Lock()

    def read(self, name: NormalizedName) -> ProjectPage | None:
        """See :meth:`~wheelhouse.locking.index.Place.read`."""
        with self._reading:
            files = self._all
        return _of_project(name, files)

    @cached_property
    def _all(self) -> tuple[IndexFile, ...]:
        """Every file that there is a link to."""
        answer = self._client.page(self.url, accept=ACCEPT)
        if answer is None:
            raise FetchError(f"{self.title} is not there", hint="correct its `url`")
        if not answer.kind.endswith("html"):
            raise no_page(answer.url, answer.kind)
        return page_from_html(_NOBODY, answer.url, answer.content).files


class _Local(Place):
    """A place on this machine.

    :param root: the project's folder; what is inside is told relative to it.
    """

    def __init__(self, url: str, root: Path, name: str = "") -> None:
        super().__init__(url, name)
        self._path = path_of(url)
        self._root = root


class LocalFiles(_Local):
    """A folder with files of any project, or a page of links to them, on this machine."""

    def read(self, name: NormalizedName) -> ProjectPage | None:
        """See :meth:`~wheelhouse.locking.index.Place.read`."""
        page = _of_project(name, self._all)
        return _hashed(page, self._root) if page else None

    @cached_property
    def _all(self) -> tuple[IndexFile, ...]:
        if self._path.suffix.lower() in PAGES:
            return _linked(_NOBODY, self._path, self.title)
        return _listed(self._path, self.title)


class LocalIndex(_Local):
    """An index as files of this machine, in the layout of PEP 503."""

    def read(self, name: NormalizedName) -> ProjectPage | None:
        """See :meth:`~wheelhouse.locking.index.Place.read`."""
        folder = self._folders.get(name)
        if folder is None:
            return None
        page = folder / "index.html"
        found = (
            _linked(name, page, self.title)
            if page.is_file()
            else tuple(each for each in _listed(folder, self.title) if project_of(each) == name)
        )
        return _hashed(ProjectPage(name=name, files=found), self._root)

    @cached_property
    def _folders(self) -> dict[NormalizedName, Path]:
        """Each project's folder, whichever way its name is spelled."""
        entries = _entries(self._path, self.title)
        return {canonicalize_name(each.name): each for each in entries if each.is_dir()}


#: Whose page a page of all projects is.
_NOBODY = canonicalize_name("all-projects")


def path_of(url: str) -> Path:
    """The path that a ``file:`` URL is of."""
    return Path(unquote(urlsplit(url).path))


def project_of(file: IndexFile) -> NormalizedName | None:
    """The project of *file*, by its name; None if that is no wheel's or sdist's."""
    if file.filename.endswith(".whl"):
        return canonicalize_name(file.filename.partition("-")[0])
    try:
        return canonicalize_name(parse_sdist_filename(file.filename)[0])
    except InvalidSdistFilename:
        return None


def _of_project(name: NormalizedName, files: Iterable[IndexFile]) -> ProjectPage | None:
    """The page of the project *name*; None if none of *files* is of it."""
    own = tuple(file for file in files if project_of(file) == name)
    return ProjectPage(name=name, files=own) if own else None


def _entries(folder: Path, title: str) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise _unreadable(title, error) from error


def _unreadable(title: str, error: OSError) -> FetchError:
    what = "is not there" if isinstance(error, FileNotFoundError) else "cannot be read"
    return FetchError(
        f"{title} {what}: {error.strerror}", hint="correct its `url`, or mount what it names"
    )


def _listed(folder: Path, title: str) -> tuple[IndexFile, ...]:
    """The files that lie in *folder*, by their URLs."""
    return tuple(
        IndexFile(
            filename=path.name,
            url=path.as_uri(),
            sha256=None,
            requires_python=None,
            yanked=None,
            upload_time=None,
            size=None,
            metadata=False,
        )
        for path in _entries(folder, title)
        if path.name.endswith(SUFFIXES) and path.is_file()
    )


def _linked(name: NormalizedName, page: Path, title: str) -> tuple[IndexFile, ...]:
    """The files that the HTML *page* leads to, by their URLs."""
    try:
        content = page.read_bytes()
    except OSError as error:
        raise _unreadable(title, error) from error
    return page_from_html(name, page.as_uri(), content).files


def _hashed(page: ProjectPage, root: Path) -> ProjectPage:
    """*page* with locations and hashes of the files that lie on this machine.

    A hash that a page tells is kept: who fetches the file holds it against that.
    """
    return replace(page, files=tuple(_local(file, root) for file in page.files))


def _local(file: IndexFile, root: Path) -> IndexFile:
    if file.url.startswith(ABSOLUTE):
        return file
    path = path_of(file.url)
    try:
        size = path.stat().st_size
        sha256 = file.sha256 or sha256_of(path)
    except OSError as error:
        raise _unreadable(str(path), error) from error
    location = path_location(path, root, folder=False)
    return replace(file, url=location, sha256=sha256, size=size, metadata=False)
