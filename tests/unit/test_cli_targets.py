"""`wheelhouse targets`: what it prints, to whom, and what it refuses."""

from __future__ import annotations

import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from datetime import date
from fcntl import ioctl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from wheelhouse.cli.app import run  # noqa: TID251  (it is what is tested)
from wheelhouse.cli.platformtext import (  # noqa: TID251
    data_of,
    explained,
    listed,
    ranges,
)
from wheelhouse.config import load_project
from wheelhouse.reporting.lines import to_text
from wheelhouse.tags import tags_of
from wheelhouse.targets import presets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wheelhouse.reporting.lines import Line

TODAY = date(2026, 11, 20)
DEBIAN12 = presets()["debian12"]
AL2023 = presets()["amazonlinux2023"]


def texts(lines: Sequence[Line]) -> list[str]:
    return [to_text(each) for each in lines]


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """What the command prints: to standard output, or, where it fails, to standard error."""
    assert run(["targets", *arguments]) == status
    out, err = capsys.readouterr()
    assert not (out if status else err)
    return err if status else out


def on_terminal(width: int, *arguments: str) -> str:
    """What the command writes to a terminal of *width* columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, width, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "wheelhouse", "targets", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={"TERM": "xterm", "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
    )
    os.close(theirs)
    found = b""
    try:
        while block := os.read(ours, 1 << 16):
            found += block
    except OSError:
        pass  # so Linux says that nobody is at the other end
    os.close(ours)
    assert process.wait() == 0
    return found.decode().replace("\r\n", "\n")


# --- the list ------------------------------------------------------------------------------------


def test_every_platform_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    head, *lines = said(capsys).splitlines()
    heads = "NAME, PLATFORM, C LIBRARY, PYTHON, ARCHITECTURES, UPDATES UNTIL, IMAGES"
    assert re.split(" {2,}", head) == heads.split(", ")
    for name, preset in presets().items():
        (found,) = [text for text in lines if text.startswith(f"{name} ")]
        assert preset.title in found
        assert str(preset.libc) in found
        assert ", ".join(preset.arches) in found


def test_piped_it_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b" not in said(capsys)


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (200, ["NAME", "PLATFORM", "C LIBRARY", "PYTHON", "ARCHITECTURES", "UPDATES", "IMAGES"]),
        (120, ["NAME", "PLATFORM", "C LIBRARY", "PYTHON", "UPDATES", "IMAGES"]),
        (80, ["NAME", "C LIBRARY", "PYTHON", "UPDATES"]),
    ],
)
def test_what_has_no_room_is_left_out_the_least_of_it_first(width: int, heads: list[str]) -> None:
    lines = texts(listed(presets().values(), TODAY, width))
    assert max(map(len, lines)) <= width
    found = re.findall(r"[A-Z]+(?: [A-Z]+)*", lines[0].replace("UPDATES UNTIL", "UPDATES"))
    assert found == heads
    assert any("wider terminal" in text for text in lines) == (width < 150)


def test_what_is_past_is_marked() -> None:
    past, future = (replace(DEBIAN12, end_of_life=date(2026, 11, day)) for day in (19, 20))
    unknown = replace(DEBIAN12, end_of_life=None)
    lines = texts(listed([past, future, unknown], TODAY, None))
    assert "2026-11-19 !" in lines[1]
    assert "2026-11-20 !" not in lines[2]
    assert "! without free updates since that day" in lines
    assert "2026" not in lines[3]
    assert "! without free updates since that day" not in texts(listed([future], TODAY, None))


def test_where_images_come_from() -> None:
    none = replace(DEBIAN12, image=None, suite=None, libc=replace(DEBIAN12.libc, version=(2, 5)))
    shown = [DEBIAN12, presets()["portable"], AL2023, presets()["alpine3.23"], none]
    lines = texts(listed(shown, TODAY, None))
    assert lines[1].endswith("registry, made here")
    assert lines[2].endswith("  made here")
    assert re.search(r"registry, stand-in [1-4]/5$", lines[3])
    assert lines[4].endswith("  registry")
    assert lines[5].endswith("  -")


@pytest.mark.parametrize(
    ("pythons", "text"),
    [
        ([], ""),
        (["3.11"], "3.11"),
        (["3.11", "3.12"], "3.11, 3.12"),
        (["3.9", "3.11", "3.12", "3.13"], "3.9, 3.11-3.13"),
        (["3.10", "3.9", "3.14t", "3.8", "3.15t"], "3.8-3.10, 3.14t, 3.15t"),
    ],
)
def test_versions_in_short(pythons: list[str], text: str) -> None:
    assert ranges(pythons) == text


def test_the_list_for_programs_has_everything(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, "--json"))["platforms"]
    assert [each["name"] for each in found] == list(presets())
    data = next(each for each in found if each["name"] == "amazonlinux2023")
    assert data == data_of(AL2023)
    assert Version(data["glibcxx"]) == AL2023.glibcxx
    assert data["pythons"]["3.11"]["headers"] == ["python3.11-devel"]
    assert data["pythons"]["3.11"]["stand_in"] == {"x86_64": "portable", "aarch64": "portable"}
    assert data["pythons"]["3.12"]["stand_in"] == {"x86_64": None, "aarch64": None}


# --- one of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", presets())
def test_what_is_known_of_a_platform_is_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "show", name)
    preset = presets()[name]
    assert text.startswith(f"{name}: {preset.title}\n")
    for python, known in preset.pythons.items():
        (found,) = re.findall(rf"^  {re.escape(python)} .*", text, re.MULTILINE)
        assert known.path in found
    assert max(map(len, text.splitlines())) <= 100
    assert "{" not in text
    if preset.note:
        assert "".join(preset.note.split()) in "".join(text.split())


def test_the_declaration_that_it_shows_works(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six\n")
    for preset in presets().values():
        for python in preset.pythons:
            lines = texts(explained(preset, python, preset.arches[-1], TODAY, 80))
            start = lines.index("In wheelhouse.toml") + 1
            declared = "\n".join(lines[start : lines.index("", start)])
            (tmp_path / "wheelhouse.toml").write_text(declared)
            (target,) = load_project(tmp_path / "wheelhouse.toml").targets.values()
            assert (target.preset, target.python) == (preset, python)
            assert target.arch == preset.arches[-1]


def test_the_newest_python_is_the_one_that_more_is_told_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, newest = "manylinux_2_28", "3.15"
    assert f'python = "{newest}"' in said(capsys, "show", name)
    assert 'python = "3.14t"' in said(capsys, "show", name, "--python", "3.14t")


def test_the_tags_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    expected = [str(tag) for tag in tags_of("3.9", AL2023.libc, "aarch64")]
    options = ("show", "amazonlinux2023", "--python", "3.9", "--arch", "aarch64", "--tags")
    assert said(capsys, *options).splitlines() == expected
    assert json.loads(said(capsys, *options, "--json")) == expected
    told = said(capsys, *options[:-1])
    assert f"wheels of {len(expected)} tags" in told
    assert "wheels up to manylinux_2_34_aarch64" in told


def test_one_platform_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(said(capsys, "show", "debian12", "--json")) == data_of(DEBIAN12)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["amazonlinux203"], '"amazonlinux203"; did you mean "amazonlinux2023"?', "lists them"),
        (["\x1b[2J"], 'there is no platform "\\x1b[2J"', "lists them"),
        (["debian12", "--python", "3.12"], 'has no Python "3.12"', "it has: 3.11"),
        (["debian12", "--arch", "arm64"], 'architecture "arm64"', "it has: x86_64, aarch64"),
        (["amazonlinux2", "--python", "3.11"], 'has no Python "3.11"', "none that is known"),
        (["amazonlinux2", "--tags"], "no Python of Amazon Linux 2 is known", "another platform"),
    ],
)
def test_what_there_is_not(
    arguments: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "show", *arguments, status=2)
    assert message in text
    assert hint in text


def test_an_option_before_the_command_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--json belongs behind the command" in said(
        capsys, "--json", "show", "debian12", status=2
    )


# --- a real terminal ------------------------------------------------------------------------------


def test_a_terminal_gets_colours_and_whole_lines() -> None:
    text = on_terminal(90)
    assert "\x1b[1mNAME" in text
    assert "\x1b[33m2024-06-30 !" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, plain.splitlines())) <= 90
    assert "IMAGES" not in plain


def test_a_narrow_terminal_wraps_what_is_told_of_a_platform() -> None:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(60, "show", "amazonlinux2023"))
    lines = plain.splitlines()
    assert max(map(len, lines)) <= 60
    assert "  3.11          /usr/bin/python3.11, pip 22.3.1, stand-in" in lines


# --- the script -----------------------------------------------------------------------------------


def test_the_script_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    import wheelhouse

    script = Path(wheelhouse.__file__).parent / "data" / "probe_server.py"
    assert said(capsys, "probe") == script.read_text()


def test_the_script_is_written_and_what_to_do_with_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "probe.py"
    assert run(["targets", "probe", "-o", str(path)]) == 0
    out, err = capsys.readouterr()
    assert not out
    assert "python3 probe.py > server.json" in err
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["format"] == 1


def test_a_script_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "probe", "-o", str(tmp_path / "none" / "probe.py"), status=7)
    assert "No such file or directory" in text
