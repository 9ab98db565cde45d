"""Reading a package index: the Simple Repository API, as JSON or HTML.

The specification: https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from abc import ABC, abstractmethod
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from wheelhouse.errors import FetchError
from wheelhouse.fetcherrors import RefusedError, redacted
from wheelhouse.locking.model import LockedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from packaging.utils import NormalizedName

    from wheelhouse.fetch import Client, Fetcher

ACCEPT = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)


ABSOLUTE = ("https://", "http://")
SUFFIXES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".egg")
SHA256 = re.compile(r"[0-9a-f]{64}")

#: Other hashes that old servers give; by themselves they vouch for nothing.
WEAKER = ("md5", "sha1", "sha224", "sha384", "sha512")


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexFile:
    """One file of a project, as its index describes it.

    :ivar sha256: None where the index gives no SHA-256.
    :ivar yanked: the reason (may be empty), or None if it is not yanked.
    :ivar metadata: whether the index serves the wheel's METADATA beside it (PEP 658).
    :ivar provenance: where the index has what is attested of it (PEP 740); empty if it has nothing.
    :ivar other_hashes: where there is no SHA-256, kinds, of :data:`WEAKER`, and what they are.
    """

    filename: str
    url: str
    sha256: str | None
    requires_python: SpecifierSet | None
    yanked: str | None
    upload_time: datetime | None
    size: int | None
    metadata: bool
    provenance: str = ""
    other_hashes: tuple[tuple[str, str], ...] = ()


def sha256_of_file(file: IndexFile, fetcher: Fetcher) -> str:
    """The hash that *file* will be known by. Where its index tells none, that of what is there now.

    :raises FetchError: there is no such file, or it does not have another hash that was told.
    """
    if file.sha256 is not None:
        return file.sha256
    found = fetcher.first(file.url)
    for kind, digest in file.other_hashes:
        with fetcher.store.blob(found).open("rb") as content:
            had = hashlib.file_digest(content, partial(_hasher, kind)).hexdigest()
        if had != digest:
            raise FetchError(
                f"{redacted(file.url)} does not have the {kind} that its index tells",
                hint="try again; if it stays so, tell whoever runs the index",
            )
    return found


def _hasher(kind: str) -> Any:
    return hashlib.new(kind, usedforsecurity=False)


def locked_file(file: IndexFile, fetcher: Fetcher) -> LockedFile:
    """*file* as a lock has it; one without a hash is fetched for that.

    Raises as :func:`sha256_of_file` does.
    """
    return LockedFile(
        filename=file.filename,
        url=file.url,
        sha256=sha256_of_file(file, fetcher),
        size=file.size,
        upload_time=file.upload_time,
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

    @property
    def has_times(self) -> bool:
        """Whether it tells when files came to the index."""
        return any(file.upload_time is not None for file in self.files)

    def before(self, moment: datetime | None) -> ProjectPage:
        """It as it was before *moment*, if it tells: also old releases get new files."""
        if moment is None or not self.has_times:
            return self
        known = ((file, file.upload_time) for file in self.files)
        files = tuple(file for file, time in known if time is not None and time < moment)
        return replace(self, files=files)


class Pages(Protocol):
    """Projects' pages, each from the one place it may come from."""

    def project(self, name: NormalizedName) -> ProjectPage | None:
        """The page of the project *name*, or None if it is nowhere.

        :raises FetchError: that place cannot be asked, or it no longer has the project.
        """


class Place(ABC):
    """An index, a folder or a page of files. A project's page is read once in the object's life.

    :ivar url: without a slash at its end.
    :ivar title: what to call it in a message: ``corp (https://…)``.
    """

    def __init__(self, url: str, name: str = "") -> None:
        self.url = url.rstrip("/")
        self.title = f"{name} ({redacted(self.url)})" if name else f"the index {redacted(self.url)}"
        self._pages: dict[NormalizedName, Future[ProjectPage | None]] = {}
        self._lock = threading.Lock()

    def project(self, name: NormalizedName) -> ProjectPage | None:
        """The project's page, or None if it is certain that it is not there. Raises FetchError."""
        with self._lock:
            page = self._pages.get(name)
            mine = page is None
            if page is None:
                page = self._pages[name] = Future()
        if mine:
            try:
                found = self.read(name)
                page.set_result(replace(found, index=self.url) if found else None)
            except BaseException as error:
                page.set_exception(error)
                raise
        return page.result()

    @abstractmethod
    def read(self, name: NormalizedName) -> ProjectPage | None:
        """What :meth:`project` remembers."""


class Index(Place):
    """An index with a Simple API at *url*.

    :param name: the user's for it, if it has one.
    :param is_another: whether an address is of another index. Some servers redirect to one for what
        they do not have: then it is not there, and who has it is not theirs to say.
    """

    def __init__(
        self,
        client: Client,
        url: str,
        name: str = "",
        *,
        is_another: Callable[[str], bool] = lambda _: False,
    ) -> None:
        super().__init__(url, name)
        self._client = client
        self._is_another = is_another

    def read(self, name: NormalizedName) -> ProjectPage | None:
        """See :meth:`Place.read`."""
        try:
            url = f"{self.url}/{name}/"
            answer = self._client.page(url, accept=ACCEPT, unless=self._is_another)
        except RefusedError as error:
            raise _refused(self.title, name, error) from error
        if answer is None:
            return None
        if answer.kind.endswith("+json") or answer.kind == "application/json":
            return page_from_json(name, answer.url, answer.content)
        if answer.kind.endswith("html"):
            return page_from_html(name, answer.url, answer.content)
        raise no_page(answer.url, answer.kind)


