"""`--require-hashes`: everything is pinned and hashed, or nothing is locked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lockingfactory import sha
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wheelhouse.errors import LockError, SeveralErrors
from wheelhouse.inputs.model import Asked, Requirements
from wheelhouse.locking.edges import Edges
from wheelhouse.locking.hashed import check_hashed


def asked(line: str, number: int = 1, *hashes: str) -> Asked:
    return Asked(
        requirement=Requirement(line),
        origin=f"requirements.txt:{number}",
        hashes=frozenset(hashes),
    )


def edges(**required_by: tuple[str, ...]) -> Edges:
    found = {canonicalize_name(name): users for name, users in required_by.items()}
    return Edges(required_by=found, requires={})


FLASK = asked("flask==1.0", 1, sha("flask"))
WANTED = Requirements(asked=(FLASK,), hashes_required=True)


def test_what_is_pinned_and_hashed_is_fine() -> None:
    check_hashed(WANTED, edges(flask=("requirements.txt:1",)))


def test_nothing_is_asked_for_where_hashes_are_not_required() -> None:
    wanted = replace(WANTED, hashes_required=False)
    check_hashed(wanted, edges(flask=("requirements.txt:1",), click=("flask",)))


def test_a_dependency_without_a_line_is_refused_with_who_needs_it() -> None:
    with pytest.raises(LockError, match="click, which flask needs, has no line with hashes"):
        check_hashed(WANTED, edges(flask=("requirements.txt:1",), click=("flask",)))


def test_all_who_need_it_are_told() -> None:
    needed = ("flask", "jinja2", "werkzeug")
    with pytest.raises(LockError) as caught:
        check_hashed(WANTED, edges(flask=("requirements.txt:1",), markupsafe=needed))
    assert caught.value.message.startswith("markupsafe, which flask, jinja2 and werkzeug need, has")


def test_all_that_is_loose_is_told_at_once() -> None:
    lines = (FLASK, asked("click==8.0", 2), asked("jinja2>=3", 3, sha("jinja2")))
    with pytest.raises(SeveralErrors) as caught:
        check_hashed(replace(WANTED, asked=lines), edges(flask=(), click=(), jinja2=()))
    assert [error.message for error in caught.value.errors] == [
        "requirements.txt:2: click==8.0 has no hash, and the requirements require one",
        "requirements.txt:3: jinja2>=3 has no exact version, and the requirements require one",
    ]
