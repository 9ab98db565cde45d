"""Sdists that mean harm, or merely misbehave: what they reach, and what is said of it.

Each case is a build backend that runs for real in a build's container.
"""

from __future__ import annotations

import http.server
import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from projects import LocalIndex, ProjectSdist, write_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Workplace

pytestmark = pytest.mark.containers

SECRET = "planted-secret-5f3a"

LOOK_AROUND = """
def before_build(directory):
    import glob, json, os, socket
    def reaches(address):
        try:
            socket.create_connection(address, timeout=2).close()
            return True
        except OSError:
            return False
    def writes(path):
        try:
            open(path, "w").close()
            return True
        except OSError:
            return False
    def resolves(name):
        try:
            return bool(socket.getaddrinfo(name, 443))
        except OSError:
            return False
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    everything = []
    for folder in ("/root", "/home", "/mnt", "/media", "/host", "/work"):
        everything += glob.glob(folder + "/**", recursive=True)
    print("FOUND " + json.dumps({
        "environment": dict(os.environ),
        "interfaces": os.listdir("/sys/class/net"),
        "index": reaches(("127.0.0.1", PORT)),
        "gateway": reaches(("172.17.0.1", PORT)),
        "metadata": reaches(("169.254.169.254", 80)),
        "dns": resolves("pypi.org"),
        "uid": os.getuid(),
        "capabilities": status["CapEff"].strip(),
        "no_new_privileges": status["NoNewPrivs"].strip(),
        "writable": [p for p in ("/x", "/etc/x", "/usr/x", "/opt/wheelhouse/x", "/var/x",
                                 "/opt/wheelhouse/bin/uv") if writes(p)],
        "sockets": glob.glob("/var/run/docker.sock") + glob.glob("/run/podman/*"),
        "files": [p for p in everything if os.path.isfile(p)],
        "processes": sum(name.isdigit() for name in os.listdir("/proc")),
    }), flush=True)
"""


def _found(workplace: Workplace) -> dict[str, object]:
    line = next(line for line in workplace.logs().splitlines() if line.startswith("FOUND "))
    found: dict[str, object] = json.loads(line.removeprefix("FOUND "))
    return found


def test_a_build_reaches_nothing(workplace: Workplace, index: LocalIndex) -> None:
    port = index.url.rpartition(":")[2].partition("/")[0]
    index.add(ProjectSdist(name="spy", extra=LOOK_AROUND.replace("PORT", port)))
    write_project(workplace.project, index, "spy\n")
    (workplace.root / ".netrc").write_text(f"machine x login y password {SECRET}")
    done = workplace.run(
        "build",
        AWS_SECRET_ACCESS_KEY=SECRET,
        TWINE_PASSWORD=SECRET,
        PIP_INDEX_URL=f"https://user:{SECRET}@example.org/simple",
        HOME=str(workplace.root),
    )
    assert done.status == 0, done.said
    found = _found(workplace)
    assert SECRET not in json.dumps(found)
    assert found["interfaces"] == ["lo"]
    for way in ("index", "gateway", "metadata", "dns"):
        assert found[way] is False, way
    assert found["uid"] == 65534
    assert int(str(found["capabilities"]), 16) == 0
    assert found["no_new_privileges"] == "1"
    assert found["writable"] == []
    assert found["sockets"] == []
    assert [path for path in found["files"] if not path.startswith("/root/.")] == []  # type: ignore[attr-defined]
    written = b"".join(p.read_bytes() for p in workplace.root.rglob("*") if p.is_file())
    assert written.count(SECRET.encode()) == 1, "only in the .netrc that was planted"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "def after_build(d, f):\n    os.rename(d + '/' + f, d + '/../' + f)\n    return '../' + f",
            "left 0 wheels",
        ),
        (
            "def after_build(d, f):\n    import shutil\n    shutil.copy(d + '/' + f, d + '/x-' + f)",
            "left 2 wheels",
        ),
        (
            "def after_build(d, f):\n    os.remove(d + '/' + f)\n    os.symlink('/etc/passwd', d + '/' + f)",
            "no regular file",
        ),
        (
            "def after_build(d, f):\n    os.remove(d + '/' + f)\n    os.mkfifo(d + '/' + f)",
            "no regular file",
        ),
        (
            "def after_build(d, f):\n    os.truncate(d + '/' + f, 10 << 40)",
            "refused",
        ),
        (
            "def after_build(d, f):\n    os.rename(d + '/' + f, d + '/other-1.0-py3-none-any.whl')",
            "other",
        ),
        ("def after_build(d, f):\n    open(d + '/' + f, 'ab').write(b'more')", "evil-1.0"),
        ("def before_build(d):\n    sys.exit(3)", "exit status 3"),
        ("def before_build(d):\n    os.kill(os.getpid(), 9)", "signal 9"),
        ("def before_build(d):\n    os.system('kill -9 -1')", "evil 1.0"),
    ],
    ids=[
        "outside",
        "two",
        "symlink",
        "fifo",
        "sparse",
        "another",
        "trailing",
        "exit",
        "killed",
        "kills-all",
    ],
)
def test_bad_results_are_refused(
    workplace: Workplace, index: LocalIndex, code: str, words: str
) -> None:
    index.add(ProjectSdist(name="evil", extra=code), ProjectSdist(name="good"))
    write_project(workplace.project, index, "evil\ngood\n")
    done = workplace.run("build")
    assert done.status in {4, 5}, done.said
    assert words in done.err
    assert "good built" in done.said
    assert not workplace.house().exists()
    assert not list((workplace.store / "tmp").iterdir())


