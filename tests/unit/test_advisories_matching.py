"""Which versions an advisory is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from advisoryfactory import affected, record
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.advisories.matching import concerns, fixes, flaws
from wheelhouse.advisories.record import read_record

if TYPE_CHECKING:
    from wheelhouse.advisories.record import Advisory

DEMO = canonicalize_name("demo")


def advisory(*entries: dict[str, Any]) -> Advisory:
    return read_record(record("X-1", *entries), [DEMO]).advisories[DEMO]


def of(*events: dict[str, Any], **more: Any) -> Advisory:
    return advisory(affected("demo", *events, **more))


def hit(found: Advisory, *versions: str) -> list[bool | None]:
    return [concerns(found, Version(each)) for each in versions]


FIXED = of({"introduced": "1.2"}, {"fixed": "2.0"})
LAST = of({"introduced": "1.2"}, {"last_affected": "2.0"})
ALL = of({"introduced": "0"})


@pytest.mark.parametrize(
    ("version", "fixed", "last"),
    [
        ("1.1", False, False),
        ("1.2.dev1", False, False),
        ("1.2rc1", False, False),
        ("1.2", True, True),
        ("1.2.0", True, True),
        ("1.2.post1", True, True),
        ("1.10", True, True),
        ("1.2+local", True, True),
        ("2.0.dev3", True, True),
        ("2.0a1", True, True),
        ("2.0rc1", True, True),
        ("2.0", False, True),
        ("2.0.0.0", False, True),
        ("2.0+cu128", False, True),
        ("2.0.post1", False, False),
        ("2.0.1", False, False),
        ("1!1.5", False, False),
        ("0!1.5", True, True),
    ],
)
def test_ends_of_a_range(version: str, fixed: bool, last: bool) -> None:
    assert hit(FIXED, version) == [fixed]
    assert hit(LAST, version) == [last]


def test_zero_is_before_every_version() -> None:
    assert hit(ALL, "0", "0.dev0", "0.0a1.dev0", "1", "1!0", "99999") == [True] * 6


def test_a_zero_that_is_a_version_is_one() -> None:
    found = of({"introduced": "0.0"}, {"fixed": "1"})
    assert hit(found, "0.dev0", "0", "0.5") == [False, True, True]


def test_ranges_with_gaps() -> None:
    found = of({"introduced": "1.0"}, {"fixed": "1.5"}, {"introduced": "2.0"}, {"fixed": "2.2"})
    assert hit(found, "0.9", "1.0", "1.5", "1.9", "2.0", "2.1.9", "2.2") == [
        *(False, True, False, False, True, True, False)
    ]


def test_the_order_of_events_is_that_of_their_versions() -> None:
    found = of({"fixed": "2.2"}, {"introduced": "2.0"}, {"fixed": "1.10"}, {"introduced": "1.9"})
    assert hit(found, "1.8", "1.9", "1.10", "2.0", "2.2") == [False, True, False, True, False]


def test_events_of_one_version() -> None:
    again = of({"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.0"}, {"fixed": "2.0"})
    assert hit(again, "0.5", "1.0", "1.5", "2.0") == [True, True, True, False]
    never = of({"introduced": "1.0"}, {"fixed": "1.0"})
    assert hit(never, "0.9", "1.0", "1.1") == [False, False, False]
    one = of({"last_affected": "1.0"}, {"introduced": "1.0"})
    assert hit(one, "0.9", "1.0", "1.1") == [False, True, False]


def test_limits() -> None:
    limited = of({"introduced": "0"}, {"limit": "2.0"})
    assert hit(limited, "1.9", "2.0rc1", "2.0", "3") == [True, True, False, False]
    farthest = of({"introduced": "0"}, {"limit": "2.0"}, {"limit": "3.0"})
    assert hit(farthest, "2.5", "3.0") == [True, False]
    endless = of({"introduced": "0"}, {"limit": "*"})
    assert hit(endless, "1", "1!0") == [True, True]


def test_several_ranges_and_entries() -> None:
    entry = affected("demo", {"introduced": "1.0"}, {"fixed": "1.5"})
    second = {"type": "SEMVER", "events": [{"introduced": "3.0.0"}, {"fixed": "3.1.0-beta.2"}]}
    entry["ranges"].append(second)
    found = advisory(entry, affected("Demo", versions=["7.0"]))
    assert hit(found, "1.2", "2.0", "3.0", "3.1.0b1", "3.1.0b2", "7") == [
        *(True, False, True, True, False, True)
    ]


def test_listed_versions_are_compared_as_versions() -> None:
    found = of(versions=["1.0", "v1.1", "1.2-RC.1", "2004d", "not a version", "2.0+local.1"])
    assert hit(found, "1", "1.0.0", "1.1", "1.2rc1", "1.2") == [True, True, True, True, False]
    assert hit(found, "1.0+cu128", "2.0", "2.0+local-1", "2.0+other") == [True, False, True, False]


def test_versions_and_ranges_count_both() -> None:
    found = of({"introduced": "2.0"}, {"fixed": "2.1"}, versions=["1.0"])
    assert hit(found, "1.0", "2.0", "2.1", "1.1") == [True, True, False, False]


def test_bounds_with_a_local_part_are_exact() -> None:
    found = of({"introduced": "0"}, {"fixed": "1.0+patch.2"})
    assert hit(found, "1.0", "1.0+patch.1", "1.0+patch.2", "1.0.1") == [True, True, False, False]


def test_what_cannot_be_told_is_not_clean() -> None:
    empty = of({}, {"introduced": "1.0"}, {"fixed": "1.5"})
    assert hit(empty, "1.2", "2.0") == [True, None]
    assert flaws(empty) == ("an event says nothing",)
    unreadable = of({"introduced": "1.0"}, {"fixed": "two"})
    assert hit(unreadable, "0.5", "1.0", "9.0") == [None, True, True]
    nothing = advisory({"package": {"ecosystem": "PyPI", "name": "demo"}})
    assert hit(nothing, "1.0") == [None]


def test_another_entry_may_decide() -> None:
    flawed = affected("demo", {}, {"introduced": "5.0"}, {"fixed": "5.1"})
    found = advisory(flawed, affected("demo", versions=["1.0"]))
    assert hit(found, "1.0", "2.0") == [True, None]


def test_the_fixes_after_a_version() -> None:
    found = of({"introduced": "0"}, {"fixed": "4.2.9"}, {"introduced": "5.0"}, {"fixed": "5.0.3"})
    texts = {v: [str(each) for each in fixes(found, Version(v))] for v in ("4.1", "4.2.9", "5.0.1")}
    assert texts == {"4.1": ["4.2.9", "5.0.3"], "4.2.9": ["5.0.3"], "5.0.1": ["5.0.3"]}
    assert fixes(FIXED, Version("2.0+cu128")) == ()
    assert fixes(LAST, Version("1.5")) == ()
