"""What of a recipe for cibuildwheel applies, and what cibuildwheel itself makes of our file."""

from __future__ import annotations

import os
import subprocess
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cibuildwheel.options import BuildOptions, CommandLineArguments, compute_options
from packaging.version import Version

from wheelhouse.agent.cibuildwheel import for_target
from wheelhouse.building import cibuildwheel, cibuildwheel_config
from wheelhouse.building.cibuildwheel_config import (
    OURS,
    Surroundings,
    configuration,
    excluded,
    failed_step,
    python_folder,
    recipe_of,
    wants_network,
)
from wheelhouse.building.cibuildwheel_process import LAUNCH, MEMORY, PYTHON, make_removable
from wheelhouse.building.recipe import ByCibuildwheel, Recipe
from wheelhouse.cuda import Cuda
from wheelhouse.engine import Limits
from wheelhouse.engine.docker_command import profile, reaching
from wheelhouse.locking.model import LockedFile
from wheelhouse.tags import tags_of
from wheelhouse.targets import Libc

if TYPE_CHECKING:
    from pathlib import Path

HERE = Surroundings(
    identifier="cp311-manylinux_x86_64",
    image="sha256:0123",
    engine="docker",
    create_args=["--network=none", "--env=A=b; c 'd'"],
    prepare="prepare || exit 1",
    env={},
    config_settings={},
)

#: The forms that recipes come in: strings, lists, tables, platforms, overrides of several kinds.
PLAIN = """
build-frontend = "build[uv]"
archs = ["auto64"]
test-requires = "-r requirements/test.txt"
test-command = "pytest {project}/tests"
"""
STRINGS = """
before-all = "yum install -y libffi-devel || apt-get install libffi-dev"
environment = "STRICT=1 FLAGS='-O2 -g'"
config-settings = "setup-args=-Done=1 setup-args=-Dtwo=2"
linux.before-build = "pip install cython; echo $?"
"""
TABLES = """
before-build = ["bash {project}/tools/before.sh {project}", "echo done"]
environment-pass = ["TOKEN"]
build-verbosity = 1
manylinux-x86_64-image = "ghcr.io/example/image"

[environment]
STATIC = "true"
CFLAGS = "-O3"
WHERE = "$(pwd)/lib:$PATH"

[linux]
archs = ["x86_64", "aarch64"]
repair-wheel-command = "auditwheel repair --strip -w {dest_dir} {wheel}"
environment = { CFLAGS = "-O2" }
inherit = { environment = "append" }

[macos]
before-all = "brew install libomp"

[[overrides]]
select = "*linux_x86_64"
inherit.environment = "append"
environment.CFLAGS = "-O3 -march=core2"
test-command = "false"

[[overrides]]
select = ["cp3{10,11}-*", "cp39-*"]
before-all = "dnf install -y hdf5-devel"

[[overrides]]
select = "*-musllinux*"
before-all = "apk add hdf5-dev"
repair-wheel-command = ""

[[overrides]]
select = "*"
test-extras = ["all"]
"""


def read_back(text: str, tmp_path: Path, here: Surroundings = HERE) -> BuildOptions:
    """What cibuildwheel reads in the file of ours that it gets for the recipe *text*."""
    config = tmp_path / "config.toml"
    config.write_text(configuration(tomllib.loads(text), here))
    arguments = replace(
        CommandLineArguments.defaults(), config_file=str(config), only=here.identifier
    )
    options = compute_options("linux", arguments, env={})
    return options.build_options(here.identifier)


def seen(options: BuildOptions) -> dict[str, str]:
    def run(command: list[str], _: dict[str, str]) -> str:
        assert command == ["pwd"]
        return "/project\n"

    return options.environment.as_dictionary({"PATH": "/bin"}, executor=run)


@pytest.mark.parametrize("text", [PLAIN, STRINGS, TABLES])
def test_what_is_ours_is_so_whatever_they_say(text: str, tmp_path: Path) -> None:
    options = read_back(text, tmp_path)

    assert options.test_command == ""
    assert options.audit_command == []
    assert options.before_all.startswith("prepare || exit 1")
    assert options.manylinux_images is not None
    assert options.manylinux_images["x86_64"] == "sha256:0123"
    assert options.container_engine.create_args == tuple(HERE.create_args)
    assert options.container_engine.disable_host_mount
    assert options.build_frontend.name == "uv"
    assert "--require-hashes" in options.build_frontend.args
    assert not options.globals.build_selector.skip_config


def test_strings_are_joined_as_in_a_shell(tmp_path: Path) -> None:
    here = replace(HERE, env={"STRICT": "2"}, config_settings={"setup-args": "-Dmine", "x": ["y"]})
    options = read_back(STRINGS, tmp_path, here)

    assert options.before_all == (
        "prepare || exit 1 && yum install -y libffi-devel || apt-get install libffi-dev"
    )
    assert options.before_build == "pip install cython; echo $?"
    assert options.repair_command == "auditwheel repair -w {dest_dir} {wheel}"
    assert seen(options) == {"PATH": "/bin", "STRICT": "2", "FLAGS": "-O2 -g"}
    assert options.config_settings == "setup-args=-Dmine x=y"


