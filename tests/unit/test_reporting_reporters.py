"""The three reporters, on real streams: files, pipes and pseudo-terminals."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from wheelhouse.errors import BuildError, ProofError, SeveralErrors, WheelhouseError
from wheelhouse.events import (
    DownloadsStarted,
    Event,
    LockCompared,
    Notice,
    Outcome,
    PhaseStarted,
    Reporter,
    StepFinished,
    StepOutput,
    StepProgress,
    StepStarted,
    TargetFinished,
)
from wheelhouse.reporting import Mode, choose, resolve_mode
from wheelhouse.reporting.jsonl import JsonReporter
from wheelhouse.reporting.live import LiveReporter
from wheelhouse.reporting.plain import PlainReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TERMINAL = {"TERM": "xterm-256color"}


def start(step: str, phase: str = "build", target: str | None = "deb") -> StepStarted:
    return StepStarted(target=target, step=step, phase=phase)


def end(
    step: str, outcome: Outcome = "done", phase: str = "build", seconds: float = 12.0, **more: Any
) -> StepFinished:
    return StepFinished(
        target="deb", step=step, phase=phase, outcome=outcome, seconds=seconds, **more
    )


def story() -> list[Event]:
    """A small run with one of everything."""
    return [
        PhaseStarted(target="deb", phase="wheels", total=4),
        start("fetch torch 2.9", "wheels"),
        end("fetch torch 2.9", phase="wheels"),
        start("lxml 6.0.2"),
        StepOutput(target="deb", step="lxml 6.0.2", line="compiling"),
        end("lxml 6.0.2", detail="grafted libxml2.so.2"),
        end("cffi 2.0", "reused", seconds=0),
        start("psycopg2 2.9"),
        *(StepOutput(target="deb", step="psycopg2 2.9", line=f"line {n}") for n in range(40)),
        end("psycopg2 2.9", "failed", detail="no pg_config", log=Path("/logs/psycopg2.log")),
        end("sqlpsy 1.0", "skipped", seconds=0, detail="needs psycopg2"),
        Notice(target="deb", message="torch 2.9 is yanked", hint="pin another"),
        TargetFinished(
            target="deb",
            outcome="failed",
            seconds=30,
            counts={"fetched": 1, "built": 1, "reused": 1, "failed": 1},
            message="1 of 4 packages failed",
        ),
    ]


def plain(*events: Event) -> list[str]:
    stream = io.StringIO()
    with PlainReporter(stream) as reporter:
        for event in events:
            reporter.emit(event)
    return stream.getvalue().splitlines()


def as_json(*events: Event, error: WheelhouseError | None = None) -> list[dict[str, Any]]:
    stream = io.StringIO()
    with suppress(WheelhouseError), JsonReporter(stream) as reporter:
        for event in events:
            reporter.emit(event)
        if error:
            raise error
    return [json.loads(each) for each in stream.getvalue().splitlines()]


@contextmanager
def terminal(columns: int, lines: int) -> Iterator[tuple[TextIO, list[bytes]]]:
    """A pseudo-terminal of that size, and what was written to it."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    written: list[bytes] = []

    def read() -> None:
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                return
            if not data:
                return
            written.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with open(theirs, "w", encoding="utf-8") as stream:  # noqa: PTH123  (a descriptor)
            yield stream, written
    finally:
        reader.join()
        os.close(ours)


