"""One package for one target: a new project, one run of the command, what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.natives.lists import Entry

#: How long a stopped run may take to remove its containers.
GRACE = 60.0

PROVEN, FAILED, LATE = "proven", "failed", "late"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of one trial.

    :ivar result: `proven`, `failed`, or `late` if it did not end in time.
    :ivar possible: whether the list says that it can be built for the target.
    :ivar kind: the first error's kind of failure, else its code, else `crash`; empty if proven.
    :ivar cause: the first error's message, or what a crash ended with.
    :ivar notices: what wheelhouse told that is no error, such as system packages that it added.
    :ivar errors: the error events as they were.
    """

    list: str
    package: str
    target: str
    result: str
    possible: bool
    seconds: float
    kind: str = ""
    cause: str = ""
    notices: tuple[str, ...] = ()
    errors: tuple[dict[str, Any], ...] = field(default=(), repr=False)


def attempt(
    name: str, entry: Entry, target: str, *, folder: Path, store: Path, kept: Path, bound: float
) -> Outcome:
    """Build *entry* of the list *name* for *target*.

    :param folder: where the project is made, and removed again.
    :param store: wheelhouse's store.
    :param kept: the folder that gets the lock of a success and the logs of a failure.
    :param bound: seconds after which it is stopped.
    """
    project = folder / f"{target}-{entry.requirement.replace('==', '-')}"
    project.mkdir(parents=True)
    (project / "requirements.txt").write_text(f"{entry.requirement}\n")
    (project / "wheelhouse.toml").write_text(entry.configuration(target))
    try:
        started = time.perf_counter()
        status, output, complaints = _run(project, store, bound)
        seconds = time.perf_counter() - started
        _keep(project, output, kept)
    finally:
        shutil.rmtree(project)
    events = read_events(output)
    errors = tuple(each for each in events if each["event"] == "error")
    kind, cause = told(errors, complaints) if status != 0 else ("", "")
    return Outcome(
        list=name,
        package=entry.requirement,
        target=target,
        result=LATE if status is None else FAILED if status else PROVEN,
        possible=target not in entry.cannot,
        seconds=round(seconds, 1),
        kind=kind,
        cause=cause,
        notices=tuple(each["message"] for each in events if each["event"] == "notice"),
        errors=errors,
    )


def read_events(output: str) -> list[dict[str, Any]]:
    """The events among the lines of *output*; one that was cut off is left out."""
    events = []
    for line in output.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            events.append(json.loads(line))
    return [each for each in events if isinstance(each, dict) and "event" in each]


def told(errors: Sequence[dict[str, Any]], complaints: str) -> tuple[str, str]:
    """The kind and the cause of a failure: those of the first of *errors*, or, of a program that
    broke off, `crash` and the last of its *complaints*. Both are empty where neither is there.
    """
    if errors:
        return errors[0].get("kind") or errors[0]["code"], errors[0]["message"]
    lines = complaints.strip().splitlines()
    return ("crash", lines[-1]) if lines else ("", "")


def _run(project: Path, store: Path, bound: float) -> tuple[int | None, str, str]:
    """Run the command; its exit status, or None if it had to be stopped, and its two outputs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wheelhouse", "build", "--json", "--jobs", "1"],
        cwd=project,
        env=os.environ | {"WHEELHOUSE_CACHE": str(store)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    with process:
        try:
            output, complaints = process.communicate(timeout=bound)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
        else:
            return process.returncode, output, complaints
        try:
            output, complaints = process.communicate(timeout=GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            output, complaints = process.communicate()
    return None, output, complaints


def _keep(project: Path, output: str, kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    for lock in project.glob("pylock.*.toml"):
        shutil.copy(lock, kept / f"{project.name}.toml")
    for log in _logs(read_events(output)):
        if log.is_file():
            shutil.copy(log, kept / f"{project.name}-{log.name}")


def _logs(events: Iterable[dict[str, Any]]) -> set[Path]:
    return {Path(each["log"]) for each in events if each["event"] == "error" and each["log"]}
