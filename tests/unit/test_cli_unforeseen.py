"""What nobody foresaw: one message, and a report without secrets. Streams that are not there."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import click
import pytest

from wheelhouse.cli import app  # noqa: TID251  (it is what is tested)
from wheelhouse.cli.faultreport import report_text  # noqa: TID251
from wheelhouse.cli.options import reporting  # noqa: TID251
from wheelhouse.cli.unforeseen import watch_threads  # noqa: TID251
from wheelhouse.errors import BuildError, InternalError, SeveralErrors, StorageError, as_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    (folder / "logs").mkdir(parents=True)
    monkeypatch.setenv("WHEELHOUSE_CACHE", str(folder))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # put back in the end
    return folder


@pytest.fixture
def broken() -> Iterator[list[BaseException]]:
    """Have a command `break`, which raises what is put in here."""
    faults: list[BaseException] = []

    @click.command("break")
    def command() -> None:
        raise faults[0]

    app.commands.add_command(command)
    yield faults
    del app.commands.commands["break"]


def logs(store: Path) -> list[str]:
    return [path.read_text() for path in sorted((store / "logs").iterdir())]


@pytest.mark.parametrize(
    "fault",
    [KeyError("x"), EOFError(), RecursionError("too deep"), AssertionError(), SyntaxError("odd")],
)
def test_a_fault_is_one_message_and_a_file(
    fault: Exception,
    broken: list[BaseException],
    store: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken.append(fault)
    assert app.run(["break"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error[internal]: something unforeseen has happened (")
    assert type(fault).__name__ in told
    assert "hint: " in told
    assert "Traceback" not in told
    (log,) = (store / "logs").iterdir()
    assert f"log: {log}" in " ".join(told.split())
    (text,) = logs(store)
    assert "Traceback (most recent call last):" in text
    assert "in command" in text
    assert "packaging " in text


def test_memory_is_said_to_be_what_lacks(
    broken: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    broken.append(MemoryError())
    assert app.run(["break"]) == 1
    assert "there is no memory left for wheelhouse itself" in capsys.readouterr().err


def test_an_interrupt_is_told(
    broken: list[BaseException], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken.append(KeyboardInterrupt())
    assert app.run(["break"]) == 130
    assert "error[interrupted]: stopped by SIGINT" in capsys.readouterr().err
    assert not logs(store)


def test_without_a_store_the_file_is_a_temporary(
    broken: list[BaseException],
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (store / "logs").rmdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    broken.append(KeyError("x"))
    app.run(["break"])
    (log,) = tmp_path.glob("*.log")
    assert log.stat().st_mode & 0o077 == 0
    assert str(log) in capsys.readouterr().err


def test_the_traceback_is_printed_for_who_asks(
    broken: list[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHEELHOUSE_DEBUG", "1")
    broken.append(KeyError("x"))
    assert app.run(["break"]) == 1
    told = capsys.readouterr().err
    assert "Traceback (most recent call last)" in told
    assert "error[internal]" in told


def test_programs_get_it_as_an_event(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @click.command("break")
    def command() -> None:
        with reporting(as_json=True, plain=False):
            raise KeyError("x")

    app.commands.add_command(command)
    try:
        assert app.run(["break"]) == 1
    finally:
        del app.commands.commands["break"]
    out, err = capsys.readouterr()
    *_, error, finished = map(json.loads, out.splitlines())
    assert (error["event"], error["code"], error["status"]) == ("error", "internal", 1)
    assert error["log"]
    assert finished["status"] == 1
    assert not err
    assert len(logs(store)) == 1


def test_each_fault_among_several_errors_has_its_file(
    broken: list[BaseException], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken.append(SeveralErrors([InternalError(KeyError("x")), BuildError("b", hint="h")]))
    assert app.run(["break"]) == 1
    assert "2 errors: 1 internal, 1 build" in capsys.readouterr().err
    assert len(logs(store)) == 1


def test_a_thread_that_nobody_waits_for_is_told_of(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise KeyError("x")

    watch_threads()
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    told = capsys.readouterr().err
    assert "error[internal]" in told
    assert "Traceback" not in told
    assert len(logs(store)) == 1


def test_a_report_has_no_secret() -> None:
    url = "https://me:hunter/2@files.example.com/simple?token=abcdef"
    password = "correct-horse"
    text = report_text(
        ValueError(f"cannot read {password} of {url}"),
        ["/usr/bin/wheelhouse", "build", "-r", f"{url}#egg=x"],
        {"CORP_PASSWORD": password, "HOME": "/home/me"},
    )
    for secret in ("hunter", "abcdef", password, "egg"):
        assert secret not in text
    assert "command: wheelhouse build -r https://***@files.example.com/simple?***" in text
    assert "ValueError: cannot read *** of https://***@files.example.com/simple?***" in text


def test_the_message_has_no_credentials() -> None:
    error = InternalError(ValueError("https://me:secret@files.example.com/x?y=z is odd"))
    assert "https://***@files.example.com/x?*** is odd" in error.message


def test_errors_of_files_and_disks_are_no_faults() -> None:
    named = as_error(PermissionError(13, "Permission denied", "/x"))
    assert isinstance(named, StorageError)
    assert named.message == "Permission denied: /x"
    full = as_error(OSError(28, "No space left on device"))
    assert isinstance(full, StorageError)
    assert isinstance(as_error(OSError(9, "Bad file descriptor")), InternalError)
    own = BuildError("x")
    assert as_error(own) is own


# --- streams -------------------------------------------------------------------------------------


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run *command*, in which ``$WH`` is the program."""
    return subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": "/usr/bin:/bin", "WH": f"{sys.executable} -m wheelhouse"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        ("$WH schema >&-", 0, ""),
        ("$WH schema <&- >/dev/null", 0, ""),
        ("$WH schema >/dev/full", 7, "No space left on device: standard output"),
        ("$WH nonsense 2>/dev/full", 2, ""),
        ("$WH nonsense 2>&-", 2, ""),
    ],
)
def test_streams_that_are_closed_or_full(command: str, status: int, told: str) -> None:
    done = shell(command)
    assert (done.returncode, "Exception" in done.stderr) == (status, False), done.stderr
    assert told in done.stderr
    assert bool(told) == bool(done.stderr)


@pytest.mark.parametrize("argument", ["schema", "--help"])
def test_a_reader_that_has_gone_is_no_error(argument: str) -> None:
    command = [sys.executable, "-m", "wheelhouse", argument]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(60) == 141
