"""Group 20: no engine, or none that will do: one line and the fix, before any work."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import tarfile
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import TYPE_CHECKING

from faults.case import Case, LeftOut
from faults.world import refused
from projects import LocalIndex, ProjectSdist, serving
from wheelhouse.engine.docker_connect import connect
from wheelhouse.engine.docker_images import DockerImages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from faults.world import World

#: What an engine says that has no answer.
OUT = {"message": "out of order"}

#: A socket's path has a hundred characters at most, and those of cases are long.
SOCKETS = Path("/tmp")


@contextmanager
def answering(answers: Mapping[str, object]) -> Iterator[str]:
    """An engine that says the same each time: JSON by the end of the path, or an error; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = next((answers[end] for end in answers if self.path.endswith(end)), OUT)
            text = found if isinstance(found, str) else json.dumps(found)
            self.send_response(500 if found is OUT else 200)
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET  # noqa: N815  (the name that the library asks for)

        def log_message(self, *args: object) -> None:
            pass

        def address_string(self) -> str:
            return "a client"

    path = SOCKETS / f"faults-{os.getpid()}-{threading.get_ident()}.sock"
    with ThreadingUnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()
            path.unlink()


def version(api: object) -> dict[str, object]:
    """What an engine says of itself."""
    return {"/version": {"ApiVersion": api, "Version": "1"}}


# -- which engine is asked -----------------------------------------------------------------------

#: What DOCKER_HOST says, and what is told.
HOSTS = {
    "no socket there": ("unix:///nowhere.sock", "no socket there"),
    "a port where nobody listens": ("tcp://127.0.0.1:1", "nobody listens there"),
    "a host that does not exist": ("tcp://no.such.host.invalid:2375", "no machine has this name"),
    "no such kind of address": ("foo://x", "DOCKER_HOST=foo://x"),
    "no address at all": ("nonsense", "DOCKER_HOST=nonsense"),
    "a broken address": ("tcp://[::1", "DOCKER_HOST=tcp://[::1"),
    "a port that is none": ("tcp://localhost:http", "DOCKER_HOST=tcp://localhost:http"),
    "only a scheme": ("tcp://", "DOCKER_HOST=tcp://"),
    "a file": ("unix:///etc/passwd", "DOCKER_HOST=unix:///etc/passwd"),
    "ssh": ("ssh://nobody@127.0.0.1:1", "DOCKER_HOST=ssh://nobody@127.0.0.1:1"),
}

#: What an engine says of itself, and what is told.
ENGINES: dict[str, tuple[Mapping[str, object], str]] = {
    "that is too old": (version("1.39"), "the container engine is too old"),
    "that is far too old": (version("1.12"), "the container engine is too old"),
    "with a strange version": (version("new"), "no container engine answers"),
    "with no version": ({"/version": {}}, "what answers is no container engine"),
    "that is a web page": ({"/version": "<html>"}, "what answers is no container engine"),
    "that fails": ({}, "out of order"),
}


def _host(name: str) -> Case:
    address, words = HOSTS[name]

    def attempt(world: World) -> None:
        _refused(world, words, DOCKER_HOST=address)

    return _without_engine(f"DOCKER_HOST is {name}", attempt)


def _engine(name: str) -> Case:
    answers, words = ENGINES[name]

    def attempt(world: World) -> None:
        with answering(answers) as address:
            _refused(world, words, DOCKER_HOST=address)

    return _without_engine(f"an engine {name}", attempt, everyday=name == "that is too old")


def _refused(world: World, *words: str, **variables: str) -> None:
    """One error, before anything is asked of the index."""
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="alpha"))
        world.configure("alpha==1.0\n", index=index.url)
        done = refused(world.ended(world.start("build", "--plain", **variables)), 6, *words)
        assert not index.requests, "before any work"
    assert done.err.count("error[") == 1, done.err


def _without_engine(name: str, attempt: Callable[[World], None], *, everyday: bool = False) -> Case:
    return Case(group=20, name=name, attempt=attempt, engine=False, everyday=everyday)


def _no_permission(world: World) -> None:
    """Root may do everything, so another user asks."""
    if os.geteuid() != 0:
        raise LeftOut("only root can be somebody else")
    path = SOCKETS / f"faults-{os.getpid()}-closed.sock"
    with closing(socket.socket(socket.AF_UNIX)) as closed:
        closed.bind(str(path))
        path.chmod(0o600)
        try:
            child = os.fork()
            if not child:
                _as_nobody(f"unix://{path}")
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        finally:
            path.unlink()
    assert status == 0, "it does not say that permission is what lacks"


