"""The index as one target sees it, served to uv from loopback.

uv knows neither every target's tags nor our policies, and an sdist whose metadata is not static
it would build on this machine. So it is shown an index on which every release that the target
may use has exactly one wheel that fits everywhere, with its metadata beside it (PEP 658). uv
then chooses versions, which is what it is best at, and nothing else: no file is ever asked for.
What the target cannot use is shown as a wheel for another platform, so that uv's explanation of
a conflict speaks of it.
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse.errors import LockError, WheelhouseError
from wheelhouse.locking.candidates import Release, Source, releases
from wheelhouse.locking.metadata import Guesses
from wheelhouse.locking.refusal import project_of
from wheelhouse.locking.requiring import without_dependencies

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from wheelhouse.locking.bypass import Present
    from wheelhouse.locking.direct import DirectRelease
    from wheelhouse.locking.index import IndexFile, Pages, ProjectPage
    from wheelhouse.locking.metadata import MetadataSource
    from wheelhouse.locking.model import RefusedFile
    from wheelhouse.targets import Interpreter

JSON = "application/vnd.pypi.simple.v1+json"

FITS = "py3-none-any"
DOES_NOT_FIT = "py3-none-win_amd64"


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What a view lets through.

    :ivar source: of a project's files, the kind to use.
    :ivar hashes: of a project's files, those that are allowed; if none, all are.
    :ivar refused: of all projects' wheels, those that were found out not to be what they say.
    :ivar before: files that came to the index at this time or later do not exist, where it tells
        such times.
    :ivar requires: what a project requires beyond what it declares.
    :ivar closed: projects whose dependencies are not to be followed, those of extras apart: a lock
        names them, and all that they depend on.
    :ivar direct: projects that come from elsewhere than an index.
    :ivar present: gives the one release of a project that the server has by itself, if it is to be
        used; raises LockError if there is none and should be.
    :ivar exists: whether a release of an index is there at all.
    """

    source: Callable[[NormalizedName], Source]
    hashes: Callable[[NormalizedName], Collection[str]]
    refused: Collection[str] = ()
    before: datetime | None = None
    requires: Callable[[NormalizedName], Sequence[str]] = lambda _: ()
    closed: Collection[NormalizedName] = ()
    direct: Mapping[NormalizedName, DirectRelease] = field(default_factory=dict)
    present: Callable[[NormalizedName], Present | None] = lambda _: None
    exists: Callable[[NormalizedName, Version], bool] = lambda _, __: True

    def source_of(self, name: NormalizedName) -> Source:
        """The kind of files to use of a project; what was asked for by its place is used."""
        return "any" if name in self.direct else self.source(name)