@pytest.mark.parametrize(
    ("code", "limits", "words"),
    [
        ("while True: pass", 'deadline = "6s"', "did not end within 6 s"),
        (
            (
                "import signal, time\n    signal.signal(15, signal.SIG_IGN)\n"
                "    if os.fork() == 0: os.setsid(); time.sleep(600)\n    time.sleep(600)"
            ),
            'deadline = "6s"',
            "did not end within 6 s",
        ),
        ("bytearray(900 << 20)", 'memory = "512MiB"', "out of memory"),
        (
            "import subprocess\n    subprocess.run([sys.executable, '-c', 'bytearray(900 << 20)'])",
            'memory = "512MiB"',
            None,
        ),
        (
            "f = open('/build/tmp/big', 'wb')\n    while True: f.write(bytes(1 << 20))",
            'memory = "512MiB"',
            "evil 1.0",
        ),
        ("while True:\n        os.fork()", 'deadline = "8s"', "evil 1.0"),
        (
            (
                "data = b'x' * (1 << 20)\n    for _ in range(400): sys.stdout.buffer.write(data)\n"
                "    sys.exit(1)"
            ),
            "",
            "exit status 1",
        ),
    ],
    ids=["endless", "daemon", "memory", "child-memory", "disk", "forks", "output"],
)
def test_excess_is_contained(
    workplace: Workplace, index: LocalIndex, code: str, limits: str, words: str | None
) -> None:
    index.add(ProjectSdist(name="evil", extra=f"def before_build(d):\n    {code}"))
    more = f"[limits]\n{limits}\n" if limits else ""
    write_project(workplace.project, index, "evil\n", more=more)
    started = time.monotonic()
    done = workplace.run("build", timeout=120)
    assert time.monotonic() - started < 60
    if words is None:
        assert done.status == 0, done.said  # the build went on without the child
        return
    assert done.status == 4, done.said
    assert words in done.err, done.err
    assert sum(path.stat().st_size for path in workplace.store.glob("logs/*")) < 65 << 20


def test_output_cannot_speak_to_terminals_or_ci(workplace: Workplace, index: LocalIndex) -> None:
    code = (
        "def before_build(d):\n    sys.stdout.buffer.write("
        "b'\\x1b]0;owned\\x07\\x1b[2J::set-env name=A::b\\n##vso[task.setvariable]x\\n\\xff\\x00\\n')\n"
        "    sys.stdout.flush()\n    sys.exit(1)"
    )
    index.add(ProjectSdist(name="evil", extra=code))
    write_project(workplace.project, index, "evil\n")
    for mode in ("--plain", "--json"):
        done = workplace.run("build", mode)
        assert done.status == 4
        for raw in ("\x1b", "\x07", "\x00", "\n::set-env", "\n##vso"):
            assert raw not in done.said


def test_a_lost_extension_fails_unless_allowed(workplace: Workplace, index: LocalIndex) -> None:
    lost = "def compile_extension():\n    open('_native.so', 'w').close()\n"
    index.add(ProjectSdist(name="evil", native=True, extra=lost))
    write_project(workplace.project, index, "evil\n")
    done = workplace.run("build")
    assert done.status == 4
    assert "extension was left out" in done.err
    assert "allow-pure = true" in done.err


def test_the_cloud_metadata_address_is_not_reached(workplace: Workplace, index: LocalIndex) -> None:
    """A server on every address of this machine hears nothing while a build tries."""
    heard: list[str] = []
    with _listening(heard) as port:
        addresses = ["127.0.0.1", "172.17.0.1", "169.254.169.254", "host.docker.internal"]
        code = (
            "def before_build(d):\n    import urllib.request\n"
            f"    for a in {addresses}:\n        try: urllib.request.urlopen("
            f"'http://%s:{port}/' % a, timeout=1)\n        except OSError as e: print(a, e)"
        )
        index.add(ProjectSdist(name="spy", extra=code))
        write_project(workplace.project, index, "spy\n")
        assert workplace.run("build").status == 0
    assert heard == []


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
