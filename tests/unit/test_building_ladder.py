"""Which build requirements are tried after those that failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wheelhouse.building.diagnosis import Diagnosis
from wheelhouse.building.ladder import RELEASED, climb, contradicts, relaxed
from wheelhouse.locking.model import NOTHING_MORE, Provision
from wheelhouse.targets import presets

UPLOADED = datetime(2020, 6, 22, tzinfo=UTC)


def says(**more: object) -> Diagnosis:
    return replace(Diagnosis(kind="any", cause="it fails", hint="do"), **more)  # type: ignore[arg-type]


def test_what_the_failure_names_comes_first() -> None:
    said = says(constraints=("setuptools<82",), dated=True)
    first, *others = climb(said, NOTHING_MORE, UPLOADED, "3.11")
    assert first == Provision(constraints=("setuptools<82",))
    assert all(each.constraints == () for each in others)


def test_what_was_named_and_given_is_not_given_again() -> None:
    given = Provision(constraints=("setuptools<82",))
    assert list(climb(says(constraints=("setuptools<82",)), given, UPLOADED, "3.11")) == []


def test_named_requirements_add_up() -> None:
    given = Provision(constraints=("setuptools<82",), requires=("numpy",))
    said = says(constraints=("cython<3",), requires=("wheel",))
    (found,) = climb(said, given, UPLOADED, "3.11")
    assert found.constraints == ("cython<3", "setuptools<82")
    assert found.requires == ("numpy", "wheel")


@pytest.mark.parametrize(
    ("given", "called_for", "expected"),
    [
        (("setuptools<58",), ("setuptools>=66.1",), True),
        (("setuptools<58", "setuptools<82"), ("setuptools>=66.1",), True),
        (("Cython<3",), ("cython>=3",), True),
        (("setuptools<82",), ("setuptools>=66.1",), False),
        (("setuptools==58.*", "wheel!=0.45"), ("setuptools>=66.1", "wheel>=0.45"), False),
    ],
)
def test_what_cannot_be_both(
    given: tuple[str, ...], called_for: tuple[str, ...], expected: bool
) -> None:
    """A lock may have any limit; only bounds are compared."""
    assert contradicts(says(constraints=called_for), Provision(constraints=given)) is expected


def test_ages_go_from_what_changes_least_to_what_changes_most() -> None:
    ages = list(climb(says(dated=True), NOTHING_MORE, UPLOADED, "3.11"))
    python = RELEASED["3.11"]
    assert [(each.before, each.relaxed) for each in ages] == [
        (python, False),
        (None, True),
        (python, True),
        (UPLOADED, False),
    ]


def test_an_sdist_younger_than_its_python_has_one_age_of_its_own() -> None:
    late = datetime(2025, 1, 1, tzinfo=UTC)
    ages = [each.before for each in climb(says(dated=True), NOTHING_MORE, late, "3.11")]
    assert ages == [late, None, late]


def test_each_age_is_left_for_later_ones_only() -> None:
    reached = Provision(before=RELEASED["3.11"], relaxed=True, constraints=("cython<3",))
    (last,) = climb(says(dated=True), reached, UPLOADED, "3.11")
    assert last == Provision(before=UPLOADED, constraints=("cython<3",))
    assert list(climb(says(dated=True), last, UPLOADED, "3.11")) == []


def test_without_a_time_only_limits_can_be_lifted() -> None:
    assert list(climb(says(dated=True), NOTHING_MORE, None, "3.11")) == [Provision(relaxed=True)]


def test_what_has_no_age_gets_none() -> None:
    assert list(climb(says(), NOTHING_MORE, UPLOADED, "3.11")) == []


def test_every_python_of_a_platform_has_its_day() -> None:
    pythons = {each.rstrip("t") for preset in presets().values() for each in preset.pythons}
    assert {each for each in pythons if each not in {"3.6", "3.7", "3.8"}} <= RELEASED.keys()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("numpy==1.19.3", "numpy>=1.19.3"),
        ("numpy==1.19.*", "numpy>=1.19"),
        ("cython>=0.29,<3", "cython>=0.29"),
        ("setuptools<60", "setuptools"),
        ("setuptools~=58.0", "setuptools>=58.0"),
        ('numpy==1.21; python_version < "3.10"', 'numpy>=1.21; python_version < "3.10"'),
        ("wheel", "wheel"),
        ("torch==1.0+cpu", "torch>=1.0"),
        ("odd===of-my-own", "odd"),
        ("not a requirement", "not a requirement"),
    ],
)
def test_limits_are_lifted(line: str, expected: str) -> None:
    assert relaxed(line) == expected


def test_generated_code_is_generated_again_by_the_cython_of_its_time_first() -> None:
    said = says(regenerate=True)
    found = list(climb(said, NOTHING_MORE, UPLOADED, "3.11"))
    assert [each.requires for each in found] == [("cython<3",), ("cython>=3",)]
    assert all(each.regenerate for each in found)
    (last,) = climb(said, found[0], UPLOADED, "3.11")
    assert last == found[1]
    assert (
        list(climb(said, Provision(requires=("cython>=3",), regenerate=True), None, "3.13")) == []
    )


def test_the_old_cython_knows_no_new_python() -> None:
    (found,) = climb(says(regenerate=True), NOTHING_MORE, UPLOADED, "3.13t")
    assert found.requires == ("cython>=3",)


def test_what_does_not_run_on_the_python_is_not_tried() -> None:
    said = says(constraints=("numpy<2", "setuptools<60"))
    assert list(climb(said, NOTHING_MORE, UPLOADED, "3.13")) == []
    assert len(list(climb(said, NOTHING_MORE, UPLOADED, "3.11"))) == 1
    assert len(list(climb(says(constraints=("setuptools<82",)), NOTHING_MORE, None, "3.13"))) == 1