def _refused(title: str, name: str, error: RefusedError) -> FetchError:
    """*error*, told of the project *name* on the index *title*."""
    why = {
        401: ": the index wants credentials, or other ones",
        403: ": the index does not let you in",
    }.get(error.status, "")
    hint = error.hint if why else f"{error.hint}: {name} is not taken from elsewhere meanwhile"
    return FetchError(f"{title} answers {error.status} for {name}{why}{error.more}", hint=hint)


def no_page(url: str, kind: str) -> FetchError:
    """The error for an answer of a type that no page of an index has."""
    return FetchError(
        f"{redacted(url)} is no index page: its type is {kind or 'not told'}",
        hint="set `index` in wheelhouse.toml to an index's Simple API, as https://…/simple",
    )


def page_from_json(name: NormalizedName, url: str, content: bytes) -> ProjectPage:
    """Read a page of PEP 691. Raises FetchError."""
    base = _without_user(url)
    try:
        data = json.loads(content)
        described = (_json_file(base, file) for file in data["files"])
        files = tuple(file for file in described if _may_lead_to(url, file.url))
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
    hashes = data.get("hashes") or {}
    sha256 = _digest(hashes.get("sha256"))
    return IndexFile(
        filename=filename,
        url=_clean(urljoin(base, data["url"])).partition("#")[0],
        sha256=sha256,
        requires_python=_specifier(data.get("requires-python")),
        yanked=yanked if isinstance(yanked, str) else ("" if yanked else None),
        upload_time=_time(data.get("upload-time")),
        size=size if type(size) is int and size >= 0 else None,
        metadata=bool(data.get("core-metadata", data.get("dist-info-metadata"))),
        provenance=_link(base, data.get("provenance")),
        other_hashes=() if sha256 else _others(hashes),
    )


def page_from_html(name: NormalizedName, url: str, content: bytes) -> ProjectPage:
    """Read a page of PEP 503 with the additions of PEP 592, 658, 700 and 792.

    A page that has links, none of which is a file, or that is made for people, is refused: a
    proxy's login page answers with status 200 too. Raises FetchError.
    """
    from lxml import etree, html

    try:
        tree = html.document_fromstring(content)
        base = next((element.get("href", "") for element in tree.iter("base")), "")
        anchors = list(tree.iter("a"))
        linked = _html_files(urljoin(_without_user(url), base), anchors)
        files = tuple(file for file in linked if _may_lead_to(url, file.url))
    except (ValueError, etree.LxmlError) as error:
        raise _invalid(url, error) from error
    if not files and (anchors or _is_for_people(tree)):
        raise FetchError(
            f"{redacted(url)} answers with a page that is no index page",
            hint="open it in a browser: it may be a login page of your network",
        )
    return ProjectPage(name=name, files=files, status=_html_status(tree))


def _is_for_people(tree: Any) -> bool:
    """Whether a page has what no index's has, and what sends a browser to where one signs in."""
    if next(tree.iter("form", "script", "iframe", "img"), None) is not None:
        return True
    return any(meta.get("http-equiv", "").lower() == "refresh" for meta in tree.iter("meta"))


def _html_files(base: str, anchors: list[Any]) -> Iterator[IndexFile]:
    for anchor in anchors:
        href = anchor.get("href", "")
        link = href if href.startswith(ABSOLUTE) else urljoin(base, href)
        url, _, fragment = _clean(link).partition("#")
        filename = url.partition("?")[0].rpartition("/")[2]
        if "%" in filename:
            filename = unquote(filename)
        if not filename.endswith(SUFFIXES):
            continue
        kind, _, digest = fragment.partition("&")[0].partition("=")
        yield IndexFile(
            filename=filename,
            url=url,
            sha256=_digest(digest) if kind == "sha256" else None,
            requires_python=_specifier(anchor.get("data-requires-python")),
            yanked=anchor.get("data-yanked"),
            upload_time=_time(anchor.get("data-upload-time")),
            size=None,
            metadata=_has_metadata(anchor),
            provenance=_link(base, anchor.get("data-provenance")),
            other_hashes=_others({kind: digest}) if kind in WEAKER else (),
        )


def _link(base: str, told: object) -> str:
    """The address that *told* is; empty if it is none: nothing depends on it."""
    try:
        return _clean(urljoin(base, told)) if told and isinstance(told, str) else ""
    except ValueError:
        return ""


def _clean(url: str) -> str:
    """*url* without credentials: it gets into locks."""
    return _without_user(url) if "@" in url else url


def _may_lead_to(page: str, url: str) -> bool:
    """Whether *page* may have a link to *url*: a server's has none to files of this machine."""
    return url.lower().startswith(ABSOLUTE) or not page.lower().startswith(ABSOLUTE)


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


def _others(told: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """The hashes of *told* that are weaker than a SHA-256, or not in use, and look like one."""
    return tuple(
        (kind, digest.lower())
        for kind, digest in told.items()
        if kind in WEAKER
        and isinstance(digest, str)
        and re.fullmatch(rf"[0-9a-f]{{{_hasher(kind).digest_size * 2}}}", digest.lower())
    )


def _time(text: str | None) -> datetime | None:
    """A moment with its zone; the world's, where none is told."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found
