"""What builds are given from the start, because earlier ones have taught it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lockingfactory import interpreter, locked
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.locking.experience import Experience
from wheelhouse.locking.model import (
    NOTHING_MORE,
    BuildRequirement,
    Lock,
    LockedBuild,
    LockedPackage,
    Provision,
)

DEMO, TOOL = canonicalize_name("demo"), canonicalize_name("tool")
SDIST, OTHER = locked("demo-1.0.tar.gz"), locked("demo-1.1.tar.gz")
TOOLS_SDIST = locked("tool-1.0.tar.gz")
OF_DEBIAN = Provision(system={"debian12": ("libhdf5-dev",)}, search=("header hdf5.h",))
TAUGHT = replace(OF_DEBIAN, constraints=("setuptools<82",))


def build(provision: Provision = NOTHING_MORE, *requirements: BuildRequirement) -> LockedBuild:
    return LockedBuild(static=(), dynamic=(), environment=requirements, provision=provision)


def lock(made: LockedBuild, **more: Any) -> Lock:
    package = LockedPackage(name=DEMO, version=Version("1.0"), sdist=SDIST, build=made)
    environment = {**interpreter().environment, **more}
    return Lock(
        target="web", inputs="", python="3.11.2", environment=environment, packages=(package,)
    )


def test_an_sdist_that_stays_keeps_everything() -> None:
    assert Experience(lock(build(TAUGHT)), "3.11").of(DEMO, SDIST) == TAUGHT


def test_another_version_keeps_what_is_of_the_distribution() -> None:
    """What it links to changes more rarely than which build requirements it gets on with."""
    assert Experience(lock(build(TAUGHT)), "3.11").of(DEMO, OTHER) == OF_DEBIAN


def test_another_python_keeps_what_is_of_the_distribution() -> None:
    found = Experience(lock(build(TAUGHT), python_version="3.9"), "3.11").of(DEMO, SDIST)
    assert found == OF_DEBIAN


def test_build_requirements_have_taught_too() -> None:
    tool = BuildRequirement(
        name=TOOL, version=Version("1.0"), file=TOOLS_SDIST, build=build(TAUGHT)
    )
    assert Experience(lock(build(NOTHING_MORE, tool)), "3.11").of(TOOL, TOOLS_SDIST) == TAUGHT


def test_without_a_lock_nothing_is_known_until_it_is_told() -> None:
    experience = Experience(None, "3.11")
    assert experience.of(DEMO, SDIST) == NOTHING_MORE
    experience.remember(SDIST, TAUGHT)
    assert experience.of(DEMO, SDIST) == TAUGHT
    assert experience.of(DEMO, OTHER) == NOTHING_MORE
