"""What a new lock changes: found, told to people, and to programs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from lockfactory import build, built, file, lock, package
from packaging.utils import canonicalize_name

from wheelhouse.cli.locktext import difference_lines  # noqa: TID251  (it is what is tested)
from wheelhouse.inputs.model import Direct
from wheelhouse.locking.difference import Difference, difference
from wheelhouse.locking.model import (
    AddedRequirement,
    Lock,
    LockedPackage,
    Provision,
    RefusedFile,
    SystemRequirement,
)
from wheelhouse.reporting.lines import to_text


def text(found: Difference, **more: Any) -> list[str]:
    return [to_text(each).rstrip() for each in difference_lines(found, "pylock.web.toml", **more)]


def test_a_first_lock_is_told_in_one_line() -> None:
    found = difference(None, lock(package("a"), package("b")))
    assert found
    assert text(found) == ["pylock.web.toml: new, 2 packages"]


def test_that_nothing_changes_is_told_in_one_line() -> None:
    same = lock(package("a"))
    found = difference(same, replace(same, inputs="other", sources={"index": "1"}))
    assert not found
    assert text(found, written=False) == ["pylock.web.toml: nothing changes, 1 package"]


def test_versions_and_who_asks_for_them() -> None:
    old = lock(
        package("django", "5.2.1"),
        package("pytz", "2025.1", "celery", "django"),
        package("same"),
        package("urllib3", "2.10", "requests"),
    )
    new = lock(
        package("django", "5.2.10", "requirements.txt:5", "a", "b", "c", "d"),
        package("same"),
        built("sqlparse", build("setuptools-80")),
        package("urllib3", "2.9", "requests"),
    )
    found = difference(old, new)
    assert text(found) == [
        "pylock.web.toml: 1 upgraded, 1 downgraded, 1 added, 1 removed, 4 packages in all",
        "  upgraded    django 5.2.1 → 5.2.10  for requirements.txt:5, a, b and 2 more",
        "  downgraded  urllib3 2.10 → 2.9     for requests",
        "  added       sqlparse 1.0           for requirements.txt:1; built",
        "  removed     pytz 2025.1            was asked for by celery, django",
    ]
    assert text(found, written=False)[0].endswith("4 packages in all  (not written)")
    data = json.loads(json.dumps(found.to_dict()))
    assert data["upgraded"] == [
        {
            "name": "django",
            "version": "5.2.10",
            "required_by": ["requirements.txt:5", "a", "b", "c", "d"],
            "before": "5.2.1",
        }
    ]
    assert [each["name"] for each in data["removed"]] == ["pytz"]


def test_another_index_is_alarming() -> None:
    old = lock(package("a", index="https://pypi.org/simple"), package("b"))
    new = lock(package("a", "2.0", index="https://corp.example/simple"), package("b", index="x"))
    found = difference(old, new)
    assert text(found)[-1] == (
        "  warning   a 2.0: comes from https://corp.example/simple now, and no longer from "
        "https://pypi.org/simple"
    )
    assert len(found.alarming) == 1  # b's lock was made when locks did not tell


def test_an_index_is_the_same_with_a_slash_at_its_end() -> None:
    old = lock(package("a", index="https://pypi.org/simple/"))
    assert not difference(old, lock(package("a", index="https://pypi.org/simple")))


def test_a_folder_in_place_of_an_index_is_alarming() -> None:
    direct = Direct(location="git+https://host/a.git", revision="main", subdirectory="src")
    old = lock(package("a", index="https://pypi.org/simple"))
    (told,) = difference(old, lock(package("a", direct=direct))).alarming
    assert told.text.startswith("comes from git+https://host/a.git at main, folder src now")


def test_another_content_under_the_same_name_is_alarming() -> None:
    name = "a-1.0-py3-none-any.whl"
    found = difference(lock(package("a")), lock(package("a", wheels=(file(name, "x"),))))
    assert [each.text for each in found.alarming] == [
        f"{name} has another content than before under the same name"
    ]
    assert not found.files


def test_another_content_of_a_folder_is_not() -> None:
    direct = Direct(location="dir:.")
    before = package("a", wheels=(), sdist=file("a-1.0.tar.gz", "x"), direct=direct)
    after = package("a", wheels=(), sdist=file("a-1.0.tar.gz", "y"), direct=direct)
    found = difference(lock(before), lock(after))
    assert not found.alarming
    assert [each.text for each in found.files] == ["its content changed"]


def test_files_of_a_version_that_stayed() -> None:
    def with_files(*names: str) -> Lock:
        return lock(package("a", wheels=tuple(map(file, names))))

    found = difference(with_files("a.whl", "b.whl"), with_files("b.whl", "c.whl", "d.whl"))
    assert text(found) == [
        "pylock.web.toml: same versions, 1 package in all",
        "  files  a 1.0: 2 files are new, such as c.whl",
        "  files  a 1.0: a.whl is gone",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            built("a", build("cython-3.0", "setuptools-80.1", "wheel-0.45")),
            built("a", build("pip-25", "setuptools-80.2", "wheel-0.45")),
            "build requirements: cython 3.0 removed, pip 25 added, setuptools 80.1 → 80.2",
        ),
        (package("a"), built("a", build()), "is built from its source now"),
        (
            built("a", build()),
            built("a", build(cuda=True)),
            "is built with the CUDA toolkit now",
        ),
        (
            built("a", build(cuda=True)),
            built("a", build()),
            "is built without the CUDA toolkit now",
        ),
        (built("a", build()), package("a"), "has a wheel now, and is no longer built"),
        (
            built("a", build(provision=Provision(constraints=("setuptools<82",)))),
            built(
                "a",
                build(
                    provision=Provision(
                        system={"debian12": ("libpq-dev",)}, constraints=("setuptools<82",)
                    )
                ),
            ),
            "learned from failures: libpq-dev on debian12",
        ),
        (
            built("a", build(provision=Provision(relaxed=True))),
            built("a", build()),
            "no longer gets what earlier builds had taught",
        ),
    ],
)
def test_how_packages_are_built(old: LockedPackage, new: LockedPackage, told: str) -> None:
    found = difference(lock(old), lock(new))
    assert [each.text for each in found.builds] == [told]


def test_what_was_learned() -> None:
    needed = SystemRequirement(
        package="libpq5", platform="debian12", libraries=("libpq.so.5",), required_by=("psycopg2",)
    )
    gone = SystemRequirement(package="libxml2", platform="debian12")
    added = AddedRequirement(
        package=canonicalize_name("a"), requirement="setuptools<82", module="pkg_resources"
    )
    refused = RefusedFile(
        filename="a-1.0-py3-none-any.whl", sha256="0", reason="it is compiled", platform="x"
    )
    old = lock(package("a"), system=(gone,))
    new = lock(package("a"), python="3.11.4", system=(needed,), added=(added,), refused=(refused,))
    assert text(difference(old, new))[1:] == [
        "  learned  the target's Python is 3.11.4, it was 3.11.2",
        "  learned  the server needs libpq5, for psycopg2",
        "  learned  the server no longer needs libxml2",
        "  learned  a gets setuptools<82, which it does not declare",
        "  learned  a-1.0-py3-none-any.whl is not what its tag says: it is compiled",
    ]
    assert difference(new, old).learned == (
        "the target's Python is 3.11.2, it was 3.11.4",
        "the server no longer needs libpq5",
        "the server needs libxml2",
        "a no longer gets setuptools<82",
    )


def test_another_toolkit_is_told() -> None:
    without = lock(package("a"))
    old = replace(without, toolkit=build("nvcc-13.2.86", "cudart-13.2.86").environment)
    new = replace(without, toolkit=build("nvcc-13.2.90", "cudart-13.2.86").environment)
    assert difference(without, new).learned == ("builds have a CUDA toolkit now",)
    assert difference(old, new).learned == ("the CUDA toolkit: nvcc 13.2.86 → 13.2.90",)
    assert difference(new, without).learned == ("no build needs the CUDA toolkit any more",)