class View:
    """One policy's view of an index, for one interpreter.

    :ivar errors: what went wrong while it was looked at.
    :ivar guessed: releases that it takes to need nothing, since only a backend can tell.
    """

    def __init__(
        self, index: Pages, interpreter: Interpreter, metadata: MetadataSource, policy: Policy
    ) -> None:
        self._index = index
        self.interpreter = interpreter
        self._metadata = metadata
        self.policy = policy
        self._releases: dict[NormalizedName, dict[Version, Release] | None] = {}
        self._told: dict[tuple[NormalizedName, Version], str] = {}
        self._known: dict[tuple[NormalizedName, Version], str] = {}
        self.errors: list[WheelhouseError] = []
        self.guessed: Collection[tuple[NormalizedName, Version]] = ()

    def releases(self, name: NormalizedName) -> dict[Version, Release] | None:
        """All releases of a project, or None if the index doesn't have it."""
        if name in self.policy.direct:
            release = self.policy.direct[name].release
            return {release.version: release}
        if (present := self.policy.present(name)) is not None:
            return {present.version: present.release}
        if name not in self._releases:
            page = self._index.project(name)
            if page is not None and page.status == "quarantined":
                raise LockError(
                    f"{name} is quarantined: its index warns that it may be malicious",
                    hint="find out why; replace it, or whatever asks for it",
                )
            self._releases[name] = self._read(page) if page else None
        return self._releases[name]

    def _read(self, page: ProjectPage) -> dict[Version, Release]:
        allowed = self.policy.hashes(page.name)
        if page.name not in self.policy.closed:
            page = page.before(self.policy.before)
        found = releases(page, self.interpreter, allowed, self.policy.refused)
        exists = self.policy.exists
        return {version: each for version, each in found.items() if exists(page.name, version)}

    def release(self, name: NormalizedName, version: Version) -> Release:
        """One release, which uv has chosen and so is there."""
        found = self.releases(name)
        assert found is not None
        return found[version]

    def page_of(self, name: NormalizedName) -> ProjectPage | None:
        """The page of a project, if it comes from an index that has it."""
        if name in self.policy.direct or self.policy.present(name) is not None:
            return None
        return self._index.project(name)

    def every(self, name: NormalizedName) -> dict[Version, Release] | None:
        """All releases of a project, those too that this view does not let through."""
        page = self.page_of(name)
        return releases(page, self.interpreter) if page else self.releases(name)

    def fits(self, name: NormalizedName, release: Release) -> bool:
        """Whether the target may use *release* of a project."""
        usable = release.usable(self.policy.source_of(name))
        return usable or self.policy.present(name) is not None

    def among(self, exists: Callable[[NormalizedName, Version], bool]) -> View:
        """The same view, of an index that has only the releases that *exist*."""
        policy = replace(self.policy, exists=exists)
        view = View(self._index, self.interpreter, self._metadata, policy)
        view._known = self._known | self._told
        return view

    def rehearsal(self, *, afresh: bool = False, any_hash: bool = False) -> View:
        """The same view, to try things out: it runs no backend.

        :param afresh: whether it also forgets what backends have told.
        :param any_hash: whether files of any hash may be used.
        """
        policy = replace(self.policy, hashes=lambda _: ()) if any_hash else self.policy
        guesses = Guesses()
        view = View(self._index, self.interpreter, self._metadata.guessing(guesses), policy)
        view._releases = self._releases
        if any_hash:
            hashed = [name for name in self._releases if self.policy.hashes(name)]
            view._releases = {
                name: found for name, found in self._releases.items() if name not in hashed
            }
        view._known = {} if afresh else self._known | self._told
        view.guessed = guesses.made
        return view

    def has_lost(self, file: RefusedFile) -> bool:
        """Whether the index no longer has *file*, as far as its project was looked at."""
        name = project_of(file)
        if name not in self._releases:
            return False
        found = (self._releases[name] or {}).values()
        return all(file.sha256 != each.sha256 for release in found for each in release.others)

    def page(self, name: NormalizedName) -> dict[str, Any] | None:
        """The project's page as PEP 691 has it."""
        found = self.releases(name)
        if found is None:
            return None
        files = [self._file(name, release) for release in found.values()]
        return {
            "meta": {"api-version": "1.1"},
            "name": name,
            "versions": [str(version) for version in found],
            "files": files,
        }

    def _file(self, name: NormalizedName, release: Release) -> dict[str, Any]:
        tag = FITS if self.fits(name, release) else DOES_NOT_FIT
        filename = f"{name.replace('-', '_')}-{release.version}-{tag}.whl"
        python = str(release.requires_python) if release.requires_python else None
        uploaded = {"upload-time": release.uploaded.isoformat()} if release.uploaded else {}
        return {
            "filename": filename,
            "url": f"../../metadata/{name}/{release.version}/{filename}",
            "hashes": {},
            "core-metadata": True,
            "requires-python": python,
            "yanked": False if release.yanked is None else (release.yanked or True),
            "size": 0,
            **uploaded,
        }

    def fail(self, what: str, error: Exception) -> None:
        """Keep *error*, which answering *what* ended with, unless it is known already."""
        told = error
        if not isinstance(told, WheelhouseError):
            told = LockError(f"{what} cannot be answered: {type(error).__name__}: {error}")
            told.__cause__ = error
        if told.message not in {each.message for each in self.errors}:
            self.errors.append(told)

    def metadata(self, name: NormalizedName, version: Version) -> str:
        """METADATA of a release that this view shows as usable."""
        if name in self.policy.direct:
            text = self.policy.direct[name].metadata
        elif (present := self.policy.present(name)) is not None:
            text = present.metadata
        elif (known := self._known.get((name, version))) is not None:
            text = known
        else:
            source = self.policy.source_of(name)
            text = self._metadata.of(name, self.release(name, version), source)
            if (name, version) not in self.guessed:
                self._told[name, version] = text
        # In front: headers have no order, and end at the first empty line.
        more = "".join(f"Requires-Dist: {line}\n" for line in self.policy.requires(name))
        return more + text

    def told_by(self, wheel: IndexFile) -> str | None:
        """METADATA of a *wheel*, usable or not; None if the whole of a big one would be fetched.

        :raises WheelhouseError: it cannot be had.
        """
        return self._metadata.at_hand(wheel)

    def shown_metadata(self, name: NormalizedName, version: Version) -> str:
        """As much of it as the resolver is to follow."""
        text = self.metadata(name, version)
        return without_dependencies(text) if name in self.policy.closed else text


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Print no traceback: this is a connection that uv has dropped. Answers tell their own."""


@contextlib.contextmanager
def serve(view: View) -> Iterator[str]:
    """Serve *view* on loopback while the block runs; the URL of its Simple API.

    What goes wrong while answering is kept in ``view.errors``: it is the true cause of what uv
    will say.
    """
    server = _Server(("127.0.0.1", 0), _handler(view))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/simple/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(view: View) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            try:
                kind, content = self._answer()
            except Exception as error:  # whoever waits for uv must hear of it
                view.fail(self.path, error)
                self._send(HTTPStatus.GONE, "text/plain", b"")
                return
            if content is None:
                self._send(HTTPStatus.NOT_FOUND, "text/plain", b"")
            else:
                self._send(HTTPStatus.OK, kind, content)

        def _answer(self) -> tuple[str, bytes | None]:
            match self.path.strip("/").split("/"):
                case ["simple", name]:
                    page = view.page(canonicalize_name(name))
                    return JSON, json.dumps(page).encode() if page else None
                case ["metadata", name, version, file] if file.endswith(".metadata"):
                    text = view.shown_metadata(canonicalize_name(name), Version(version))
                    return "application/octet-stream", text.encode()
            return "text/plain", None

        def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # uv gave up
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    return Handler
