"""pyproject.toml: what of it is asked for, and what of it cannot be."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from inputfiles import problems, read, write
from lockingfactory import sha

from wheelhouse.inputs.model import Direct

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from wheelhouse.inputs.model import Requirements

FILE = "pyproject.toml"
PROJECT = '[project]\nname = "My.App"\nversion = "1"\n'


def asked(root: Path, text: str, **choice: Any) -> list[str]:
    write(root, {FILE: text})
    return [str(each.requirement) for each in read(root, FILE, **choice).asked]


def messages(root: Path, text: str, **choice: Any) -> list[str]:
    write(root, {FILE: text})
    found = problems(root, FILE, **choice)
    assert all(each.message.startswith(FILE) for each in found)
    return [f"{each.message} ({each.hint})" for each in found]


def bound(found: Requirements) -> list[tuple[str, str | None]]:
    return [(str(each.requirement), each.index) for each in found.asked]


# --- the standards ----------------------------------------------------------------------------


FULL = f"""{PROJECT}
dependencies = ["flask>=3 ; python_version < '4'", "click[x]"]
[project.optional-dependencies]
Web_UI = ["jinja2", "my-app[net]"]
net = ["requests"]
all = ["my_app[web-ui,net] ; sys_platform == 'linux'", "MY-APP[all]"]
[dependency-groups]
Dev = ["pytest", {{include-group = "Type_Check"}}, "my-app[net]"]
type-check = ["mypy"]
"""
BASE = ['flask>=3; python_version < "4"', "click[x]"]


@pytest.mark.parametrize(
    ("choice", "more"),
    [
        ({}, []),
        ({"project": False}, []),
        ({"extras": ("net",)}, ["requests"]),
        ({"extras": ("web-ui",)}, ["jinja2", "requests"]),
        (
            {"extras": ("all",)},
            ['requests; sys_platform == "linux"', 'jinja2; sys_platform == "linux"'],
        ),
        ({"groups": ("type-check",)}, ["mypy"]),
        ({"groups": ("dev",)}, ["pytest", "mypy", "requests"]),
        ({"groups": ("dev",), "extras": ("net",)}, ["requests", "pytest", "mypy"]),
    ],
)
def test_what_is_chosen(tmp_path: Path, choice: dict[str, Any], more: list[str]) -> None:
    assert asked(tmp_path, FULL, **choice) == [*BASE, *more]


def test_origins_and_files(tmp_path: Path) -> None:
    write(tmp_path, {f"sub/{FILE}": FULL})
    found = read(tmp_path, f"sub/{FILE}", extras=("net",), groups=("type-check",))
    assert [each.origin for each in found.asked] == [
        f"sub/{FILE}: project.dependencies",
        f"sub/{FILE}: project.dependencies",
        f"sub/{FILE}: project.optional-dependencies.net",
        f"sub/{FILE}: dependency-groups.type-check",
    ]
    digest = hashlib.sha256(FULL.encode()).hexdigest()
    assert found.files == {tmp_path.resolve() / f"sub/{FILE}": digest}


def test_the_project_itself(tmp_path: Path) -> None:
    write(tmp_path, {f"sub/{FILE}": FULL})
    found = read(tmp_path, f"sub/{FILE}", project=True, extras=("net", "web-ui"))
    itself = found.asked[-1]
    assert str(itself.requirement) == "My.App[net,web-ui]"
    assert itself.direct == Direct(location="dir:sub")
    assert itself.origin == f"sub/{FILE}: project"
    assert tmp_path.resolve() / "sub" in found.files


def test_groups_need_no_project(tmp_path: Path) -> None:
    assert asked(tmp_path, '[dependency-groups]\ndev = ["x"]\n', groups=("dev",)) == ["x"]


def test_dynamic_dependencies_are_the_backends_to_tell(tmp_path: Path) -> None:
    text = f'{PROJECT}dynamic = ["dependencies", "optional-dependencies"]\n'
    (message,) = messages(tmp_path, text)
    assert "project.dynamic: only the build backend knows the dependencies" in message
    assert 'a requirements file with the line "."' in message
    assert asked(tmp_path, text, project=True, extras=("x",)) == ["My.App[x]"]


def test_addresses(tmp_path: Path) -> None:
    text = (
        f'{PROJECT}dependencies = ["demo @ https://x.example/1.zip#sha256={sha("1")}",'
        ' "other @ git+https://joe:s3cr3t@x.example/o.git@main", "app @ ./app"]\n'
    )
    write(tmp_path, {FILE: text, "app/setup.py": ""})
    found = read(tmp_path, FILE)
    assert [each.direct for each in found.asked] == [
        Direct(location="https://x.example/1.zip"),
        Direct(location="git+https://x.example/o.git", revision="main"),
        Direct(location="dir:app"),
    ]
    assert found.asked[0].hashes == {sha("1")}
    assert found.credentials == {"https://x.example/o.git": ("joe", "s3cr3t")}
    assert "s3cr3t" not in repr(found)


# --- what is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "choice", "words"),
    [
        ("x", {}, "not valid TOML"),
        ("", {}, "has no [project] table"),
        ("[tool.black]\n", {}, "add one with a name"),
        ("[tool.poetry]\nname = 'x'\n", {}, "run `poetry lock`, and name poetry.lock"),
        (f"{PROJECT}dependencies = 'flask'\n", {}, "project.dependencies: is no list of strings"),
        (f"{PROJECT}dependencies = [1]\n", {}, "project.dependencies: is no list of strings"),
        (f"{PROJECT}dependencies = ['flask==']\n", {}, '"flask==" cannot be read'),
        (f"{PROJECT}dependencies = ['flask=1']\n", {}, "by two equals signs"),
        (f"{PROJECT}dependencies = ['flask=>1']\n", {}, "write >= for =>"),
        (f"{PROJECT}dependencies = ['./app']\n", {}, '"./app" cannot be read'),
        (FULL, {"extras": ("webui",)}, 'no extra "webui"; did you mean "web-ui"?'),
        (FULL, {"groups": ("typecheck",)}, 'no group "typecheck"; did you mean "type-check"?'),
        (PROJECT, {"extras": ("x",)}, "it has no extras"),
        (PROJECT, {"groups": ("x",)}, "it has no groups"),
        (
            "[dependency-groups]\na = [{include-group = 'b'}]\nb = [{include-group = 'a'}]\n",
            {"groups": ("a",)},
            "cyclic dependency group include",
        ),
        (
            "[dependency-groups]\na = [{include-group = 'b'}]\n",
            {"groups": ("a",)},
            "dependency group 'b' not found",
        ),
        ("[dependency-groups]\na = 'x'\n", {"groups": ("a",)}, "contained a string rather than"),
        ("[dependency-groups]\na = [1]\n", {"groups": ("a",)}, "invalid dependency group item"),
        ("[dependency-groups]\na = ['x==']\n", {"groups": ("a",)}, "dependency-groups.a: "),
        ("[dependency-groups]\na = []\nA = []\n", {"groups": ("a",)}, "duplicate dependency group"),
        ("[project]\nversion = '1'\n", {"project": True}, "project.name: is no name"),
        (
            f"{PROJECT}[tool.uv]\noverride-dependencies = ['x']\n",
            {},
            "run `uv lock`, and name uv.lock",
        ),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, text: str, choice: dict[str, Any], words: str) -> None:
    (message,) = messages(tmp_path, text, **choice)
    assert words in message


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = f"{PROJECT}dependencies = ['a==', 'b==', 'c']\n"
    assert len(messages(tmp_path, text, extras=("x",), groups=("y",))) == 4


def test_no_message_has_a_secret(tmp_path: Path) -> None:
    for url in ("https://joe:s3cr3t@x.example:y/z", "git+ssh://joe:s3cr3t@x.example/demo.git"):
        (message,) = messages(tmp_path, f"{PROJECT}dependencies = ['demo @ {url}']\n")
        assert "s3cr3t" not in message
        text = f"[dependency-groups]\na = ['demo @ {url} nonsense ; ']\n"
        (message,) = messages(tmp_path, text, groups=("a",))
        assert "s3cr3t" not in message


# --- uv's tables ------------------------------------------------------------------------------


def uv(root: Path, dependencies: str, sources: str, **choice: Any) -> Requirements:
    write(root, {FILE: f"{PROJECT}dependencies = {dependencies}\n[tool.uv.sources]\n{sources}\n"})
    return read(root, FILE, **choice)


@pytest.mark.parametrize(
    ("source", "direct"),
    [
        ('{ git = "https://x.example/d.git" }', Direct(location="git+https://x.example/d.git")),
        (
            '{ git = "https://x.example/d.git", tag = "v1", subdirectory = "pkg" }',
            Direct(location="git+https://x.example/d.git", revision="v1", subdirectory="pkg"),
        ),
        (
            '{ git = "ssh://git@x.example/d.git", branch = "main" }',
            Direct(location="git+ssh://git@x.example/d.git", revision="main"),
        ),
        ('{ url = "https://x.example/1.zip" }', Direct(location="https://x.example/1.zip")),
        ('{ path = "app", editable = true }', Direct(location="dir:app")),
        ('[{ path = "app" }]', Direct(location="dir:app")),
    ],
)
def test_sources_of_uv(tmp_path: Path, source: str, direct: Direct) -> None:
    write(tmp_path, {"app/setup.py": ""})
    (found,) = uv(tmp_path, '["De.mo[x]>=1"]', f"de-mo = {source}").asked
    assert found.direct == direct
    assert str(found.requirement) == "De.mo[x]>=1"
    assert not found.unnamed


def test_indexes_of_uv(tmp_path: Path) -> None:
    sources = (
        'torch = [{ index = "cu", marker = "sys_platform == \'linux\'" }]\n'
        'plain = { index = "pypi" }\nprivate = { index = "corp" }\n'
        '[[tool.uv.index]]\nname = "cu"\nurl = "https://x.example/whl/cu128/"\nexplicit = true\n'
        '[[tool.uv.index]]\nname = "pypi"\nurl = "https://pypi.org/simple"\ndefault = true\n'
        '[[tool.uv.index]]\nname = "corp"\nurl = "https://joe:s3cr3t@corp.example/simple"\n'
    )
    found = uv(tmp_path, '["torch>=2", "plain", "private", "free"]', sources)
    assert bound(found) == [
        ("torch>=2", None),
        ('torch>=2; sys_platform == "linux"', "https://x.example/whl/cu128"),
        ("plain", None),
        ("private", "https://corp.example/simple"),
        ("free", None),
    ]
    assert [(each.kind, each.url, each.origin) for each in found.indexes] == [
        ("index-url", "https://pypi.org/simple", f"{FILE}: tool.uv.index"),
        ("extra-index-url", "https://corp.example/simple", f"{FILE}: tool.uv.index"),
    ]
    assert found.credentials == {"https://corp.example/simple": ("joe", "s3cr3t")}
    assert "s3cr3t" not in repr(found)


def test_a_source_for_an_extra_or_a_group_only(tmp_path: Path) -> None:
    text = (
        f'{PROJECT}optional-dependencies = {{ cpu = ["torch"], cuda = ["torch"] }}\n'
        '[dependency-groups]\ndev = ["torch"]\n[tool.uv.sources]\ntorch = [\n'
        '  { url = "https://x.example/c.zip", extra = "cpu" },\n'
        '  { url = "https://x.example/d.zip", group = "dev" } ]\n'
    )
    write(tmp_path, {FILE: text})
    places = {}
    for choice in ({"extras": ("cpu",)}, {"extras": ("cuda",)}, {"groups": ("dev",)}):
        (found,) = read(tmp_path, FILE, **choice).asked
        places[str(choice)] = found.direct.location if found.direct else None
    assert list(places.values()) == ["https://x.example/c.zip", None, "https://x.example/d.zip"]


def test_members_of_a_workspace(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            FILE: f'{PROJECT}[tool.uv.workspace]\nmembers = ["libs/*"]\n'
            "[tool.uv.sources]\ncore = { workspace = true }\n",
            f"libs/core/{FILE}": '[project]\nname = "Core"\n',
            f"libs/app/{FILE}": '[project]\nname = "app"\ndependencies = ["core", "gone"]\n'
            "[tool.uv.sources]\ngone = { workspace = true }\n",
        },
    )
    (error,) = problems(tmp_path, f"libs/app/{FILE}")
    assert '"gone" is said to be in the workspace, which has no such member' in error.message
    write(tmp_path, {f"libs/app/{FILE}": '[project]\nname = "app"\ndependencies = ["core"]\n'})
    (found,) = read(tmp_path, f"libs/app/{FILE}").asked
    assert found.direct == Direct(location="dir:libs/core")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('{ index = "corp" }', 'bound to the index "corp", which is not there'),
        ("{ workspace = true }", "there is none in the project"),
        ("{ nonsense = 1 }", "an entry in tool.uv.sources that cannot be read"),
        ("1", "an entry in tool.uv.sources that cannot be read"),
        ('{ path = "nowhere" }', "is not there"),
        ('{ git = "https://x.example/d", rev = "--upload-pack=x" }', "that cannot be one"),
        ('{ url = "https://x.example/1.zip", marker = "nonsense" }', "a marker that cannot be"),
    ],
)
def test_sources_that_cannot_be_used(tmp_path: Path, source: str, words: str) -> None:
    text = f'{PROJECT}dependencies = ["demo"]\n[tool.uv.sources]\ndemo = {source}\n'
    (message,) = messages(tmp_path, text)
    assert f'{FILE}: project.dependencies: "demo" ' in message
    assert words in message


def test_constraints_of_uv(tmp_path: Path) -> None:
    text = f'{PROJECT}dependencies = ["x"]\n[tool.uv]\nconstraint-dependencies = ["click<9"]\n'
    write(tmp_path, {FILE: text})
    (found,) = read(tmp_path, FILE).constraints
    assert str(found.requirement) == "click<9"
    assert found.origin == f"{FILE}: tool.uv.constraint-dependencies"


def test_indexes_of_poetry_and_pdm(tmp_path: Path) -> None:
    """Passed over, they would let a private project be taken from the public index."""
    text = (
        f'{PROJECT}dependencies = ["x"]\n'
        '[[tool.poetry.source]]\nname = "corp"\nurl = "https://corp.example/simple/"\n'
        '[[tool.poetry.source]]\nname = "one"\nurl = "https://one.example"\npriority = "explicit"\n'
        '[[tool.poetry.source]]\nname = "PyPI"\n'
        '[[tool.pdm.source]]\nname = "pypi"\nurl = "https://mirror.example/simple"\n'
        '[[tool.pdm.source]]\nname = "links"\nurl = "https://l.example/x"\ntype = "find_links"\n'
    )
    write(tmp_path, {FILE: text})
    assert [(each.kind, each.url) for each in read(tmp_path, FILE).indexes] == [
        ("extra-index-url", "https://corp.example/simple"),
        ("index-url", "https://mirror.example/simple"),
        ("find-links", "https://l.example/x"),
    ]


def test_an_index_without_a_url(tmp_path: Path) -> None:
    text = f'{PROJECT}dependencies = ["x"]\n[[tool.uv.index]]\nname = "corp"\n'
    (message,) = messages(tmp_path, text)
    assert f'{FILE}: tool.uv.index: "corp" names an index without a URL' in message
