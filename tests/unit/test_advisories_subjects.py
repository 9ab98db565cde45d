"""What of a lock is looked up, and what must not be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lockfactory import build, built, file, lock, package
from lockingfactory import project

from wheelhouse.advisories.subjects import Subject, subjects
from wheelhouse.inputs.model import Direct
from wheelhouse.settings import AuditSettings, IndexSettings

if TYPE_CHECKING:
    from wheelhouse.locking.model import LockedFile, LockedPackage

ROOT = Path("/srv/project")
PYPI = "https://pypi.org/simple"
CORP = "https://pypi.example.com/simple"


def looked_up(
    *packages: LockedPackage, mirrors: tuple[str, ...] = (), **more: Any
) -> list[Subject]:
    default = IndexSettings(name="default", url=more.pop("default", PYPI))
    settings = replace(
        project(ROOT),
        default_index=default,
        indexes=(IndexSettings(name="corp", url=CORP),),
        audit=AuditSettings(mirrors=mirrors),
    )
    return subjects(lock(*packages), settings, **more)


def foreign(*packages: LockedPackage, **more: Any) -> str:
    [found] = looked_up(*packages, **more)
    return found.foreign


def at(url: str) -> LockedFile:
    return replace(file("demo-1.0-py3-none-any.whl"), url=url)


@pytest.mark.parametrize(
    "index",
    [
        *(PYPI, "https://pypi.org/simple/", "https://PyPI.org/simple"),
        *("https://pypi.python.org/simple", "https://download.pytorch.org/whl/cu128"),
    ],
)
def test_what_is_on_pypi(index: str) -> None:
    assert not foreign(package("demo", index=index))


@pytest.mark.parametrize(
    "index",
    [
        CORP,
        "http://pypi.org/simple",
        "https://pypi.org.example.com/simple",
        "https://example.com/pypi.org/simple",
        "https://pypi.org@example.com/simple",
        "file:mirror",
    ],
)
def test_what_is_not(index: str) -> None:
    assert foreign(package("demo", index=index)).endswith(", which is not PyPI")


def test_no_password_is_told() -> None:
    assert foreign(package("demo", index="https://me:secret@pypi.example.com/simple")) == (
        f"it comes from {CORP}, which is not PyPI"
    )


def test_a_mirror_is_one_when_the_user_says_so() -> None:
    demo = package("demo", index=CORP)
    assert foreign(demo)
    assert foreign(demo, mirrors=("default",))
    assert not foreign(demo, mirrors=("corp",))
    assert not foreign(demo, default=CORP, mirrors=("default",))
    assert not foreign(package("demo", index=CORP + "/"), mirrors=("corp",))


def test_a_mirror_in_the_project() -> None:
    demo = package("demo", index="file:mirror")
    assert not foreign(demo, default=(ROOT / "mirror").as_uri(), mirrors=("default",))


def test_files_of_pypi_are_pypis_wherever_they_are_listed() -> None:
    theirs = at("https://files.pythonhosted.org/packages/demo-1.0-py3-none-any.whl")
    assert not foreign(package("demo", index=CORP, wheels=(theirs,)))
    ours = at("https://pypi.example.com/demo-1.0-py3-none-any.whl")
    assert foreign(package("demo", index=CORP, wheels=(theirs, ours)))
    assert foreign(
        package("demo", index=CORP, wheels=(replace(theirs, url="http" + theirs.url[5:]),))
    )


@pytest.mark.parametrize(
    "location", ["dir:app", "file:vendor/demo.tar.gz", "git+https://github.com/example/demo.git"]
)
def test_what_is_from_no_index(location: str) -> None:
    demo = package("demo", direct=Direct(location=location))
    assert foreign(demo, mirrors=("default", "corp")) == f"it comes from {location}"


def test_a_link_to_pypi_is_pypis() -> None:
    url = "https://files.pythonhosted.org/packages/demo-1.0-py3-none-any.whl"
    assert not foreign(package("demo", wheels=(at(url),), direct=Direct(location=url)))


def test_what_the_server_has_is_its_makers() -> None:
    demo = package("demo", wheels=(), provided="system:python3-demo", index=None)
    assert foreign(demo) == "the server has it by other means (system:python3-demo)"


def test_bypassed_wheels_are_looked_up() -> None:
    assert not foreign(package("demo", index=PYPI, provided="wheel"))


def test_who_asks_for_it() -> None:
    found = looked_up(
        package("flask", "3.0", "requirements.txt:2", requires=("click",)),
        package("click", "8.1", "flask"),
    )
    assert {each.name: each.way for each in found} == {
        "flask": ("requirements.txt:2",),
        "click": ("requirements.txt:2", "flask"),
    }


def test_build_requirements_are_looked_up_once_each() -> None:
    inner = replace(build("wheel-0.40").environment[0], build=build("flit-3.0"))
    made = build("setuptools-65.0")
    found = looked_up(
        replace(built("lxml", made), index=PYPI),
        replace(built("ujson", replace(made, environment=(*made.environment, inner))), index=PYPI),
    )
    builds = {str(each.name): each for each in found if each.role == "build"}
    assert {name: each.builds for name, each in builds.items()} == {
        "flit": ("ujson 1.0",),
        "setuptools": ("lxml 1.0", "ujson 1.0"),
        "wheel": ("ujson 1.0",),
    }
    assert not any(each.foreign for each in builds.values())  # they are the default index's
    assert len(looked_up(replace(built("lxml", made), index=PYPI), builds=False)) == 1


def test_the_toolkit_is_looked_up_for_what_is_built_with_it() -> None:
    toolkit = build("nvcc-13.2", "secret-1.0").environment
    inner = replace(build("kernels-1.0").environment[0], build=build(cuda=True))
    packages = (
        built("fast", replace(build("nvcc-13.2"), cuda=True)),
        built("slow", build("setuptools-65.0")),
        built("outer", replace(build(), environment=(inner,))),
    )
    chosen = lock(
        *(replace(each, index=PYPI) for each in packages),
        toolkit=(toolkit[0], replace(toolkit[1], index=CORP)),
    )
    settings = replace(project(ROOT), default_index=IndexSettings(name="default", url=PYPI))
    found = [each for each in subjects(chosen, settings) if each.role == "toolkit"]
    assert {each.name: each.builds for each in found} == {
        "nvcc": ("fast 1.0", "outer 1.0"),
        "secret": ("fast 1.0", "outer 1.0"),
    }
    assert [each.name for each in found if each.foreign] == ["secret"]
    # It is a build requirement, too, and told as both.
    roles = [each.role for each in subjects(chosen, settings) if each.name == "nvcc"]
    assert roles == ["build", "toolkit"]
    assert not any(each.role != "package" for each in subjects(chosen, settings, builds=False))


def test_build_requirements_of_another_index_are_not_pypis() -> None:
    made = build("setuptools-65.0", "secret-1.0")
    private = replace(made.environment[1], index=CORP)
    made = replace(made, environment=(made.environment[0], private))
    found = looked_up(replace(built("lxml", made), index=PYPI))
    assert [each.name for each in found if each.foreign] == ["secret"]
    elsewhere = looked_up(replace(built("lxml", made), index=PYPI), default="https://x.example/s")
    assert [each.name for each in elsewhere if each.foreign] == ["secret", "setuptools"]
