"""A big wheel on its way from an index to a proven wheelhouse: in pieces, and never in memory."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import signal
import subprocess
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from measuring import measured
from wheelfactory import compile_library

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Workplace

pytestmark = pytest.mark.containers

MIB = 1 << 20

#: Bytes of the library in the wheel: more than the whole program may ever have in memory.
LIBRARY = 192 * MIB
ALLOWED = 160 * MIB

NAME = "big-1.0-py3-none-manylinux_2_17_x86_64.whl"
INFO = "big-1.0.dist-info"
MODULE = """
import ctypes, pathlib
LIBRARY = ctypes.CDLL(str(pathlib.Path(__file__).with_name("libbig.so")))
"""


def write_big_wheel(folder: Path) -> Path:
    """A wheel with a shared library of :data:`LIBRARY` bytes that do not compress."""
    piece = os.urandom(MIB)
    with (folder / "bytes").open("wb") as file:
        for number in range(LIBRARY // MIB):
            file.write(number.to_bytes(4, "big") + piece[4:])
    (folder / "big.s").write_text('.data\n.globl big\nbig: .incbin "bytes"\n')
    compile_library(
        folder, "libbig.so", "int here;\n", "-nostdlib", "-Wl,-soname,libbig.so", "big.s"
    )
    texts = {
        "big/__init__.py": MODULE,
        f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: big\nVersion: 1.0\n",
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: false\n"
        "Tag: py3-none-manylinux_2_17_x86_64\n",
    }
    library = folder / "libbig.so"
    with library.open("rb") as file:
        lines = [_line("big/libbig.so", hashlib.file_digest(file, "sha256").digest(), library)]
    with zipfile.ZipFile(folder / NAME, "w") as archive:
        archive.write(library, "big/libbig.so")
        for name, text in texts.items():
            archive.writestr(name, text)
            lines.append(
                f"{name},sha256={_coded(hashlib.sha256(text.encode()).digest())},{len(text)}"
            )
        archive.writestr(f"{INFO}/RECORD", "\n".join([*lines, f"{INFO}/RECORD,,", ""]))
    return folder / NAME


def _line(name: str, digest: bytes, path: Path) -> str:
    return f"{name},sha256={_coded(digest)},{path.stat().st_size}"


def _coded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass
class Served:
    """An index of one file, without sizes. *ranges* has the ``Range`` of each GET for it."""

    path: Path
    url: str = ""
    ranges: list[str | None] = field(default_factory=list)
    slow: threading.Event = field(default_factory=threading.Event)

    def page(self) -> bytes:
        with self.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return f'<a href="/files/{NAME}#sha256={sha256}">{NAME}</a>'.encode()


@contextlib.contextmanager
def serving(path: Path) -> Iterator[Served]:
    """Serve the wheel at *path*, from the disk, while the block runs."""
    served = Served(path)
    page = served.page()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/simple/big/":
                self.start(200, "text/html", len(page))
                self.wfile.write(page)
            elif self.path == f"/files/{NAME}":
                served.ranges.append(self.headers.get("Range"))
                with contextlib.suppress(OSError):  # who is killed leaves in the middle
                    self.send_file()
            else:
                self.start(404, "text/plain", 0)

        def send_file(self) -> None:
            size = path.stat().st_size
            wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
            first, last = wanted.groups() if wanted else ("0", "")
            start = int(first) if first else size - int(last)
            end = int(last) + 1 if first and last else size
            place = f"bytes {start}-{end - 1}/{size}"
            self.start(206 if wanted else 200, "application/zip", end - start, place)
            with path.open("rb") as file:
                file.seek(start)
                while (left := end - file.tell()) > 0:
                    self.wfile.write(file.read(min(left, MIB)))
                    if served.slow.is_set() and file.tell() > LIBRARY // 2:
                        time.sleep(0.05)

        def start(self, status: int, kind: str, length: int, place: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length))
            if status == 206:
                self.send_header("Content-Range", place)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(workplace: Workplace, *arguments: str) -> str:
    """What a command said, which must do with little memory."""
    done = measured(workplace.project, workplace.environment(), *arguments)
    assert done.peak < ALLOWED
    return done.out


def kill_midway(workplace: Workplace, served: Served) -> int:
    """Begin a build, and kill it when half of the wheel has come; how many bytes there are then."""
    served.slow.set()
    build = subprocess.Popen(
        workplace.command("build"),
        cwd=workplace.project,
        env=workplace.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (come := [p for p in workplace.store.glob("partial/*") if p.stat().st_size > MIB]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    build.send_signal(signal.SIGKILL)
    build.wait()
    served.slow.clear()
    return come[0].stat().st_size


def test_a_big_wheel_is_never_in_memory(workplace: Workplace) -> None:
    wheel = write_big_wheel(workplace.root)
    (workplace.project / "requirements.txt").write_text("big\n")
    with serving(wheel) as served:
        (workplace.project / "wheelhouse.toml").write_text(
            f'index = "{served.url}"\n[targets.d12]\nplatform = "debian12"\npython = "3.11"\n'
        )
        come = kill_midway(workplace, served)
        plan = run(workplace, "plan")
        assert "to download: " in plan
        assert " are there already" in plan
        run(workplace, "build")
    assert served.ranges[-1] == f"bytes={come}-", "it went on from where it was killed"

    there = workplace.house() / "wheels" / NAME
    (blob,) = (path for path in workplace.store.glob("blobs/*/*") if path.stat().st_size > LIBRARY)
    assert there.stat().st_ino == blob.stat().st_ino, "one file with two names"
    assert "whole and unchanged" in run(workplace, "verify", "dist/d12")
    assert "to download" not in run(workplace, "plan")
