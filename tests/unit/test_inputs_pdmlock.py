"""`pdm.lock` as an input: locks of PDM 2.29 and 2.12, and what is wrong with others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from inputfiles import problems, read, write
from lockcases import LINUX, OLDER, WINDOWS, asked, case, left_out, pins, refusals

from wheelhouse.inputs.model import Direct
from wheelhouse.inputs.pdmproject import PdmProject
from wheelhouse.inputs.pdmtargets import read_target

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "pdm.lock"
ONE = "sha256:" + "1" * 64

#: What PDM 2.29 installs of the lock `metadata` with `--prod`, on Linux.
MAIN = ["certifi==2026.10.18", "charset-normalizer==3.5.2", "click==8.5.1", "core", "idna==3.20"]
MAIN += ["itsdangerous==2.2.0", "lib", "pysocks==1.7.1", "requests==2.34.2", "shop-app"]
MAIN += ["six==1.17.0", "urllib3==2.8.0", "vendored==1.0"]


def locked(
    *packages: str,
    version: str = "4.5.0",
    strategy: str = '"inherit_metadata"',
    metadata: str = "",
) -> str:
    """A lock of *packages*."""
    head = f'[metadata]\nlock_version = "{version}"\nstrategy = [{strategy}]\n{metadata}\n'
    return "\n".join([head, *packages])


def package(name: str, *lines: str, version: str = "1.0", hash_: str = ONE) -> str:
    """An entry of the default group with one wheel, and with *lines* of TOML."""
    file = f'{{ file = "{name}-{version}-py3-none-any.whl", hash = "{hash_}" }}'
    keys = [f'name = "{name}"', f'version = "{version}"']
    if not any(line.startswith("files") for line in lines):
        keys.append(f"files = [{file}]")
    return "\n".join(["[[package]]", *keys, *lines, ""])


# --- inherit_metadata -------------------------------------------------------------------------


def test_the_default_group_and_the_project_are_chosen(tmp_path: Path) -> None:
    assert pins(read(case(tmp_path, "pdm/metadata"), LOCK)) == MAIN


def test_extras_and_groups_are_added_with_what_they_include(tmp_path: Path) -> None:
    root = case(tmp_path, "pdm/metadata")
    found = read(root, LOCK, extras=("everything",), groups=("type-check",))
    added = {"iniconfig==2.3.1", "packaging==26.3", "pluggy==1.7.0", "toml==0.10.2"}
    assert set(pins(found)) == {*MAIN, *added}
    assert set(pins(found, WINDOWS)) == {*MAIN, *added, "zipp==4.1.2"}


def test_entries_keep_their_hashes_and_places(tmp_path: Path) -> None:
    found = asked(read(case(tmp_path, "pdm/metadata"), LOCK))
    assert all(each.closed and each.origin == LOCK for each in found.values())
    assert all(each.index is None for each in found.values())
    assert found["click"].hashes == {
        "8bb5376d2006950386f8c6427613334a2acadc5f559cb80e638d00b4df957e37",
        "9bbfada76703fd1d784b83eea012e3e8c6a001a876543ef104fa56aaaeb072b4",
    }
    places = {name: each.direct for name, each in found.items() if each.direct}
    six = places.pop("six")
    assert six.location.startswith("https://files.pythonhosted.org/packages/b7/ce/149a")
    assert places == {
        "core": Direct(location="dir:libs/core"),
        "lib": Direct(
            location="git+https://git.example.org/shop/lib.git",
            revision="5c7f582a7c5756b032431845bb3983f3f6a52e06",
            subdirectory="python",
        ),
        "shop-app": Direct(location="dir:."),
        "vendored": Direct(location="file:vendor/vendored-1.0-py3-none-any.whl"),
    }


def test_what_is_left_out_is_told_with_its_reason(tmp_path: Path) -> None:
    found = left_out(read(case(tmp_path, "pdm/metadata"), LOCK, extras=("web",)))
    assert {each.name: each.reason for each in found} == {
        "iniconfig": "the group dev is not wanted and the group type-check is not wanted",
        "pluggy": "the group type-check is not wanted",
        "toml": "the extra everything is not wanted and the extra old-zip is not wanted",
        "zipp": 'the extra everything is not wanted and sys_platform == "win32"',
    }


def test_the_project_may_be_left_out(tmp_path: Path) -> None:
    found = read(case(tmp_path, "pdm/metadata"), LOCK, project=False)
    assert pins(found) == [pin for pin in MAIN if pin != "shop-app"]


def test_without_a_pyproject_there_is_no_project(tmp_path: Path) -> None:
    root = case(tmp_path, "pdm/metadata")
    (root / "pyproject.toml").unlink()
    kept = [pin for pin in MAIN if pin != "shop-app"]
    assert pins(read(root, LOCK)) == sorted([*kept, "blinker==1.9.0"])
    (error,) = problems(root, LOCK, project=True)
    assert "there is none beside it" in error.message


def test_of_several_targets_each_has_its_versions(tmp_path: Path) -> None:
    found = read(case(tmp_path, "pdm/targets"), LOCK)
    assert pins(found) == ["blinker==1.9.0", "click==8.5.1"]
    assert pins(found, OLDER) == ["blinker==1.7.0", "click==8.5.1"]
    assert pins(found, WINDOWS) == ["blinker==1.9.0", "click==8.5.1"]


def test_a_target_that_it_was_not_made_for_is_told(tmp_path: Path) -> None:
    found = read(case(tmp_path, "pdm/targets"), LOCK)
    (error,) = refusals(found, {**LINUX, "platform_machine": "aarch64"})
    assert error.message == (
        "pdm.lock: is for Python ==3.11.*, manylinux_2_40_x86_64, Python ==3.12.*, "
        "manylinux_2_40_x86_64 and Python ~=3.12, windows_amd64; the target has linux, aarch64 "
        "and Python 3.12.4"
    )
    assert error.hint is not None
    assert '--append --python "==3.12.*" --platform' in error.hint


def test_older_ones_have_names_as_they_were_written(tmp_path: Path) -> None:
    root = case(tmp_path, "pdm/v4.4")
    names = asked(read(root, LOCK, extras=("old-zip",), groups=("dev",))).keys()
    assert names - asked(read(root, LOCK)).keys() == {"toml", "iniconfig"}
    assert {"click", "pysocks", "shop-app"} <= names


# --- without it -------------------------------------------------------------------------------


def test_dependencies_are_followed_from_the_pyproject(tmp_path: Path) -> None:
    found = read(case(tmp_path, "pdm/graph"), LOCK, extras=("web",))
    without = {"core", "itsdangerous==2.2.0", "lib"}
    # PDM takes `excludes` to be about what others depend on, not about what the project does.
    assert set(pins(found)) == {*MAIN, "packaging==26.3", "blinker==1.9.0"} - without
    assert "zipp" in asked(found, WINDOWS)


def test_groups_are_followed_into_themselves_and_into_folders(tmp_path: Path) -> None:
    root = case(tmp_path, "pdm/graph")
    found = asked(read(root, LOCK, extras=("everything",), groups=("type-check", "editable")))
    assert {"toml", "packaging", "iniconfig", "pluggy", "core", "itsdangerous"} <= found.keys()
    assert found["core"].direct == Direct(location="dir:libs/core")


def test_what_is_not_reached_is_told(tmp_path: Path) -> None:
    found = left_out(read(case(tmp_path, "pdm/graph"), LOCK))
    names = ["core", "iniconfig", "itsdangerous", "packaging", "pluggy", "toml", "zipp"]
    assert [each.name for each in found] == names
    assert {each.reason for each in found} == {"nothing that is wanted there depends on it"}


def test_a_graph_needs_its_pyproject(tmp_path: Path) -> None:
    write(tmp_path, {LOCK: locked(package("six"), strategy="")})
    (error,) = problems(tmp_path, LOCK)
    assert "does not say which entries are for whom" in error.message


def test_excluded_and_missing_dependencies_of_others(tmp_path: Path) -> None:
    needs = 'dependencies = ["idna>=2", "certifi"]'
    project = '[project]\nname = "a"\ndependencies = ["requests"]\n'
    project += "[tool.pdm]\ndistribution = false\n"
    text = locked(package("requests", needs), package("certifi"), strategy="")
    write(tmp_path, {LOCK: text, "pyproject.toml": project})
    (error,) = refusals(read(tmp_path, LOCK))
    assert error.message == "pdm.lock: has no idna for the target that requests 1.0 may have"
    excluding = f'{project}[tool.pdm.resolution]\nexcludes = ["idna", "requests"]\n'
    write(tmp_path, {"pyproject.toml": excluding})
    assert pins(read(tmp_path, LOCK)) == ["certifi==1.0", "requests==1.0"]


def test_an_overridden_version_will_do_for_all(tmp_path: Path) -> None:
    project = '[project]\nname = "a"\ndependencies = ["requests"]\n'
    project += "[tool.pdm]\ndistribution = false\n"
    text = locked(package("requests", 'dependencies = ["idna<1"]'), package("idna"), strategy="")
    write(tmp_path, {LOCK: text, "pyproject.toml": project})
    (error,) = refusals(read(tmp_path, LOCK))
    assert error.message == "pdm.lock: has no idna for the target that requests 1.0 may have"
    overriding = f'{project}[tool.pdm.resolution.overrides]\nidna = ">=1"\n'
    write(tmp_path, {"pyproject.toml": overriding})
    assert pins(read(tmp_path, LOCK)) == ["idna==1.0", "requests==1.0"]


def test_a_requirement_of_the_project_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    project = '[project]\nname = "a"\ndependencies = ["six ="]\n'
    write(tmp_path, {LOCK: locked(strategy=""), "pyproject.toml": project})
    (error,) = problems(tmp_path, LOCK)
    assert error.message.startswith("pyproject.toml: has a requirement that cannot be read")


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["metadata", "graph", "targets", "v4.4"])
def test_a_changed_pyproject_is_told(tmp_path: Path, name: str) -> None:
    path = case(tmp_path, f"pdm/{name}") / "pyproject.toml"
    path.write_text(path.read_text("utf-8").replace("click>=8", "click>=7"), "utf-8")
    (error,) = problems(tmp_path, LOCK)
    assert error.message.startswith("pdm.lock: pyproject.toml has changed since it was made")
    assert error.hint == "run `pdm lock`"


def test_hashes_of_workspaces_are_not_known() -> None:
    assert len(PdmProject(data={"tool": {"pdm": {"workspace": {}}}}).content_hashes()) == 0


def test_indexes_that_pdm_is_told_of_count(tmp_path: Path) -> None:
    source = (
        '[[tool.pdm.source]]\nname = "pypi"\nurl = "https://packages.example.org/simple"\n'
        '[[tool.pdm.source]]\nname = "corp"\nurl = "https://corp.example.org/simple"\n'
    )
    project = f'[project]\nname = "a"\n[tool.pdm]\ndistribution = false\n{source}'
    write(tmp_path, {LOCK: locked(package("six")), "pyproject.toml": project})
    found = read(tmp_path, LOCK).indexes
    assert [(each.kind, each.url) for each in found] == [
        ("index-url", "https://packages.example.org/simple"),
        ("extra-index-url", "https://corp.example.org/simple"),
    ]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"groups": ("typecheck",)}, 'has no group "typecheck"; did you mean "type-check"?'),
        ({"extras": ("mail",)}, 'has no extra "mail"'),
    ],
)
def test_what_it_does_not_have_cannot_be_chosen(
    tmp_path: Path, choice: dict[str, Any], message: str
) -> None:
    (error,) = problems(case(tmp_path, "pdm/metadata"), LOCK, **choice)
    assert error.message == f"pdm.lock: {message}"


def test_a_group_that_was_not_locked_is_told(tmp_path: Path) -> None:
    text = locked(package("six"), metadata='groups = ["default"]')
    project = '[project]\nname = "a"\n[dependency-groups]\ndev = ["six"]\n'
    write(tmp_path, {LOCK: text, "pyproject.toml": project})
    (error,) = problems(tmp_path, LOCK, groups=("dev",))
    assert error.message == 'pdm.lock: was made without the group "dev"'


def test_a_project_with_a_name_that_none_can_have_is_told(tmp_path: Path) -> None:
    project = '[project]\nname = "shop app"\n'
    write(tmp_path, {LOCK: locked(package("six")), "pyproject.toml": project})
    (error,) = problems(tmp_path, LOCK)
    assert error.message.endswith('has a name that none can have: "shop app"')


def test_a_project_that_is_no_package_cannot_be_wanted(tmp_path: Path) -> None:
    found = case(tmp_path, "pdm/targets")
    (error,) = problems(found, LOCK, project=True)
    assert "PDM is told that it is no package" in error.message


@pytest.mark.parametrize("version", ["4.3", "5.0", "", "new"])
def test_lock_versions_that_are_not_known_are_told(tmp_path: Path, version: str) -> None:
    write(tmp_path, {LOCK: locked(package("six"), version=version)})
    (error,) = problems(tmp_path, LOCK)
    assert "lock_version" in error.message


def test_all_entries_that_cannot_be_used_are_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            LOCK: locked(
                package("a", 'git = "https://git.example.org/a.git"', 'subdirectory = "../b"'),
                package("b", 'hg = "https://hg.example.org/b"'),
                package("c", 'marker = "spam == 1"'),
                package("d", hash_="sha256:12"),
                package("e", version="one"),
                package("f", "files = []"),
                package("no name"),
                package("good"),
            )
        },
    )
    assert [error.message for error in problems(tmp_path, LOCK)] == [
        "pdm.lock: a 1.0 names a subdirectory outside of what it belongs to",
        "pdm.lock: b 1.0 comes from a repository of hg; git is the only kind that is read",
        'pdm.lock: c 1.0 has a marker that cannot be read: "spam == 1"',
        "pdm.lock: d 1.0 has a hash that is no SHA-256",
        'pdm.lock: e one has a version that is none: "one"',
        "pdm.lock: f 1.0 has no files",
        "pdm.lock: no name 1.0 is an entry without the name of a project",
    ]


def test_an_editable_repository_has_its_branch(tmp_path: Path) -> None:
    lines = ["editable = true", 'git = "https://git.example.org/a.git"', 'ref = "main"']
    write(tmp_path, {LOCK: locked(package("a", *lines, "files = []"))})
    found = asked(read(tmp_path, LOCK))["a"].direct
    assert found == Direct(location="git+https://git.example.org/a.git", revision="main")


def test_addresses_of_the_project_are_paths(tmp_path: Path) -> None:
    url = 'url = "file:///${PROJECT_ROOT}/vendor/a-1.0.tar.gz#egg=a"'
    write(tmp_path, {LOCK: locked(package("a", url))})
    found = asked(read(tmp_path, LOCK))["a"]
    assert found.direct == Direct(location="file:vendor/a-1.0.tar.gz")
    assert str(found.requirement) == "a==1.0"


# --- targets ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "included"),
    [
        ({"requires_python": ">=3.8"}, True),
        ({"requires_python": "*"}, True),
        ({"requires_python": ">=3.13"}, False),
        ({"requires_python": "<3.9||>=3.12"}, True),
        ({"platform": "linux"}, True),
        ({"platform": "manylinux_2_17_x86_64"}, True),
        ({"platform": "musllinux_1_2_x86_64"}, True),
        ({"platform": "manylinux_2_17_aarch64"}, False),
        ({"platform": "windows"}, False),
        ({"platform": "macos_14_0_arm64"}, False),
        ({"platform": "plan9"}, False),
        ({"implementation": "cpython"}, True),
        ({"implementation": "pypy"}, False),
    ],
)
def test_targets_include_what_pdm_installs_on(target: dict[str, str], included: bool) -> None:
    assert read_target(target).allows(LINUX) is included


def test_architectures_have_two_names() -> None:
    assert read_target({"platform": "windows_amd64"}).allows(WINDOWS)
    assert read_target({"platform": "windows"}).allows(WINDOWS)
    mac = {**LINUX, "sys_platform": "darwin", "platform_machine": "arm64"}
    assert read_target({"platform": "macos"}).allows(mac)
    assert read_target({"platform": "macos_13_0_arm64"}).allows(mac)


def test_a_target_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    text = locked(metadata='[[metadata.targets]]\nrequires_python = "three"')
    write(tmp_path, {LOCK: text})
    (error,) = problems(tmp_path, LOCK)
    assert error.message == 'pdm.lock: has a target whose requires_python is none: "three"'


def test_an_extra_that_was_not_locked_is_told_as_one(tmp_path: Path) -> None:
    text = locked(package("six"), metadata='groups = ["default"]')
    project = '[project]\nname = "a"\n[project.optional-dependencies]\nweb = ["six"]\n'
    write(tmp_path, {LOCK: text, "pyproject.toml": project})
    (error,) = problems(tmp_path, LOCK, extras=("web",))
    assert error.message == 'pdm.lock: was made without the extra "web"'
