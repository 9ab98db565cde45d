"""What is read of an OSV record, and what of it is kept as not to be understood."""

from __future__ import annotations

from typing import Any

import pytest
from advisoryfactory import affected, before, record
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.advisories.record import Advisory, Event, RecordError, read_record
from wheelhouse.advisories.severity import base_score, label_of, worst

DEMO = canonicalize_name("demo")


def read(document: dict[str, Any]) -> Advisory:
    return read_record(document, [DEMO]).advisories[DEMO]


def flaws_of(*events: Any, **more: Any) -> tuple[str, ...]:
    [entry] = read(record("X-1", affected("demo", *events, **more))).affected
    return entry.flaws


def test_all_that_a_person_is_told() -> None:
    found = read(
        record(
            "GHSA-1",
            affected("Demo", {"introduced": "0"}, {"fixed": "1.2"}, versions=["1.0"]),
            aliases=["CVE-1", "PYSEC-1", "CVE-1"],
            summary="It leaks\nmore",
            severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N"}],
            database_specific={"severity": "HIGH"},
        )
    )
    assert found.id == "GHSA-1"
    assert found.aliases == ("CVE-1", "PYSEC-1")
    assert found.summary == "It leaks"
    assert found.severity == "high"
    assert found.modified is not None
    assert found.modified.isoformat() == "2026-11-18T08:00:00+00:00"
    [entry] = found.affected
    assert entry.versions == {"1.0"}
    first, last = Event(kind="introduced", at=None), Event(kind="fixed", at=Version("1.2"))
    assert entry.ranges == ((first, last),)
    assert not entry.flaws


@pytest.mark.parametrize("name", ["demo", "Demo", "DEMO"])
def test_names_are_normalised(name: str) -> None:
    assert read_record(before(name, "1", "X-1"), [DEMO]).known == {DEMO}


def test_separators_in_names_are_normalised() -> None:
    wanted = canonicalize_name("zope.interface")
    found = read_record(before("Zope_Interface", "1", "X-1"), [wanted])
    assert set(found.advisories) == {wanted}


def test_other_ecosystems_and_projects_are_not_meant() -> None:
    document = record(
        "X-1",
        affected("demo", {"introduced": "0"}, ecosystem="npm"),
        affected("other", versions="1"),
    )
    found = read_record(document, [DEMO])
    assert not found.known
    assert found.on_pypi
    assert not found.flawed
    alone = record("X-1", affected("demo", {"introduced": "0"}, ecosystem="npm"))
    assert not read_record(alone, [DEMO]).on_pypi


def test_a_withdrawn_record_says_nothing_but_that_the_project_is_known() -> None:
    found = read_record(before("demo", "1", "X-1", withdrawn="2026-01-01T00:00:00Z"), [DEMO])
    assert found.known == {DEMO}
    assert not found.advisories


@pytest.mark.parametrize("withdrawn", [None, "", 0, False, []])
def test_nothing_else_is_withdrawn(withdrawn: object) -> None:
    assert read_record(before("demo", "1", "X-1", withdrawn=withdrawn), [DEMO]).advisories


def test_several_entries_about_one_project_are_one_advisory() -> None:
    found = read(record("X-1", affected("demo", versions=["1"]), affected("Demo", versions=["2"])))
    assert [entry.versions for entry in found.affected] == [{"1"}, {"2"}]


@pytest.mark.parametrize("document", [None, [], "x", 3, {}, {"id": ""}, {"id": 3}, {"id": "\x1b"}])
def test_what_is_no_record(document: object) -> None:
    with pytest.raises(RecordError):
        read_record(document, [DEMO])


@pytest.mark.parametrize(
    "entries",
    [
        "demo",
        {"package": {"ecosystem": "PyPI", "name": "demo"}},
        ["demo"],
        [None],
        [{"package": "demo"}],
        [{"package": {"name": "demo"}}],
        [{"package": {"ecosystem": "PyPI"}}],
        [{"package": {"ecosystem": "PyPI", "name": 3}}],
        [{"package": {"ecosystem": "PyPI", "name": ""}}],
        [{"package": {"ecosystem": "PyPI", "name": "-demo-"}}],
    ],
)
def test_what_may_be_about_anything_is_counted(entries: object) -> None:
    found = read_record({"id": "X-1", "affected": entries}, [DEMO])
    assert found.flawed
    assert not found.known


