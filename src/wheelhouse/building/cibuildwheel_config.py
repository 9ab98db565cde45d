"""The configuration that cibuildwheel gets: its maintainers' recipe, and what we add. Pure.

An sdist's ``[tool.cibuildwheel]`` serves all platforms, tests included. Of it only what makes a
wheel is taken, and cibuildwheel itself merges the levels (all platforms, Linux, ``overrides``), as
its maintainers are used to. Ours stands last, as one more override.

The form: https://cibuildwheel.pypa.io/en/stable/options/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import bracex
import tomli_w

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.tags import Tag

    from wheelhouse.targets import Libc

#: What applies of a recipe. Left out are its tests, its images and its engine, which Pythons it is
#: for, variables of the maintainers' own CI, and the frontend: ours installs what is locked.
APPLIES = ("before-all", "before-build", "config-settings", "environment", "repair-wheel-command")

#: Where in the container the project lies, as always with cibuildwheel; what we send along, within
#: the project at first; and where that is moved before anything of the project runs.
PROJECT = "/project"
LUGGAGE = ".wheelhouse"
OURS = "/wheelhouse"


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What is not the recipe's to say.

    :ivar identifier: cibuildwheel's name for the Python and platform.
    :ivar image: the ID of the image to build in.
    :ivar engine: ``docker`` or ``podman``; *create_args* go to each ``create`` of it.
    :ivar prepare: a shell command that comes before all others; it ends the shell if it fails.
    :ivar env: environment variables that win over the recipe's.
    :ivar config_settings: for the backend; they win over the recipe's of the same name.
    """

    identifier: str
    image: str
    engine: str
    create_args: Sequence[str]
    prepare: str
    env: Mapping[str, str]
    config_settings: Mapping[str, str | Sequence[str]]


def recipe_of(pyproject: Mapping[str, Any]) -> Mapping[str, Any]:
    """``[tool.cibuildwheel]`` of a parsed pyproject.toml; empty if there is none.

    :raises ValueError: it is no table.
    """
    return _table(_table(pyproject.get("tool", {}), "tool").get("cibuildwheel", {}), "cibuildwheel")


def configuration(recipe: Mapping[str, Any], here: Surroundings) -> str:
    """The text of the file that cibuildwheel is given.

    :raises ValueError: *recipe* has another form than cibuildwheel reads.
    """
    overrides = recipe.get("overrides", [])
    if not isinstance(overrides, list):
        raise ValueError("its [tool.cibuildwheel] overrides are no list")  # noqa: TRY004  (data)
    kept = [_kept(_table(each, "overrides"), "select") for each in overrides]
    table = {
        **_kept(recipe),
        **_fixed(here),
        "linux": _kept(_table(recipe.get("linux", {}), "linux")),
        "overrides": [*(each for each in kept if each.keys() & {*APPLIES}), _last(here)],
    }
    return tomli_w.dumps({"tool": {"cibuildwheel": table}})


def excluded(recipe: Mapping[str, Any], identifier: str) -> str | None:
    """The selector by which its maintainers leave *identifier* out, or None if they build it."""
    build = _words(recipe.get("build"))
    if build and not _selects(build, identifier):
        return f'build = "{" ".join(build)}"'
    return next(
        (f'skip = "{each}"' for each in _words(recipe.get("skip")) if _selects([each], identifier)),
        None,
    )


def identifier(tag: Tag, libc: Libc, arch: str) -> str:
    """cibuildwheel's name for a Python on *libc*: *tag* is the best one that it installs."""
    platform = "musllinux" if libc.family == "musl" else "manylinux"
    return f"{tag.abi}-{platform}_{arch}"


def python_folder(tag: Tag) -> str:
    """Where that Python is in an image made for cibuildwheel, such as ``cp314-cp314t``."""
    return f"/opt/python/{tag.interpreter}-{tag.abi}"


def _table(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"its [tool.cibuildwheel] has a wrong form at {name}")  # noqa: TRY004
    return value


def _kept(table: Mapping[str, Any], *also: str) -> dict[str, Any]:
    """What applies of one level, and how it is joined with the level before it."""
    return {name: table[name] for name in (*APPLIES, "inherit", *also) if name in table}


def _fixed(here: Surroundings) -> dict[str, Any]:
    _, _, platform = here.identifier.partition("-")
    return {
        f"{platform.replace('_', '-', 1)}-image": here.image,
        "container-engine": {
            "name": here.engine,
            "create-args": list(here.create_args),
            "disable-host-mount": True,  # or all files of this machine would be there
        },
        # Every build requirement by its hash, from the folder that came along.
        "build-frontend": {
            "name": "uv",
            "args": [
                *("--no-config", "--offline", "--no-index", "--find-links", f"{OURS}/requires"),
                *("--build-constraints", f"{OURS}/build-requirements.txt", "--require-hashes"),
            ],
        },
        "audit-command": "",  # it would run on this machine
        "dependency-versions": "latest",  # of test tools: there are no tests
    }


def _last(here: Surroundings) -> dict[str, Any]:
    assignments = [f"{name}={_in_quotes(value)}" for name, value in here.env.items()]
    return {
        "select": "*",
        "before-all": here.prepare,
        "environment": " ".join(assignments),
        "config-settings": {
            name: value if isinstance(value, str) else list(value)
            for name, value in here.config_settings.items()
        },
        "inherit": {
            "before-all": "prepend",
            "environment": "append",
            "config-settings": "append",
        },
    }


def _in_quotes(value: str) -> str:
    """*value* as a shell reads it back. cibuildwheel's own reader does not know all quotings."""
    return '"' + re.sub(r'([\\"$`])', r"\\\1", value) + '"'


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [word for each in value for word in str(each).split()] if isinstance(value, list) else []


def _selects(patterns: Sequence[str], identifier: str) -> bool:
    """Whether one of *patterns* fits; they are a shell's, braces included."""
    try:
        return any(
            fnmatchcase(identifier, each) for pattern in patterns for each in bracex.expand(pattern)
        )
    except (RecursionError, bracex.ExpansionLimitException):  # nobody means such a pattern
        return False


#: What cibuildwheel prints when a step begins, and what a recipe calls it.
_STEPS = {
    "Running before_all...": "before-all",
    "Running before_build...": "before-build",
    "Building wheel...": "the build itself",
    "Repairing wheel...": "repair-wheel-command",
}

_WANTS_NETWORK = re.compile(
    r"Temporary failure (?:in name resolution|resolving)|Could ?n[o']t resolve host"
    r"|Network is unreachable|Name or service not known|No matching distribution found"
    r"|Unable to locate package|not found in the package registry|unable to resolve host"
)


def failed_step(log: Iterable[str]) -> str:
    """In which step of the recipe the *log* of a failed run ends; its lines, from the first on."""
    begun = [_STEPS[line] for each in log if (line := each.rstrip()) in _STEPS]
    return begun[-1] if begun else "its start"


def wants_network(log: str) -> bool:
    """Whether the *log* tells of a command that needs a network."""
    return _WANTS_NETWORK.search(log) is not None
