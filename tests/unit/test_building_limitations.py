"""What is told of builds that have met a limit, wanted the network, or left something out."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from wheelhouse.building.diagnosis import Diagnosis, diagnose
from wheelhouse.building.leftout import left_out
from wheelhouse.building.runner import Failure, tail
from wheelhouse.engine import MIB, Limits

LIMITS = Limits(memory=384 * MIB, processes=64, deadline=90)


def told(stage: str, message: str = "x", log: str = "", *wanted: str) -> Diagnosis:
    failure = Failure(stage, message, Path("log"), log)
    failure.wanted = wanted
    return diagnose(failure, "demo", LIMITS)


@pytest.mark.parametrize(
    ("stage", "limits"),
    [
        ("memory", {"memory": "768MiB"}),
        ("deadline", {"deadline": "180s"}),
        ("processes", {"processes": 128}),
        ("crowded", {"processes": 128}),
    ],
)
def test_how_to_raise_a_limit_is_told_exactly(stage: str, limits: dict[str, object]) -> None:
    found = told(stage)
    assert found.fix is not None
    assert tomllib.loads(found.fix) == {"limits": limits}
    assert f"`{next(iter(limits))}` under [limits]" in found.hint


def test_a_result_that_is_too_large_is_told_with_its_limit() -> None:
    found = told("output", "a.whl has 9 bytes, more than the limit of 8")
    assert found.fix == '[limits]\nresult = "16GiB"'
    assert told("output", "it sent a file by the name '..'").fix is None


@pytest.mark.parametrize(
    ("stage", "message", "log"),
    [
        ("build", "exit status 1", "OSError: [Errno 28] No space left on device\n"),
        ("build", "exit status 1", "as: BFD: No space left on device\n"),
        ("unpack", "the sdist cannot be unpacked: [Errno 28] No space left on device", ""),
        ("environment", "cannot be made: No space left on device (os error 28)", ""),
        ("agent", "OSError: [Errno 28] No space left on device: '/build/x'", ""),
    ],
)
def test_a_full_disk_is_told_wherever_it_shows(stage: str, message: str, log: str) -> None:
    found = told(stage, message, log)
    assert found.kind == "disk-full"
    assert "(limit: 384MiB)" in found.cause
    assert found.fix == '[limits]\nmemory = "768MiB"'


def test_what_was_wanted_is_the_cause_where_nothing_else_is_known() -> None:
    found = told("build", "exit status 1", "RuntimeError: no tools\n", "a.example", "b.example")
    assert found.kind == "download"
    assert "wants the network (a.example, b.example), and builds have none" in found.cause
    assert "no tools" in found.cause


def test_what_was_wanted_does_not_hide_a_better_cause() -> None:
    log = "x.c:1:10: fatal error: ffi.h: No such file or directory\n"
    assert told("build", "exit status 1", log, "a.example").kind == "missing-header"


def test_a_download_that_names_nobody_gets_the_name() -> None:
    log = "urllib.error.URLError: <urlopen error [Errno -2] Name or service not known>\n"
    assert "(it looked for a.example)" in told("build", "x", log, "a.example").cause
    named = f"Downloading https://a.example/x.tar.gz\n{log}"
    assert told("build", "x", named, "a.example:443").cause.count("a.example") == 1


def test_of_many_places_some_are_told() -> None:
    found = told("build", "x", "", *(f"{number}.example" for number in range(9)))
    assert "(0.example, 1.example, 2.example and 6 more)" in found.cause


def test_who_waits_for_the_network_is_late_for_that() -> None:
    found = told("deadline", "did not end within 90 s", "", "a.example:27000")
    assert "having looked for a.example:27000" in found.cause
    assert "waiting for the network" in found.cause


def test_our_own_words_in_a_log_are_no_symptoms(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("error: the real cause\nwheelhouse: 3 MB of this log are left out above\n")
    assert tail(log) == "error: the real cause\n"


@pytest.mark.parametrize(
    ("log", "files", "lost"),
    [
        (b"building 'a._b' extension", ["a/_b.cpython-311-x86_64-linux-gnu.so"], []),
        (b"building 'a._b' extension", ["a/_b.abi3.so"], []),
        (b"building 'a._b' extension", ["a/__init__.py"], ["a._b"]),
        (b"building '_b' extension", ["_b.py", "a/_b.c"], ["_b"]),
        (b"  building 'a.b' C++ extension", [], ["a.b"]),
        (b"building 'x' library\nrebuilding 'x' extension", [], []),
        (b"building 'x' extension\nbuilding 'x' extension", [], ["x"]),
        (b"building 'x' extension\nbuilding 'y' extension", ["x.so"], ["y"]),
        (b"Build optional Rust extension a._r failed.", ["a/__init__.py"], ["a._r"]),
        (b"\xff\xfe building 'x", [], []),
    ],
)
def test_what_was_begun_and_is_not_there_was_left_out(
    log: bytes, files: list[str], lost: list[str]
) -> None:
    assert left_out(log.splitlines(), files) == lost
