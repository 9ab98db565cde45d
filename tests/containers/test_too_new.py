"""Wheels that need a newer platform than the target: built here, or with a tag that hides it."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

import liars
from projects import LocalIndex, ProjectSdist, write_project
from wheelhouse import planning, supplying
from wheelhouse.cli.workbench import workbench
from wheelhouse.config import load_project
from wheelhouse.errors import CheckError
from wheelhouse.events import SilentReporter
from wheelhouse.locking.current import Freshness
from wheelhouse.targets import Libc

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Workplace

    from wheelhouse.targets import Interpreter

pytestmark = pytest.mark.containers

#: Calls a function that the C library has since 2.36.
NEW = """
#include <Python.h>
#include <stdlib.h>
static struct PyModuleDef definition = { PyModuleDef_HEAD_INIT, "_native", 0, -1, 0 };
PyMODINIT_FUNC PyInit__native(void) { arc4random(); return PyModule_Create(&definition); }
"""


def test_what_is_built_on_a_newer_platform_is_refused(
    workplace: Workplace, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target whose libc is older than its builder's: auditwheel alone would name no cause.

    The images are those of Debian 12; only what is known of the target is another platform's.
    """
    index.add(ProjectSdist(name="alpha", native=True, files={"native.c": NEW}))
    write_project(workplace.project, index, "alpha\n")
    monkeypatch.setenv("WHEELHOUSE_CACHE", str(workplace.store))
    project = load_project(workplace.project / "wheelhouse.toml")
    target = project.targets["d12"]
    preset = replace(
        target.preset,
        title="Amazon Linux 2023",
        libc=Libc.parse("glibc 2.34"),
        glibcxx=Version("3.4.29"),
    )
    for action in ("build", "reuse"):
        with workbench(project, "docker", SilentReporter()) as run:
            here = planning.plan_one(run, target, Freshness.RENEW_IF_STALE)
            older = replace(target, preset=preset)
            planned = planning.plan_with(
                run, older, here.images, _without_newest_tags(here.interpreter), here.lock
            )
            assert [step.action for step in planned.plan.steps] == [action]
            with pytest.raises(CheckError) as told:
                supplying.supply(run, planned, Freshness.RENEW_IF_STALE)
        assert told.value.message == (
            "alpha-1.0-cp311-cp311-manylinux_2_36_x86_64.whl must not enter the wheelhouse: "
            "alpha/_native.so: needs GLIBC_2.36 of libc.so.6 (arc4random); "
            "Amazon Linux 2023 has at most GLIBC_2.34"
        )
        assert told.value.hint is not None
        assert 'builder = "portable" under [targets.d12]' in told.value.hint


def _without_newest_tags(interpreter: Interpreter) -> Interpreter:
    """*interpreter* as it would be with glibc 2.34."""
    newest = ("manylinux_2_35_x86_64", "manylinux_2_36_x86_64")
    tags = tuple(tag for tag in interpreter.tags if tag.platform not in newest)
    return replace(interpreter, libc=Libc.parse("glibc 2.34"), tags=tags)


@pytest.fixture
def liar(tmp_path: Path, index: LocalIndex) -> str:
    """The name of the newest wheel of a project, of which the tag is not true."""
    filename = f"liar-1.0-{liars.TAG}.whl"
    native = liars.extension(tmp_path, too_new=True)
    index.files["liar"] = {filename: liars.wheel("liar", "1.0", native)}
    return filename


def wheels(workplace: Workplace) -> list[str]:
    return sorted(path.name for path in workplace.house().glob("wheels/*"))


def test_an_untrue_tag_leads_to_an_older_release(
    workplace: Workplace, index: LocalIndex, liar: str, tmp_path: Path
) -> None:
    honest = f"liar-0.9-{liars.TAG}.whl"
    native = liars.extension(tmp_path, too_new=False)
    index.files["liar"][honest] = liars.wheel("liar", "0.9", native)
    write_project(workplace.project, index, "liar\n")
    path = workplace.project / "pylock.d12.toml"
    assert workplace.run("lock").status == 0
    unaware = path.read_bytes()

    refused = workplace.run("build", "--locked")
    assert refused.status == 3, refused.said
    assert f"{liar} is not what its tag says" in " ".join(refused.err.split())
    assert "without --locked" in " ".join(refused.err.split())
    assert path.read_bytes() == unaware
    assert not workplace.house().exists()

    first = workplace.run("build")
    assert first.status == 0, first.said
    assert wheels(workplace) == [honest]
    (known,) = tomllib.loads(path.read_text())["tool"]["wheelhouse"]["refused"]
    assert known["name"] == liar
    assert known["reason"] == (
        "liar/_native.abi3.so: needs GLIBC_2.99 of libc.so.6 (of_tomorrow); "
        "Debian 12 (bookworm) has at most GLIBC_2.36"
    )
    assert f"{known['reason']}; liar 0.9 is used instead" in " ".join(first.said.split())

    learned, index.requests[:] = path.read_bytes(), []
    again = workplace.run("build", "--again", "--locked")
    assert again.status == 0, again.said
    assert "is not what its tag says" not in " ".join(again.said.split())
    assert not index.requests
    assert path.read_bytes() == learned


def test_an_untrue_tag_leads_to_the_sdist(
    workplace: Workplace, index: LocalIndex, liar: str
) -> None:
    index.add(ProjectSdist(name="liar", native=True))
    write_project(workplace.project, index, "liar\n")
    done = workplace.run("build")
    assert done.status == 0, done.said
    assert "it is built from its sdist instead" in " ".join(done.said.split())
    (built,) = wheels(workplace)
    assert built.startswith("liar-1.0-cp311-cp311-manylinux")
