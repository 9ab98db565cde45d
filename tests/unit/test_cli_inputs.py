"""`-r`, `--extra` and `--group`: what is wanted, said on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wheelhouse.cli.app import run  # noqa: TID251  (it is what is tested)
from wheelhouse.cli.inputs import Inputs, open_project  # noqa: TID251  (the same)
from wheelhouse.errors import ConfigError, SeveralErrors
from wheelhouse.settings import InputFile
from wheelhouse.uptodate import Question

TARGET = '[targets.web]\nplatform = "debian12"\npython = "3.11"\n'
ENTRY = '{ file = "pyproject.toml", groups = ["dev"], project = true }'
PYPROJECT = """\
[project]
name = "app"
version = "1.0"
dependencies = ["flask"]
[project.optional-dependencies]
web = ["gunicorn"]
Async_IO = ["uvloop"]
[dependency-groups]
dev = ["pytest"]
Lint_It = ["ruff"]
[build-system]
requires = ["flit-core"]
build-backend = "flit_core.buildapi"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project, which is also the current one."""
    root = tmp_path / "project"
    (root / "more").mkdir(parents=True)
    monkeypatch.chdir(root)
    (root / "wheelhouse.toml").write_text(f'requirements = ["said.txt", {ENTRY}]\n{TARGET}')
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "app.py").touch()
    for name, text in (("said.txt", "idna\n"), ("a.txt", "click\n"), ("more/b.txt", "six\n")):
        (root / name).write_text(text)
    (tmp_path / "outside.txt").write_text("idna\n")
    return root.resolve()


def wanted(**inputs: tuple[str, ...]) -> tuple[InputFile, ...]:
    return open_project(None, Inputs(**inputs)).requirements


def refusals(**inputs: tuple[str, ...]) -> list[tuple[str, str | None]]:
    with pytest.raises((ConfigError, SeveralErrors)) as caught:
        open_project(None, Inputs(**inputs))
    found = caught.value.errors if isinstance(caught.value, SeveralErrors) else [caught.value]
    return [(error.message, error.hint) for error in found]


# --- what is wanted -------------------------------------------------------------------------


def test_without_a_word_the_project_file_says_it(here: Path) -> None:
    assert wanted() == (
        InputFile(path=here / "said.txt"),
        InputFile(path=here / "pyproject.toml", groups=("dev",), project=True),
    )


def test_files_take_the_place_of_all_that_the_project_file_says(here: Path) -> None:
    assert wanted(files=("a.txt", "pyproject.toml")) == (
        InputFile(path=here / "a.txt"),
        InputFile(path=here / "pyproject.toml"),
    )


def test_files_are_relative_to_the_current_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here / "more")
    assert wanted(files=("b.txt", "../a.txt", str(here / "said.txt"))) == (
        InputFile(path=here / "more" / "b.txt"),
        InputFile(path=here / "a.txt"),
        InputFile(path=here / "said.txt"),
    )


def test_a_file_named_twice_counts_once(here: Path) -> None:
    (here / "link.txt").symlink_to("a.txt")
    assert wanted(files=("a.txt", "./a.txt", "link.txt")) == (InputFile(path=here / "a.txt"),)


def test_parts_of_the_files_that_the_project_file_names(here: Path) -> None:
    """What is not said anew stays."""
    assert wanted(extras=("web", "async.io", "web")) == (
        InputFile(path=here / "said.txt"),
        InputFile(
            path=here / "pyproject.toml", extras=("async-io", "web"), groups=("dev",), project=True
        ),
    )
    assert [each.groups for each in wanted(groups=("lint.it",))] == [(), ("lint-it",)]


def test_parts_of_files_of_the_command_line(here: Path) -> None:
    assert wanted(files=("a.txt", "pyproject.toml"), extras=("web",), groups=("dev",)) == (
        InputFile(path=here / "a.txt"),
        InputFile(path=here / "pyproject.toml", extras=("web",), groups=("dev",)),
    )


def test_the_project_files_own_are_not_missed_where_others_are_named(here: Path) -> None:
    for text in (TARGET, 'requirements = ["gone.txt"]\n' + TARGET):
        (here / "wheelhouse.toml").write_text(text)
        assert wanted(files=("a.txt",)) == (InputFile(path=here / "a.txt"),)
        ((message, _),) = refusals()
        assert "there is no file" in message


def test_options_in_a_file_of_the_command_line_count(here: Path) -> None:
    (here / "a.txt").write_text(
        "--extra-index-url https://pypi.example.com/simple\n--no-binary click\nclick\n"
    )
    project = open_project(None, Inputs(files=("a.txt",)))
    assert [each.url for each in project.indexes] == ["https://pypi.example.com/simple"]
    assert project.settings("click").source == "sdist"
    assert open_project(None, Inputs()).indexes == ()


# --- what is wrong --------------------------------------------------------------------------


def test_all_files_that_are_none_are_told_at_once(here: Path) -> None:
    assert refusals(files=("b.txt", "../outside.txt", "a.txt", "more", ".", "a\nb")) == [
        (f'-r: there is no file "b.txt" in {here}', 'did you mean "a.txt"?'),
        (
            f'-r: "../outside.txt" is outside the project\'s folder, {here}',
            "move it into the folder, or move the project's own file to a folder above both",
        ),
        (
            '-r: "more" is a folder, not a file',
            "name the file in it; a project to build stands in a requirements file, such as ./app",
        ),
        (
            '-r: "." is a folder, not a file',
            (
                "name its pyproject.toml: what that asks for is wanted then, and with "
                "`project = true` the project itself, too"
            ),
        ),
        (f'-r: there is no file "a\\nb" in {here}', "check the path"),
    ]


def test_a_lock_of_its_own_is_no_input(here: Path) -> None:
    """It would be written from itself, and never be fresh."""
    lock = 'lock-version = "1.0"\ncreated-by = "uv"\npackages = []\n'
    for name in ("pylock.web.toml", "pylock.other.toml"):
        (here / name).write_text(lock)
    (here / "link.txt").symlink_to("pylock.web.toml")
    for name in ("pylock.web.toml", "link.txt"):
        with pytest.raises(ConfigError) as caught:
            open_project(None, Inputs(files=(name,)))
        assert caught.value.message == (
            "pylock.web.toml: this is where the lock of the target web is written, so it "
            "cannot be what that is made from"
        )
    other = here / "pylock.other.toml"
    project = open_project(None, Inputs(files=(other.name,)))
    assert project.requirements == (InputFile(path=other),)


def test_a_link_that_leads_out_of_the_project(here: Path) -> None:
    (here / "link.txt").symlink_to("../outside.txt")
    ((message, _),) = refusals(files=("link.txt",))
    assert message == f'-r: "link.txt" is outside the project\'s folder, {here}'


def test_the_folder_that_a_missing_file_was_looked_for_in(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here / "more")
    assert refusals(files=("nothing.lock",)) == [
        (f'-r: there is no file "nothing.lock" in {here / "more"}', "check the path")
    ]


@pytest.mark.parametrize("parts", [{"extras": ("web",)}, {"groups": ("dev",)}])
def test_parts_of_requirements_files(here: Path, parts: dict[str, tuple[str, ...]]) -> None:
    ((message, hint),) = refusals(files=("a.txt", "said.txt"), **parts)
    assert message == "there are neither extras nor groups in a.txt and said.txt"
    assert hint is not None
    assert "name[extra]" in hint


@pytest.mark.usefixtures("here")
def test_parts_that_there_are_not() -> None:
    ((extra, _),) = refusals(files=("pyproject.toml",), extras=("wep",))
    assert extra.endswith('there is no extra "wep"; did you mean "web"?')
    ((group, _),) = refusals(files=("pyproject.toml",), groups=("lint",))
    assert 'there is no group "lint"' in group


def test_kinds_of_files_that_are_not_read(here: Path) -> None:
    (here / "tool.whl").touch()
    assert refusals(files=("tool.whl", "wheelhouse.toml")) == [
        ("tool.whl: is no kind of file that is read", "write its path into a requirements file"),
        (
            "wheelhouse.toml: is no kind of file that is read",
            "name the files that it would read: `requirements = [...]`",
        ),
    ]


@pytest.mark.parametrize(
    "command", [["tree"], ["why", "click"], ["export", "--to=requirements-urls"]]
)
def test_what_reads_no_inputs_does_not_miss_them(
    here: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "wheelhouse.toml").write_text(TARGET)
    assert run(command) != 0
    told = capsys.readouterr().err
    assert "requirements.txt" not in told
    assert "there is no " in told


# --- as a part of the question --------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_what_else_is_wanted_is_another_question() -> None:
    every = [
        Inputs(),
        Inputs(files=("a.txt",)),
        Inputs(files=("a.txt", "said.txt")),
        Inputs(files=("pyproject.toml",)),
        Inputs(files=("pyproject.toml",), extras=("web",)),
        Inputs(files=("pyproject.toml",), groups=("web",)),
        Inputs(extras=("web",)),
        Inputs(groups=("web",)),
    ]
    keys = {
        Question(
            file=Path("wheelhouse.toml"), targets=("web",), engine="docker", inputs=each.question
        ).key
        for each in every
    }
    assert len(keys) == len(every)


def test_the_same_name_in_another_folder_is_another_question(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = Inputs(files=("b.txt",))
    before = inputs.question
    monkeypatch.chdir(here / "more")
    assert inputs.question != before


# --- through the command line ---------------------------------------------------------------


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "options",
    [
        ["-r", "a.txt", "-r", "more/b.txt"],
        ["--requirements", "pyproject.toml", "--extra", "web", "--group", "dev"],
        ["--extra=web"],
    ],
)
def test_the_commands_take_them(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is wanted is read; that there is no lock of it yet is what comes next."""
    assert run(["lock", "--check", *options]) == 3
    assert "there is no pylock.web.toml" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", [["build", "--again"], ["plan"], ["lock"]])
def test_every_command_that_reads_inputs_refuses_wrong_ones(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "-r", "nothing.txt", "-r", "../outside.txt"]) == 2
    told = capsys.readouterr().err
    assert 'there is no file "nothing.txt"' in told
    assert '"../outside.txt" is outside the project\'s folder' in told


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["plan", "explain"])
def test_a_result_in_json_has_its_report_beside_it(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """So what reads the result reads nothing else, and what reads the report learns of errors."""
    assert run([command, "--json", "-r", "nothing.txt"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    events = [json.loads(line) for line in said.err.splitlines()]
    assert [each["event"] for each in events] == ["run-started", "error", "run-finished"]
    assert 'there is no file "nothing.txt"' in events[1]["message"]