def test_levels_are_merged_as_they_ask_for(tmp_path: Path) -> None:
    options = read_back(TABLES, tmp_path)

    assert options.before_all == "prepare || exit 1 && dnf install -y hdf5-devel"
    assert options.before_build == "bash {project}/tools/before.sh {project} && echo done"
    assert options.repair_command == "auditwheel repair --strip -w {dest_dir} {wheel}"
    assert seen(options) == {
        "PATH": "/bin",
        "STATIC": "true",
        "CFLAGS": "-O3 -march=core2",
        "WHERE": "/project/lib:/bin",
    }


def test_another_platform_gets_its_own(tmp_path: Path) -> None:
    options = read_back(TABLES, tmp_path, replace(HERE, identifier="cp311-musllinux_x86_64"))

    assert options.before_all == "prepare || exit 1 && apk add hdf5-dev"
    assert options.repair_command == ""
    assert options.musllinux_images is not None
    assert options.musllinux_images["x86_64"] == "sha256:0123"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a b",
        "it's",
        '"q"',
        "$HOME `id` $(id)",
        "back\\slash\\",
        "a;b&c|d",
        "ü\t*",
        "a\nb",
        "\\$x",
    ],
)
def test_the_users_variables_arrive_as_they_are(value: str, tmp_path: Path) -> None:
    options = read_back(TABLES, tmp_path, replace(HERE, env={"CFLAGS": value, "MINE": value}))

    environment = seen(options)
    assert (environment["CFLAGS"], environment["MINE"]) == (value, value)


@pytest.mark.parametrize(
    ("own", "headers"),
    [({}, f"{OURS}/cuda/include"), ({"CPATH": "/mine"}, f"/mine:{OURS}/cuda/include")],
)
def test_the_users_folders_come_before_those_of_cuda(
    own: dict[str, str], headers: str, tmp_path: Path
) -> None:
    """As in every build: what the user names does not hide what the toolkit needs."""
    terms = ByCibuildwheel(identifier=HERE.identifier, network=False, index="", version="1")
    recipe = Recipe(
        sdist=LockedFile(filename="demo-1.tar.gz", url="x", sha256="a" * 64),
        image="i",
        python="p",
        tool_python="t",
        tool_path="b",
        env={**own, "MINE": "1"},
        cuda=Cuda(version=Version("13.2")),
        cibuildwheel=terms,
    )
    assert cibuildwheel.variables(recipe)["CPATH"] == headers
    assert cibuildwheel.variables(recipe)["LIBRARY_PATH"] == f"{OURS}/cuda/lib"
    assert cibuildwheel.variables(replace(recipe, cuda=None)).get("CPATH") == own.get("CPATH")
    options = read_back(TABLES, tmp_path, replace(HERE, env=cibuildwheel.overruling(recipe)))
    environment = seen(options)
    assert environment.get("CPATH") == (headers if own else None)
    assert environment["MINE"] == "1"


def test_nothing_of_other_platforms_or_of_tests_is_written() -> None:
    table = tomllib.loads(configuration(tomllib.loads(TABLES), HERE))["tool"]["cibuildwheel"]

    assert len(table["overrides"]) == 4, "three that have what applies, and ours"
    text = str(table)
    for word in ("test-", "brew", "TOKEN", "archs", "ghcr.io", "skip"):
        assert word not in text


@pytest.mark.parametrize(
    "pyproject",
    [
        {"tool": 1},
        {"tool": {"cibuildwheel": []}},
        {"tool": {"cibuildwheel": {"linux": "x"}}},
        {"tool": {"cibuildwheel": {"overrides": {}}}},
        {"tool": {"cibuildwheel": {"overrides": [1]}}},
    ],
)
def test_a_recipe_of_another_form_is_refused(pyproject: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="its \\[tool"):
        configuration(recipe_of(pyproject), HERE)


@pytest.mark.parametrize(
    ("recipe", "selector"),
    [
        ({}, None),
        ({"build": "*"}, None),
        ({"build": "cp3*", "skip": ["*-musllinux*", "pp*"]}, None),
        ({"build": ["cp39-*", "cp31{0,1}-*"]}, None),
        ({"build": ["cp39-*", "cp310-*"]}, 'build = "cp39-* cp310-*"'),
        (
            {"skip": "cp3*t-* cp3{9,10,11}-*linux_{ppc64le,x86_64}"},
            'skip = "cp3{9,10,11}-*linux_{ppc64le,x86_64}"',
        ),
        ({"skip": ["pp* cp311-*"]}, 'skip = "cp311-*"'),
        ({"skip": "{1..999999999}"}, None),
        ({"skip": "{" * 5000 + "cp311-*"}, None),
        ({"skip": 5, "build": None}, None),
    ],
)
def test_who_is_left_out(recipe: dict[str, Any], selector: str | None) -> None:
    assert excluded(recipe, "cp311-manylinux_x86_64") == selector


