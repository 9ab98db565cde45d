"""What the server must have of its distribution: stated, or learnt from proofs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lockingfactory import project, target
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.config import PackageSettings
from wheelhouse.locking.model import Lock, LockedPackage, SystemRequirement
from wheelhouse.locking.system import merged, server_system, still_needed
from wheelhouse.targets import presets

if TYPE_CHECKING:
    from pathlib import Path


def needs(
    package: str, *libraries: str, by: tuple[str, ...] = ("one",), platform: str = "debian12"
) -> SystemRequirement:
    return SystemRequirement(
        package=package, platform=platform, libraries=libraries, required_by=by
    )


def lock(*names: str, system: tuple[SystemRequirement, ...] = ()) -> Lock:
    packages = [
        LockedPackage(name=canonicalize_name(name), version=Version("1.0")) for name in names
    ]
    return Lock(
        target="web",
        inputs="i",
        python="3.11.2",
        environment={},
        packages=tuple(packages),
        system=system,
    )


def test_the_same_package_is_told_once() -> None:
    some = [
        needs("libgl1", "libGL.so.1", by=("two",)),
        needs("graphviz"),
        needs("libgl1", "libGLX.so.0"),
        needs("libgl1", platform="debian13"),
    ]
    assert merged(some) == (
        needs("graphviz"),
        needs("libgl1", "libGL.so.1", "libGLX.so.0", by=("one", "two")),
        needs("libgl1", platform="debian13"),
    )
    assert merged(reversed(some)) == merged(some)


def test_what_is_learnt_and_what_is_stated(tmp_path: Path) -> None:
    settings: dict[str, PackageSettings] = {
        canonicalize_name("one"): PackageSettings(runtime_system=("tdsodbc",)),
        canonicalize_name("two"): PackageSettings(runtime_system={"suse": ("Mesa",)}),
        canonicalize_name("elsewhere"): PackageSettings(runtime_system=("nothing",)),
    }
    asked = project(tmp_path, settings)
    learnt = (needs("libgl1", "libGL.so.1"), needs("mesa", platform="alpine3.22"))
    locked = lock("one", "two", system=learnt)
    debian = presets()["debian12"]
    assert server_system(asked, target(), locked, debian) == (learnt[0], needs("tdsodbc"))
    strict = replace(target(), runtime_system=False)
    assert server_system(asked, strict, locked, debian) == ()


@pytest.mark.parametrize(("own", "package"), [((), "default-jre-headless"), (("jre",), "jre")])
def test_what_is_known_beforehand_may_be_replaced(
    tmp_path: Path, own: tuple[str, ...], package: str
) -> None:
    jpype = canonicalize_name("JPype1")
    asked = project(tmp_path, {jpype: PackageSettings(runtime_system=own)})
    (found,) = server_system(asked, target(), lock("jpype1"), presets()["debian12"])
    assert (found.package, found.required_by) == (package, ("jpype1",))


def test_what_nobody_needs_any_longer_is_forgotten() -> None:
    some = (needs("libgl1", by=("one", "gone")), needs("graphviz", by=("gone",)))
    assert still_needed(some, ["one", "two"]) == some[:1]
