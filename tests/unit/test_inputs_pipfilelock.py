"""`Pipfile.lock` as an input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from inputfiles import problems, read, write
from lockcases import LINUX, OLDER, asked, case, left_out, pins, refusals

from wheelhouse.inputs.model import Direct

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "Pipfile.lock"
ONE, TWO = "1" * 64, "2" * 64
CORP = {"name": "corp", "url": "https://corp.example.org/simple/"}
PUBLIC = {"name": "pypi", "url": "https://pypi.org/simple"}


def pinned(version: str = "1.0", **more: Any) -> dict[str, Any]:
    """An entry of an index; *more* are its other keys."""
    return {"version": f"=={version}", "hashes": [f"sha256:{ONE}"], **more}


def lock(
    root: Path,
    default: dict[str, Any],
    *,
    requires: dict[str, str] | None = None,
    sources: tuple[dict[str, str], ...] = (PUBLIC,),
    **categories: dict[str, Any],
) -> Path:
    """A project in *root* with a lock that has *default* and other *categories*."""
    meta = {"requires": requires or {}, "sources": list(sources), "pipfile-spec": 6}
    write(root, {LOCK: json.dumps({"_meta": meta, "default": default, **categories})})
    return root


# --- a real one -------------------------------------------------------------------------------


def test_the_default_category(tmp_path: Path) -> None:
    found = read(case(tmp_path, "pipfile/site"), LOCK)
    assert pins(found, OLDER) == [
        "badge",
        "click==8.5.1",
        "greet",
        "idna==3.20",
        "itsdangerous==2.2.0",
        "packaging==26.3",
        "pf1",
        "six==1.17.0",
        "typing-extensions",
    ]
    assert [(each.name, each.version, each.reason) for each in left_out(found, OLDER)] == [
        ("colorama", "", 'sys_platform == "win32"'),
        ("iniconfig", "2.3.1", "the group develop is not wanted"),
        ("blinker", "1.9.0", "the group docs is not wanted"),
    ]


def test_sources_of_all_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECOND_USER", "ann")
    monkeypatch.setenv("SECOND_PASSWORD", "p@ss/word")
    found = read(case(tmp_path, "pipfile/site"), LOCK)
    chosen = asked(found, OLDER)
    assert {name: each.direct for name, each in chosen.items() if each.direct} == {
        "badge": Direct(location="file:vendor/badge-2.0-py3-none-any.whl"),
        "pf1": Direct(location="dir:."),
        "greet": Direct(
            location="git+https://git.example.org/greet.git",
            revision="f88c932007f3745521083fe304ca8f70ced933b5",
            subdirectory="pkgs/greet",
        ),
        "typing-extensions": Direct(
            location="https://files.pythonhosted.org/packages/18/67/"
            "36e9267722cc04a6b9f15c7f3441c2363321a3ea07da7ae0c0707beb2a9c/"
            "typing_extensions-4.15.0-py3-none-any.whl"
        ),
    }
    assert chosen["six"].index == "https://second.example.org/simple"
    assert chosen["click"].index is None
    assert len(chosen["click"].hashes) == 2
    assert all(each.closed and each.origin == LOCK for each in chosen.values())
    assert found.credentials == {"https://second.example.org/simple": ("ann", "p@ss/word")}
    assert found.variables == ("SECOND_PASSWORD", "SECOND_USER")
    assert "p@ss" not in repr(found) + repr(found.chosen_for(OLDER))


def test_credentials_may_come_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECOND_USER", "ann")
    monkeypatch.delenv("SECOND_PASSWORD", raising=False)
    found = read(case(tmp_path, "pipfile/site"), LOCK)
    assert asked(found, OLDER)["six"].index == "https://second.example.org/simple"
    assert found.credentials == {}


@pytest.mark.parametrize("dev", ["dev", "develop", "dev-packages"])
def test_other_categories_are_added(tmp_path: Path, dev: str) -> None:
    found = read(case(tmp_path, "pipfile/site"), LOCK, groups=(dev, "docs"))
    assert {"iniconfig==2.3.1", "blinker==1.9.0", "click==8.5.1"} <= {*pins(found, OLDER)}


def test_the_project_may_be_left_out(tmp_path: Path) -> None:
    root = case(tmp_path, "pipfile/site")
    assert "pf1" in pins(read(root, LOCK, project=True), OLDER)
    assert "pf1" not in pins(read(root, LOCK, project=False), OLDER)


def test_the_python_that_it_is_for(tmp_path: Path) -> None:
    (error,) = refusals(read(case(tmp_path, "pipfile/site"), LOCK))
    assert error.message == "Pipfile.lock: is for Python ==3.11.*, and the target has 3.12.4"
    assert "`pipenv lock`" in str(error.hint)


# --- whom it is for ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requires", "holds"),
    [
        ({}, True),
        ({"python_version": "3.12"}, True),
        ({"python_version": "3"}, True),
        ({"python_version": "*"}, True),
        ({"python_version": ">=3.12"}, True),
        ({"python_version": "3.1"}, False),
        ({"python_full_version": "3.12.4"}, True),
        ({"python_full_version": "3.12.3", "python_version": "3.12"}, False),
    ],
)
def test_all_ways_to_require_a_python(
    tmp_path: Path, requires: dict[str, str], *, holds: bool
) -> None:
    found = read(lock(tmp_path, {"tool": pinned()}, requires=requires), LOCK)
    if holds:
        assert pins(found) == ["tool==1.0"]
    else:
        assert "is for Python ==" in refusals(found)[0].message


def test_what_pipenv_has_not_looked_up(tmp_path: Path) -> None:
    entry = {"version": "*", "markers": "sys_platform == 'linux'"}
    found = read(lock(tmp_path, {"tool": pinned(), "bare": entry}), LOCK)
    (error,) = refusals(found)
    assert error.message == (
        "Pipfile.lock: bare is for linux x86_64 with Python 3.12.4, but not pinned to a version"
    )
    assert "`pipenv lock`" in str(error.hint)
    assert pins(found, {**LINUX, "sys_platform": "darwin"}) == ["tool==1.0"]


def test_one_project_in_two_categories(tmp_path: Path) -> None:
    root = lock(
        tmp_path,
        {"tool": pinned(), "win": pinned(markers="sys_platform == 'win32'")},
        develop={"tool": {**pinned(), "hashes": [f"sha256:{TWO}"]}, "win": pinned()},
        other={"tool": pinned("2.0")},
    )
    assert pins(read(root, LOCK)) == ["tool==1.0"]
    both = read(root, LOCK, groups=("dev",))
    assert pins(both) == ["tool==1.0", "win==1.0"]
    assert asked(both)["tool"].hashes == {ONE, TWO}
    (error,) = refusals(read(root, LOCK, groups=("other",)))
    assert "has tool 1.0 and tool 2.0 for one target" in error.message


def test_groups_and_extras_that_it_does_not_have(tmp_path: Path) -> None:
    root = lock(tmp_path, {"tool": pinned()}, docs={})
    (error,) = problems(root, LOCK, groups=("doc",))
    assert error.message == 'Pipfile.lock: has no group "doc"; did you mean "docs"?'
    (error,) = problems(root, LOCK, extras=("web",))
    assert error.message == 'Pipfile.lock: has no extra "web"'
    assert pins(read(root, LOCK, groups=("dev",))) == ["tool==1.0"]  # a Pipfile may have no such


# --- sources ----------------------------------------------------------------------------------


def test_the_index_of_an_entry(tmp_path: Path) -> None:
    default = {"any": pinned(), "own": pinned(index="corp"), "open": pinned(index="pypi")}
    chosen = asked(read(lock(tmp_path, default, sources=(CORP, PUBLIC)), LOCK))
    corp = "https://corp.example.org/simple"
    assert {name: each.index for name, each in chosen.items()} == {
        "any": corp,  # the first of the sources
        "own": corp,
        "open": None,
    }


def test_an_index_that_it_does_not_describe(tmp_path: Path) -> None:
    (error,) = problems(lock(tmp_path, {"tool": pinned(index="gone")}), LOCK)
    assert error.message == (
        'Pipfile.lock: tool comes from the index "gone", which it does not describe'
    )


def test_one_variable_for_both_user_and_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGIN", "ann:p@ss")
    monkeypatch.setenv("HOST_NAME", "corp.example.org")
    source = {"name": "corp", "url": "https://$LOGIN@${HOST_NAME}/simple"}
    found = read(lock(tmp_path, {"tool": pinned()}, sources=(source,)), LOCK)
    assert found.credentials == {"https://corp.example.org/simple": ("ann", "p@ss")}


def test_a_secret_variable_where_locks_would_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORP_TOKEN", "hunter2")
    source = {**CORP, "url": "https://corp.example.org/${CORP_TOKEN}/simple"}
    (error,) = problems(lock(tmp_path, {"tool": pinned(index="corp")}, sources=(source,)), LOCK)
    assert error.message == "Pipfile.lock: tool takes in CORP_TOKEN where locks would show it"
    assert "hunter2" not in str(error.hint)


def test_a_variable_in_a_place_that_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOST_NAME", raising=False)
    monkeypatch.setenv("TOKEN", "hidden")
    source = {"name": "corp", "url": "https://x:${TOKEN}@${HOST_NAME}/simple"}
    (error,) = problems(lock(tmp_path, {"tool": pinned()}, sources=(source,)), LOCK)
    assert "HOST_NAME" in error.message
    assert error.hint == "set HOST_NAME"
    assert "hidden" not in error.message


@pytest.mark.parametrize(
    ("place", "location"),
    [
        ("https://git.example.org/r.git", "git+https://git.example.org/r.git"),
        ("git+https://git.example.org/r.git", "git+https://git.example.org/r.git"),
        ("ssh://git@git.example.org/r.git", "git+ssh://git@git.example.org/r.git"),
        ("git@git.example.org:team/r.git", "git+ssh://git@git.example.org/team/r.git"),
        ("file:///srv/r.git", "git+file:///srv/r.git"),
    ],
)
def test_ways_to_name_a_repository(tmp_path: Path, place: str, location: str) -> None:
    commit = "a" * 40
    root = lock(tmp_path, {"tool": {"git": place, "ref": commit, "editable": True}})
    direct = asked(read(root, LOCK))["tool"].direct
    assert direct == Direct(location=location, revision=commit)


def test_a_repository_beside_the_project(tmp_path: Path) -> None:
    root = lock(tmp_path / "app", {"tool": {"git": "../r", "ref": "a" * 40}})
    direct = asked(read(root, LOCK))["tool"].direct
    assert direct == Direct(location=f"git+{(tmp_path / 'r').as_uri()}", revision="a" * 40)


def test_an_old_lock_names_no_project_for_a_place(tmp_path: Path) -> None:
    found = asked(read(lock(tmp_path, {"e1839a8": {"path": ".", "editable": True}}), LOCK))
    assert found["e1839a8"].unnamed
    assert found["e1839a8"].direct == Direct(location="dir:.")


def test_what_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    default = {
        "one": {"hg": "https://hg.example.org/r", "ref": "1"},
        "two": {"version": ">=1.0", "hashes": []},
        "three": pinned(markers="sys_platform = 1"),
        "four": {"version": "==1.0", "hashes": ["sha256:short"]},
    }
    found = problems(lock(tmp_path, default), LOCK)
    assert [error.message.partition(": ")[2].split()[0] for error in found] == [*default]
    assert "Mercurial" in found[0].message
    assert "is not pinned" in found[1].message
    assert "marker" in found[2].message
    assert "no SHA-256" in found[3].message
    assert all(error.hint for error in found)


def test_hashes_that_are_too_weak(tmp_path: Path) -> None:
    found = read(lock(tmp_path, {"tool": {"version": "==1.0", "hashes": ["md5:abc"]}}), LOCK)
    (error,) = refusals(found)
    assert error.message == "Pipfile.lock: tool 1.0 has no SHA-256, only md5"


@pytest.mark.parametrize("text", ["{", "[]", '{"_meta": {}}', "<<<<<<< ours\n{}"])
def test_what_is_no_such_lock(tmp_path: Path, text: str) -> None:
    write(tmp_path, {LOCK: text})
    (error,) = problems(tmp_path, LOCK)
    assert error.message.startswith("Pipfile.lock: ")
    assert "`pipenv lock`" in str(error.hint)
