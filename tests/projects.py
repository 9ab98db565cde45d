"""Small projects for tests: sdists with a build backend of their own, and an index to hold them.

The backend stands in the sdist (``backend-path``), requires nothing and builds the wheel with the
standard library; so a test needs no index but its own, and a test's sdist does what it says.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import textwrap
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BACKEND = """
import base64, hashlib, os, sys, sysconfig, zipfile

NAME, VERSION, REQUIRES, NATIVE, MODULE = {name!r}, {version!r}, {requires!r}, {native!r}, {module!r}

def tag():
    if not NATIVE:
        return "py3-none-any"
    python = "cp%d%d" % sys.version_info[:2]
    return "%s-%s-linux_%s" % (python, python, os.uname().machine)

def files():
    found = {{MODULE + "/__init__.py": open("module.py", "rb").read()}}
    if NATIVE:
        compile_extension()
        found[MODULE + "/_native.so"] = open("_native.so", "rb").read()
    info = NAME.replace("-", "_") + "-" + VERSION + ".dist-info/"
    requires = "".join("Requires-Dist: %s\\n" % line for line in REQUIRES)
    found[info + "METADATA"] = (
        "Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n%s" % (NAME, VERSION, requires)).encode()
    found[info + "WHEEL"] = (
        "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: %s\\nTag: %s\\n"
        % ("false" if NATIVE else "true", tag())).encode()
    return info, found

def compile_extension():
    import subprocess
    include = sysconfig.get_paths()["include"]
    flags = os.environ.get("CFLAGS", "").split()
    subprocess.check_call(
        ["cc", "-shared", "-fPIC", *flags, "-I" + include, "native.c", "-o", "_native.so"])

def build_wheel(directory, config_settings=None, metadata_directory=None):
    before_build(directory)
    info, found = files()
    record = ""
    for name, data in found.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += "%s,sha256=%s,%d\\n" % (name, digest, len(data))
    found[info + "RECORD"] = (record + info + "RECORD,,\\n").encode()
    filename = "%s-%s-%s.whl" % (NAME.replace("-", "_"), VERSION, tag())
    with zipfile.ZipFile(os.path.join(directory, filename), "w") as wheel:
        for name, data in found.items():
            wheel.writestr(zipfile.ZipInfo(name), data)
    return after_build(directory, filename) or filename

def get_requires_for_build_wheel(config_settings=None):
    return []

def before_build(directory):
    pass

def after_build(directory, filename):
    pass

{extra}
"""

NATIVE = """
#include <Python.h>
static struct PyModuleDef definition = { PyModuleDef_HEAD_INIT, "_native", 0, -1, 0 };
PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&definition); }
"""


@dataclass(frozen=True, kw_only=True)
class ProjectSdist:
    """A generated sdist.

    :ivar extra: code at the end of its backend, such as another ``before_build``.
    """

    name: str
    version: str = "1.0"
    requires: tuple[str, ...] = ()
    native: bool = False
    extra: str = ""
    module_code: str = ""
    files: dict[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def filename(self) -> str:
        return f"{self.module}-{self.version}.tar.gz"

    def content(self) -> bytes:
        backend = BACKEND.format(
            name=self.name,
            version=self.version,
            requires=list(self.requires),
            native=self.native,
            module=self.module,
            extra=textwrap.dedent(self.extra),
        )
        info = f"Metadata-Version: 2.2\nName: {self.name}\nVersion: {self.version}\n"
        files = {
            "PKG-INFO": info + "".join(f"Requires-Dist: {line}\n" for line in self.requires),
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\n'
            'backend-path = ["."]\n',
            "backend.py": backend,
            "module.py": textwrap.dedent(self.module_code),
            "native.c": NATIVE,
            **self.files,
        }
        out = io.BytesIO()
        with (
            gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed,  # the same bytes every time
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            for name, text in files.items():
                member = tarfile.TarInfo(f"{self.module}-{self.version}/{name}")
                member.size = len(text.encode())
                tar.addfile(member, io.BytesIO(text.encode()))
        return out.getvalue()


class LocalIndex:
    """An index on loopback; *requests* are the paths whose content was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.requests: list[str] = []
        self.url = ""

    def add(self, *projects: ProjectSdist) -> None:
        for project in projects:
            self.files.setdefault(project.name, {})[project.filename] = project.content()

    def answer(self, path: str) -> bytes | None:
        match path.strip("/").split("/"):
            case ["simple", name] if name in self.files:
                files = [
                    {
                        "filename": filename,
                        "url": f"/files/{name}/{filename}",
                        "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
                        "upload-time": "2026-01-02T03:04:05Z",
                    }
                    for filename, content in self.files[name].items()
                ]
                page = {"meta": {"api-version": "1.1"}, "name": name, "files": files}
                return json.dumps(page).encode()
            case ["files", name, filename]:
                return self.files[name].get(filename)
        return None


@contextlib.contextmanager
def serving(index: LocalIndex) -> Iterator[LocalIndex]:
    """Serve *index* while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.requests.append(self.path)
            self.wfile.write(self.head())

        def do_HEAD(self) -> None:
            self.head()

        def head(self) -> bytes:
            content = index.answer(self.path)
            self.send_response(200 if content is not None else 404)
            kind = "application/vnd.pypi.simple.v1+json"
            self.send_header("Content-Type", kind if "/simple/" in self.path else "x/y")
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            return content or b""

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing: who is killed leaves in the middle of an answer."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    index.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    try:
        yield index
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_project(
    folder: Path, index: LocalIndex, requirements: str, *, more: str = "", target: str = "d12"
) -> None:
    """A project with one Debian 12 target on *index*; *more* is appended to its configuration."""
    folder.mkdir(exist_ok=True)
    (folder / "requirements.txt").write_text(requirements)
    (folder / "wheelhouse.toml").write_text(
        f'index = "{index.url}"\n[targets.{target}]\nplatform = "debian12"\npython = "3.11"\n{more}'
    )
