"""`pylock.toml` as an input, and what all readers of locks have in common."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from inputfiles import problems, read, write
from lockcases import LINUX, OLDER, PYPI, WINDOWS, asked, case, left_out, pins, refusals
from lockfactory import file, lock, package
from packaging.pylock import Pylock
from packaging.tags import Tag
from packaging.version import Version

from wheelhouse.inputs.lockentries import LockFile, set_marker
from wheelhouse.inputs.model import Direct, LeftOut
from wheelhouse.locking.lockfile import dump_lock

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.locking.model import LockedPackage

HEAD = 'lock-version = "1.0"\ncreated-by = "hand"\n'
ONE, TWO = "1" * 64, "2" * 64


def wheel(
    name: str, version: str = "1.0", *, hashes: str = f'sha256 = "{ONE}"', **more: str
) -> str:
    """An entry of one wheel of an index; *more* are its other keys, in TOML."""
    file = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    keys = "".join(f"{key.replace('_', '-')} = {value}\n" for key, value in more.items())
    return (
        f'[[packages]]\nname = "{name}"\nversion = "{version}"\n{keys}'
        f'wheels = [{{ url = "https://files.example.org/{file}", hashes = {{ {hashes} }} }}]\n'
    )


def entry(name: str, *lines: str) -> str:
    """An entry with *lines* of TOML."""
    return "\n".join(("[[packages]]", f'name = "{name}"', *lines, ""))


# --- real ones --------------------------------------------------------------------------------


def test_one_of_pdm_has_its_default_groups(tmp_path: Path) -> None:
    found = read(case(tmp_path, "pylock/pdm"), "pylock.toml")
    assert pins(found) == ["click==8.5.1"]
    assert pins(found, WINDOWS) == ["click==8.5.1", "colorama==0.4.6"]
    click = asked(found)["click"]
    assert click.closed
    assert click.origin == "pylock.toml"
    assert click.index is None
    assert len(click.hashes) == 2


def test_extras_and_groups_are_added(tmp_path: Path) -> None:
    root = case(tmp_path, "pylock/pdm")
    found = read(root, "pylock.toml", extras=("web",), groups=("jobs",))
    assert pins(found) == ["blinker==1.9.0", "click==8.5.1", "itsdangerous==2.2.0"]


def test_what_is_left_out_is_told_with_its_reason(tmp_path: Path) -> None:
    found = left_out(read(case(tmp_path, "pylock/pdm"), "pylock.toml", groups=("dev",)))
    assert [(each.name, each.reason) for each in found] == [
        ("itsdangerous", "the extra web is not wanted"),
        ("blinker", "the group jobs is not wanted"),
        ("colorama", 'sys_platform == "win32" and "default" in dependency_groups'),
    ]
    assert found[0].origin == "pylock.toml"


@pytest.mark.parametrize("groups", [(), ("dev",), ("dev", "jobs")])
@pytest.mark.parametrize("extras", [(), ("web",)])
def test_the_choice_is_that_of_the_specification(
    tmp_path: Path, extras: tuple[str, ...], groups: tuple[str, ...]
) -> None:
    root = case(tmp_path, "pylock/pdm")
    found = read(root, "pylock.toml", extras=extras, groups=groups)
    pylock = Pylock.from_dict(tomllib.loads((root / "pylock.toml").read_text("utf-8")))
    for environment in (LINUX, OLDER, WINDOWS):
        chosen = pylock.select(
            environment=environment,  # type: ignore[arg-type]
            tags=[Tag("py3", "none", "any")],
            extras=extras,
            dependency_groups={"default", *groups},
        )
        assert pins(found, environment) == sorted(
            f"{package.name}=={package.version}" for package, _ in chosen
        )


def test_one_of_pip_has_sources_of_all_kinds(tmp_path: Path) -> None:
    found = asked(read(case(tmp_path, "pylock/pip"), "pylock.toml"))
    assert {name: each.direct for name, each in found.items() if each.direct} == {
        "badge": Direct(location="file:vendor/badge-2.0-py3-none-any.whl"),
        "demo": Direct(location="dir:app"),
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
    assert len(found["badge"].hashes) == 1
    assert str(found["badge"].requirement) == "badge"
    assert not found["demo"].hashes
    assert str(found["six"].requirement) == "six==1.17.0"


def test_a_local_wheel_is_taken_from_where_it_lies(tmp_path: Path) -> None:
    found = asked(read(case(tmp_path, "pylock/pip"), "pylock.links.toml"))["tally"]
    assert found.direct == Direct(location="file:links/tally-1.5-py3-none-any.whl")
    assert found.origin == "pylock.links.toml"
    assert len(found.hashes) == 1


# --- sources ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "index"),
    [
        (PYPI, None),
        (f"{PYPI}/", None),
        ("https://pypi.python.org/simple/", None),
        ("https://corp.example.org/simple/", "https://corp.example.org/simple"),
    ],
)
def test_an_index_is_kept_unless_it_is_the_public_one(
    tmp_path: Path, url: str, index: str | None
) -> None:
    write(tmp_path, {"pylock.toml": HEAD + wheel("tool", index=f'"{url}"')})
    assert asked(read(tmp_path, "pylock.toml"))["tool"].index == index


def test_credentials_are_kept_apart(tmp_path: Path) -> None:
    text = HEAD + wheel("tool", index='"https://ann:p%40ss@corp.example.org/simple"')
    text += entry(
        "far",
        'archive = { url = "https://bob:secret@far.example.org/far-1.0.tar.gz", hashes = '
        f'{{ sha256 = "{ONE}" }} }}',
    )
    text += entry(
        "repo",
        'vcs = { type = "git", url = "https://eve:token@git.example.org/repo.git", commit-id = '
        f'"{"a" * 40}" }}',
    )
    write(tmp_path, {"pylock.toml": text})
    found = read(tmp_path, "pylock.toml")
    assert found.credentials == {
        "https://corp.example.org/simple": ("ann", "p@ss"),
        "https://far.example.org/far-1.0.tar.gz": ("bob", "secret"),
        "https://git.example.org/repo.git": ("eve", "token"),
    }
    for secret in ("ann", "p%40ss", "p@ss", "secret", "token"):
        assert secret not in repr(found.chosen_for(LINUX)) + repr(found)


def test_several_local_files_make_a_folder_of_files(tmp_path: Path) -> None:
    files = ", ".join(
        f'{{ path = "links/tool-1.0-{tag}.whl", hashes = {{ sha256 = "{digest}" }} }}'
        for tag, digest in (("cp311-cp311-linux_x86_64", ONE), ("cp312-cp312-linux_x86_64", TWO))
    )
    write(tmp_path, {"pylock.toml": HEAD + entry("tool", f"wheels = [{files}]")})
    found = asked(read(tmp_path, "pylock.toml"))["tool"]
    assert found.index == (tmp_path / "links").as_uri()
    assert found.direct is None
    assert found.hashes == {ONE, TWO}
    assert str(found.requirement) == "tool==1.0"


def test_paths_begin_at_the_lock(tmp_path: Path) -> None:
    text = HEAD + entry("app", 'directory = { path = "../app", subdirectory = "./py" }')
    write(tmp_path, {"locks/pylock.toml": text})
    found = asked(read(tmp_path, "locks/pylock.toml"))["app"]
    assert found.direct == Direct(location="dir:app", subdirectory="py")
    assert found.origin == "locks/pylock.toml"


def test_what_comes_from_elsewhere_is_known_without_a_target(tmp_path: Path) -> None:
    text = f'extras = ["web"]\n{HEAD}'
    text += entry("app", 'directory = { path = "app" }', "marker = \"sys_platform == 'win32'\"")
    text += wheel("tool")
    write(tmp_path, {"pylock.toml": text})
    (lock,) = read(tmp_path, "pylock.toml").locks
    assert lock.directs == (Direct(location="dir:app"),)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('vcs = { type = "hg", url = "https://x.example.org/r", commit-id = "1" }', "hg"),
        ('directory = { path = ".", subdirectory = "../up" }', "subdirectory outside"),
        ('archive = { url = "ftp://x.example.org/a.zip", hashes = { sha256 = "ab" } }', "SHA-256"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, source: str, said: str) -> None:
    write(tmp_path, {"pylock.toml": HEAD + entry("tool", source) + entry("more", source)})
    first, second = problems(tmp_path, "pylock.toml")
    assert first.message.startswith("pylock.toml: tool ")
    assert second.message.startswith("pylock.toml: more ")
    assert said in first.message
    assert first.hint


# --- the project ------------------------------------------------------------------------------


def test_the_project_may_be_left_out(tmp_path: Path) -> None:
    text = HEAD + wheel("tool") + entry("shop", 'directory = { path = "." }')
    write(tmp_path, {"pylock.toml": text, "pyproject.toml": '[project]\nname = "shop"\n'})
    assert pins(read(tmp_path, "pylock.toml")) == ["shop", "tool==1.0"]
    assert pins(read(tmp_path, "pylock.toml", project=True)) == ["shop", "tool==1.0"]
    assert pins(read(tmp_path, "pylock.toml", project=False)) == ["tool==1.0"]


def test_the_project_may_be_added(tmp_path: Path) -> None:
    write(tmp_path, {"pylock.toml": HEAD + wheel("tool")})
    (error,) = problems(tmp_path, "pylock.toml", project=True)
    assert "no pyproject.toml beside it" in error.message
    write(tmp_path, {"pyproject.toml": '[project]\nname = "My.Shop"\n'})
    found = asked(read(tmp_path, "pylock.toml", project=True))
    assert found["my-shop"].direct == Direct(location="dir:.")
    assert pins(read(tmp_path, "pylock.toml")) == ["tool==1.0"]


# --- versions and hashes ----------------------------------------------------------------------


def test_a_version_may_stand_in_the_name_of_the_file_only(tmp_path: Path) -> None:
    text = wheel("tool", "2.5").replace('version = "2.5"\n', "")
    write(tmp_path, {"pylock.toml": HEAD + text})
    assert pins(read(tmp_path, "pylock.toml")) == ["tool==2.5"]


def test_two_versions_for_one_target(tmp_path: Path) -> None:
    text = wheel("tool", "1.0") + wheel("tool", "2.0", marker="\"sys_platform != 'win32'\"")
    write(tmp_path, {"pylock.toml": HEAD + text})
    found = read(tmp_path, "pylock.toml")
    (error,) = refusals(found)
    assert error.message == (
        "pylock.toml: has tool 1.0 and tool 2.0 for one target, linux x86_64 with Python 3.12.4"
    )
    assert error.hint
    assert pins(found, WINDOWS) == ["tool==1.0"]
    assert left_out(found, WINDOWS) == [
        LeftOut(
            name="tool",
            version="2.0",
            origin="pylock.toml",
            reason='sys_platform != "win32"',
        )
    ]


def test_one_version_from_two_places(tmp_path: Path) -> None:
    text = wheel("tool") + wheel("tool", index='"https://corp.example.org/simple"')
    write(tmp_path, {"pylock.toml": HEAD + text})
    (error,) = refusals(read(tmp_path, "pylock.toml"))
    assert "tool 1.0 and tool 1.0 (https://corp.example.org/simple)" in error.message


def test_an_entry_twice_is_one(tmp_path: Path) -> None:
    text = wheel("tool") + wheel("tool", hashes=f'sha256 = "{TWO}"')
    write(tmp_path, {"pylock.toml": HEAD + text})
    assert asked(read(tmp_path, "pylock.toml"))["tool"].hashes == {ONE, TWO}


def test_hashes_that_are_too_weak(tmp_path: Path) -> None:
    text = wheel("old", hashes='md5 = "abc"') + wheel("older", hashes='md5 = "a", sha1 = "b"')
    text += wheel("both", hashes=f'md5 = "a", sha256 = "{ONE}"')
    text += wheel("other", hashes='md5 = "a"', marker="\"sys_platform == 'win32'\"")
    write(tmp_path, {"pylock.toml": HEAD + text})
    found = read(tmp_path, "pylock.toml")
    assert [error.message for error in refusals(found)] == [
        "pylock.toml: old 1.0 has no SHA-256, only md5",
        "pylock.toml: older 1.0 has no SHA-256, only md5 and sha1",
    ]
    assert "SHA-256" in str(refusals(found)[0].hint)


# --- whom it is for ---------------------------------------------------------------------------


def test_another_python(tmp_path: Path) -> None:
    write(tmp_path, {"pylock.toml": f'{HEAD}requires-python = ">=3.12"\n{wheel("tool")}'})
    found = read(tmp_path, "pylock.toml")
    assert pins(found) == ["tool==1.0"]
    (error,) = refusals(found, OLDER)
    assert error.message == "pylock.toml: is for Python >=3.12, and the target has 3.11.9"
    assert "another Python" in str(error.hint)


def test_a_python_that_is_not_released_yet(tmp_path: Path) -> None:
    write(tmp_path, {"pylock.toml": f'{HEAD}requires-python = ">=3.12"\n{wheel("tool")}'})
    for version in ("3.15.0b1", "3.12.0+"):
        environment = {**LINUX, "python_full_version": version}
        assert pins(read(tmp_path, "pylock.toml"), environment) == ["tool==1.0"]


def test_a_package_for_another_python(tmp_path: Path) -> None:
    write(tmp_path, {"pylock.toml": HEAD + wheel("tool", requires_python='">=3.12"')})
    found = read(tmp_path, "pylock.toml")
    assert pins(found) == ["tool==1.0"]
    (error,) = refusals(found, OLDER)
    assert error.message == "pylock.toml: tool 1.0 is for Python >=3.12, and the target has 3.11.9"


def test_other_environments(tmp_path: Path) -> None:
    said = "environments = [\"sys_platform == 'win32'\", \"sys_platform == 'darwin'\"]\n"
    write(tmp_path, {"pylock.toml": HEAD + said + wheel("tool")})
    found = read(tmp_path, "pylock.toml")
    assert pins(found, WINDOWS) == ["tool==1.0"]
    (error,) = refusals(found)
    assert error.message == (
        'pylock.toml: is for sys_platform == "win32" or sys_platform == "darwin" only, and the '
        "target is linux x86_64 with Python 3.12.4"
    )


def test_extras_and_groups_that_it_does_not_have(tmp_path: Path) -> None:
    root = case(tmp_path, "pylock/pdm")
    (error,) = problems(root, "pylock.toml", extras=("wep",))
    assert error.message == 'pylock.toml: has no extra "wep"; did you mean "web"?'
    (error,) = problems(root, "pylock.toml", groups=("test",))
    assert error.message == 'pylock.toml: has no group "test"'
    assert error.hint == "it has default, dev and jobs"
    (error,) = problems(case(tmp_path, "pylock/pip"), "pylock.links.toml", groups=("test",))
    assert error.hint == "it has no groups: name none"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lock-version = '1.0'\n", "created-by"),
        ("lock-version = '2.0'\ncreated-by = 'x'\npackages = []\n", "version 2.0"),
        (HEAD + "[[packages]]\nname = 'No_Name'\n", "packages[0]"),
        (HEAD + wheel("tool", marker='"sys_platform = 1"'), "marker"),
        ("<<<<<<< ours\n", "not valid TOML"),
        (b"name = '\xff'", "not UTF-8"),
    ],
)
def test_what_is_no_such_lock(tmp_path: Path, text: str | bytes, said: str) -> None:
    write(tmp_path, {"pylock.toml": text})
    (error,) = problems(tmp_path, "pylock.toml")
    assert error.message.startswith("pylock.toml: ")
    assert said in error.message


def test_it_has_to_be_there_and_inside(tmp_path: Path) -> None:
    (error,) = problems(tmp_path, "pylock.toml")
    assert error.message == "pylock.toml: cannot be read: No such file or directory"
    write(tmp_path, {"pylock.toml": HEAD})
    (error,) = problems(tmp_path / "inner", "../pylock.toml")
    assert "outside the project" in error.message


def test_an_older_way_of_naming_extras() -> None:
    marker = set_marker("extra == 'a' and extra != \"b\" and sys_platform == 'linux'")
    for extras, holds in (({"a"}, True), ({"a", "b"}, False), (set(), False)):
        assert LockFile(path="x").holds(marker, LINUX, extras) is holds


def test_it_is_read_as_one_of_several(tmp_path: Path) -> None:
    root = case(tmp_path, "pylock/pdm")
    write(root, {"requirements.txt": "flask\n"})
    found = read(root, "requirements.txt", "pylock.toml")
    assert pins(found) == ["click==8.5.1", "flask"]
    assert {path.name for path in found.files} == {"requirements.txt", "pylock.toml"}
    assert Version("8.5.1") in asked(found)["click"].requirement.specifier


def test_one_that_wheelhouse_has_made(tmp_path: Path) -> None:
    def source(name: str, direct: Direct, place: str) -> LockedPackage:
        sdist = replace(file(f"{name}-1.0.tar.gz"), url=place)
        return package(name, direct=direct, sdist=sdist, wheels=())

    app = Direct(location="dir:app")
    far = Direct(location="git+https://git.example.org/far.git", revision="v1")
    commit = "a" * 40
    made = lock(
        package("tool", index=PYPI),
        source("app", app, app.location),
        source("far", far, f"{far.location}@{commit}"),
        environment=dict(LINUX),
    )
    write(tmp_path, {"pylock.web.toml": dump_lock(made)})
    found = asked(read(tmp_path, "pylock.web.toml"))
    assert str(found["tool"].requirement) == "tool==1.0"
    assert found["tool"].hashes == {made.packages[0].wheels[0].sha256}
    assert found["app"].direct == app
    assert found["far"].direct == replace(far, revision=commit)
