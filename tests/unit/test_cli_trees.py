"""`wheelhouse tree`, `why` and `lock --check`: what needs neither engine nor index."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lockfactory import lock, package
from lockingfactory import interpreter

from wheelhouse.cli.app import run  # noqa: TID251  (it is what is tested)
from wheelhouse.config import load_project
from wheelhouse.inputs import read_inputs
from wheelhouse.locking.freshness import input_digests, inputs_digest
from wheelhouse.locking.lockfile import dump_lock, lock_path

if TYPE_CHECKING:
    from wheelhouse.locking.model import LockedPackage

TOML = """\
requirements = ["requirements.txt"]
[targets.web]
platform = "debian12"
python = "3.11"
[targets.api]
platform = "debian13"
python = "3.13"
"""
FLASK = package("flask", "3.0", "requirements.txt:1", requires=("click>=8",))
CLICK = package("click", "8.1", "flask")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project that has a fresh lock for each of its targets."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheelhouse.toml").write_text(TOML)
    (tmp_path / "requirements.txt").write_text("flask>=2\n")
    write("web", FLASK, CLICK)
    write("api", FLASK)
    return tmp_path


def write(target: str, *packages: LockedPackage) -> None:
    project = load_project(Path("wheelhouse.toml"))
    requirements = read_inputs(project.root, project.requirements)
    made = replace(
        lock(*packages),
        target=target,
        environment=dict(interpreter().environment),
        requested=("flask>=2",),
        inputs=inputs_digest(project, project.targets[target], requirements),
        sources=input_digests(project, project.targets[target], requirements),
    )
    lock_path(project.root, target).write_text(dump_lock(made))


@pytest.mark.usefixtures("here")
def test_the_trees_of_all_targets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tree"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "web  2 packages",
        "flask 3.0  >=2  requirements.txt:1",
        "└── click 8.1  >=8",
        "",
        "api  1 package",
        "flask 3.0  >=2  requirements.txt:1",
    ]


@pytest.mark.usefixtures("here")
def test_a_tree_of_who_needs_a_package_is_of_the_targets_that_have_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["tree", "--invert", "Click", "--json"]) == 0
    (data,) = json.loads(capsys.readouterr().out)["targets"]
    assert (data["target"], data["roots"]) == ("web", ["click"])
    assert run(["tree", "--invert", "click", "-t", "api"]) == 2
    assert "click is not locked for api" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["why", "click"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "click 8.1  for web",
        "  requirements.txt:1 asks for flask>=2",
        "    flask 3.0 needs click>=8",
        "click is not locked for api",
    ]
    assert run(["why", "click", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [each["version"] for each in data["targets"]] == ["8.1", None]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("clack", 'clack is not locked for web, api; did you mean "click"?'),
        ("flask>=2", '"flask>=2" is no name of a package'),
    ],
)
def test_what_is_not_locked(name: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["why", name]) == 2
    assert told in capsys.readouterr().err


def test_without_a_lock_there_is_nothing_to_read(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "pylock.api.toml").unlink()
    for command in (["tree"], ["why", "click"], ["lock", "--check"]):
        assert run(command) == 3
        assert "there is no pylock.api.toml" in capsys.readouterr().err
    assert run(["tree", "-t", "web"]) == 0


def test_each_stale_lock_is_told_with_what_has_changed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lock", "--check"]) == 0
    assert capsys.readouterr().out == "pylock.web.toml is fresh\npylock.api.toml is fresh\n"
    (here / "requirements.txt").write_text("flask>=3\n")
    (here / "pylock.api.toml").write_text((here / "pylock.web.toml").read_text())
    assert run(["lock", "--check", "--json"]) == 3
    events = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    told = {each["target"]: each["message"] for each in events if each["event"] == "error"}
    assert told["web"].endswith("settings: requirements.txt changed")
    assert told["api"].endswith("settings: it was made for the target web")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--exclude-newer", "soon"], '--exclude-newer: "soon" is neither a time nor an age'),
        (["--upgrade-package", "clack"], 'no lock has "clack"; did you mean "click"?'),
        (["--check", "--upgrade"], "--check makes no lock"),
        (["--check", "--dry-run"], "--check makes no lock"),
    ],
)
def test_options_that_make_no_sense(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lock", *options]) == 2
    assert told in capsys.readouterr().err
