"""Knowing at once that nothing changed, and never when anything did; and what steps report."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from configfolder import SERVER
from gitfactory import ENVIRONMENT, PYPROJECT, git, repository
from lockingfactory import interpreter
from packaging.utils import canonicalize_name

from housefactory import Package, debian12, make_house
from wheelhouse.config import load_project
from wheelhouse.errors import BuildError, InterruptedRunError
from wheelhouse.events import (
    Event,
    SilentReporter,
    StepFinished,
    StepProgress,
    StepStarted,
    TargetFinished,
    step,
)
from wheelhouse.house import House
from wheelhouse.inputs import read_inputs
from wheelhouse.locking.freshness import inputs_digest
from wheelhouse.locking.lockfile import dump_lock, lock_path
from wheelhouse.locking.model import Lock
from wheelhouse.publish import STAGING
from wheelhouse.recipes import skipped_imports, system_packages
from wheelhouse.store import Store, sha256_of
from wheelhouse.uptodate import Question, project_file, remember, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG = """\
requirements = ["requirements.txt"]

[targets.web]
platform = "debian12"
python = "3.11"

[targets.server]
captured = "server.json"
"""


class Finished:
    """A project whose wheelhouse has just been built."""

    def __init__(self, root: Path, more: str = "click") -> None:
        self.root = root / "project"
        (self.root / "dist").mkdir(parents=True)
        (self.root / "more.txt").write_text(f"{more}\n")
        (self.root / "requirements.txt").write_text("demo\n-r more.txt\n")
        (self.root / "server.json").write_text(SERVER)
        self.file = self.root / "wheelhouse.toml"
        self.file.write_text(CONFIG)
        self.project = load_project(self.file)
        requirements = read_inputs(self.root, self.project.requirements)
        lock = Lock(
            target="web",
            inputs=inputs_digest(self.project, self.project.targets["web"], requirements),
            python="3.11.2",
            environment=dict(interpreter().environment),
            packages=(),
        )
        self.lock = lock_path(self.root, "web")
        self.lock.write_text(dump_lock(lock))
        made = make_house(self.root / "dist", [Package(name="demo")], debian12("web"), "web")
        shutil.rmtree(self.root / "dist/store")
        manifest = replace(made.manifest, lock_sha256=sha256_of(self.lock))
        self.house = House(path=made.path, manifest=manifest)
        self.question = Question(file=self.file, targets=(), engine="auto")

    def remember(self) -> None:
        remember(self.question, self.project, [self.house])

    @property
    def wheel(self) -> Path:
        return next(self.house.path.glob("wheels/*.whl"))

    @property
    def stamps(self) -> list[Path]:
        return list(Store(self.root.parent / "cache").root.glob("records/stamp/*"))


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Finished:
    monkeypatch.setenv("WHEELHOUSE_CACHE", str(tmp_path / "cache"))
    return Finished(tmp_path)


def test_before_the_first_build_nothing_is_known(done: Finished) -> None:
    assert unchanged(done.question) is None
    assert not (done.root.parent / "cache").exists()  # asking makes nothing


def test_after_a_build_nothing_has_changed(done: Finished) -> None:
    done.remember()
    assert unchanged(done.question) == [
        TargetFinished(
            target="web",
            outcome="reused",
            seconds=0.0,
            counts={"reused": 1},
            wheels=1,
            size=done.house.size,
            path=done.house.path,
            message="nothing changed",
        )
    ]


def test_a_folder_is_as_it_was_if_its_version_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tag of git changes no file, but the version of what is built."""
    for name, value in {**ENVIRONMENT, "WHEELHOUSE_CACHE": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    scm = PYPROJECT.replace('"setuptools"', '"setuptools-scm"')
    versioned = scm.replace('version = "1.0"', 'dynamic = ["version"]')
    app = repository(tmp_path / "project/app", {"pkg/pyproject.toml": versioned})
    done = Finished(tmp_path, "./app#subdirectory=pkg")
    done.remember()
    assert unchanged(done.question) is not None
    git(app, "tag", "v7.0")
    assert unchanged(done.question) is None


def test_the_project_files_own_inputs_are_not_missed_where_others_were_named(
    done: Finished,
) -> None:
    """As with `build -r requirements.txt`, where `wheelhouse.toml` names no file that is there."""
    done.file.write_text(CONFIG.replace("requirements.txt", "gone.txt"))
    done.remember()
    assert unchanged(done.question) is not None


def test_what_a_killed_run_left_goes_although_nothing_has_changed(done: Finished) -> None:
    done.remember()
    left = done.house.path.with_name(f".web.abcdefgh{STAGING}")
    left.mkdir()
    assert unchanged(done.question)
    assert not left.exists()


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def _flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def _restore_elsewhere(path: Path) -> None:
    """The same bytes, size and time; but another file."""
    seen, data = path.stat(), path.read_bytes()
    keep = path.with_name("keep")
    path.rename(keep)
    path.write_bytes(data)
    keep.unlink()
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))


def _link(path: Path) -> None:
    moved = path.with_name("moved")
    path.rename(moved)
    path.symlink_to(moved)
    (moved / "added").touch()


