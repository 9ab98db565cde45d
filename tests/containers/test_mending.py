"""Builds that lack something: what they get, what the lock keeps of it, and what is only proposed."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from projects import NATIVE, LocalIndex, ProjectSdist, write_project
from wheelhouse.manifest import BuiltStory, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Workplace

pytestmark = pytest.mark.containers

#: Links with a library, the header of which no table knows: the distribution has to be asked.
WITH_MAXMIND = {
    "native.c": f"#include <maxminddb.h>\n{NATIVE}\n"
    "const char *version(void) { return MMDB_lib_version(); }\n"
}
LINKING = """
def compile_extension():
    import subprocess
    include = sysconfig.get_paths()["include"]
    subprocess.check_call(
        ["cc", "-shared", "-fPIC", "-I" + include, "native.c", "-lmaxminddb", "-o", "_native.so"])
"""

#: A backend that imports what it requires.
IMPORTING = "import tool"
REQUIRING = '[build-system]\nrequires = ["tool"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def builds(project: Path) -> dict[str, dict[str, Any]]:
    """By its name, what the lock says of each package that is built."""
    lock = tomllib.loads((project / "pylock.d12.toml").read_text())
    own = {each["name"]: each["tool"]["wheelhouse"] for each in lock["packages"]}
    return {name: table["build"] for name, table in own.items() if "build" in table}


def add_native(index: LocalIndex) -> None:
    index.add(ProjectSdist(name="demo", native=True, extra=LINKING, files=WITH_MAXMIND))


def test_what_a_build_lacks_is_found_given_and_locked(
    workplace: Workplace, index: LocalIndex
) -> None:
    """A package of the distribution for one, a build requirement without a wheel for another."""
    add_native(index)
    index.add(
        ProjectSdist(name="other", extra=IMPORTING, files={"pyproject.toml": REQUIRING}),
        ProjectSdist(name="tool"),
    )
    write_project(workplace.project, index, "demo\nother\n")
    done = workplace.run("build")
    assert done.status == 0, done.said
    assert (
        "demo 1.0 lacks the header maxminddb.h: libmaxminddb-dev is put into its builder"
    ) in done.said

    found = builds(workplace.project)
    assert found["demo"]["provision"] == {"system": {"debian12": ["libmaxminddb-dev"]}}
    (tool,) = found["other"]["environment"]
    assert tool["sdist"]["name"] == "tool-1.0.tar.gz"
    wheels = {each.name: each for each in read_manifest(workplace.house()).wheels}
    assert wheels.keys() == {"demo", "other"}
    story = wheels["demo"].story
    assert isinstance(story, BuiltStory)
    assert story.system_packages == ("libmaxminddb-dev",)
    assert any(each.startswith("libmaxminddb") for each in story.grafted)

    text = (workplace.project / "pylock.d12.toml").read_text()
    workplace.store = workplace.root / "colleague"
    done = workplace.run("build", "--locked")
    assert done.status == 0, done.said
    assert " lacks " not in done.said
    assert (workplace.project / "pylock.d12.toml").read_text() == text


def test_what_may_not_be_given_is_proposed(workplace: Workplace, index: LocalIndex) -> None:
    add_native(index)
    write_project(workplace.project, index, "demo\n")
    config = workplace.project / "wheelhouse.toml"
    config.write_text(f"auto-system = false\n{config.read_text()}")
    done = workplace.run("build")
    assert done.status == 4, done.said
    assert "demo 1.0 cannot be built: the header maxminddb.h is missing in the builder" in done.said
    assert "asked for by: requirements.txt:1" in done.said
    fix = '[packages.demo]\n      system = ["libmaxminddb-dev"]'
    assert fix in done.said
    config.write_text(config.read_text() + fix)
    done = workplace.run("build")
    assert done.status == 0, done.said


def test_old_sdists_get_what_they_were_written_for(workplace: Workplace) -> None:
    """One that uses what setuptools has no longer; one with C that Cython made for older Pythons."""
    (workplace.project / "requirements.txt").write_text("html5lib==1.1\nfrozenlist==1.1.1\n")
    (workplace.project / "wheelhouse.toml").write_text(
        '[targets.d12]\nplatform = "debian12"\npython = "3.11"\n'
        '[packages.html5lib]\nsource = "sdist"\n[packages.frozenlist]\nsource = "sdist"\n'
    )
    done = workplace.run("build")
    assert done.status == 0, done.said
    found = builds(workplace.project)
    assert found["html5lib"]["provision"] == {"constraints": ["setuptools<82"]}
    assert found["frozenlist"]["provision"] == {"requires": ["cython<3"], "regenerate": True}
