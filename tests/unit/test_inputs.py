"""Several inputs together, and what their options make of the project's settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from inputfiles import MAIN, problems, read, write
from lockingfactory import project as project_in
from packaging.utils import canonicalize_name

from wheelhouse.config import PackageSettings
from wheelhouse.errors import ConfigError
from wheelhouse.inputs import INSTEAD, INSTEAD_OF_KIND, read_inputs
from wheelhouse.inputs.applied import with_options
from wheelhouse.inputs.model import Asked, Direct, Requirements, Selection
from wheelhouse.settings import IndexSettings, InputFile
from wheelhouse.torchindex import torch_packages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wheelhouse.config import Project

PYPI = "https://pypi.org/simple"
CORP = "https://corp.example/simple"
FLASK = canonicalize_name("flask")

# --- together ---------------------------------------------------------------------------------


def test_files_of_several_kinds(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "requirements.in": "flask\n--no-binary :all:\n-r shared.txt\n--pre\n",
            "dev.txt": "pytest\n--only-binary pytest\n-r shared.txt\nflask -C b=2\n",
            "shared.txt": "click -C a=1\n--find-links .\n",
            "pyproject.toml": '[project]\nname = "x"\ndependencies = ["jinja2"]\n',
        },
    )
    found = read(tmp_path, "requirements.in", "dev.txt", "pyproject.toml")
    assert [each.name for each in found.asked] == ["flask", "click", "pytest", "flask", "jinja2"]
    assert found.sources == {":all:": "sdist", "pytest": "wheel"}
    assert found.config_settings == {"click": {"a": "1"}, "flask": {"b": "2"}}
    assert len(found.indexes) == 1
    assert found.prereleases
    assert len(found.files) == 4


def test_what_is_wrong_in_all_files_is_told_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.txt": "x==\n-r shared.txt\n",
            "b.txt": "y==\n-r shared.txt\n",
            "shared.txt": "z==\n",
            "pyproject.toml": "[project]\nname = 'x'\ndependencies = ['w==']\n",
        },
    )
    found = problems(tmp_path, "a.txt", "b.txt", "pyproject.toml")
    assert [each.message.partition(" ")[0] for each in found] == [
        "a.txt:1:",
        "shared.txt:1:",
        "b.txt:1:",
        "pyproject.toml:",
    ]


def test_two_default_indexes(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"a.txt": "x\n-i https://joe:s3cr3t@corp.example/simple\n", "b.txt": f"y\n-i {PYPI}/\n"},
    )
    (error,) = problems(tmp_path, "a.txt", "b.txt")
    assert error.message == (f"b.txt:2: names another --index-url than a.txt:2: {PYPI}, not {CORP}")
    write(tmp_path, {"b.txt": f"y\n-i {CORP}/\n"})
    assert len({each.url for each in read(tmp_path, "a.txt", "b.txt").indexes}) == 1


@pytest.mark.parametrize(
    "name", [*INSTEAD, *(f"some{ending}" for ending in INSTEAD_OF_KIND), "Pipfile", "my.lock"]
)
def test_what_is_no_input_is_told_with_what_would_be(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: "flask\n"})
    (error,) = problems(tmp_path, name)
    assert error.message == f"{name}: is no kind of file that is read"
    assert error.hint


@pytest.mark.parametrize("name", ["requirements", "requirements.in", "reqs.pip", "dev.txt"])
def test_everything_else_is_a_requirements_file(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: "flask\n"})
    assert [each.origin for each in read(tmp_path, name).asked] == [f"{name}:1"]


@pytest.mark.parametrize("choice", [{"extras": ("x",)}, {"groups": ("x",)}, {"project": True}])
def test_a_requirements_file_has_nothing_to_choose(tmp_path: Path, choice: Any) -> None:
    write(tmp_path, {MAIN: "flask\n"})
    (error,) = problems(tmp_path, MAIN, **choice)
    assert error.message.startswith(f"{MAIN}: is a requirements file: it has no extras")


def test_a_missing_file(tmp_path: Path) -> None:
    (error,) = problems(tmp_path, MAIN)
    assert error.message == f"{MAIN}: cannot be read: No such file or directory"


def test_the_archives_and_folders_of_locks_need_not_all_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lock:
        directs = (Direct(location="file:a-1.zip"), Direct(location="file:gone-1.zip"))

        def select(self, environment: Mapping[str, str]) -> Selection:
            raise NotImplementedError

    part = Requirements(asked=(), locks=(Lock(),))
    monkeypatch.setattr("wheelhouse.inputs._read", lambda root, file: part)
    write(tmp_path, {"a-1.zip": "x"})
    found = read_inputs(tmp_path, [InputFile(path=tmp_path / "some.lock")])
    assert [path.name for path in found.files] == ["a-1.zip"]


# --- applied ----------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = project_in(tmp_path)
    return replace(found, default_index=IndexSettings(name="default", url=PYPI))


def applied(project: Project, text: str) -> Project:
    write(project.root, {MAIN: f"flask\n{text}"})
    return with_options(project, read(project.root))


def test_without_options_a_project_stays_as_it_is(project: Project) -> None:
    assert applied(project, "") == project


def test_another_default_index(project: Project) -> None:
    found = applied(project, "-i https://joe:s3cr3t@corp.example/simple/\n")
    assert found.default_index == IndexSettings(name="default", url=CORP)
    assert found.credentials == {CORP: ("joe", "s3cr3t")}
    assert "s3cr3t" not in repr(found)


@pytest.mark.parametrize("own", [f"{CORP}/", PYPI])
def test_the_same_default_index(project: Project, own: str) -> None:
    settings = IndexSettings(name="default", url=own)
    found = applied(replace(project, default_index=settings), f"-i {own}\n")
    assert found.default_index == settings


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (IndexSettings(name="default", url=CORP), f"has index = {CORP}"),
        (None, "has turned the default index off"),
    ],
)
def test_a_default_index_that_contradicts_the_projects(
    project: Project, own: IndexSettings | None, words: str
) -> None:
    with pytest.raises(ConfigError) as told:
        applied(replace(project, default_index=own), "-i https://me:s3cr3t@other.example/\n")
    assert told.value.message == (
        f"{MAIN}:2: --index-url is https://other.example, but {project.file.name} {words}"
    )


def test_more_indexes_get_names_of_their_own(project: Project) -> None:
    own = IndexSettings(name="corp-example", url="https://elsewhere.example/simple")
    found = applied(
        replace(project, indexes=(own,)),
        f"--extra-index-url {CORP}\n--extra-index-url https://t0ken@corp.example/b\n"
        f"--extra-index-url {own.url}/\n--extra-index-url {PYPI}\n"
        "-f https://links.example/page.html\n-f .\n",
    )
    names = [(each.name, each.url, each.flat) for each in found.indexes]
    root = project.root.resolve()
    assert names == [
        ("corp-example", own.url, False),
        ("links-example", "https://links.example/page.html", True),
        (root.name.lower().replace("_", "-"), root.as_uri(), True),
        ("corp-example-2", CORP, False),
        ("corp-example-3", "https://corp.example/b", False),
    ]
    assert found.default_index == project.default_index
    assert found.credentials == {"https://corp.example/b": ("t0ken", "")}


def test_pytorchs_index_is_for_pytorchs_projects(project: Project) -> None:
    found = applied(project, "--extra-index-url https://download.pytorch.org/whl/cu128\n")
    (index,) = found.indexes
    assert set(index.packages) == torch_packages()
    assert index.has_to_have(canonicalize_name("torch"))
    assert not index.has_to_have(canonicalize_name("numpy"))


def test_no_index(project: Project) -> None:
    found = applied(project, f"--no-index\n-i {CORP}\n--extra-index-url {CORP}\n-f .\n")
    assert found.default_index is None
    assert [each.flat for each in found.indexes] == [True]


def test_formats(project: Project) -> None:
    text = "--no-binary :all:\n--only-binary numpy,Scipy\n"
    found = applied(project, text)
    sources = [found.settings(name).source for name in ("any", "NumPy", "scipy")]
    assert sources == ["sdist", "wheel", "wheel"]
    own = {
        canonicalize_name("numpy"): PackageSettings(source="sdist"),
        FLASK: PackageSettings(env={"A": "1"}),
    }
    found = applied(replace(project, packages=own), text)
    assert found.settings("numpy").source == "sdist"
    assert found.settings("flask") == PackageSettings(env={"A": "1"}, source="sdist")
    found = applied(replace(project, source="wheel"), text)
    assert {found.settings(name).source for name in ("any", "numpy")} == {"wheel"}
    assert (
        applied(replace(project, source="wheel"), "--no-binary numpy\n").settings("numpy").source
        == "wheel"
    )


def test_config_settings(project: Project) -> None:
    own = {FLASK: PackageSettings(config_settings={"a": "own"}, allow_pure=True)}
    found = applied(replace(project, packages=own), "flask -C a=file -C b=1 -C b=2\nx -C c=3\n")
    assert found.settings("flask") == PackageSettings(
        config_settings={"a": "own", "b": ("1", "2")}, allow_pure=True
    )
    assert found.settings("x").config_settings == {"c": "3"}


def test_credentials_of_requirements_go_along(project: Project) -> None:
    found = applied(project, "https://joe:s3cr3t@x.example/demo-1.0.tar.gz\n")
    assert found.credentials == {"https://x.example/demo-1.0.tar.gz": ("joe", "s3cr3t")}
    asked = read(project.root).asked[-1]
    assert asked == Asked(
        requirement=asked.requirement,
        origin=f"{MAIN}:2",
        direct=Direct(location="https://x.example/demo-1.0.tar.gz"),
        unnamed=True,
    )
