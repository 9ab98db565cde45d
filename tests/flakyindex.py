"""A package index on loopback that answers as it is told: well, badly, late, or not at all."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from wheelhouse.fetch import Patience

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

JSON = "application/vnd.pypi.simple.v1+json"

#: For clients of it: it answers soon, or not at all.
QUICK = Patience(connect=5, silence=5, backoff=0.001)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer.

    :ivar cut: the connection is closed after so many bytes of the body, all being announced.
    :ivar pause: seconds between two bytes of the body.
    :ivar hang: seconds before anything is said.
    :ivar ranges: whether a ``Range`` is honoured, if its ``If-Range`` is the ``ETag``.
    :ivar endless: the body comes again and again, and no length is told.
    :ivar reason: the server's own words for the status.
    :ivar on_head: the status with which HEAD is answered, if that is another.
    :ivar raw: this is sent instead of any answer, and the connection closed.
    """

    body: bytes = b""
    status: int = 200
    kind: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    pause: float = 0.0
    hang: float = 0.0
    ranges: bool = False
    endless: bool = False
    reason: str = ""
    on_head: int = 0
    raw: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request, as it came."""

    path: str
    headers: Mapping[str, str]
    when: float
    method: str = "GET"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that leaves in the middle is what some tests are about."""


class FlakyIndex:
    """A context manager: the server runs while its block does.

    :param tls: what it speaks TLS with, if it does.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.leaving = threading.Event()
        self._scheme = "https" if tls else "http"
        self._answers: defaultdict[str, list[Answer]] = defaultdict(list)
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"index": self}))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def __enter__(self) -> FlakyIndex:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leaving.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def url(self, path: str = "/", *, user: str = "") -> str:
        """The address of *path*, with *user* (``name:password``) in it if one is given."""
        who = f"{user}@" if user else ""
        return f"{self._scheme}://{who}127.0.0.1:{self.port}{path}"

    def on(self, path: str, *answers: Answer) -> str:
        """Answer requests for *path* with each of *answers* in turn, then always with the last."""
        self._answers[path] = list(answers)
        return self.url(path)

    def page(self, name: str, files: list[dict[str, Any]], **more: object) -> str:
        """Serve a project's page as JSON."""
        content = {"meta": {"api-version": "1.1"}, "name": name, "files": files, **more}
        return self.on(f"/simple/{name}/", Answer(kind=JSON, body=json.dumps(content).encode()))

    def count(self, path: str) -> int:
        """How often *path* was asked for."""
        return sum(each.path == path for each in self.asked)

    def take(self, path: str, headers: Mapping[str, str], method: str) -> Answer:
        """The answer to a request."""
        asked = Asked(path=path, headers=headers, when=time.monotonic(), method=method)
        self.asked.append(asked)
        answers = self._answers.get(path)
        if not answers:
            return Answer(status=404)
        return answers.pop(0) if len(answers) > 1 else answers[0]


class _Handler(BaseHTTPRequestHandler):
    index: FlakyIndex
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        answer = self.index.take(self.path, dict(self.headers), self.command)
        self.index.leaving.wait(answer.hang)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if answer.raw:
                self.close_connection = True
                self._slowly(answer, answer.raw)
            else:
                self._answer(answer)

    def do_HEAD(self) -> None:
        """As GET, without the body."""
        self.do_GET()

    def do_CONNECT(self) -> None:
        """As a proxy is asked."""
        self.do_GET()

    def _answer(self, answer: Answer) -> None:
        body, status, extra = answer.body, answer.status, dict(answer.headers)
        wanted = self.headers.get("Range")
        same = self.headers.get("If-Range") in {None, answer.headers.get("ETag")}
        if answer.ranges and wanted and same:
            status, body, place = _part(body, wanted)
            extra = {"Content-Range": place, **extra}
        if self.command == "HEAD" and answer.on_head:
            status, body = answer.on_head, b""
        self.send_response(status, answer.reason or None)
        self.send_header("Content-Type", answer.kind)
        if not answer.endless and "Content-Length" not in extra:
            self.send_header("Content-Length", str(len(body)))
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._body(answer, body)

    def _body(self, answer: Answer, body: bytes) -> None:
        if answer.cut is not None:
            self.wfile.write(body[: answer.cut])
            self.close_connection = True
        elif answer.endless:
            self.close_connection = True
            while not self.index.leaving.is_set():
                self._slowly(answer, body)
        else:
            self._slowly(answer, body)

    def _slowly(self, answer: Answer, content: bytes) -> None:
        if not answer.pause:
            self.wfile.write(content)
            return
        for byte in content:
            self.wfile.write(bytes([byte]))
            if self.index.leaving.wait(answer.pause):
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _part(body: bytes, wanted: str) -> tuple[int, bytes, str]:
    """The answer to a ``Range``: its status, the bytes that it asks for, and where they lie."""
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, len(body) - int(last))
    end = int(last) + 1 if first and last else len(body)
    part = body[start:end]
    if not part:
        return 416, b"", f"bytes */{len(body)}"
    return 206, part, f"bytes {start}-{start + len(part) - 1}/{len(body)}"
