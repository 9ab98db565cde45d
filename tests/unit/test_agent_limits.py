"""What the agent reads of its control group, hears of the network, and finds of its descendants."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wheelhouse.agent.asking import MARK
from wheelhouse.agent.init import ABANDONED, descendants
from wheelhouse.agent.limits import Counters, reached
from wheelhouse.agent.network import answer, wanted

if TYPE_CHECKING:
    from collections.abc import Callable

NOTHING = Counters(kills=0, forks=0)


def group(folder: Path, **files: str) -> str:
    """A control group's files below *folder*; a dot in a name is a double underscore."""
    for name, text in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return str(folder)


def version_2(folder: Path, *, kills: int = 0, met: int = 0, forks: int = 0) -> str:
    return group(
        folder,
        memory__events=f"low 0\nhigh 0\nmax 9\noom {met}\noom_kill {kills}\noom_group_kill 0\n",
        pids__events=f"max {forks}\n",
    )


def version_1(folder: Path, *, kills: int = 0, most: int = 0, forks: int = 0) -> str:
    return group(
        folder,
        memory___memory__oom_control=f"oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n",
        memory___memory__limit_in_bytes="1000\n",
        memory___memory__max_usage_in_bytes=f"{most}\n",
        pids___pids__events=f"max {forks}\n",
    )


def test_both_versions_count_alike(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
    for folder in (
        version_1(tmp_path / "1", kills=3, forks=2),
        version_2(tmp_path / "2", kills=3, forks=2),
    ):
        assert Counters.read(folder) == Counters(kills=3, forks=2)


def test_where_nothing_can_be_read_nothing_is_counted(tmp_path: Path) -> None:
    assert Counters.read(str(tmp_path)) == NOTHING
    group(tmp_path, memory__events="oom_kill many\n", pids__events="\xff\n")
    assert Counters.read(str(tmp_path)) == NOTHING
    found = reached(NOTHING, "/nowhere", str(tmp_path))
    assert (found["memory"], found["processes"]) == ("", False)


def test_the_containers_memory_and_the_machines_are_told_apart(tmp_path: Path) -> None:
    cases: dict[str, tuple[Callable[..., str], dict[str, int], str]] = {
        "own2": (version_2, {"kills": 1, "met": 1}, "container"),
        "other2": (version_2, {"kills": 1, "met": 0}, "machine"),
        "own1": (version_1, {"kills": 1, "most": 1000}, "container"),
        "other1": (version_1, {"kills": 1, "most": 400}, "machine"),
        "none": (version_1, {"most": 1000}, ""),
    }
    for name, (version, numbers, expected) in cases.items():
        (folder := tmp_path / name).mkdir()
        found = reached(NOTHING, "/nowhere", version(folder, **numbers))
        assert found["memory"] == expected, name


def test_what_was_before_does_not_count(tmp_path: Path) -> None:
    before = Counters(kills=5, forks=7)
    folder = version_2(tmp_path, kills=5, met=1, forks=7)
    assert reached(before, "/nowhere", folder)["memory"] == ""
    assert reached(before, "/nowhere", folder)["processes"] is False
    assert reached(before, "/nowhere", version_2(tmp_path, forks=8))["processes"] is True


# -- the network ----------------------------------------------------------------------------------


def question(name: str, kind: int = 1) -> bytes:
    """A question to a name server (RFC 1035, 4.1), with what glibc adds to it (EDNS)."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    extra = b"\0\0\x29\x04\xb0\0\0\0\0\0\0"
    return struct.pack(">6H", 7, 0x0100, 1, 0, 0, 1) + labels + struct.pack(">2H", kind, 1) + extra


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (question("files.example.org"), "files.example.org"),
        (question("x.y", kind=28), "x.y"),
        (MARK + b"192.0.2.1:80", "192.0.2.1:80"),
        (MARK + b"\xff", "\ufffd"),
        (b"", ""),
        (b"short", ""),
        (bytes(12) + b"\x3fcut", "cut"),
        (bytes(12) + b"\xc0\x0c", ""),
    ],
)
def test_a_datagram_is_about_a_place(data: bytes, place: str) -> None:
    assert wanted(data) == place


def test_no_name_is_known() -> None:
    asked = question("files.example.org")
    told = answer(asked)
    number, flags, questions, answers, authorities, more = struct.unpack(">6H", told[:12])
    assert (number, flags & 0x800F) == (7, 0x8003)
    assert (questions, answers, authorities, more) == (1, 0, 0, 0)
    assert told[12:] == asked[12 : len(told)]
    assert told.endswith(struct.pack(">2H", 1, 1))


@pytest.mark.parametrize(
    "data", [bytes(13), bytes(12) + b"\x3fcut", bytes(12) + b"\xc0\x0c", b"x" * 99]
)
def test_what_is_no_question_harms_nothing(data: bytes) -> None:
    assert answer(data)[:2] == data[:2]


LISTENS = """
import socket, sys
sys.path.insert(0, sys.argv[1])
import asking
asking.PLACE = ("127.0.0.1", int(sys.argv[2]))
asking.listen()
for address in (("192.0.2.7", 80), ("127.0.0.1", 1)):
    with socket.socket() as one:
        one.settimeout(0.01)
        try:
            one.connect(address)
        except OSError:
            pass
with socket.socket(socket.AF_UNIX) as near:
    try:
        near.connect("/nowhere")
    except OSError:
        pass
"""


def test_the_pythons_of_a_build_tell_what_they_want() -> None:
    from wheelhouse import agent

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hearing:
        hearing.bind(("127.0.0.1", 0))
        hearing.settimeout(20)
        folder = str(Path(str(agent.__file__)).parent)
        port = str(hearing.getsockname()[1])
        subprocess.run([sys.executable, "-c", LISTENS, folder, port], check=True)
        assert hearing.recv(4096) == MARK + b"192.0.2.7:80"
        hearing.settimeout(0.05)
        with pytest.raises(TimeoutError):
            hearing.recv(4096)


# -- process 1 ------------------------------------------------------------------------------------

SUPERVISED = """
import os, sys, time
from wheelhouse.agent.init import supervise
supervise()
{code}
"""

LEAVES = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
os.wait()
"""


def supervised(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISED.format(code=code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [("sys.exit(3)", 3), ("os._exit(0)", 0), ("os.kill(os.getpid(), 15)", 143)],
)
def test_it_ends_as_the_one_does_who_works(code: str, status: int) -> None:
    with supervised(code) as process:
        assert process.wait(20) == status


def test_it_ends_with_its_input_and_takes_all_with_it() -> None:
    with supervised(LEAVES + "print('ready', flush=True)\ntime.sleep(60)") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        found = descendants(process.pid)
        assert len(found) == 2
        process.stdin.close()
        assert process.wait(20) == ABANDONED
    _are_gone(found)


def test_what_has_left_its_session_and_parents_ends_too() -> None:
    with supervised(LEAVES + "print(os.getpid(), flush=True)") as process:
        assert process.wait(20) == 0
        assert not descendants(process.pid)


def _are_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 20
    while [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
