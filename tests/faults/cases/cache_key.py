"""Group 24: another input of a build is another build, and `explain` names what has changed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from faults.case import Case
from faults.world import succeeded
from projects import LocalIndex, ProjectSdist, serving
from wheelhouse.building.changes import TITLES, changes
from wheelhouse.building.recipe import ByCibuildwheel, Recipe
from wheelhouse.cuda import Cuda
from wheelhouse.locking.model import BuildRequirement, LockedFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faults.world import World

# --- each field ----------------------------------------------------------------------------------

SDIST = LockedFile(filename="demo-1.0.tar.gz", url="https://files.example.com/d", sha256="a" * 64)
WHEEL = LockedFile(filename="tool-1-py3-none-any.whl", url="https://x.example", sha256="b" * 64)
TOOL = BuildRequirement(name=canonicalize_name("tool"), version=Version("1"), file=WHEEL)
CIBUILDWHEEL = ByCibuildwheel(identifier="cp311", network=False, index="https://i", version="4")
CUDA = Cuda(version=Version("13.2"), arches=("80",))

RECIPE = Recipe(
    sdist=SDIST,
    image="sha256:builder",
    python="/usr/bin/python3",
    tool_python="/opt/tools/bin/python",
    tool_path="/opt/tools/bin",
    environment=(TOOL,),
    system=("libpq-dev",),
    env={"CFLAGS": "-O2"},
    config_settings={"a": "1"},
    cibuildwheel=CIBUILDWHEEL,
    cuda=CUDA,
    toolkit=(WHEEL,),
    search=("header a.h",),
)

#: What a build is given besides its recipe.
MORE: dict[str, object] = {
    "policy": "manylinux_2_36_x86_64",
    "pure": False,
    "agent": "1",
    "left alone": "1",
}

#: By the field, other values of it. Each has to make another key.
OTHERS: dict[str, tuple[object, ...]] = {
    "sdist": (
        replace(SDIST, sha256="c" * 64),
        replace(SDIST, filename="demo-1.1.tar.gz"),
        replace(SDIST, upload_time=datetime(2024, 1, 1, tzinfo=UTC)),
    ),
    "subdirectory": ("inner",),
    "image": ("sha256:newer",),
    "python": ("/usr/bin/python3.12",),
    "environment": (
        (),
        (replace(TOOL, version=Version("2")),),
        (replace(TOOL, file=replace(WHEEL, sha256="d" * 64)),),
        (TOOL, replace(TOOL, name=canonicalize_name("more"))),
    ),
    "env": ({}, {"CFLAGS": "-O3"}, {"CFLAGS": "-O2", "CC": "clang"}, {"CFLAGS": ""}),
    "config_settings": ({}, {"a": "2"}, {"a": ("1", "2")}, {"a": "1", "b": "1"}),
    "cibuildwheel": (
        None,
        replace(CIBUILDWHEEL, identifier="cp312"),
        replace(CIBUILDWHEEL, network=True),
        replace(CIBUILDWHEEL, index="https://j"),
        replace(CIBUILDWHEEL, version="5"),
    ),
    "system": ((), ("libpq-dev", "zlib1g-dev"), ("zlib1g-dev",)),
    "cuda": (
        None,
        replace(CUDA, version=Version("13.0")),
        replace(CUDA, arches=("80", "90")),
        replace(CUDA, arches=()),
    ),
    "toolkit": (
        (),
        (replace(WHEEL, sha256="d" * 64),),
        (replace(WHEEL, filename="tool-2-py3-none-any.whl"),),
    ),
    "search": ((), ("header b.h",)),
    "regenerate": (True,),
}

#: These are in the image, and run the agent only; what a build requirement is built from is in the
#: key of that build, which is among the build requirements.
NO_INPUTS = {"tool_python", "tool_path", "built"}


def _each_field(world: World) -> None:
    """One that is new has to be given a place here, and a name in `explain`."""
    assert {each.name for each in fields(Recipe)} - NO_INPUTS == OTHERS.keys()
    before = RECIPE.inputs("build", **MORE)
    assert before.keys() - {"kind"} == TITLES.keys()
    others = [
        replace(RECIPE, **{name: value})  # type: ignore[arg-type]
        for name, values in OTHERS.items()
        for value in values
    ]
    told = [(each.key("build", **MORE), each.inputs("build", **MORE)) for each in others]
    for name, value in (
        *(("policy", "manylinux_2_28_x86_64"), ("pure", True), ("agent", "2")),
        ("left alone", "2"),
    ):
        more = {**MORE, name: value}
        told.append((RECIPE.key("build", **more), RECIPE.inputs("build", **more)))
    keys = {RECIPE.key("build", **MORE), *(key for key, _ in told)}
    assert len(keys) == len(told) + 1, "two of them have one key"
    for _, now in told:
        found = changes(before, json.loads(json.dumps(now)))
        assert found, now
        assert all(each.part in TITLES and str(each) for each in found), found
        world.figures.add("inputs of keys changed, and named")


# --- with real builds ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Input:
    """A change of a project that was built.

    :ivar more: the end of its ``wheelhouse.toml``, before and after.
    :ivar told: what `explain` says of it.
    :ivar sdist: what its backend does otherwise after.
    """

    told: str
    more: tuple[str, str] = ("", "")
    sdist: Mapping[str, Any] = field(default_factory=dict)


INPUTS = {
    "an environment variable is set": _Input(
        more=("", '[packages.changing.env]\nFLAVOUR = "mild"\n'),
        told="FLAVOUR was set to mild",
    ),
    "a config setting has another value": _Input(
        more=tuple(f'[packages.changing.config-settings]\nlevel = "{n}"\n' for n in "12"),  # type: ignore[arg-type]
        told="config setting level 1 → 2",
    ),
    "a build requirement has another version": _Input(
        more=tuple(f'[packages.changing]\nbuild-requires = ["tool=={n}.0"]\n' for n in "12"),  # type: ignore[arg-type]
        told="tool 1.0 → 2.0",
    ),
    "an sdist has other bytes under the same name": _Input(
        sdist={"extra": "# another one"},
        told="sdist changing-1.0.tar.gz is another file",
    ),
    "its extension may be missing now": _Input(
        more=("", "[packages.changing]\nallow-pure = true\n"),
        told="may be without its extension no → yes",
    ),
}


def _step(world: World, *arguments: str) -> dict[str, Any]:
    """What `explain` tells of the package."""
    done = succeeded(world.run("explain", "--json", "changing", *arguments))
    (target,) = json.loads(done.out)["targets"]
    (step,) = target["packages"]
    return dict(step)


def _changed(name: str, change: _Input) -> Case:
    def attempt(world: World) -> None:
        with serving(LocalIndex()) as index:
            index.add(ProjectSdist(name="changing"))
            index.add(*(ProjectSdist(name="tool", version=f"{n}.0") for n in "12"))
            world.configure("changing==1.0\n", index=index.url, more=change.more[0])
            succeeded(world.build())
            assert _step(world)["action"] == "reuse"
            index.add(ProjectSdist(name="changing", **change.sdist))
            world.configure("changing==1.0\n", index=index.url, more=change.more[1])
            succeeded(world.run("lock", "--upgrade"))
            step = _step(world)
            assert step["action"] == "build", step
            assert change.told in step["past"], step
            assert any(each["change"].startswith(change.told) for each in step["changes"]), step
            done = succeeded(world.build())
            assert "changing built" in done.err, done.said
            assert _step(world)["key"] == step["key"]
            assert _step(world)["action"] == "reuse"

    return Case(group=24, name=name, attempt=attempt)


CASES = [
    Case(group=24, name="each input of a key", attempt=_each_field, engine=False, everyday=True),
    *(_changed(name, change) for name, change in INPUTS.items()),
]
