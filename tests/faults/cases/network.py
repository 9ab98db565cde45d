"""Group 14: builds that want the network: there is none, and what asked for what is told."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from faults.case import Case
from faults.cases.limits import before
from faults.world import refused, succeeded
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.world import Finished, World

NONE = ("evil 1.0 cannot be built", "wants the network", "builds have none")

#: What a build does, and what of it is told.
URLLIB = "import urllib.request; urllib.request.urlopen('http://%s/' % {!r}, timeout=2)"

GETENT = """
    import subprocess
    if subprocess.run(["getent", "hosts", "tools.example.com"]).returncode:
        sys.exit("could not get the tools")
"""

DATAGRAM = """
    import socket
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("203.0.113.9", 9))
"""

PIP = """
    import subprocess
    subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
    url = "https://files.example.org/x-1.0.tar.gz"
    subprocess.check_call([sys.executable, "-m", "pip", "download", "--retries", "0", url])
"""

WISHES = {
    "a name, by its resolver": (
        "import socket; socket.getaddrinfo('updates.example.com', 443)",
        "updates.example.com",
    ),
    "an address that only it knows": (
        "import socket; socket.create_connection(tuple(['198.51.100.7', 8443]), timeout=2)",
        "198.51.100.7:8443",
    ),
    "the cloud's metadata": (URLLIB.format("169.254.169.254"), "169.254.169.254:80"),
    "the cloud's metadata by name": (
        URLLIB.format("metadata.google.internal"),
        "metadata.google.internal",
    ),
    "a name, by a program that does not say it": (GETENT, "tools.example.com"),
    "to send a datagram to a stranger": (DATAGRAM, "203.0.113.9:9"),
    "packages, by pip": (PIP, "files.example.org"),
}


def _wants(name: str) -> Case:
    code, place = WISHES[name]

    def attempt(world: World) -> None:
        refused(_built(world, before(code)), 4, *NONE, place)

    return Case(group=14, name=f"wants {name}", attempt=attempt)


def _built(world: World, code: str, more: str = "") -> Finished:
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="evil", extra=code))
        world.configure("evil==1.0\n", index=index.url, more=more)
        return world.build()


def _hangs(world: World) -> None:
    """Who waits for an answer that cannot come meets the deadline, and it is told why."""
    code = before("""
        import socket, time
        while True:
            try:
                socket.create_connection(("licenses.example.com", 27000))
            except OSError:
                time.sleep(0.2)
    """)
    done = _built(world, code, '[limits]\ndeadline = "4s"\n')
    words = ("did not end within 4 s", "licenses.example.com", "waiting for the network")
    refused(done, 4, *words)


def _is_heard_by_nobody(world: World) -> None:
    """A server on every address of this machine hears nothing while a build tries."""
    heard: list[str] = []
    with _listening(heard) as port:
        addresses = ["127.0.0.1", "172.17.0.1", "169.254.169.254", "host.docker.internal"]
        code = before(f"""
            import urllib.request
            for each in {addresses}:
                try:
                    urllib.request.urlopen("http://%s:{port}/" % each, timeout=1)
                except OSError as error:
                    print(each, error)
        """)
        done = succeeded(_built(world, code))
    assert heard == []
    told = "evil wanted the network, which it has not, and went on without"
    assert told in done.said, done.said
    for address in addresses[1:]:
        assert address in done.said, done.said


@contextmanager
def _listening(heard: list[str]) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


CASES = [
    *map(_wants, WISHES),
    Case(group=14, name="waits for a server without end", attempt=_hangs),
    Case(group=14, name="is heard by nobody", attempt=_is_heard_by_nobody, everyday=True),
]
