"""Output of untrusted builds, made safe; sizes and durations in words."""

from __future__ import annotations

import random
import re
import time

import pytest

from wheelhouse.text import (
    LINE_LIMIT,
    cell_width,
    clip,
    clock,
    human_duration,
    human_size,
    neutralize,
    sanitize,
    sanitize_lines,
)

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ud800-\udfff]"
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"plain text\n", "plain text"),
        (b"text\r\n", "text"),
        (b"\x1b[1;31merror:\x1b[0m no", "error: no"),
        (b"\x1b]0;new title\x07text", "text"),
        (b"\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPq#0;2;0\x1b\\text", "text"),
        (b"\x1b(Btext\x1bc", "text"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x9d0;title\x9ctext", "text"),
        (b"\x1b]0;a title without an end", "0;a title without an end"),
        (b"\x1b\x1b[31m[31m", "[31m"),
        (b"10%\r55%\r100% done", "100% done"),
        (b"10%\r55%\r", "55%"),
        (b"a\x00b\x08c\x7f", "abc"),
        (b"caf\xe9 \xff", "caf\ufffd \ufffd"),
        ("lone \udcff surrogate", "lone \ufffd surrogate"),
        ("user\u202egnp.exe\u2066 \u200b", "usergnp.exe"),
        ("one\ntwo\u2028three\x85four", "one two three four"),
        (b"a\tb", "a       b"),
        (b"[bold]x[/bold] :smile:", "[bold]x[/bold] :smile:"),
        ("日本語", "日本語"),
        (b"", ""),
        (b"\r\n", ""),
    ],
)
def test_sanitize(line: bytes | str, expected: str) -> None:
    assert sanitize(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "::set-env name=PATH::/evil",
        "   ::warning::x",
        "\u00a0\u3000::add-mask::x",
        "\x1b[0m::error::x",
        ":\x00:set-output name=x::y",
        "\ufeff::debug::x",
        "progress\r::stop-commands::token",
        "text ##vso[task.setvariable variable=x]y",
        "#\x1b[0m#vso[task.complete]",
        "####[group]x",
        "##\u200bteamcity[message text='x']",
        "##[add-matcher]x",
    ],
)
def test_no_command_reaches_a_ci_system(line: str) -> None:
    safe = sanitize(line)
    assert not safe.lstrip().startswith("::")
    assert not re.search(r"##[\w.-]*\[", safe)
    assert neutralize(safe) == safe


def test_ordinary_lines_keep_their_colons_and_hashes() -> None:
    for line in ("error: std::string has no member", "## Heading", "#include <a.h>", "a ## b [c]"):
        assert sanitize(line) == line


def test_long_lines_are_cut_and_say_so() -> None:
    exact = "x" * LINE_LIMIT
    assert sanitize(exact) == exact
    assert sanitize(exact + "x") == "x" * (LINE_LIMIT - 1) + "…"
    assert sanitize("é".encode() * 10**6).endswith("é…")


@pytest.mark.parametrize(
    "unit", [b"x", b"\x1b", b"\x1b]", b"\x1b[", b"\xc2\x9d", b"\xff", b"#", b"::", b" ", b"\t"]
)
def test_a_line_of_a_hundred_megabytes_costs_little(unit: bytes) -> None:
    line = unit * (100_000_000 // len(unit))
    start = time.process_time()
    safe = sanitize(line)
    assert time.process_time() - start < 1.0
    assert len(safe) <= LINE_LIMIT


def test_fuzz() -> None:
    rng = random.Random(16)
    pieces = [
        b"\x1b", b"[", b"]", b"P", b"31m", b"\x07", b"\x1b\\", b"\r", b"\n", b"\0", b"::", b"##",
        b"vso[", b"set-env", b" ", b"\xc2\x9b", b"\xc2\x9d", b"\xc2\x9c", b"\xe2\x80\xae", b"\xff",
        b"x" * 500, "\u00e9\u65e5".encode(), b"\xe2\x80\x8b", b"\xef\xbb\xbf", b"\t",
    ]  # fmt: skip
    for _ in range(5000):
        raw = b"".join(rng.choices(pieces, k=rng.randrange(20))) + rng.randbytes(rng.randrange(4))
        for line in (raw, raw.decode("utf-8", "surrogateescape")):
            safe = sanitize(line)
            assert not UNSAFE.search(safe), raw
            assert not safe.lstrip().startswith("::"), raw
            assert not re.search(r"##[\w.-]*\[", safe), raw
            assert len(safe) <= LINE_LIMIT
            assert sanitize(safe) == safe, raw
            safe.encode()


def test_sanitize_lines_keeps_line_breaks() -> None:
    assert sanitize_lines("one\r\n\x1b[1mtwo") == ["one", "two"]
    assert sanitize_lines("") == [""]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 B"),
        (-5, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (9960, "10 kB"),
        (999_600, "1.0 MB"),
        (12_000_000, "12 MB"),
        (1_500_000_000, "1.5 GB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_human_size(size: int, expected: str) -> None:
    assert human_size(size) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"),
        (-1, "0.0 s"),
        (float("nan"), "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (12.4, "12 s"),
        (59.7, "1 min 00 s"),
        (65, "1 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7380, "2 h 03 min"),
    ],
)
def test_human_duration(seconds: float, expected: str) -> None:
    assert human_duration(seconds) == expected


def test_clock() -> None:
    assert [clock(t) for t in (-1, 7.9, 725, 3723)] == ["0:00", "0:07", "12:05", "1:02:03"]


def test_clip_counts_columns_not_characters() -> None:
    assert cell_width("日本") == 4
    assert cell_width("e\u0301") == 1
    assert clip("日本語", 6) == "日本語"
    assert clip("日本語", 5) == "日本…"
    assert clip("日本語", 4) == "日…"
    assert clip("text", 1) == "…"
    assert clip("text", 0) == ""