@pytest.mark.parametrize("entries", [None, [], [{"ranges": [{"type": "GIT"}]}]])
def test_what_is_about_no_project_is_not(entries: object) -> None:
    assert not read_record({"id": "X-1", "affected": entries}, [DEMO]).flawed


@pytest.mark.parametrize(
    ("events", "flaw"),
    [
        ([{}, {"introduced": "0"}], "an event says nothing"),
        ([{"introduced": "0"}, "1.0"], "an event says nothing"),
        ([{"fixed": "1.0"}], "a range does not say where it begins"),
        ([{"introduced": "one"}], "introduced is no version: one"),
        ([{"introduced": "0"}, {"fixed": "1.x"}], "fixed is no version: 1.x"),
        ([{"introduced": "0"}, {"fixed": 1}], "fixed is no version: 1"),
        ([{"introduced": "0"}, {"last_affected": None}], "last_affected is no version: None"),
        ([{"introduced": "0"}, {"fixed": "*"}], "fixed is no version: *"),
    ],
)
def test_flaws_of_events(events: list[Any], flaw: str) -> None:
    assert flaw in flaws_of(*events)


def test_flaws_of_entries() -> None:
    bare = {"package": {"ecosystem": "PyPI", "name": "demo"}}

    def flaws(**more: Any) -> tuple[str, ...]:
        [entry] = read(record("X-1", {**bare, **more})).affected
        return entry.flaws

    assert flaws() == ("it names no versions",)
    assert flaws(versions=[], ranges=[]) == ("it names no versions",)
    git = {"type": "GIT", "repo": "https://x.example", "events": [{"introduced": "0"}]}
    assert flaws(ranges=[git]) == ("it names commits only",)
    assert flaws(ranges=[git], versions=["1.0"]) == ()
    assert flaws(ranges=[{"type": "NEW", "events": []}]) == ("a range is of an unknown type",)
    assert flaws(ranges=["1.0"]) == ("a range is no object",)
    assert flaws(ranges="1.0") == ("a range is no object",)
    assert flaws(versions=["1.0", 2]) == ("its versions are no list of texts",)
    assert flaws(versions={"1.0": 1}) == ("its versions are no list of texts",)
    assert flaws(ranges=[{"type": "ECOSYSTEM", "events": "1"}]) == (
        "a range does not say where it begins",
    )


def test_a_list_with_a_flaw_keeps_what_is_right() -> None:
    [entry] = read(record("X-1", affected("demo", versions=["1.0", 2]))).affected  # type: ignore[list-item]
    assert entry.versions == {"1.0"}


def test_text_that_is_shown_is_harmless() -> None:
    found = read(
        before(
            "demo",
            "1",
            "X-1\x1b[2J",
            aliases=["CVE\u202e-1", 3, ""],
            summary="\x1b]0;owned\x07red\ud800\n::set-env name=X::1",
        )
    )
    assert found.id == "X-1"
    assert found.aliases == ("CVE-1",)
    assert found.summary == "red\ufffd"
    assert len(read(before("demo", "1", "X-1", summary="y" * 10_000)).summary) <= 200


@pytest.mark.parametrize("modified", [None, "", "yesterday", 3, "2026-11-18", "9999-99-99"])
def test_a_date_that_is_none_is_none(modified: object) -> None:
    found = read({**before("demo", "1", "X-1"), "modified": modified}).modified
    assert found is None or found.tzinfo is not None


def test_a_malicious_package_is_called_that() -> None:
    assert read(record("MAL-2026-1", affected("demo", versions=["1"]))).severity == "malicious"


# Examples of FIRST's own calculator and user guide.
@pytest.mark.parametrize(
    ("vector", "score", "label"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, "critical"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0, "critical"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, "medium"),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4, "medium"),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N", 5.9, "medium"),
        ("CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8, "high"),
        ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", 1.6, "low"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0, "none"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O", 9.8, "critical"),
    ],
)
def test_base_scores(vector: str, score: float, label: str) -> None:
    assert base_score(vector) == score
    assert label_of(vector) == label


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "7.5",
        "AV:N/AC:L/Au:N/C:P/I:P/A:P",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
        "CVSS:3.1/AV:N",
        "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:3.1////",
    ],
)
def test_what_has_no_score_gets_none(vector: str) -> None:
    assert base_score(vector) is None
    assert label_of(vector) is None


def test_the_worst_word_counts() -> None:
    assert worst(["LOW", None, "Moderate", "nonsense"]) == "medium"
    assert worst(["high", "CRITICAL", "malicious"]) == "malicious"
    assert worst([None, "", "nonsense"]) is None