def _as_nobody(address: str) -> None:
    """Leave the process with 0 if the error tells of the permission and of the group."""
    from wheelhouse.errors import EngineError

    status = 1
    try:
        os.setgroups([])
        os.setuid(65534)
        os.environ |= {"DOCKER_HOST": address, "HOME": "/"}
        connect()
    except EngineError as error:
        told = "permission denied" in error.message and "`docker` group" in str(error.hint)
        status = 0 if told else 2
    finally:
        os._exit(status)


# -- the settings of the `docker` command --------------------------------------------------------

#: A secret in what is damaged, which must not be told.
PASSWORD = "cGxhbnRlZDpzZWNyZXQ"

SETTINGS: dict[str, tuple[bytes, str]] = {
    "no JSON": (b'{"auths": {', "it is not JSON (line 1)"),
    "empty": (b"", "it is not JSON (line 1)"),
    "no UTF-8": (b'{"a": "\xff"}', "it is not JSON in UTF-8"),
    "a list": (b"[]", "it is no table of settings"),
    "a word": (b'"auths"', "it is no table of settings"),
    "with a password that is no base64": (
        json.dumps({"auths": {"r.example.com": {"auth": f"{PASSWORD}!"}}}).encode(),
        "`auths` has an entry that cannot be understood",
    ),
    "with a password without a user": (
        json.dumps({"auths": {"r.example.com": {"auth": "c2VjcmV0"}}}).encode(),
        "`auths` has an entry that cannot be understood",
    ),
    "with auths that are a list": (b'{"auths": [1]}', "`auths` is no table"),
    "with an auth that is a number": (
        b'{"auths": {"r": {"auth": 7}}}',
        "`auths` has an entry that cannot be understood",
    ),
    "with an entry that is a word": (
        b'{"auths": {"r": "x"}}',
        "`auths` has an entry that cannot be understood",
    ),
    "with proxies that are a word": (b'{"proxies": "x"}', "`proxies` is no table"),
    "with a proxy that is a word": (b'{"proxies": {"default": "x"}}', "`proxies` has an entry"),
    "with headers that are a list": (b'{"HttpHeaders": [1]}', "`HttpHeaders` is no table"),
    "with a context that is a number": (b'{"currentContext": 7}', "`currentContext` is no string"),
    "with a context that is not there": (b'{"currentContext": "gone"}', "the context gone"),
    "nested without end": (b"[" * 100_000, "it is not JSON in UTF-8"),
}


def _settings(name: str) -> Case:
    content, words = SETTINGS[name]

    def attempt(world: World) -> None:
        (world.home / ".docker" / "config.json").write_bytes(content)
        with answering({}):
            _refused(world, words)
        for done in world.finished:
            assert PASSWORD not in done.said

    return _without_engine(f"~/.docker/config.json is {name}", attempt, everyday="base64" in name)


def _folder(world: World) -> None:
    path = world.home / ".docker" / "config.json"
    path.unlink()
    path.mkdir()
    _refused(world, "config.json, cannot be read: Is a directory")


def _none(world: World) -> None:
    """Without the file everything is as usual."""
    shutil.rmtree(world.home / ".docker")
    world.configure()
    with answering(version("1.41")) as address:
        done = world.run("images", "list", DOCKER_HOST=address)
    assert "config.json" not in done.said


# -- images --------------------------------------------------------------------------------------


#: A platform that nothing stands in for.
OWN = """
[targets.own]
platform = "own"
python = "3.12"
[platforms.own]
libc = "musl 1.1"
family = "alpine"
image = "{image}"
pythons = {{ "3.12" = "/usr/bin/python3.12" }}
"""


def _without_image(world: World, image: str, *words: str) -> None:
    world.configure("alpha==1.0\n", more=OWN.format(image=image))
    refused(world.build("--target", "own"), 6, "there is no base image for own", *words)


def _no_image(world: World) -> None:
    _without_image(world, "registry.invalid/no/such:1", "registry.invalid", "`docker load`")


def _other_architecture(world: World) -> None:
    name = f"registry.invalid/of-another:{os.getpid()}"
    with closing(connect()) as client:
        empty = io.BytesIO(bytes(tarfile.RECORDSIZE))
        DockerImages(client).import_tar(empty, name, labels={}, platform="linux/arm64")
        try:
            told = f"{name} is here, but for linux/arm64 instead of linux/amd64"
            _without_image(world, name, told)
        finally:
            client.remove_image(name)


CASES = [
    *map(_host, HOSTS),
    *map(_engine, ENGINES),
    _without_engine("no permission on its socket", _no_permission, everyday=True),
    *map(_settings, SETTINGS),
    _without_engine("~/.docker/config.json is a folder", _folder),
    _without_engine("there is no ~/.docker/config.json", _none),
    Case(group=20, name="an image that nobody has", attempt=_no_image),
    Case(group=20, name="an image of another architecture", attempt=_other_architecture),
]
