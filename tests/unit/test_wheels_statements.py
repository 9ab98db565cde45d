"""What wheels say of themselves, and may; the fault suite has what they may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheelfactory import INFO, members, write_wheel
from wheelhouse.agent.strictzip import ZipProblem
from wheelhouse.wheels.entrypoints import script_problems
from wheelhouse.wheels.headers import HeaderProblem, fields_of, read_fields, read_metadata
from wheelhouse.wheels.layout import place_problems, runs_at_start
from wheelhouse.wheels.peek import peek
from wheelhouse.wheels.statements import parse_metadata

if TYPE_CHECKING:
    from pathlib import Path

HEAD = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_text_is_no_field(end: bytes) -> None:
    data = (HEAD + b"\nText: x\n\n\rmore\0").replace(b"\n", end)
    assert fields_of(data) == HEAD.rstrip().replace(b"\n", end) + b"\n"
    assert read_fields(data) == {
        "metadata-version": ["2.1"],
        "name": ["demo"],
        "version": ["1.0"],
    }


def test_fields_may_be_folded_and_repeated() -> None:
    found = read_fields(b"Tag: a\nTag:b\nSummary: one\n  two\n")
    assert found == {"tag": ["a", "b"], "summary": ["one\n  two"]}


def test_an_author_may_be_in_another_encoding() -> None:
    assert read_metadata(HEAD + b"Author: \xe9\n")["name"] == "demo"
    with pytest.raises(HeaderProblem, match="readable Requires-Dist"):
        read_metadata(HEAD + b"Requires-Dist: x\xe9\n")


def test_mail_within_mail_is_not_followed() -> None:
    """Each level of it would be one of the parser's calls."""
    inner = b"Content-Type: message/rfc822\n"
    nested = HEAD + inner + (b"\n" + inner) * 5000
    assert parse_metadata(nested).name == "demo"


def test_scripts_and_what_else_may_be_there() -> None:
    text = (
        b"# comment\n\n[ console_scripts ]\n  demo-2.x = demo.cli : main [fast, more]\nb=c:d.e\r\n"
        b"[gui_scripts]\nwindow = demo:w\n[anything/else]\nwhatever\n../up = nothing\n"
    )
    assert script_problems(text) == []


@pytest.mark.parametrize(
    ("file", "runs"),
    [
        ("demo.pth", True),
        ("sitecustomize.py", True),
        ("demo-1.0.data/purelib/demo.pth", True),
        ("demo-1.0.data/data/lib/python3.11/site-packages/demo.pth", True),
        ("demo/demo.pth", False),
        ("demo/sitecustomize.py", False),
        ("demo-1.0.data/data/demo.pth", False),
        ("demo-1.0.data/scripts/demo.pth", False),
    ],
)
def test_what_runs_at_every_start(file: str, runs: bool) -> None:
    assert runs_at_start(file) is runs


def test_the_same_name_in_different_places_is_fine() -> None:
    files = ["demo/x", "demo-1.0.data/data/demo/x", "demo-1.0.data/scripts/x", f"{INFO}/x"]
    assert place_problems(files, INFO) == []


def test_a_look_at_one_member(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, members())
    with peek(wheel) as found:
        assert found.read("demo/__init__.py", 6) == b"X = 1\n"
        with pytest.raises(ZipProblem, match="more than 5 bytes"):
            found.read("demo/__init__.py", 5)
    wheel.write_bytes(b"x" + wheel.read_bytes())
    with pytest.raises(ZipProblem), peek(wheel):
        pass
