"""`poetry.lock` as an input: locks of Poetry 2.5, 1.8 and 1.1, and what is wrong with others."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from inputfiles import problems, read, write
from lockcases import LINUX, OLDER, WINDOWS, asked, case, left_out, pins, refusals
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.errors import ConfigError
from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.model import Direct
from wheelhouse.inputs.poetrydependency import Dependency, dependencies
from wheelhouse.inputs.poetryproject import PoetryProject
from wheelhouse.inputs.poetryversions import InvalidConstraint, allows

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "poetry.lock"
ONE = "sha256:" + "1" * 64

#: What Poetry 2.5 installs of the lock v2.1 without extras or groups, on Linux with Python 3.12.
MAIN = ["blinker==1.9.0", "click==8.5.1", "core", "itsdangerous==2.2.0", "lib", "shop-app"]
MAIN += ["six==1.17.0", "vendored==1.0"]


def locked(*packages: str, version: str = "2.1", python: str = "*", more: str = "") -> str:
    """A lock of *packages*."""
    metadata = f'[metadata]\nlock-version = "{version}"\npython-versions = "{python}"\n'
    return "\n".join([*packages, metadata + more])


def package(name: str, *lines: str, version: str = "1.0", hash_: str = ONE) -> str:
    """An entry of the main group with one wheel, and with *lines* of TOML."""
    file = f'{{ file = "{name}-{version}-py3-none-any.whl", hash = "{hash_}" }}'
    keys = [f'name = "{name}"', f'version = "{version}"', "optional = false"]
    if not any(line.startswith("groups") for line in lines):
        keys.append('groups = ["main"]')
    if not any(line.startswith("files") for line in lines):
        keys.append(f"files = [{file}]")
    return "\n".join(["[[package]]", *keys, *lines, ""])


def hashed(project: str) -> str:
    """The line that says that the lock is of the pyproject.toml *project*."""
    digest = min(PoetryProject(data=tomllib.loads(project)).content_hashes())
    return f'content-hash = "{digest}"\n'


def source(kind: str, url: str, **more: str) -> str:
    """Where an entry comes from."""
    keys = "".join(f'\n{key} = "{value}"' for key, value in more.items())
    return f'[package.source]\ntype = "{kind}"\nurl = "{url}"{keys}'


def only(root: Path, text: str, **choice: Any) -> list[str]:
    """The pins of a lock *text* that is alone in *root*."""
    write(root, {LOCK: text})
    return pins(read(root, LOCK, **choice))


# --- lock-version 2.1 -------------------------------------------------------------------------


def test_the_main_group_and_the_project_are_chosen(tmp_path: Path) -> None:
    assert pins(read(case(tmp_path, "poetry/v2.1"), LOCK)) == MAIN


def test_markers_are_those_of_the_target(tmp_path: Path) -> None:
    found = read(case(tmp_path, "poetry/v2.1"), LOCK, extras=("web",))
    assert {"blinker==1.7.0", "packaging==26.3"} <= set(pins(found, OLDER))
    assert "zipp" not in asked(found, OLDER)
    assert {"blinker==1.9.0", "zipp==4.1.2"} <= set(pins(found, WINDOWS))


def test_extras_and_groups_are_added_with_what_they_include(tmp_path: Path) -> None:
    root = case(tmp_path, "poetry/v2.1")
    found = read(root, LOCK, extras=("old-zip",), groups=("type-check",))
    added = {"iniconfig==2.3.1", "pluggy==1.7.0", "toml==0.10.2"}
    assert set(pins(found)) == {*MAIN, *added}


def test_the_project_may_be_left_out(tmp_path: Path) -> None:
    found = read(case(tmp_path, "poetry/v2.1"), LOCK, project=False)
    assert pins(found) == [pin for pin in MAIN if pin != "shop-app"]


def test_entries_keep_their_hashes_indexes_and_places(tmp_path: Path) -> None:
    found = asked(read(case(tmp_path, "poetry/v2.1"), LOCK))
    assert all(each.closed and each.origin == LOCK for each in found.values())
    assert found["click"].index == "https://packages.example.org/simple"
    assert found["blinker"].index is None
    assert found["blinker"].hashes == {
        "ba0efaa9080b619ff2f3459d1d500c57bddea4a6b424b60a91141db6fd2f08bc",
        "b4ce2265a7abece45e7cc896e98dbebe6cead56bcf805a3d23136d145f5445bf",
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
    assert len(found["vendored"].hashes) == 1


def test_a_lock_below_the_root_has_its_paths_from_its_own_folder(tmp_path: Path) -> None:
    case(tmp_path / "shop", "poetry/v2.1")
    found = asked(read(tmp_path, "shop/poetry.lock"))
    assert found["core"].direct == Direct(location="dir:shop/libs/core")
    assert found["shop-app"].direct == Direct(location="dir:shop")
    assert found["click"].origin == "shop/poetry.lock"


def test_lock_and_pyproject_are_inputs(tmp_path: Path) -> None:
    files = read(case(tmp_path, "poetry/v2.1"), LOCK).files
    assert {LOCK, "pyproject.toml"} <= {path.name for path in files}


def test_what_is_left_out_is_told_with_its_reason(tmp_path: Path) -> None:
    found = left_out(read(case(tmp_path, "poetry/v2.1"), LOCK, groups=("dev",)))
    assert {(each.name, each.version): each.reason for each in found} == {
        ("blinker", "1.7.0"): 'python_version == "3.11"',
        ("packaging", "26.3"): "the extra web is not wanted",
        ("pluggy", "1.7.0"): "the group type-check is not wanted",
        ("toml", "0.10.2"): "the extra old-zip is not wanted",
        ("zipp", "4.1.2"): 'sys_platform == "win32" and "web" in extras',
    }


def test_without_a_pyproject_there_is_no_project(tmp_path: Path) -> None:
    root = case(tmp_path, "poetry/v2.1")
    (root / "pyproject.toml").unlink()
    assert pins(read(root, LOCK)) == [pin for pin in MAIN if pin != "shop-app"]
    (error,) = problems(root, LOCK, project=True)
    assert error.message == "poetry.lock: there is no project with a name beside it"


def test_markers_may_differ_by_group_and_exclude_extras(tmp_path: Path) -> None:
    by_group = "markers = { main = \"sys_platform == 'win32'\", dev = \"extra != 'slim'\" }"
    text = locked(
        package("both", 'groups = ["main", "dev", "docs"]', by_group),
        package("never", 'markers = "<empty>"'),
        package("plain", "markers = \"extra == 'slim' and extra != 'web'\""),
        more="[extras]\nslim = []\nweb = []\n",
    )
    assert only(tmp_path, text) == []
    assert only(tmp_path, text, groups=("dev",)) == ["both==1.0"]
    assert only(tmp_path, text, groups=("dev",), extras=("slim",)) == ["plain==1.0"]
    assert only(tmp_path, text, extras=("slim", "web")) == []
    assert only(tmp_path, text, groups=("docs",)) == ["both==1.0"]


def test_two_versions_for_one_target_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, {LOCK: locked(package("torch"), package("torch", version="2.0"))})
    (error,) = refusals(read(tmp_path, LOCK))
    assert error.message.startswith("poetry.lock: has torch 1.0 and torch 2.0 for one target")


# --- locks that hold a graph ------------------------------------------------------------------

#: Of the locks v2.0 and v1.1 alike.
REQUESTS = ["certifi==2026.10.18", "charset-normalizer==3.5.2", "idna==3.20", "pysocks==1.7.1"]
REQUESTS += ["requests==2.34.2", "urllib3==2.8.0"]


def test_older_locks_are_followed_from_the_pyproject(tmp_path: Path) -> None:
    found = read(case(tmp_path, "poetry/v2.0"), LOCK)
    main = [*REQUESTS, "blinker==1.9.0", "click==8.5.1", "core", "itsdangerous==2.2.0", "shop-app"]
    assert pins(found) == sorted(main)
    assert pins(found, OLDER) == sorted({*main, "blinker==1.7.0"} - {"blinker==1.9.0"})
    assert asked(found, WINDOWS).keys() - asked(found).keys() == {"pywin32-ctypes"}


def test_older_locks_have_extras_and_groups(tmp_path: Path) -> None:
    root = case(tmp_path, "poetry/v2.0")
    found = read(root, LOCK, extras=("web",), groups=("dev", "type-check"))
    assert {"iniconfig", "pluggy", "zipp"} <= asked(found).keys()
    assert "toml" not in asked(found)
    assert "toml" in asked(found, WINDOWS)


def test_older_locks_tell_what_is_not_reached(tmp_path: Path) -> None:
    found = left_out(read(case(tmp_path, "poetry/v2.0"), LOCK))
    assert {"iniconfig", "pluggy", "toml", "zipp", "blinker"} <= {each.name for each in found}
    assert {each.reason for each in found} == {"nothing that is wanted there depends on it"}


def test_the_oldest_have_their_hashes_apart_and_no_setuptools(tmp_path: Path) -> None:
    found = read(case(tmp_path, "poetry/v1.1"), LOCK)
    assert pins(found) == sorted([*REQUESTS, "click==8.5.1", "shop-app", "zope-event==4.6"])
    assert len(asked(found)["charset-normalizer"].hashes) == 2
    chosen = read(tmp_path, LOCK, extras=("old",), groups=("dev",), project=False)
    assert {"toml", "iniconfig"} <= asked(chosen).keys()


def test_what_an_older_lock_lacks_is_told_with_who_asks(tmp_path: Path) -> None:
    needs = '[package.dependencies]\nidna = ">=2"\nwheel = "*"'
    project = '[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\nrequests = "*"\n'
    text = locked(package("requests", needs), version="2.0", more=hashed(project))
    write(tmp_path, {LOCK: text, "pyproject.toml": project})
    (error,) = refusals(read(tmp_path, LOCK))
    assert error.message == (
        "poetry.lock: has no idna for Python 3.12.4 that requests 1.0 may have"
    )
    assert error.hint == "run `poetry lock`"


def test_of_several_versions_the_newest_is_taken_that_fits_all(tmp_path: Path) -> None:
    project = '[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\napp = "*"\ndb = "*"\n'
    text = locked(
        package("app", '[package.dependencies]\nsql = ">=1"'),
        package("db", '[package.dependencies]\nsql = "<3"'),
        package("sql"),
        package("sql", '[package.dependencies]\nextra-of-two = "*"', version="2.0"),
        package("sql", '[package.dependencies]\nextra-of-three = "*"', version="3.0"),
        package("extra-of-two"),
        package("extra-of-three"),
        version="2.0",
        more=hashed(project),
    )
    write(tmp_path, {LOCK: text, "pyproject.toml": project})
    found = pins(read(tmp_path, LOCK, project=False))
    assert found == ["app==1.0", "db==1.0", "extra-of-two==1.0", "sql==2.0"]


def test_an_older_lock_needs_its_pyproject(tmp_path: Path) -> None:
    write(tmp_path, {LOCK: locked(package("six"), version="2.0")})
    (error,) = problems(tmp_path, LOCK)
    assert "does not say which entries are for whom" in error.message


# --- what is refused --------------------------------------------------------------------------


def test_a_changed_pyproject_is_told(tmp_path: Path) -> None:
    for name in ("v2.1", "v2.0", "v1.1"):
        root = case(tmp_path / name, f"poetry/{name}")
        path = root / "pyproject.toml"
        path.write_text(path.read_text("utf-8").replace("lick", "lick-more", 1), "utf-8")
        (error,) = problems(root, LOCK)
        assert error.message.startswith("poetry.lock: pyproject.toml has changed since it was made")
        assert error.hint == "run `poetry lock`"


def test_other_changes_of_the_pyproject_do_not_matter(tmp_path: Path) -> None:
    path = case(tmp_path, "poetry/v2.1") / "pyproject.toml"
    text = path.read_text("utf-8").replace('version = "1.2.0"', 'version = "1.3.0"')
    path.write_text(text + "\n[tool.ruff]\nline-length = 100\n", "utf-8")
    assert pins(read(tmp_path, LOCK)) == MAIN


def test_hashes_of_poetry_2_0_leave_groups_out() -> None:
    with_groups = PoetryProject(
        data={"project": {"dependencies": ["six"]}, "dependency-groups": {"dev": ["click"]}}
    )
    without = PoetryProject(data={"project": {"dependencies": ["six"]}})
    assert len(with_groups.content_hashes()) == 3
    assert without.content_hashes() < with_groups.content_hashes()


def test_another_python_than_the_locks_is_told(tmp_path: Path) -> None:
    found = read(case(tmp_path, "poetry/v2.1"), LOCK)
    (error,) = refusals(found, {**LINUX, "python_full_version": "3.10.2", "python_version": "3.10"})
    assert error.message == "poetry.lock: is for Python >=3.11,<4, and the target has 3.10.2"


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
    (error,) = problems(case(tmp_path, "poetry/v2.1"), LOCK, **choice)
    assert error.message == f"poetry.lock: {message}"


def test_a_project_with_a_name_that_none_can_have_is_told(tmp_path: Path) -> None:
    project = '[project]\nname = "shop app"\n'
    write(tmp_path, {LOCK: locked(package("six"), more=hashed(project)), "pyproject.toml": project})
    (error,) = problems(tmp_path, LOCK)
    assert error.message.endswith('has a name that none can have: "shop app"')


def test_a_project_that_is_no_package_cannot_be_wanted(tmp_path: Path) -> None:
    project = '[project]\nname = "a"\n[tool.poetry]\npackage-mode = false\n'
    text = locked(package("six"), more=hashed(project))
    write(tmp_path, {LOCK: text, "pyproject.toml": project})
    assert pins(read(tmp_path, LOCK)) == ["six==1.0"]
    (error,) = problems(tmp_path, LOCK, project=True)
    assert "package-mode = false" in error.message


@pytest.mark.parametrize("version", ["0.9", "3.0", "", "new"])
def test_lock_versions_that_are_not_known_are_told(tmp_path: Path, version: str) -> None:
    write(tmp_path, {LOCK: locked(package("six"), version=version)})
    (error,) = problems(tmp_path, LOCK)
    assert "lock-version" in error.message


def test_all_entries_that_cannot_be_used_are_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            LOCK: locked(
                package("a", source("git", "https://git.example.org/a.git", subdirectory="../b")),
                package("b", source("svn", "https://svn.example.org/b")),
                package("c", 'markers = "spam == 1"'),
                package("d", hash_="sha256:12"),
                package("e", version="one"),
                package("f", "files = []"),
                package("no name"),
                package("good"),
            )
        },
    )
    assert [error.message for error in problems(tmp_path, LOCK)] == [
        "poetry.lock: a 1.0 names a subdirectory outside of what it belongs to",
        "poetry.lock: b 1.0 comes from a kind of source that cannot be used: svn",
        'poetry.lock: c 1.0 has a marker that cannot be read: "spam == 1"',
        "poetry.lock: d 1.0 has a hash that is no SHA-256",
        'poetry.lock: e one has a version that is none: "one"',
        "poetry.lock: f 1.0 has no files",
        "poetry.lock: no name 1.0 is an entry without the name of a project",
    ]


def test_hashes_of_another_kind_are_told_where_they_are_needed(tmp_path: Path) -> None:
    weak = package("old", 'groups = ["dev"]', hash_="md5:" + "1" * 32)
    write(tmp_path, {LOCK: locked(weak, package("six"))})
    assert pins(read(tmp_path, LOCK)) == ["six==1.0"]
    (error,) = refusals(read(tmp_path, LOCK, groups=("dev",)))
    assert error.message == "poetry.lock: old 1.0 has no SHA-256, only md5"


def test_credentials_stay_out_of_what_is_asked_for(tmp_path: Path) -> None:
    url = "https://user:pa55@packages.example.org/simple"
    write(tmp_path, {LOCK: locked(package("six", source("legacy", url, reference="corp")))})
    found = read(tmp_path, LOCK)
    assert asked(found)["six"].index == "https://packages.example.org/simple"
    assert found.credentials == {"https://packages.example.org/simple": ("user", "pa55")}


def test_what_is_no_toml_is_told(tmp_path: Path) -> None:
    write(tmp_path, {LOCK: "<<<<<<< ours\n"})
    (error,) = problems(tmp_path, LOCK)
    assert error.message.startswith("poetry.lock: not valid TOML")
    assert error.hint is not None
    assert "conflict" in error.hint


# --- constraints and dependencies -------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "yes", "no"),
    [
        ("^1.2.3", "1.2.3 1.9 1.2.3.post1", "1.2.2 2.0 2.0a1 2.0.dev0"),
        ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3"),
        ("^0.0.3", "0.0.3 0.0.3.post1", "0.0.4 0.1"),
        ("^0", "0 0.9", "1.0"),
        ("~1.2.3", "1.2.3 1.2.9", "1.3 1.2.2"),
        ("~1", "1.0 1.9", "2.0"),
        ("~=1.4", "1.4 1.9", "2.0 1.3"),
        ("1.2.*", "1.2 1.2.9", "1.3"),
        ("1.2", "1.2 1.2.0", "1.2.1"),
        ("=1.2", "1.2", "1.3"),
        ("*", "0 9 1.0a1", ""),
        ("", "0 9", ""),
        (">=3.8 <4.0", "3.8 3.12", "3.7 4.0"),
        (">= 3.8, < 4.0, !=3.9.*", "3.8 3.10", "3.9.1 4.0"),
        ("<2.0 || >=3.0,<4", "1.9 3.5", "2.0 4.0"),
        ("1.2 | 2.0", "1.2 2.0", "1.3"),
    ],
)
def test_constraints_mean_what_poetry_means(constraint: str, yes: str, no: str) -> None:
    assert all(allows(constraint, Version(version)) for version in yes.split())
    assert not any(allows(constraint, Version(version)) for version in no.split())


@pytest.mark.parametrize("constraint", ["^", "one", "^one", ">=1.0,,<2", "1.0 and 2", "^1.*"])
def test_what_is_no_constraint_is_told(constraint: str) -> None:
    with pytest.raises(InvalidConstraint):
        allows(constraint, Version("1.0"))


def test_dependencies_have_all_shapes_that_poetry_writes() -> None:
    table = {
        "python": "^3.11",
        "Six": "*",
        "Numpy": [{"version": "<2", "python": "<3.12"}, ">=2"],
        "torch": {"version": "2.*", "source": "corp", "extras": ["Opt_X"], "optional": True},
        "lib": {"git": "https://git.example.org/lib.git"},
        "public": {"version": "*", "source": "PyPI"},
        "never": {"version": "*", "markers": "<empty>"},
    }
    found = list(dependencies(table))
    names = ["six", "numpy", "numpy", "torch", "lib", "public"]
    assert [each.name for each in found] == names
    assert [each.is_for(LINUX) for each in found] == [True, False, True, True, True, True]
    torch, lib, public = found[3:]
    assert torch.optional
    assert sorted(torch.extras) == ["opt-x"]
    assert public.source == ""
    two = Version("2.0")
    assert torch.fits(two, "corp", elsewhere=False)
    assert not torch.fits(two, "", elsewhere=False)
    assert not torch.fits(Version("3.0"), "corp", elsewhere=False)
    assert lib.fits(two, "", elsewhere=True)
    assert not lib.fits(two, "", elsewhere=False)


@pytest.mark.parametrize(
    ("platform", "linux"),
    [("linux", True), ("win32", False), ("!=win32", True), ("win32 || linux", True), ("*", True)],
)
def test_platforms_are_those_of_the_target(platform: str, linux: bool) -> None:
    (found,) = dependencies({"a": {"version": "*", "platform": platform}})
    assert found.is_for(LINUX) is linux


@pytest.mark.parametrize(
    "table", [{"a": 1}, {"a": {"markers": "spam"}}, {"a": {"platform": "> 3"}}]
)
def test_dependencies_that_cannot_be_read_are_told(table: dict[str, Any]) -> None:
    with pytest.raises(Unusable):
        [each.is_for(LINUX) for each in dependencies(table)]


def test_a_constraint_that_cannot_be_read_is_an_error_of_the_lock(tmp_path: Path) -> None:
    write(tmp_path, {LOCK: locked(package("six"), python="three")})
    (error,) = refusals(read(tmp_path, LOCK))
    assert isinstance(error, ConfigError)
    assert error.message == ('poetry.lock: has a version constraint that cannot be read: "three"')


def test_the_constraint_alone_is_a_dependency() -> None:
    assert list(dependencies({"a": ">=1"})) == [
        Dependency(name=canonicalize_name("a"), constraint=">=1")
    ]
