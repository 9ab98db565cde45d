"""Versions out of git's history: what tools are told that cannot ask git, as they read it."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from gitfactory import ENVIRONMENT, commit, git, repository, write

from wheelhouse.errors import FetchError
from wheelhouse.sources.tree import digest, pack
from wheelhouse.sources.versions import (
    History,
    filled_in,
    tag_patterns,
    takes_version_from_git,
    version_files,
)

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DATE = "2024-05-06T07:08:09+00:00"
SCM = '[build-system]\nrequires = ["setuptools-scm>=8"]\n[project]\nname = "demo"\n'


@pytest.fixture(autouse=True)
def _plain_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def at(tag: str, distance: int = 0) -> History:
    return History(commit=COMMIT, date=DATE, tag=tag, distance=distance)


def pyproject(requires: str) -> dict[str, str]:
    text = f'[build-system]\nrequires = ["{requires}"]\n[project]\nname = "demo"\n'
    return {"pyproject.toml": text}


@pytest.mark.parametrize(
    ("texts", "file"),
    [
        (pyproject("setuptools_scm[toml]>=6"), ".git_archival.txt"),
        (pyproject("hatch-vcs"), ".git_archival.txt"),
        (pyproject("flit_scm"), ".git_archival.txt"),
        (pyproject("setuptools-git-versioning<3"), ".git_archival.txt"),
        ({"setup.py": "setup(name='demo', use_scm_version=True)"}, ".git_archival.txt"),
        (pyproject("uv-dynamic-versioning"), ".git_archival.json"),
        (pyproject("poetry-dynamic-versioning>=1,<2"), ".git_archival.json"),
        (pyproject("versioningit"), "PKG-INFO"),
        ({"setup.cfg": "[metadata]\nname = demo\n", "setup.py": "setup(pbr=True)"}, "PKG-INFO"),
    ],
)
def test_which_tool_is_told_by_which_file(texts: dict[str, str], file: str) -> None:
    assert takes_version_from_git(texts)
    assert version_files(texts, at("v1.0")).keys() == {file}


@pytest.mark.parametrize("text", ["setuptools", "hatchling", "sprbit", "setuptools-scmx"])
def test_others_are_told_nothing(text: str) -> None:
    assert not takes_version_from_git(pyproject(text))


def test_what_git_archive_would_fill_in() -> None:
    assert version_files(pyproject("hatch-vcs"), at("v1.0", 3)) == {
        ".git_archival.txt": f"node: {COMMIT}\nnode-date: {DATE}\n"
        "describe-name: v1.0-3-g012345678\n"
    }
    (text,) = version_files(pyproject("dunamai"), at("v1.0", 3)).values()
    assert json.loads(text)["describe"] == "v1.0-3-g012345678"


@pytest.mark.parametrize(
    ("tool", "history", "version"),
    [
        ("versioningit", at("v1.2"), "1.2"),
        ("versioningit", at("release-1.2rc1", 4), "1.2rc1.post4+g0123456"),
        ("pbr", at("1.2"), "1.2.0"),
        ("pbr", at("1.2.3", 4), "1.2.4.dev4"),
        ("pbr", at("1.2.3rc1"), "1.2.3rc1"),
        ("pbr", at("1.2.3rc1", 4), "1.2.3.dev4"),
        ("pbr", at("", 4), "0.0.0"),
    ],
)
def test_what_an_sdist_would_say(tool: str, history: History, version: str) -> None:
    (text,) = version_files(pyproject(tool), history).values()
    assert text == f"Metadata-Version: 1.1\nName: demo\nVersion: {version}\n"


def test_no_version_is_made_up_for_versioningit() -> None:
    assert version_files(pyproject("versioningit"), at("", 4)) == {}


@pytest.mark.parametrize(
    ("history", "refs"),
    [
        (at("v1.0"), " (tag: v1.0)"),
        (at("v1.0", 2), " (tag: v1.0+2.g0123456)"),
        (at("v1.0+local", 2), " (tag: v1.0+local.2.g0123456)"),
        (at("", 2), " (tag: v0+untagged.2.g0123456)"),
    ],
)
def test_a_file_of_versioneer_is_filled_in(history: History, refs: str) -> None:
    text = 'refs = "$Format:%d$"\nfull = "$Format:%H$"\ndate = "$Format:%ci$"\ntag_prefix = "v"\n'
    assert filled_in(text, history) == (
        f'refs = "{refs}"\nfull = "{COMMIT}"\ndate = "{DATE}"\ntag_prefix = "v"\n'
    )


@pytest.mark.parametrize(
    ("line", "patterns"),
    [
        ("", ["--match=*[0-9]*"]),
        ("git_describe_command = \"git describe --tags --match 'pkg-*'\"", ["--match=pkg-*"]),
        (
            'git_describe_command = ["git", "describe", "--match=a-*", "--exclude", "a-old*"]',
            ["--match=a-*", "--exclude=a-old*"],
        ),
        ('git_describe_command = "evil --exec=x; rm -rf / \'"', ["--match=*[0-9]*"]),
    ],
)
def test_which_tags_count(line: str, patterns: list[str]) -> None:
    assert tag_patterns({"pyproject.toml": line}) == patterns


# --- out of real repositories -----------------------------------------------------------------


def told(folder: Path, name: str = ".git_archival.txt", subdirectory: str = "") -> str | None:
    data = b"".join(pack(folder, subdirectory))
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        if f"source/{name}" not in tar.getnames():
            return None
        file = tar.extractfile(f"source/{name}")
        assert file is not None
        return file.read().decode()


def described(folder: Path, **more: str) -> str:
    text = told(folder, **more) or ""
    return next(line for line in text.splitlines() if line.startswith("describe-name:"))[15:]


def test_a_work_tree_s_state(tmp_path: Path) -> None:
    folder = repository(tmp_path / "p", {"pyproject.toml": SCM, "a.py": "x"})
    first = git(folder, "rev-parse", "HEAD")
    assert described(folder) == f"0.0-1-g{first[:9]}"
    git(folder, "tag", "v1.0")
    git(folder, "tag", "latest")
    assert described(folder) == f"v1.0-0-g{first[:9]}"
    write(folder, {"untracked.py": "x"})
    assert described(folder) == f"v1.0-0-g{first[:9]}"
    before = digest(folder)
    write(folder, {"a.py": "changed"})
    assert described(folder) == f"v1.0-1-g{first[:9]}", "it is not what was released"
    second = commit(folder, {})
    assert described(folder) == f"v1.0-1-g{second[:9]}"
    assert digest(folder) != before


def test_a_new_tag_is_another_source(tmp_path: Path) -> None:
    folder = repository(tmp_path / "p", {"pyproject.toml": SCM})
    before = digest(folder)
    git(folder, "tag", "v1.0")
    assert digest(folder) != before


def test_a_project_with_a_version_of_its_own_is_told_nothing(tmp_path: Path) -> None:
    assert told(repository(tmp_path / "p", {})) is None


def test_what_the_project_has_filled_in_stays(tmp_path: Path) -> None:
    own = "node: abc\ndescribe-name: v9.0\n"
    folder = repository(tmp_path / "p", {"pyproject.toml": SCM, ".git_archival.txt": own})
    assert told(folder) == own
    commit(folder, {".git_archival.txt": "node: $Format:%H$\n"})
    assert described(folder).startswith("0.0-2-g")


def test_a_project_in_a_subdirectory_is_told_too(tmp_path: Path) -> None:
    folder = repository(tmp_path / "p", {"pkg/pyproject.toml": SCM})
    git(folder, "tag", "v1.0")
    for name in (".git_archival.txt", "pkg/.git_archival.txt"):
        assert described(folder, name=name, subdirectory="pkg").startswith("v1.0-0-g")
    assert told(folder) is None
    assert described(folder / "pkg").startswith("v1.0-0-g")


def test_a_version_py_of_versioneer(tmp_path: Path) -> None:
    files = {"setup.py": "import versioneer", "pkg/_version.py": 'refs = "$Format:%d$"\n'}
    folder = repository(tmp_path / "p", files)
    git(folder, "tag", "1.0")
    assert told(folder, "pkg/_version.py") == 'refs = " (tag: 1.0)"\n'


def test_a_shallow_clone_is_not_guessed_at(tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin", {"pyproject.toml": SCM})
    git(origin, "tag", "v1.0")
    commit(origin, {"a.py": "x"})
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{origin}", "p")
    with pytest.raises(FetchError, match="this clone of it is shallow") as refused:
        list(pack(tmp_path / "p"))
    assert refused.value.hint == "get the rest of it: `git fetch --unshallow --tags`"


def test_a_repository_without_a_commit_is_left_to_its_tool(tmp_path: Path) -> None:
    write(tmp_path / "p", {"pyproject.toml": SCM})
    git(tmp_path / "p", "init", "--quiet")
    assert told(tmp_path / "p") is None