def live(
    *events: Event, columns: int = 100, lines: int = 30, environ: dict[str, str] = TERMINAL
) -> str:
    with terminal(columns, lines) as (stream, written):
        reporter = LiveReporter(stream, environ=environ)
        with reporter:
            for event in events:
                reporter.emit(event)
            wait_for(lambda: bool(written))
            time.sleep(0.3)
    return b"".join(written).decode()


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def without_escapes(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


# -- plain --------------------------------------------------------------------------------------


def test_plain_tells_the_story() -> None:
    lines = plain(*story())
    assert lines[0] == "[deb] phase wheels, 4 steps"
    assert "[deb] lxml 6.0.2 built in 12 s · grafted libxml2.so.2" in lines
    assert "[deb] FAILED psycopg2 2.9 after 12 s: no pg_config" in lines
    assert "[deb]   log: /logs/psycopg2.log" in lines
    assert "[deb] sqlpsy 1.0 skipped: needs psycopg2" in lines
    assert "[deb] note: torch 2.9 is yanked" in lines
    assert any(each.startswith("[deb] FAILED in 30 s: 1 fetched · 1 built") for each in lines)
    assert lines[-2].split()[:2] == ["deb", "failed"]


def test_plain_shows_the_last_lines_of_a_failure_only() -> None:
    quoted = [each for each in plain(*story()) if each.startswith("[deb]   | ")]
    assert quoted == [f"[deb]   | line {n}" for n in range(25, 40)]


def test_plain_shows_the_last_lines_of_the_log_that_a_failure_names(tmp_path: Path) -> None:
    """Of its output, reporters see samples only."""
    log = tmp_path / "psycopg2.log"
    log.write_bytes(b"early\n" * 20_000 + b"\n".join(b"line %d" % n for n in range(40)) + b"\n\n")
    lines = plain(start("psycopg2 2.9"), end("psycopg2 2.9", "failed", log=log))
    quoted = [each for each in lines if each.startswith("[deb]   | ")]
    assert quoted == [f"[deb]   | line {n}" for n in range(25, 40)]


def test_plain_counts_what_was_fetched_or_reused() -> None:
    text = "\n".join(plain(*story()))
    assert "torch 2.9 fetched" not in text
    assert "cffi" not in text


def test_what_is_downloaded_for_builds_is_no_wheel_of_the_house() -> None:
    events = [
        DownloadsStarted(target="deb", files=1, size=9, unknown=0, sizes={"nvcc": 9}, come={}),
        start("nvcc", "download"),
        end("nvcc", phase="download"),
    ]
    assert not any("nvcc" in each for each in plain(*events)), "progress says enough"
    assert "nvcc  downloaded" not in without_escapes(live(*events))
    run = PlainReporter(io.StringIO()).run
    for event in events:
        run.apply(event, 0.0)
    state = run.target("deb", 0.0)
    assert (state.done, dict(state.counts)) == (0, {})
    assert state.transfers is not None
    assert state.transfers.come == 9
    assert (
        "FAILED nvcc after 12 s: gone" in plain(end("nvcc", "failed", "download", detail="gone"))[0]
    )


def test_beside_a_result_no_table_is_told() -> None:
    story = [PhaseStarted(target="deb", phase="lock"), Notice(target="deb", message="something")]
    for mode in ("plain", "live"):
        for table in (True, False):
            stream = io.StringIO()
            with choose(mode, stream, table=table, environ=TERMINAL) as reporter:
                for event in story:
                    reporter.emit(event)
            assert "something" in stream.getvalue()
            assert ("outcome" in stream.getvalue()) is table


def test_plain_has_no_control_characters_and_no_commands() -> None:
    evil = "\x1b[2J::set-env name=a::b ##vso[x] \x07[red]"
    lines = plain(
        start(evil),
        StepOutput(target=evil, step=evil, line=evil),
        end(evil, "failed", detail=evil),
        Notice(target=evil, message=evil, hint=evil),
        TargetFinished(target=evil, outcome="done", seconds=1, counts={}, path=Path(evil)),
    )
    for each in lines:
        assert each.isprintable()
        assert "##vso[" not in each
        assert not each.lstrip().startswith("::")


def test_plain_announces_what_takes_time_and_has_a_heartbeat() -> None:
    stream = io.StringIO()
    reporter = PlainReporter(stream, heartbeat=30)
    for event in (start("lxml 6"), start("torch", "fetch")):
        reporter.run.apply(event, 0.0)
        reporter.tell(event, 0.0, ())
    for second in (0.1, 0.5, 29.0, 31.0, 45.0, 62.0):
        reporter.tick(second)
    assert stream.getvalue().splitlines() == [
        "[deb] building lxml 6",
        "[deb] still building lxml 6, 31 s",
        "[deb] still fetching torch, 31 s",
        "[deb] still building lxml 6, 1 min 02 s",
        "[deb] still fetching torch, 1 min 02 s",
    ]


def test_plain_tells_how_far_a_long_download_is() -> None:
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    for event in (
        start("torch", "fetch"),
        StepProgress(target="deb", step="torch", done=412_000_000, total=1_200_000_000),
        StepProgress(target="deb", step="another", done=1, total=None),
    ):
        reporter.run.apply(event, 0.0)
        reporter.tell(event, 0.0, ())
    for second in (0.5, 9.0, 11.0, 15.0, 22.0):
        reporter.tick(second)
    assert stream.getvalue().splitlines() == [
        "[deb] still fetching torch, 11 s, 412 MB of 1.2 GB",
        "[deb] still fetching torch, 22 s, 412 MB of 1.2 GB",
    ]


def test_plain_tells_how_far_many_downloads_are_all_together() -> None:
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    names = ("torch", "cublas", "cudnn", "cufft")
    sizes = dict.fromkeys(names, 500_000_000)
    reporter.tick(0.0)
    for second in range(0, 24, 2):
        events: list[Event] = [
            StepProgress(target="deb", step=name, done=second * 10_000_000, total=sizes[name])
            for name in names
        ]
        if second == 0:
            events = [
                DownloadsStarted(
                    target="deb", files=4, size=2_000_000_000, unknown=0, sizes=sizes, come={}
                ),
                *(start(name, "fetch") for name in names),
                *events,
            ]
        for event in events:
            reporter.run.apply(event, float(second))
            reporter.tell(event, float(second), ())
        reporter.tick(float(second))
    assert stream.getvalue().splitlines() == [
        (
            "[deb] downloading: 400 MB of 2.0 GB, 40 MB/s, 40 s left; "
            "torch 100 MB of 500 MB, cublas 100 MB of 500 MB, 2 more"
        ),
        (
            "[deb] downloading: 800 MB of 2.0 GB, 40 MB/s, 30 s left; "
            "torch 200 MB of 500 MB, cublas 200 MB of 500 MB, 2 more"
        ),
    ]


# -- JSON ---------------------------------------------------------------------------------------


def test_json_tells_every_event() -> None:
    told = as_json(*story())
    names = [each["event"] for each in told]
    assert names[0] == "run-started"
    assert names[-1] == "run-finished"
    assert names.count("step-output") == 41
    assert {"phase-started", "step-started", "notice", "target-finished"} <= set(names)
    failed = next(each for each in told if each.get("outcome") == "failed")
    assert failed | {"at": 0} == {
        "event": "step-finished",
        "at": 0,
        "target": "deb",
        "step": "psycopg2 2.9",
        "phase": "build",
        "outcome": "failed",
        "seconds": 12.0,
        "detail": "no pg_config",
        "log": "/logs/psycopg2.log",
        "how": "",
    }


def test_json_tells_errors_and_the_exit_status() -> None:
    error = SeveralErrors([ProofError("p"), BuildError("b", hint="h", log=Path("/l"))])
    *_, first, second, last = as_json(error=error)
    assert (first["event"], first["code"], first["hint"]) == ("error", "proof", None)
    assert second | {"at": 0} == {
        "event": "error", "at": 0, "code": "build", "target": None, "status": 4,
        "message": "b", "kind": None,
        "context": {}, "evidence": [], "hint": "h", "fix": None, "log": "/l",
    }  # fmt: skip
    assert (last["event"], last["status"]) == ("run-finished", 4)


def test_json_rounds_seconds_and_is_ascii_without_commands() -> None:
    stream = io.StringIO()
    with JsonReporter(stream) as reporter:
        reporter.emit(end("a ##vso[x]\x1b é", seconds=1.23456))
    assert stream.getvalue().isascii()
    assert "##vso[" not in stream.getvalue()
    assert json.loads(stream.getvalue().splitlines()[1])["seconds"] == 1.235


def test_json_drops_lines_of_output_for_a_reader_that_is_far_behind() -> None:
    stream = io.StringIO()
    reporter = JsonReporter(stream)
    for number in range(10_100):
        reporter.emit(StepOutput(target="deb", step="a", line=str(number)))
    with reporter:
        reporter.emit(end("a"))
    told = [json.loads(each) for each in stream.getvalue().splitlines()]
    assert sum(each["event"] == "step-output" for each in told) == 10_000
    assert [each["lines"] for each in told if each["event"] == "output-dropped"] == [100]
    assert any(each["event"] == "step-finished" for each in told)


def compared(*, changed: bool) -> LockCompared:
    return LockCompared(
        target="deb",
        path=Path("/project/pylock.deb.toml"),
        changed=changed,
        written=True,
        summary="1 upgraded, 9 packages in all",
        changes={"upgraded": [{"name": "flask"}]},
    )


def test_what_a_new_lock_changes_is_told_if_it_is_anything() -> None:
    told = "pylock.deb.toml: 1 upgraded, 9 packages in all"
    assert f"[deb] {told}" in plain(compared(changed=True))
    assert told not in "".join(plain(compared(changed=False)))
    assert f"deb  {told}" in without_escapes(live(compared(changed=True)))
    for changed in (True, False):
        event = as_json(compared(changed=changed))[1]
        assert (event["event"], event["changed"]) == ("lock-compared", changed)
        assert event["changes"] == {"upgraded": [{"name": "flask"}]}


# -- live ---------------------------------------------------------------------------------------


def test_live_shows_running_steps_and_leaves_what_is_over() -> None:
    events = [
        PhaseStarted(target="deb", phase="wheels", total=9),
        start("lxml 6.0.2"),
        StepOutput(target="deb", step="lxml 6.0.2", line="[bold]compiling[/bold] :smile:"),
        end("cffi 2.0", detail="grafted libffi"),
        end("psy 1", "failed", detail="no pg_config"),
        end("fetch torch", phase="wheels"),
        Notice(target=None, message="something"),
    ]
    text = without_escapes(live(*events))
    assert "✓ deb  cffi 2.0  built in 12 s · grafted libffi" in text
    assert "✗ deb  psy 1  failed after 12 s: no pg_config" in text
    assert "! something" in text
    assert "3/9" in text
    assert "[bold]compiling[/bold] :smile:" in text
    assert "torch  fetched" not in text
    assert "stopped in phase wheels" in text


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (40, 10), (20, 4)])
def test_live_stays_inside_its_terminal(columns: int, lines: int) -> None:
    events: list[Event] = [PhaseStarted(target="deb", phase="wheels", total=50)]
    for number in range(30):
        events.append(start(f"package{number} 1.0"))
        events.append(StepOutput(target="deb", step=f"package{number} 1.0", line="x" * 500))
    text = live(*events, columns=columns, lines=lines)
    picture = re.split(r"\x1b\[\d*A", text)[0]
    rows = without_escapes(picture).rstrip("\n").split("\n")
    assert 1 <= len(rows) < lines
    assert max(map(len, rows)) <= columns
    assert "more" in rows[-1] or "running" in rows[0]


