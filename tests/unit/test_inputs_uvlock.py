"""`uv.lock` as an input: read by uv itself, from locks that it has made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from inputfiles import problems, read, write
from lockcases import LINUX, OLDER, WINDOWS, asked, case, left_out, pins, refusals

from wheelhouse.inputs.model import Direct

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "uv.lock"


# --- what is installed ------------------------------------------------------------------------


def test_a_workspace(tmp_path: Path) -> None:
    found = read(case(tmp_path, "uv/workspace"), LOCK)
    assert pins(found) == ["click==8.5.1", "packaging==26.3", "shop", "shop-core"]
    assert pins(found, WINDOWS)[1] == "colorama==0.4.6"
    chosen = asked(found)
    assert chosen["shop"].direct == Direct(location="dir:.")
    assert chosen["shop-core"].direct == Direct(location="dir:libs/core")
    assert chosen["click"].index is None
    assert len(chosen["click"].hashes) == 2
    assert all(each.closed and each.origin == LOCK for each in chosen.values())
    (colorama,) = left_out(found)
    assert (colorama.name, colorama.version) == ("colorama", "0.4.6")
    assert colorama.reason == 'sys_platform == "win32"'


def test_all_that_it_depends_on_is_watched(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/workspace")
    for name in ("uv.lock", "pyproject.toml", "libs/core/pyproject.toml"):
        before = read(root, LOCK).files[root / name]
        path = root / name
        path.write_text(path.read_text("utf-8") + "\n# changed\n", "utf-8")
        assert read(root, LOCK).files[root / name] != before


def test_extras_and_groups_are_added(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/workspace")
    added = {"itsdangerous==2.2.0", "blinker==1.9.0"}
    found = read(root, LOCK, extras=("web",), groups=("jobs",))
    assert added <= set(pins(found))
    assert "iniconfig==2.3.1" not in pins(found)
    assert "iniconfig==2.3.1" in pins(read(root, LOCK, groups=("dev",)))


def test_the_project_may_be_left_out(tmp_path: Path) -> None:
    found = read(case(tmp_path, "uv/workspace"), LOCK, project=False)
    assert pins(found) == ["click==8.5.1", "packaging==26.3", "shop-core"]


def test_a_project_that_is_no_package_may_be_made_one(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/first")
    assert pins(read(root, LOCK)) == ["iniconfig==2.3.1"]
    assert pins(read(root, LOCK, project=True)) == ["first", "iniconfig==2.3.1"]


def test_default_groups_but_for_dev(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/forks")
    assert "blinker==1.9.0" in pins(read(root, LOCK))  # of the group docs
    assert "six==1.17.0" not in pins(read(root, LOCK))  # of the group dev
    assert "six==1.17.0" in pins(read(root, LOCK, groups=("dev",)))
    assert "idna==3.20" in pins(read(root, LOCK, groups=("lint",)))


def test_versions_that_are_forked(tmp_path: Path) -> None:
    found = read(case(tmp_path, "uv/forks"), LOCK)
    assert asked(found)["typing-extensions"].requirement.specifier == "==4.15.0"
    assert asked(found, WINDOWS)["typing-extensions"].requirement.specifier == "==4.12.2"
    assert [(each.name, each.version) for each in left_out(found)] == [
        ("appnope", "1.0.0"),
        ("typing-extensions", "4.12.2"),
    ]
    oldest = {**LINUX, "python_full_version": "3.9.2", "python_version": "3.9"}
    assert "iniconfig" not in asked(found, oldest)


def test_extras_that_exclude_one_another(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/forks")
    assert "click==8.1.7" in pins(read(root, LOCK, extras=("old",)))
    assert "click==8.1.8" in pins(read(root, LOCK, extras=("new",)))
    (error,) = problems(root, LOCK, extras=("old", "new"))
    assert "Extras `new` and `old` are incompatible" in error.message


def test_a_workspace_without_a_project_of_its_own(tmp_path: Path) -> None:
    assert pins(read(case(tmp_path, "uv/members"), LOCK)) == ["a", "b", "iniconfig==2.3.1"]


def test_the_first_form_of_such_locks(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/first")
    assert "revision" not in (root / LOCK).read_text("utf-8")
    found = read(root, LOCK, extras=("web",))
    assert pins(found) == ["iniconfig==2.3.1", "itsdangerous==2.2.0"]


def test_sources_of_all_kinds(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/sources")
    write(root, {"links/tally-1.5-py3-none-any.whl": b"its hash is not in the lock"})
    found = read(root, LOCK)
    chosen = asked(found)
    assert {name: each.direct for name, each in chosen.items() if each.direct} == {
        "badge": Direct(location="file:vendor/badge-2.0-py3-none-any.whl"),
        "greet": Direct(
            location="git+https://git.example.org/greet.git",
            revision="f88c932007f3745521083fe304ca8f70ced933b5",
            subdirectory="pkgs/greet",
        ),
        "tally": Direct(location="file:links/tally-1.5-py3-none-any.whl"),
        "typing-extensions": Direct(
            location="https://files.pythonhosted.org/packages/18/67/"
            "36e9267722cc04a6b9f15c7f3441c2363321a3ea07da7ae0c0707beb2a9c/"
            "typing_extensions-4.15.0-py3-none-any.whl"
        ),
    }
    assert chosen["six"].index == "https://second.example.org/simple"
    assert chosen["idna"].index is None
    assert "secret" not in repr(found)


# --- uv is on its own -------------------------------------------------------------------------


def test_the_hosts_own_settings_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = case(tmp_path / "project", "uv/workspace")
    before = sorted(path for path in root.rglob("*"))
    plain = pins(read(root, LOCK))
    write(
        tmp_path,
        {
            "config/uv/uv.toml": "nonsense = true\n",
            "uv.toml": "nonsense = true\n",
            "project/.python-version": "2.7\n",
            "project/.venv/pyvenv.cfg": "home = /nowhere\n",
        },
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("UV_NO_DEV", "0")
    monkeypatch.setenv("UV_NO_DEFAULT_GROUPS", "1")
    monkeypatch.setenv("UV_PROJECT", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://other.example.org/simple")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    assert pins(read(root, LOCK)) == plain
    written = {path for path in root.rglob("*") if ".venv" not in path.parts} - {*before}
    assert written == {root / ".python-version"}


# --- what is wrong ----------------------------------------------------------------------------


def test_the_project_has_to_be_beside_it(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/workspace")
    (root / "pyproject.toml").unlink()
    (error,) = problems(root, LOCK)
    assert error.message.startswith("uv.lock: there is no pyproject.toml beside it")
    assert error.hint


def test_one_above_it_is_not_taken_in_its_place(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/workspace")
    write(root, {"inner/uv.lock": (root / LOCK).read_bytes()})
    (error,) = problems(root, "inner/uv.lock")
    assert error.message.startswith("inner/uv.lock: there is no pyproject.toml beside it")


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("pyproject.toml", '"click>=8.1"', '"click>=8.1", "flask"', "flask"),
        ("pyproject.toml", '"click>=8.1"', '"click>=8.2"', "click"),
        ("pyproject.toml", '"click>=8.1",', "", "click"),
        ("pyproject.toml", '"itsdangerous>=2.2"', '"itsdangerous>=2.2", "six"', "six"),
        ("pyproject.toml", "jobs = [", 'jobs = ["six", ', "six"),
        ("libs/core/pyproject.toml", '"packaging>=24"', '"packaging>=25"', "packaging"),
    ],
)
def test_a_lock_of_another_pyproject(
    tmp_path: Path, file: str, before: str, after: str, said: str
) -> None:
    """uv would export it all the same, and what is missing would come out in the proof."""
    root = case(tmp_path, "uv/workspace")
    text = (root / file).read_text("utf-8")
    assert before in text
    write(root, {file: text.replace(before, after, 1)})
    (error,) = problems(root, LOCK)
    assert (
        error.message
        == f"uv.lock: {file} has changed since it was made, in what it requires: {said}"
    )
    assert error.hint == "run `uv lock`"


def test_requirements_that_are_written_otherwise_are_the_same(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/workspace")
    text = (root / "pyproject.toml").read_text("utf-8")
    write(root, {"pyproject.toml": text.replace('"click>=8.1"', '"Click (>= 8.1.0)"')})
    assert "click==8.5.1" in pins(read(root, LOCK))


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"extras": ("wep",)}, "Extra `wep` is not defined"),
        ({"groups": ("job",)}, "Group `job` is not defined"),
    ],
)
def test_extras_and_groups_that_it_does_not_have(
    tmp_path: Path, choice: dict[str, tuple[str, ...]], said: str
) -> None:
    (error,) = problems(case(tmp_path, "uv/workspace"), LOCK, **choice)
    assert error.message.startswith("uv.lock: uv cannot use it: ")
    assert said in error.message
    assert "uv lock" in str(error.hint)


def test_a_form_that_uv_does_not_know_yet(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/first")
    text = (root / LOCK).read_text("utf-8")
    write(root, {LOCK: text.replace("version = 1\n", "version = 99\n", 1)})
    (error,) = problems(root, LOCK)
    assert "v99" in error.message


def test_an_index_that_names_no_hashes(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/first")
    text = (root / LOCK).read_text("utf-8")
    digest = "67f4b9c50da0dedf52af349e7749a80a9057a5031199791b906c3bb3ae878960"
    assert digest in text
    write(root, {LOCK: text.replace(f', hash = "sha256:{digest}"', "")})
    (error,) = problems(root, LOCK)
    assert "missing hashes" in error.message
    assert "uv export" in str(error.hint)


def test_hashes_that_are_too_weak(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/first")
    text = (root / LOCK).read_text("utf-8")
    write(root, {LOCK: re.sub(r"sha256:([0-9a-f]{32})[0-9a-f]{32}", r"md5:\1", text)})
    (error,) = refusals(read(root, LOCK))
    assert error.message == "uv.lock: iniconfig 2.3.1 has no SHA-256, only md5"
    assert "`uv lock`" in str(error.hint)


def test_another_python(tmp_path: Path) -> None:
    root = case(tmp_path, "uv/first")
    text = (root / LOCK).read_text("utf-8")
    write(root, {LOCK: text.replace(">=3.11", ">=3.12")})
    found = read(root, LOCK)
    assert pins(found)
    (error,) = refusals(found, OLDER)
    assert error.message == "uv.lock: is for Python >=3.12, and the target has 3.11.9"
    assert "`uv lock`" in str(error.hint)
