"""What is told of a new lock although it could be made."""

from __future__ import annotations

import pytest
from lockfactory import package
from packaging.requirements import Requirement

from wheelhouse.inputs.model import Asked, Direct, LeftOut, Requirements
from wheelhouse.locking.warnings import left_out, warnings


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("breaks x", "demo 1.0 was withdrawn (yanked) by its maintainers: breaks x"),
        ("", "demo 1.0 was withdrawn (yanked) by its maintainers"),
        ("a\x1b[2Jb\nc", "demo 1.0 was withdrawn (yanked) by its maintainers: ab c"),
    ],
)
def test_a_yanked_release(reason: str, told: str) -> None:
    (notice,) = warnings("web", [package("demo", yanked=reason)], lambda _: "active")
    assert (notice.target, notice.message) == ("web", told)


@pytest.mark.parametrize("status", ["archived", "deprecated"])
def test_a_project_that_nobody_cares_for(status: str) -> None:
    found = warnings("web", [package("demo"), package("other")], {"demo": status}.get)  # type: ignore[arg-type]
    (notice,) = found
    assert notice.message.startswith(f"demo is {status}: ")
    assert notice.hint is not None
    assert "wheelhouse why demo" in notice.hint


def test_what_comes_from_no_index_has_no_status() -> None:
    demo = package("demo", direct=Direct(location="dir:."))
    assert not list(warnings("web", [demo], lambda _: "archived"))


def asked(name: str, origin: str, *, closed: bool = True) -> Asked:
    return Asked(requirement=Requirement(f"{name}==1"), origin=origin, closed=closed)


def out(name: str, reason: str, origin: str = "uv.lock", version: str = "1") -> LeftOut:
    return LeftOut(name=name, version=version, origin=origin, reason=reason)


def test_what_of_a_lock_is_for_others_is_told_once() -> None:
    requirements = Requirements(
        asked=(
            asked("flask", "uv.lock"),
            asked("click", "uv.lock"),
            asked("six", "poetry.lock"),
            asked("own", "uv.lock", closed=False),
        ),
        left_out=(
            out("pywin32", "sys_platform == 'win32'"),
            out("pytest", "of the group dev"),
            out("colorama", "sys_platform == 'win32'"),
            out("tomli", "python_version < '3.11'", "poetry.lock"),
        ),
    )
    assert [each.message for each in left_out("web", requirements)] == [
        (
            "uv.lock: 3 of its 5 packages are not for web: "
            "colorama, pywin32 (sys_platform == 'win32'); pytest (of the group dev)"
        ),
        "poetry.lock: 1 of its 2 packages is not for web: tomli (python_version < '3.11')",
    ]


def test_another_version_of_what_is_taken_is_told_with_its_number() -> None:
    requirements = Requirements(
        asked=(asked("numpy", "uv.lock"),),
        left_out=(
            out("numpy", "python_version >= '3.12'", version="2.5"),
            out("tomli", "python_version >= '3.12'", version="2.0"),
        ),
    )
    (notice,) = left_out("web", requirements)
    assert notice.message.endswith(": numpy 2.5, tomli (python_version >= '3.12')")


def test_a_long_list_is_cut() -> None:
    many = [out(f"p{number}", f"reason {number % 7}") for number in range(70)]
    (notice,) = left_out("web", Requirements(asked=(), left_out=tuple(many)))
    assert notice.message.count("and 4 more (reason") == 4
    assert notice.message.endswith("; and 30 for other reasons")


def test_nothing_left_out_is_not_worth_a_word() -> None:
    assert not list(left_out("web", Requirements(asked=(asked("six", "uv.lock"),))))