def test_live_does_not_hide_the_cursor_for_good() -> None:
    text = live(start("a 1"))
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
    assert "\x1b[?1049h" not in text


def test_live_without_colour() -> None:
    text = live(*story(), environ={**TERMINAL, "NO_COLOR": "1"})
    assert "psycopg2" in text
    assert not re.search(r"\x1b\[[0-9;]*m", text)


def test_a_run_with_nothing_to_do_never_pays_for_rich() -> None:
    code = """
import sys
from wheelhouse.events import TargetFinished
from wheelhouse.reporting import choose
for mode in ("live", "plain", "json"):
    with choose(mode, sys.stderr) as reporter:
        reporter.emit(TargetFinished(target="deb", outcome="reused", seconds=0.1,
                                     counts={"reused": 9}, wheels=9, size=5))
assert not [name for name in sys.modules if name.partition(".")[0] == "rich"]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "reused" in done.stderr


# -- all ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["live", "plain", "json"])
def test_a_stream_that_stalls_holds_nobody_up(mode: Mode) -> None:
    """A pipe that nobody reads: as a terminal after Ctrl-S."""
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as stream:  # noqa: PTH123
        reporter = choose(mode, stream, environ=TERMINAL)
        type(reporter).parting = 0.3
        try:
            with reporter:
                began = time.monotonic()
                for number in range(3000):
                    reporter.emit(Notice(target="deb", message=f"{number} " + "x" * 100))
                assert time.monotonic() - began < 1.0
            assert time.monotonic() - began < 3.0
        finally:
            type(reporter).parting = 5.0
            os.close(reading)  # what is stuck ends in a broken pipe, which it forgives
            reporter._thread.join(5)
        assert not reporter._thread.is_alive()
        stream_lost(stream)


def stream_lost(stream: TextIO) -> None:
    """Close a stream whose pipe is gone and that still holds text."""
    with suppress(OSError):
        stream.close()


@pytest.mark.parametrize("mode", ["live", "plain", "json"])
def test_a_stream_that_is_gone_is_no_reason_to_fail(mode: Mode) -> None:
    stream = io.StringIO()
    stream.close()
    with choose(mode, stream, environ=TERMINAL) as reporter:
        for event in story():
            reporter.emit(event)
        if mode == "live":
            time.sleep(0.5)
    reporter.emit(start("too late"))


@pytest.mark.parametrize("mode", ["plain", "json"])
def test_events_come_from_many_threads(mode: Mode) -> None:
    stream = io.StringIO()
    with choose(mode, stream) as reporter:
        threads = [threading.Thread(target=emit_many, args=(reporter, n)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum("built" in each or "step-finished" in each for each in stream.getvalue().splitlines()
               if "pkg" in each) == 8 * 50  # fmt: skip


def emit_many(reporter: Reporter, number: int) -> None:
    for index in range(50):
        step = f"pkg{index} 1.0"
        reporter.emit(StepStarted(target=f"t{number}", step=step, phase="build"))
        for line in range(20):
            reporter.emit(StepOutput(target=f"t{number}", step=step, line=str(line)))
        reporter.emit(
            StepFinished(target=f"t{number}", step=step, phase="build", outcome="done", seconds=1)
        )


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "mode"),
    [
        (_Terminal(), TERMINAL, "live"),
        (_Terminal(), {**TERMINAL, "NO_COLOR": "1"}, "live"),
        (_Terminal(), {**TERMINAL, "CI": "true"}, "plain"),
        (_Terminal(), {**TERMINAL, "CI": "false"}, "live"),
        (_Terminal(), {"TERM": "dumb"}, "plain"),
        (_Terminal(), {}, "plain"),
        (io.StringIO(), TERMINAL, "plain"),
    ],
)
def test_auto(stream: TextIO, environ: dict[str, str], mode: Mode) -> None:
    assert resolve_mode("auto", stream, environ) == mode


def test_a_choice_is_a_choice() -> None:
    assert isinstance(choose("live", io.StringIO(), environ={"CI": "1"}), LiveReporter)
    assert isinstance(choose("plain", _Terminal(), environ=TERMINAL), PlainReporter)
    assert isinstance(choose("json", _Terminal(), environ=TERMINAL), JsonReporter)
