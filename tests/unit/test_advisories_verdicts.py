"""What advisories come to for one locked version."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from advisoryfactory import affected, before, record
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.advisories.record import read_record
from wheelhouse.advisories.subjects import Subject
from wheelhouse.advisories.verdicts import Ignoring, Judged, judge
from wheelhouse.settings import IgnoredAdvisory

DEMO = canonicalize_name("demo")
TODAY = date(2026, 11, 20)


def verdict(
    version: str, *records: dict[str, Any], ignored: tuple[IgnoredAdvisory, ...] = (), **more: Any
) -> Judged:
    subject = Subject(name=DEMO, version=Version(version), role="package", **more)
    found = [read_record(each, [DEMO]).advisories.get(DEMO) for each in records]
    ignoring = Ignoring(entries=ignored, today=TODAY)
    return judge(subject, [each for each in found if each is not None], ignoring)


def ignore(name: str, **more: Any) -> IgnoredAdvisory:
    return IgnoredAdvisory(id=name, reason="because", **more)


def test_the_four_verdicts() -> None:
    found = before("demo", "2.0", "GHSA-1")
    assert verdict("1.0", found).verdict == "vulnerable"
    assert verdict("2.0", found).verdict == "no-advisory"
    assert verdict("1.0", found, ignored=(ignore("GHSA-1"),)).verdict == "ignored"
    unknown = judge(
        Subject(name=DEMO, version=Version("1.0"), role="package"),
        None,
        Ignoring(entries=(), today=TODAY),
    )
    assert (unknown.verdict, unknown.why) == ("unknown", "the source has no record of it")


def test_what_is_not_from_pypi_is_never_matched() -> None:
    found = verdict("1.0", before("demo", "2.0", "GHSA-1"), foreign="it comes from git+https://x")
    assert (found.verdict, found.why) == ("unknown", "it comes from git+https://x")
    assert not found.findings


def test_a_project_with_nothing_but_withdrawn_records_is_known() -> None:
    withdrawn = before("demo", "2.0", "GHSA-1", withdrawn="2026-01-01T00:00:00Z")
    assert verdict("1.0", withdrawn).verdict == "no-advisory"


def test_one_vulnerability_has_many_names() -> None:
    found = verdict(
        "1.0",
        before("demo", "1.5", "PYSEC-1", aliases=["CVE-1"], summary="from PYSEC"),
        before("demo", "3.0", "GHSA-9", aliases=["CVE-9"], database_specific={"severity": "LOW"}),
        before(
            "demo", "1.5.1", "GHSA-1", aliases=["CVE-1"], database_specific={"severity": "HIGH"}
        ),
    )
    first, second = found.findings
    assert (first.id, first.aliases) == ("GHSA-1", ("PYSEC-1", "CVE-1"))
    assert (first.severity, first.summary) == ("high", "from PYSEC")
    assert [str(each) for each in first.fixed] == ["1.5", "1.5.1"]
    assert first.link == "https://osv.dev/vulnerability/GHSA-1"
    assert (second.id, second.aliases) == ("GHSA-9", ("CVE-9",))


def test_names_connect_over_others() -> None:
    found = verdict(
        "1.0",
        before("demo", "2", "GHSA-1", aliases=["CVE-1"]),
        before("demo", "2", "GHSA-2", aliases=["CVE-2"]),
        before("demo", "2", "PYSEC-3", aliases=["CVE-1", "CVE-2"]),
    )
    assert [each.id for each in found.findings] == ["GHSA-1"]


def test_one_database_is_enough() -> None:
    found = verdict(
        "1.5",
        before("demo", "1.2", "PYSEC-1", aliases=["CVE-1"]),
        before("demo", "2.0", "GHSA-1", aliases=["CVE-1"]),
    )
    assert found.verdict == "vulnerable"


def test_the_worst_comes_first() -> None:
    found = verdict(
        "1.0",
        before("demo", "2", "GHSA-a", database_specific={"severity": "LOW"}),
        before("demo", "2", "GHSA-b"),
        before("demo", "2", "GHSA-c", database_specific={"severity": "CRITICAL"}),
        record("MAL-1", affected("demo", versions=["1.0"])),
    )
    assert [each.id for each in found.findings] == ["MAL-1", "GHSA-c", "GHSA-b", "GHSA-a"]


# --- what cannot be told ---------------------------------------------------------------------

OPEN = record("PYSEC-1", affected("demo", {}, {"fixed": "1.0"}), aliases=["CVE-1"])


def test_an_open_question_is_not_clean() -> None:
    found = verdict("2.0", OPEN)
    assert found.verdict == "unknown"
    assert found.why == (
        "PYSEC-1 does not tell which versions it is about: an event says nothing; a range does "
        "not say where it begins"
    )


def test_another_database_may_decide_it() -> None:
    assert verdict("2.0", OPEN, before("demo", "2.0", "GHSA-1", aliases=["CVE-1"])).verdict == (
        "no-advisory"
    )
    assert verdict("2.0", OPEN, before("demo", "2.0", "GHSA-2")).verdict == "unknown"


def test_an_open_question_may_be_ignored() -> None:
    assert verdict("2.0", OPEN, ignored=(ignore("CVE-1"),)).verdict == "no-advisory"


def test_what_is_vulnerable_stays_so_beside_an_open_question() -> None:
    found = verdict("1.0", OPEN, before("demo", "2.0", "GHSA-2"))
    assert found.verdict == "vulnerable"
    assert found.why


def test_what_is_ignored_does_not_hide_an_open_question() -> None:
    found = verdict("1.0", OPEN, before("demo", "2.0", "GHSA-2"), ignored=(ignore("GHSA-2"),))
    assert found.verdict == "unknown"


# --- what is ignored -------------------------------------------------------------------------

FOUND = before("demo", "2.0", "GHSA-1", aliases=["CVE-1", "PYSEC-1"])


@pytest.mark.parametrize("name", ["GHSA-1", "CVE-1", "PYSEC-1", "cve-1"])
def test_any_name_will_do(name: str) -> None:
    found = verdict("1.0", FOUND, ignored=(ignore(name),))
    assert found.verdict == "ignored"
    assert found.findings[0].ignored == ignore(name)


def test_nothing_else_is_ignored() -> None:
    other = before("demo", "2.0", "GHSA-2")
    found = verdict("1.0", FOUND, other, ignored=(ignore("GHSA-1"), ignore("GHSA")))
    assert found.verdict == "vulnerable"
    assert [each.id for each in found.findings if each.ignored is None] == ["GHSA-2"]


@pytest.mark.parametrize(("day", "counts"), [(19, True), (20, False), (21, False)])
def test_until_a_day_is_over(day: int, counts: bool) -> None:
    found = verdict("1.0", FOUND, ignored=(ignore("CVE-1", until=date(2026, 11, day)),))
    assert (found.verdict == "vulnerable") is counts


def test_for_one_package_only() -> None:
    assert verdict("1.0", FOUND, ignored=(ignore("CVE-1", package="demo"),)).verdict == "ignored"
    assert verdict("1.0", FOUND, ignored=(ignore("CVE-1", package="x"),)).verdict == "vulnerable"


# --- where to go -----------------------------------------------------------------------------


def next_version(version: str, *records: dict[str, Any], **more: Any) -> str:
    return str(verdict(version, *records, **more).fixed_in)


def test_the_next_version_has_nothing_against_it() -> None:
    new = record("GHSA-2", affected("demo", {"introduced": "2.0"}, {"fixed": "2.1"}))
    third = before("demo", "1.9", "GHSA-3")
    assert next_version("1.0", FOUND) == "2.0"
    assert next_version("1.0", FOUND, third) == "2.0"
    assert next_version("1.0", FOUND, new) == "2.1"
    assert next_version("1.0", FOUND, new, ignored=(ignore("GHSA-2"),)) == "2.0"
    assert next_version("2.0", FOUND, new) == "2.1"


def test_a_release_comes_before_a_pre_release() -> None:
    early = record("GHSA-1", affected("demo", {"introduced": "0"}, {"fixed": "2.0rc1"}))
    late = before("demo", "2.1", "GHSA-1")
    both = record(
        "GHSA-1", affected("demo", {"introduced": "0"}, {"fixed": "2.0rc1"}), late["affected"][0]
    )
    assert next_version("1.0", early) == "2.0rc1"
    assert next_version("1.0", both) == "2.1"
    assert next_version("2.0a1", early) == "2.0rc1"


def test_there_may_be_none() -> None:
    last = record("GHSA-1", affected("demo", {"introduced": "0"}, {"last_affected": "1.0"}))
    assert next_version("1.0", last) == "None"
    assert next_version("1.0") == "None"
