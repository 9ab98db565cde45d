"""Which packages come to the server without the wheelhouse, and in which version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lockingfactory import project, target
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.config import PackageSettings
from wheelhouse.errors import LockError
from wheelhouse.locking.bypass import Bypass, Present, system_packages
from wheelhouse.locking.model import LockedPackage

if TYPE_CHECKING:
    from pathlib import Path

NUMPY = canonicalize_name("numpy")


def bypass(
    root: Path, *names: str, provided: dict[str, str] | None = None, there: str = ""
) -> Bypass:
    wanted = project(root, {name: PackageSettings(bypass=True) for name in names})
    present = {
        canonicalize_name(name): Present(version=Version("1.24"), metadata="")
        for name in there.split()
    }
    return Bypass(wanted, replace(target(), provided=provided or {}), present)


def package(name: str, *required_by: str) -> LockedPackage:
    return LockedPackage(
        name=canonicalize_name(name), version=Version("1.0"), required_by=required_by
    )


def ways(bypass: Bypass, *packages: LockedPackage) -> dict[str, str]:
    return {each.name: each.provided for each in bypass.marked(packages) if each.provided}


def test_by_default_the_image_has_it(tmp_path: Path) -> None:
    found = bypass(tmp_path, "numpy", there="numpy")
    assert found.present(NUMPY) == Present(version=Version("1.24"), metadata="")
    assert found.present(canonicalize_name("flask")) is None
    assert ways(found, package("numpy", "requirements.txt:1")) == {"numpy": "image"}


def test_what_the_image_lacks_is_an_error_with_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(LockError, match=r"the runtime of web does not have it$") as caught:
        bypass(tmp_path, "numpy").present(NUMPY)
    assert '[targets.web.provided]` numpy = "system:PACKAGE"' in str(caught.value.hint)
    some = bypass(tmp_path, "numpy", provided={"numpy": "system:python3-numpy"})
    with pytest.raises(LockError, match="does not have it, also not with python3-numpy"):
        some.present(NUMPY)


def test_what_comes_as_a_wheel_is_chosen_like_any_other(tmp_path: Path) -> None:
    found = bypass(tmp_path, "numpy", provided={"numpy": "wheel"}, there="numpy")
    assert found.present(NUMPY) is None
    assert ways(found, package("numpy", "requirements.txt:1")) == {"numpy": "wheel"}


def test_what_only_it_needs_comes_with_it(tmp_path: Path) -> None:
    found = bypass(tmp_path, "torch", provided={"torch": "wheel"})
    packages = (
        package("torch", "requirements.txt:1"),
        package("sympy", "torch"),
        package("mpmath", "sympy"),
        package("jinja2", "torch", "flask"),
        package("flask", "requirements.txt:2"),
        package("filelock", "requirements.txt:3", "torch"),
    )
    assert ways(found, *packages) == {"torch": "wheel", "sympy": "wheel", "mpmath": "wheel"}


def test_a_lock_that_names_all_asks_for_none_for_its_own_sake(tmp_path: Path) -> None:
    found = bypass(tmp_path, "torch", there="torch")
    packages = (
        package("torch", "uv.lock"),
        package("sympy", "uv.lock", "torch"),
        package("flask", "uv.lock"),
    )
    assert ways(found, *packages) == {"torch": "image", "sympy": "image"}


def test_one_may_bring_another_in_its_own_way(tmp_path: Path) -> None:
    provided = {"scipy": "system:python3-scipy", "numpy": "system:python3-numpy"}
    found = bypass(tmp_path, "scipy", "numpy", provided=provided)
    packages = (package("scipy", "requirements.txt:1"), package("numpy", "scipy"))
    assert ways(found, *packages) == {
        "scipy": "system:python3-scipy",
        "numpy": "system:python3-numpy",
    }


def test_the_distributions_packages_are_those_that_bring_some(tmp_path: Path) -> None:
    settings = {name: PackageSettings(bypass=True) for name in ("scipy", "numpy", "torch")}
    wanted = project(tmp_path, settings)
    provided = {"scipy": "system:python3-scipy", "numpy": "system:python3-numpy", "x": "system:y"}
    found = system_packages(wanted, replace(target(), provided=provided))
    assert found == ("python3-numpy", "python3-scipy")
