"""Real git repositories for tests, and a real server of them: `git http-backend`."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import IO

PYPROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "demo"
version = "1.0"
"""

#: Neither the machine's configuration of git nor its user's matters to tests, nor does the day.
ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (
            ("NAME", "A"),
            ("EMAIL", "a@example.org"),
            ("DATE", "2024-05-06T07:08:09+00:00"),
        )
    },
}


def git(folder: Path, *arguments: str, stdin: IO[str] | None = None) -> str:
    """What git prints."""
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        check=True,
        stdin=stdin,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def repository(folder: Path, files: Mapping[str, str], *, kind: str = "sha1") -> Path:
    """A repository in *folder*, with one commit of *files* and a pyproject.toml."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main", f"--object-format={kind}")
    commit(folder, {"pyproject.toml": PYPROJECT, **files})
    return folder


def commit(folder: Path, files: Mapping[str, str]) -> str:
    """Its hash."""
    write(folder, files)
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=more")
    return git(folder, "rev-parse", "HEAD")


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@dataclass
class GitServer:
    """Serves the repositories below *root* to whoever knows *password*; None is everybody."""

    root: Path
    password: str | None = None
    port: int = 0
    seen: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    """Asks for the password, then has git answer."""

    served: GitServer

    def do_GET(self) -> None:
        told = self.headers.get("Authorization", "")
        self.served.seen.append(told)
        wanted = base64.b64encode(f"me:{self.served.password}".encode()).decode()
        if self.served.password is not None and told != f"Basic {wanted}":
            self._answer(401, [["WWW-Authenticate", 'Basic realm="git"']], b"")
            return
        head, _, body = self._backend().partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((value for name, value in fields if name == "Status"), "200 OK")
        self._answer(int(status.split()[0]), fields, body)

    do_POST = do_GET  # noqa: N815  (the name is the base class's)

    def _answer(self, status: int, fields: list[list[str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _backend(self) -> bytes:
        path, _, query = self.path.partition("?")
        variables = {
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(self.served.root),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        return subprocess.run(
            ["git", "http-backend"],
            env={**os.environ, **ENVIRONMENT, **variables},
            input=self._body(),
            check=False,
            stdout=subprocess.PIPE,
        ).stdout

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving(server: GitServer) -> Iterator[GitServer]:
    """Start *server*, and stop it at the end."""
    handler = type("Handler", (_Handler,), {"served": server})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
