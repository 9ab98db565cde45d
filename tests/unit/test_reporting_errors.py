"""Errors in their one form."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path

import pytest

from wheelhouse.errors import (
    BuildError,
    ConfigError,
    InterruptedRunError,
    ProofError,
    SeveralErrors,
    StorageError,
    WheelhouseError,
)
from wheelhouse.reporting import exit_status, render_errors, write_errors

BUILD = BuildError(
    "psycopg2 2.9.12 could not be built for al2023: pg_config was not found",
    hint='add system = ["libpq-dev"] to [packages.psycopg2]',
    log=Path("/var/log/a very long folder/that is never/broken into lines/psycopg2-2.9.12.log"),
)


def test_one_error() -> None:
    assert render_errors(BUILD, width=100).splitlines() == [
        "error[build]: psycopg2 2.9.12 could not be built for al2023: pg_config was not found",
        '  hint: add system = ["libpq-dev"] to [packages.psycopg2]',
        f"  log: {BUILD.log}",
    ]


def test_long_texts_are_wrapped_under_their_label() -> None:
    lines = render_errors(BUILD, width=40).splitlines()
    assert all(len(each) <= 40 for each in lines if "log:" not in each)
    assert lines[1].startswith("  be built")
    assert lines[4].startswith("        ")


def test_what_a_person_copies_is_not_broken() -> None:
    command = "https://example.org/" + "path/" * 30
    assert command in render_errors(ConfigError("bad", hint=f"see {command}"), width=40)


FAILED = BuildError(
    "psycopg2 2.9.9 cannot be built: the header libpq-fe.h is missing in the builder",
    context=[("asked for by", "requirements.txt:3, django-x"), ("phase", "building its wheel")],
    evidence=[
        "In file included from psycopg/adapter_asis.c:28:",
        "./psycopg/psycopg.h:35:10: fatal error: libpq-fe.h: No such file or directory",
        "   35 | #include <libpq-fe.h>",
    ],
    hint="Debian 12 has it in libpq-dev; these lines add it",
    fix='[packages.psycopg2]\nsystem = ["libpq-dev"]',
    log=Path("/logs/web.log"),
)


def test_a_failed_build_is_told_from_who_asked_to_what_to_paste() -> None:
    FAILED.target = "web"
    assert render_errors(FAILED, width=80).splitlines() == [
        "error[build]: web: psycopg2 2.9.9 cannot be built: the header libpq-fe.h is",
        "  missing in the builder",
        "  asked for by: requirements.txt:3, django-x",
        "  phase: building its wheel",
        "  | In file included from psycopg/adapter_asis.c:28:",
        "  | ./psycopg/psycopg.h:35:10: fatal error: libpq-fe.h: No such file or",
        "  |     directory",
        "  |    35 | #include <libpq-fe.h>",
        "  hint: Debian 12 has it in libpq-dev; these lines add it",
        "  fix:",
        "      [packages.psycopg2]",
        '      system = ["libpq-dev"]',
        "  log: /logs/web.log",
    ]


def test_the_lines_of_a_fix_are_never_broken_and_are_toml_as_they_stand() -> None:
    packages = [f"lib-with-a-long-name-{number}-dev" for number in range(9)]
    fix = f"[packages.demo]\nsystem = {json.dumps(packages)}"
    _, _, shown = render_errors(BuildError("no", fix=fix), width=40).partition("  fix:\n")
    assert tomllib.loads(shown) == {"packages": {"demo": {"system": packages}}}


def test_neighbours_with_one_hint_and_fixes_of_their_own_keep_both() -> None:
    errors = [BuildError(f"no {name}", hint="paste", fix=f"[packages.{name}]") for name in "ab"]
    text = render_errors(SeveralErrors(errors))
    assert text.count("hint: paste") == 2
    assert text.index("[packages.a]") < text.index("no b") < text.index("[packages.b]")


def test_the_bar_of_evidence_and_the_names_of_context_are_dim() -> None:
    text = render_errors(FAILED, colour=True)
    assert "\x1b[2m  | \x1b[0m" in text
    assert "\x1b[2m  phase: \x1b[0mbuilding its wheel" in text
    assert "\x1b[32m  fix:\x1b[0m" in text


@pytest.mark.parametrize("width", [30, 80])
def test_evidence_context_and_fix_are_text_and_nothing_else(width: int) -> None:
    evil = "\x1b[31m::set-env name=A::b ##vso[task] \x1b]0;t\x07\u202e"
    error = BuildError("no", context=[(evil, evil)], evidence=[evil], fix=f"{evil}\n{evil}")
    text = render_errors(error, width=width)
    assert not any(sign in text for sign in ("\x1b", "##vso", "\u202e", "\x07"))
    assert not any(each.lstrip().startswith("::") for each in text.splitlines())


def test_several_are_ordered_grouped_and_counted() -> None:
    several = SeveralErrors(
        [
            ProofError("late", hint="p"),
            BUILD,
            SeveralErrors([ConfigError("first")]),
            BuildError("b"),
        ]
    )
    text = render_errors(several)
    places = [text.index(each) for each in ("first", "psycopg2", "error[build]: b", "late")]
    assert places == sorted(places)
    assert text.splitlines()[-1] == "4 errors: 1 config, 2 build, 1 proof"


def test_what_several_workers_found_alike_is_told_once() -> None:
    full = [StorageError("the disk is full: /srv", hint="make room there") for _ in range(3)]
    text = render_errors(SeveralErrors(full), width=80)
    assert text.count("the disk is full") == text.count("make room there") == 1


def test_a_shared_hint_is_given_once() -> None:
    several = SeveralErrors([ConfigError("one", hint="fix it"), ConfigError("two", hint="fix it")])
    assert render_errors(several).splitlines() == [
        "error[config]: one",
        "error[config]: two",
        "  hint: fix it",
        "",
        "2 errors: 2 config",
    ]


def test_a_shared_log_is_named_once() -> None:
    log = Path("/logs/proof.log")
    several = SeveralErrors([ProofError("one", log=log), ProofError("two", log=log)])
    assert render_errors(several).splitlines() == [
        "error[proof]: one",
        "error[proof]: two",
        "  log: /logs/proof.log",
        "",
        "2 errors: 2 proof",
    ]


def test_line_breaks_of_a_message_stay() -> None:
    text = render_errors(ConfigError("three faults:\n  a.toml:1\n  b.toml:2", hint="x\ny"))
    assert text.splitlines() == [
        "error[config]: three faults:",
        "    a.toml:1",
        "    b.toml:2",
        "  hint: x",
        "        y",
    ]


@pytest.mark.parametrize("width", [1, 30, 34, 35, 36, 80])
def test_quoted_output_is_text_and_nothing_else(width: int) -> None:
    evil = "said [bold]x[/bold] \x1b[31mred\x1b]0;t\x07 words words ::set-env name=A::b ##vso[x]"
    text = render_errors(BuildError(evil, hint=evil), width=width)
    assert "[bold]x[/bold]" in text
    assert "\x1b" not in text
    assert "##vso" not in text
    assert not any(each.lstrip().startswith("::") for each in text.splitlines())


def test_colour_only_where_asked_for() -> None:
    assert "\x1b[1;31merror[build]: \x1b[0m" in render_errors(BUILD, colour=True)


def test_a_stream_without_unicode_and_one_that_is_closed() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    write_errors(ConfigError("caf\u00e9 … \udcff"), stream, environ={})
    assert raw.getvalue() == b"error[config]: caf\\xe9 ... \\ufffd\n"
    stream.close()
    write_errors(BUILD, stream, environ={})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, 0),
        (BUILD, 4),
        (SeveralErrors([ProofError("a"), BuildError("b")]), 4),
        (InterruptedRunError("stopped"), 130),
        (KeyboardInterrupt(), 130),
        (RuntimeError(), 1),
        (WheelhouseError(""), 1),
    ],
)
def test_exit_status(error: BaseException | None, status: int) -> None:
    assert exit_status(error) == status