CHANGES: dict[str, Callable[[Finished], object]] = {
    "the configuration": lambda done: _append(done.file),
    "no configuration": lambda done: done.file.unlink(),
    "requirements": lambda done: _append(done.root / "requirements.txt"),
    "nested requirements": lambda done: _append(done.root / "more.txt"),
    "no nested requirements": lambda done: (done.root / "more.txt").unlink(),
    "what a server says of itself": lambda done: _append(done.root / "server.json"),
    "no server": lambda done: (done.root / "server.json").unlink(),
    "the lock": lambda done: _append(done.lock),
    "no lock": lambda done: done.lock.unlink(),
    "a wheel": lambda done: _append(done.wheel),
    "a wheel of the same size": lambda done: _flip(done.wheel),
    "another file of the same bytes": lambda done: _restore_elsewhere(done.wheel),
    "no wheel": lambda done: done.wheel.unlink(),
    "one wheel more": lambda done: (done.wheel.parent / "x.whl").touch(),
    "a manifest": lambda done: _append(done.house.path / "manifest.json"),
    "a file beside the wheels": lambda done: (done.house.path / "added").touch(),
    "no wheelhouse": lambda done: shutil.rmtree(done.house.path),
    "a link in its place": lambda done: _link(done.house.path),
}


@pytest.mark.parametrize("change", CHANGES)
def test_anything_that_changes_is_noticed(done: Finished, change: str) -> None:
    done.remember()
    CHANGES[change](done)
    assert unchanged(done.question) is None


@pytest.mark.parametrize(
    "question",
    [
        {"targets": ("web",)},
        {"engine": "local"},
        {"file": None},
    ],
)
def test_another_question_has_another_answer(done: Finished, question: dict[str, object]) -> None:
    done.remember()
    assert unchanged(replace(done.question, **question)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "damage",
    [b"", b"{}", b'{"inputs": 7, "houses": []}', b'{"inputs": {}, "houses": 7}', b'{"inputs": []}'],
)
def test_a_damaged_stamp_is_none(done: Finished, damage: bytes) -> None:
    done.remember()
    (stamp,) = done.stamps
    stamp.write_bytes(damage)
    assert unchanged(done.question) is None


EDITS: dict[str, Callable[[Finished], object]] = {
    "requirements": lambda done: (done.root / "more.txt").write_text("click<9\n"),
    "broken requirements": lambda done: (done.root / "more.txt").write_text("click==\n"),
    "the configuration": lambda done: done.file.write_text(
        CONFIG + '[packages.demo]\nsource = "sdist"\n'
    ),
    "limits": lambda done: done.file.write_text(CONFIG + '[limits]\nmemory = "1GiB"\n'),
    "a broken configuration": lambda done: done.file.write_text("broken"),
    "the lock": lambda done: _append(done.lock),
    "no lock": lambda done: done.lock.unlink(),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_was_edited_during_the_build_is_not_taken_for_built(done: Finished, edit: str) -> None:
    EDITS[edit](done)
    done.remember()
    assert done.stamps == []
    assert unchanged(done.question) is None


def test_where_the_projects_file_is(
    done: Finished, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    below = done.root / "src/deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert project_file(None) == done.file
    monkeypatch.chdir(done.root)
    assert project_file(done.file.relative_to(done.root)) == done.file
    monkeypatch.chdir(tmp_path)
    assert project_file(None) is None


# --- steps ------------------------------------------------------------------------------------


class Remembering:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def test_a_step_is_reported_from_start_to_end() -> None:
    reporter = Remembering()
    with step(reporter, "web", "demo", "build") as running:
        assert reporter.events == [StepStarted(target="web", step="demo", phase="build")]
        running.outcome, running.detail = "reused", "from before"
    (_, end) = reporter.events
    assert isinstance(end, StepFinished)
    assert (end.outcome, end.detail, end.log) == ("reused", "from before", None)
    assert end.seconds >= 0


def test_a_step_tells_now_and_then_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    reporter, now = Remembering(), 100.0
    monkeypatch.setattr("wheelhouse.events.time.monotonic", lambda: now)
    with step(reporter, "web", "demo", "fetch") as running:
        for done in range(1, 100):
            now += 0.1
            running.progress(done, 99)
    told = [each for each in reporter.events if isinstance(each, StepProgress)]
    assert 15 <= len(told) <= 20
    assert told[-1].total == 99


def test_a_failed_step_says_why_and_where_its_log_is(tmp_path: Path) -> None:
    reporter = Remembering()
    with pytest.raises(BuildError), step(reporter, "web", "demo", "build"):
        raise BuildError("no compiler", log=tmp_path / "log")
    end = reporter.events[-1]
    assert isinstance(end, StepFinished)
    assert (end.outcome, end.detail, end.log) == ("failed", "no compiler", tmp_path / "log")


def test_a_step_that_was_stopped_has_not_failed() -> None:
    reporter = Remembering()
    with pytest.raises(InterruptedRunError), step(reporter, "web", "demo", "build"):
        raise InterruptedRunError("stopped by SIGINT")
    end = reporter.events[-1]
    assert isinstance(end, StepFinished)
    assert (end.outcome, end.detail) == ("skipped", "stopped")


def test_silence() -> None:
    with step(SilentReporter(), "web", "demo", "build"):
        pass


# --- recipes ----------------------------------------------------------------------------------


def test_what_is_known_of_packages() -> None:
    assert system_packages(canonicalize_name("psycopg2"), "debian") == ("libpq-dev",)
    assert system_packages(canonicalize_name("psycopg2"), "no such family") == ()
    assert system_packages(canonicalize_name("unknown"), "debian") == ()
    assert skipped_imports(canonicalize_name("uwsgi")) == ("uwsgidecorators",)
    assert skipped_imports(canonicalize_name("unknown")) == ()
