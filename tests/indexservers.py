"""Package indexes as companies run them, each a process on loopback: devpi-server and pypiserver.

They live in an environment of their own, in the user's cache: they are no part of the program, and
need more than it does.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from filelock import FileLock
from platformdirs import user_cache_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

REQUIRES = (
    "devpi-server==6.20.3",
    "keyring==25.7.0",
    "passlib==1.7.4",
    "pypiserver==2.4.2",
    "setuptools==80.9.0",  # pyramid, which devpi-server is made with, imports pkg_resources
)

#: A plugin of devpi-server, as its documentation has it: an index's files are for its user only.
PLUGIN = """
from pluggy import HookimplMarker
@HookimplMarker("devpiserver")
def devpiserver_stage_get_principals_for_pkg_read(ixconfig):
    return ["corp"]
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """An index that runs.

    :ivar url: of its Simple API.
    """

    url: str
    user: str
    password: str


def servers() -> Path:
    """The folder of the environment with the servers, made where there is none yet."""
    key = hashlib.sha256("\n".join((sys.version, *REQUIRES)).encode()).hexdigest()[:16]
    cache = user_cache_path("wheelhouse-tests")
    cache.mkdir(parents=True, exist_ok=True)
    folder, done = cache / f"servers-{key}", cache / f"servers-{key}" / "complete"
    with FileLock(cache / f"servers-{key}.lock"):
        if not done.exists():
            uv = [sys.executable, "-m", "uv"]
            subprocess.run(
                [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
                check=True,
            )
            subprocess.run(
                [*uv, "pip", "install", "--quiet", "--python", str(folder), *REQUIRES], check=True
            )
            done.touch()
    return folder


@contextlib.contextmanager
def pypiserver(
    folder: Path, files: Mapping[str, bytes], *arguments: str, password: str, hashes: str = "sha256"
) -> Iterator[Server]:
    """A pypiserver in *folder* whose lists and files only the user ``corp`` may read.

    :param hashes: the kind that it tells, or ``off``.
    """
    packages, users = folder / "packages", folder / "htpasswd"
    packages.mkdir(parents=True)
    for name, content in files.items():
        (packages / name).write_bytes(content)
    python = servers() / "bin" / "python"
    hashed = subprocess.run(
        [python, "-c", "import sys, passlib.hash as h; print(h.apr_md5_crypt.hash(input()))"],
        input=password,
        text=True,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    users.write_text(f"corp:{hashed}")
    port = _free_port()
    command = [
        *(str(python), "-m", "pypiserver", "run", "-i", "127.0.0.1", "-p", str(port)),
        *("-a", "list,download,update", "-P", str(users), "--hash-algo", hashes),
        *(*arguments, str(packages)),
    ]
    with _running(command, folder, f"http://127.0.0.1:{port}/health"):
        yield Server(url=f"http://127.0.0.1:{port}/simple", user="corp", password=password)


@contextlib.contextmanager
def devpi(folder: Path, files: Mapping[str, bytes], *, password: str) -> Iterator[Server]:
    """A devpi-server in *folder* with the index ``corp/stable``, which only ``corp`` may read.

    :param files: by name; a name's first part is the project's, its second the version.
    """
    server, plugin = folder / "server", folder / "plugin"
    info = plugin / "closed-1.0.dist-info"
    info.mkdir(parents=True)
    (plugin / "closed.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: closed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[devpi_server]\nclosed = closed\n")
    programs, port = servers() / "bin", _free_port()
    subprocess.run(
        [programs / "devpi-init", "--serverdir", server, "--no-root-pypi", "--root-passwd", "r00t"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    command = [
        *(str(programs / "devpi-server"), "--serverdir", str(server), "--host", "127.0.0.1"),
        *("--port", str(port), "--offline-mode"),
    ]
    with _running(command, folder, f"{base}/+api", PYTHONPATH=str(plugin)):
        _fill(base, files, password)
        yield Server(url=f"{base}/corp/stable/+simple", user="corp", password=password)


def _fill(base: str, files: Mapping[str, bytes], password: str) -> None:
    said = requests.post(f"{base}/+login", json={"user": "root", "password": "r00t"}, timeout=20)
    token = base64.b64encode(f"root:{said.json()['result']['password']}".encode()).decode()
    for path, body in (
        ("/corp", {"password": password}),
        ("/corp/stable", {"type": "stage", "bases": []}),
    ):
        headers = {"X-Devpi-Auth": token}
        requests.put(base + path, json=body, headers=headers, timeout=20).raise_for_status()
    for name, content in files.items():
        project, version = name.removesuffix(".tar.gz").split("-")[:2]
        wheel = name.endswith(".whl")
        answer = requests.post(
            f"{base}/corp/stable/",
            data={
                ":action": "file_upload",
                "name": project,
                "version": version,
                "filetype": "bdist_wheel" if wheel else "sdist",
                "pyversion": "py3" if wheel else "source",
            },
            files={"content": (name, content)},
            auth=("corp", password),
            timeout=20,
        )
        answer.raise_for_status()


@contextlib.contextmanager
def _running(command: Sequence[str], folder: Path, url: str, **variables: str) -> Iterator[None]:
    """Run *command* while the block does, once it answers at *url*."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **variables})
        try:
            _await(url, process, folder / "log")
            yield
        finally:
            process.terminate()
            process.wait(timeout=20)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(requests.ConnectionError):
            requests.get(url, timeout=5)
            return
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Gate:
    """What stands before an index: it lets requests through, and notes as whom they came.

    :ivar status: if set, what it answers instead, with ``Retry-After`` of a second.
    :ivar asked: each request's path, and what it had as ``Authorization``.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.status: int | None = None
        self.asked: list[tuple[str, str | None]] = []
        self.base = ""

    def url(self, url: str) -> str:
        """The address by which *url* of the index is reached through the gate."""
        return self.base + url.removeprefix(self.upstream)

    def projects(self) -> set[str]:
        """The names that were asked for."""
        pages = (path.rstrip("/").split("/") for path, _ in self.asked)
        return {parts[-1] for parts in pages if parts[-2].endswith("simple")}


@contextlib.contextmanager
def gate(server: str, *, host: str = "127.0.0.1") -> Iterator[Gate]:
    """A gate before the index whose Simple API or any other address is *server*.

    :param host: by which name of this machine it is reached.
    """
    parts = urlsplit(server)
    made = Gate(f"{parts.scheme}://{parts.netloc}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append((self.path, self.headers.get("Authorization")))
            if made.status is None:
                self._pass_on()
            else:
                self._say(made.status, {"Retry-After": "1"}, b"")

        def _pass_on(self) -> None:
            wanted = ("Accept", "Authorization", "Range")
            headers = {key: self.headers[key] for key in wanted if key in self.headers}
            answer = requests.get(
                made.upstream + self.path,
                headers={"Accept-Encoding": "identity", **headers},
                allow_redirects=False,
                auth=lambda request: request,  # not of this machine's netrc
                timeout=30,
            )
            kept = ("Content-Type", "Location", "WWW-Authenticate")
            found = {key: answer.headers[key] for key in kept if key in answer.headers}
            self._say(answer.status_code, found, answer.content)

        def _say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    made.base = f"http://{host}:{listening.server_address[1]}"
    try:
        yield made
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
