"""OSV records, archives of them, and a service on loopback that speaks the API of OSV."""

from __future__ import annotations

import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

#: Where :class:`OsvServer` begins again for whoever sends this token with a question.
FIRST = "0"


def affected(
    name: str,
    *events: dict[str, Any],
    versions: Iterable[str] = (),
    ecosystem: str = "PyPI",
    **more: Any,
) -> dict[str, Any]:
    """One entry about a project: a range of these *events*, and these *versions*."""
    entry: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": name}, **more}
    if events:
        entry["ranges"] = [{"type": "ECOSYSTEM", "events": list(events)}]
    if versions:
        entry["versions"] = list(versions)
    return entry


def record(identifier: str, *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A record with *entries* about projects."""
    return {
        "schema_version": "1.7.0",
        "id": identifier,
        "modified": "2026-11-18T08:00:00Z",
        "published": "2026-01-01T00:00:00Z",
        "affected": list(entries),
        **more,
    }


def before(name: str, fixed: str, identifier: str, **more: Any) -> dict[str, Any]:
    """A record about all versions of a project before the *fixed* one."""
    return record(identifier, affected(name, {"introduced": "0"}, {"fixed": fixed}), **more)


def write_archive(path: Path, *records: dict[str, Any]) -> Path:
    """An archive of *records*, as OSV exports them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in records:
            archive.writestr(f"{each['id']}.json", json.dumps(each))
    return path


class OsvServer:
    """A context manager: a service with *records*, which runs while its block does.

    :param page: how many advisories a page of an answer has.
    :ivar asked: by path, the questions as they came.
    :ivar faults: answers to give first, one for each question: a status and a body.
    """

    def __init__(self, *records: dict[str, Any], page: int = 1000) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.faults: list[tuple[int, bytes]] = []
        self.headers: dict[str, str] = {}
        self._records = records
        self._page = page
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def __enter__(self) -> OsvServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The address that a person would name."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def said(self) -> str:
        """All that anybody has sent here."""
        return json.dumps(self.asked)

    def answer(self, path: str, question: Any) -> tuple[int, bytes]:
        """The status and the body of the answer to a *question*."""
        self.asked.append((path, question))
        if self.faults:
            return self.faults.pop(0)
        if path == "/v1/query":
            return 200, json.dumps(self._query(question)).encode()
        if path == "/v1/querybatch":
            results = [self._brief(self._query(each)) for each in question["queries"]]
            return 200, json.dumps({"results": results}).encode()
        return 404, b'{"code": 5, "message": "Not Found"}'

    def _query(self, question: dict[str, Any]) -> dict[str, Any]:
        assert set(question) <= {"package", "page_token"}
        package = question["package"]
        assert package["ecosystem"] == "PyPI"
        found = [
            each
            for each in self._records
            if "withdrawn" not in each
            and any(
                entry["package"]["name"].lower() == package["name"] for entry in each["affected"]
            )
        ]
        start = int(question.get("page_token", FIRST))
        end = start + self._page
        answer: dict[str, Any] = {"vulns": found[start:end]} if found[start:end] else {}
        return answer | ({"next_page_token": str(end)} if found[end:] else {})

    @staticmethod
    def _brief(answer: dict[str, Any]) -> dict[str, Any]:
        if "vulns" not in answer:
            return answer
        return answer | {
            "vulns": [{"id": v["id"], "modified": v["modified"]} for v in answer["vulns"]]
        }


def _handler(server: OsvServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            server.headers = dict(self.headers)
            status, body = server.answer(self.path, json.loads(self.rfile.read(length)))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name)
            """Say nothing."""

    return Handler
