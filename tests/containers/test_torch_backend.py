"""PyTorch's own indexes: for each target the build that it is to have, with its local version."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import pytest

from housefactory import Package, wheel_bytes
from projects import LocalIndex, ProjectSdist, write_project
from wheelhouse.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Workplace

pytestmark = pytest.mark.containers

TORCH = "torch-2.7.0+cu128-py3-none-any.whl"


@contextlib.contextmanager
def pytorch(files: dict[str, bytes]) -> Iterator[str]:
    """The URL of an index of the form of PyTorch's: HTML, absolute paths, ``%2B`` for ``+``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = self.page()
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def page(self) -> bytes | None:
            path = unquote(self.path)
            if path == "/whl/cu128/torch/":
                return "".join(
                    f'<a href="/whl/cu128/{quote(name)}#sha256={hashlib.sha256(data).hexdigest()}">'
                    f"{name}</a><br/>\n"
                    for name, data in files.items()
                ).encode()
            return files.get(path.rpartition("/")[2])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/whl/cu128"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_each_target_has_its_own_build(workplace: Workplace, index: LocalIndex) -> None:
    index.add(
        ProjectSdist(name="torch", version="2.7.0"),
        ProjectSdist(name="sympy"),
        ProjectSdist(name="train", requires=("torch==2.7.0",)),
    )
    torch = wheel_bytes(Package(name="torch", version="2.7.0+cu128", requires=("sympy",)))
    with pytorch({TORCH: torch}) as url:
        settings = (
            'torch-backend = "cu128"\n'
            '[targets.plain]\nplatform = "debian12"\npython = "3.11"\n'
            f'[indexes.accelerated]\nurl = "{url}"\npackages = ["nothing-else"]\n'
        )
        write_project(workplace.project, index, "train\n", more=settings)
        done = workplace.run("build")
    assert done.status == 0, done.said
    found = {
        target: {each.name: each.version for each in read_manifest(workplace.house(target)).wheels}
        for target in ("d12", "plain")
    }
    assert found == {
        "d12": {"sympy": "1.0", "torch": "2.7.0+cu128", "train": "1.0"},
        "plain": {"torch": "2.7.0", "train": "1.0"},
    }
    assert (workplace.house() / "wheels" / TORCH).read_bytes() == torch
    text = (workplace.house() / "requirements.txt").read_text()
    assert "\ntorch==2.7.0+cu128 --hash=sha256:" in text