@pytest.mark.parametrize(
    ("python", "libc", "identifier", "folder"),
    [
        ("3.11", "glibc 2.36", "cp311-manylinux_x86_64", "cp311-cp311"),
        ("3.14t", "glibc 2.34", "cp314t-manylinux_x86_64", "cp314-cp314t"),
        ("3.12", "musl 1.2", "cp312-musllinux_x86_64", "cp312-cp312"),
    ],
)
def test_what_cibuildwheel_calls_a_python(
    python: str, libc: str, identifier: str, folder: str
) -> None:
    from cibuildwheel.platforms.linux import all_python_configurations

    system = Libc.parse(libc)
    best = tags_of(python, system, "x86_64")[0]
    assert cibuildwheel_config.identifier(best, system, "x86_64") == identifier
    assert python_folder(best) == f"/opt/python/{folder}"
    known = {each.identifier: each.path_str for each in all_python_configurations()}
    assert known[identifier] == f"/opt/python/{folder}"


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (
            "repair -w out a.whl",
            "repair -w out a.whl --strip --plat manylinux_2_36_x86_64 --exclude libcuda.so.1",
        ),
        (
            "-v repair -w out a.whl",
            "-v repair -w out a.whl --strip --plat manylinux_2_36_x86_64 --exclude libcuda.so.1",
        ),
        ("show a.whl", "show a.whl"),
    ],
)
def test_a_repair_is_for_the_target(arguments: str, made: str) -> None:
    found = for_target(arguments.split(), "manylinux_2_36_x86_64", ["libcuda.so.1"])
    assert found == made.split()


def test_what_a_container_has_locked_can_be_removed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    output = tmp_path / "output"
    (output / "a" / "b").mkdir(parents=True)
    (output / "a" / "link").symlink_to(outside)
    for folder in (output / "a" / "b", output / "a", output):
        folder.chmod(0o000)
    make_removable(output)
    modes = [each.stat().st_mode & 0o777 for each in (output, output / "a", output / "a" / "b")]
    assert modes == [0o700] * 3
    assert outside.stat().st_mode & 0o777 == 0o500
    make_removable(tmp_path / "never made")


def test_limits_that_are_lower_already_stay(tmp_path: Path) -> None:
    python = " ".join([*PYTHON, "-X", f"pycache_prefix={tmp_path}"])
    command = f'ulimit -f 1; exec {python} -c "$0" $$ {MEMORY} {1 << 30} --help'
    # The shell becomes the program, whose parent is then this process.
    command = command.replace("$$", str(os.getpid()))
    done = subprocess.run(["sh", "-c", command, LAUNCH], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert list(tmp_path.iterdir()) == [], "cut bytecode, which nothing could import"


def test_where_a_recipe_failed() -> None:
    log = ["Running before_all...\n", "\n", "x\n", "Building wheel...\n", "y\n"]
    assert failed_step([*log, "Repairing wheel...\n", "no\n"]) == "repair-wheel-command"
    assert failed_step(log) == "the build itself"
    assert failed_step(["Running before_build..."]) == "before-build"
    assert failed_step([]) == "its start"


@pytest.mark.parametrize(
    ("line", "wants"),
    [
        ("curl: (6) Could not resolve host: example.org", True),
        ("  Temporary failure resolving 'deb.debian.org'", True),
        ("ERROR: No matching distribution found for cython", True),
        ("gcc: fatal error: no input files", False),
    ],
)
def test_a_recipe_that_wants_a_network(line: str, wants: bool) -> None:
    assert wants_network(f"x\n{line}\ny") is wants


@pytest.mark.parametrize("network", [False, True])
def test_the_rights_of_its_container(network: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:word@proxy.invalid")
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    limits = Limits(memory=1 << 30, processes=99, cpus=64)

    made = list(profile(limits, 2, network=network))

    assert {"--rm", "--cap-drop=ALL", "--security-opt=no-new-privileges"} <= set(made)
    assert {"--pids-limit=99", "--memory=1073741824", "--memory-swap=1073741824"} <= set(made)
    assert "--cpus=2" in made, "no more than there are"
    assert ("--network=none" in made) is not network
    assert any(each.startswith("--cap-add") for each in made) is network
    assert "--env=https_proxy=" in made, "it has a password in it"
    assert ("--env=http_proxy=http://proxy.invalid" in made) is network


def test_what_its_program_sees_of_this_process() -> None:
    variables = dict.fromkeys(("CIBW_BEFORE_ALL", "PIP_INDEX_URL", "GITHUB_TOKEN", "CI"), "theirs")
    variables |= {"PATH": ":/usr/bin:.:bin:/bin", "DOCKER_HOST": "ssh://there", "HOME": "/home/me"}

    assert reaching(variables, None) == {
        "PATH": "/usr/bin:/bin",  # the sdist's folder is where it runs
        "DOCKER_HOST": "ssh://there",
        "HOME": "/home/me",
    }
    assert reaching({}, "/run/docker.sock")["DOCKER_HOST"] == "unix:///run/docker.sock"
