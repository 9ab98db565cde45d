"""Reading a package index: the Simple Repository API, as JSON or HTML.

The specification: https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from wheelhouse.errors import FetchError
from wheelhouse.fetch import redacted
from wheelhouse.locking.model import LockedFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.utils import NormalizedName

    from wheelhouse.fetch import Client

ACCEPT = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)


ABSOLUTE = ("https://", "http://")
SUFFIXES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".egg")
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexFile:
    """One file of a project, as its index describes it.

    :ivar sha256: None where the index gives no SHA-256.
    :ivar yanked: the reason (may be empty), or None if it is not yanked.
    :ivar metadata: whether the index serves the wheel's METADATA beside it (PEP 658).
    """

    filename: str
    url: str
    sha256: str | None
    requires_python: SpecifierSet | None
    yanked: str | None
    upload_time: datetime | None
    size: int | None
    metadata: bool

    def locked(self) -> LockedFile:
        """As a lock has it; it has a hash, or it would not be a candidate."""
        assert self.sha256 is not None
        return LockedFile(
            filename=self.filename,
            url=self.url,
            sha256=self.sha256,
            size=self.size,
            upload_time=self.upload_time,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectPage:
    """All files of a project.

    :ivar status: PEP 792's: ``active``, ``archived``, ``quarantined``.
    :ivar index: the URL of the index that has it.
    """

    name: NormalizedName
    files: tuple[IndexFile, ...]
    status: str = "active"
    index: str = ""


class Pages(Protocol):
    """Projects' pages, each from the one place it may come from."""

    def project(self, name: NormalizedName) -> ProjectPage | None:
        """The page of the project *name*, or None if it is nowhere.

        :raises FetchError: that place cannot be asked, or it no longer has the project.
        """


class Index:
    """An index at *url*. Every project's page is read once in the life of the object."""

    def __init__(self, client: Client, url: str) -> None:
        self.url = url.rstrip("/") + "/"
        self._client = client
        self._pages: dict[NormalizedName, Future[ProjectPage | None]] = {}
        self._lock = threading.Lock()

    def project(self, name: NormalizedName) -> ProjectPage | None:
        """The project's page, or None if the index doesn't have it. Raises FetchError."""
        with self._lock:
            page = self._pages.get(name)
            mine = page is None
            if page is None:
                page = self._pages[name] = Future()
        if mine:
            try:
                page.set_result(self._read(name))
            except BaseException as error:
                page.set_exception(error)
                raise
        return page.result()

    def _read(self, name: NormalizedName) -> ProjectPage | None:
        url = urljoin(self.url, f"{name}/")
        answer = self._client.get(url, accept=ACCEPT)
        if answer.status_code == 404:
            return None
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind.endswith("+json") or kind == "application/json":
            return page_from_json(name, answer.url, answer.content)
        if kind.endswith("html"):
            return page_from_html(name, answer.url, answer.content)
        raise FetchError(
            f"{redacted(url)} is no index page: its type is {kind or 'not told'}",
            hint="set `index` in wheelhouse.toml to an index's Simple API, as https://…/simple",
        )


def page_from_json(name: NormalizedName, url: str, content: bytes) -> ProjectPage:
    """Read a page of PEP 691. Raises FetchError."""
    base = _without_user(url)
    try:
        data = json.loads(content)
        files = tuple(_json_file(base, file) for file in data["files"])
        status = (data.get("project-status") or {}).get("status", "active")
        if not isinstance(status, str):
            raise TypeError("a project's status is a text")  # noqa: TRY301
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _invalid(url, error) from error
    return ProjectPage(name=name, files=files, status=status)


def _invalid(url: str, error: Exception) -> FetchError:
    return FetchError(
        f"{redacted(url)} is no valid index page: {type(error).__name__}: {error}",
        hint="try again later, or set another `index` in wheelhouse.toml",
    )


def _without_user(url: str) -> str:
    """*url* without credentials: what is relative to it gets into locks and manifests."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _json_file(base: str, data: dict[str, Any]) -> IndexFile:
    filename, yanked, size = data["filename"], data.get("yanked"), data.get("size")
    if not isinstance(filename, str):
        raise TypeError("a file's name is a text")
    return IndexFile(
        filename=filename,
        url=urljoin(base, data["url"]),
        sha256=_digest((data.get("hashes") or {}).get("sha256")),
        requires_python=_specifier(data.get("requires-python")),
        yanked=yanked if isinstance(yanked, str) else ("" if yanked else None),
        upload_time=_time(data.get("upload-time")),
        size=size if type(size) is int and size >= 0 else None,
        metadata=bool(data.get("core-metadata", data.get("dist-info-metadata"))),
    )


def page_from_html(name: NormalizedName, url: str, content: bytes) -> ProjectPage:
    """Read a page of PEP 503 with the additions of PEP 592, 658, 700 and 792.

    A page that has links, none of which is a file, is refused: a proxy's login page answers with
    status 200 too. Raises FetchError.
    """
    from lxml import etree, html

    try:
        tree = html.document_fromstring(content)
        base = next((element.get("href", "") for element in tree.iter("base")), "")
        anchors = list(tree.iter("a"))
        files = tuple(_html_files(urljoin(_without_user(url), base), anchors))
    except (ValueError, etree.LxmlError) as error:
        raise _invalid(url, error) from error
    if not files and (anchors or next(tree.iter("form", "script"), None) is not None):
        raise FetchError(
            f"{redacted(url)} answers with a page that is no index page",
            hint="open it in a browser: it may be a login page of your network",
        )
    return ProjectPage(name=name, files=files, status=_html_status(tree))


def _html_files(base: str, anchors: list[Any]) -> Iterator[IndexFile]:
    for anchor in anchors:
        href = anchor.get("href", "")
        url, _, fragment = (href if href.startswith(ABSOLUTE) else urljoin(base, href)).partition(
            "#"
        )
        filename = url.partition("?")[0].rpartition("/")[2]
        if "%" in filename:
            filename = unquote(filename)
        if not filename.endswith(SUFFIXES):
            continue
        kind, _, digest = fragment.partition("=")
        yield IndexFile(
            filename=filename,
            url=url,
            sha256=_digest(digest.partition("&")[0]) if kind == "sha256" else None,
            requires_python=_specifier(anchor.get("data-requires-python")),
            yanked=anchor.get("data-yanked"),
            upload_time=_time(anchor.get("data-upload-time")),
            size=None,
            metadata=_has_metadata(anchor),
        )


def _has_metadata(anchor: Any) -> bool:
    value = anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata"))
    return value is not None and value != "false"


def _html_status(tree: Any) -> str:
    for meta in tree.iter("meta"):
        if meta.get("name") == "pypi:project-status":
            return str(meta.get("content", "active"))
    return "active"


@cache
def _specifier(text: str | None) -> SpecifierSet | None:
    try:
        return SpecifierSet(text) if text else None
    except InvalidSpecifier:
        return None  # some old files have nonsense there; pip and uv ignore it too


def _digest(told: object) -> str | None:
    text = told.lower() if isinstance(told, str) else ""
    return text if SHA256.fullmatch(text) else None


def _time(text: str | None) -> datetime | None:
    """A moment with its zone; the world's, where none is told."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found
