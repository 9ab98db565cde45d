"""The corpus of native packages: reading its lists, judging runs, counting."""

from __future__ import annotations

import json
import tomllib

import pytest
from bench.natives.lists import LISTS, TARGETS, Entry, parse, read
from bench.natives.report import share_rows, trial_row
from bench.natives.trial import FAILED, LATE, PROVEN, Outcome, read_events, told


def outcome(result: str, *, possible: bool = True, **fields: object) -> Outcome:
    known: dict[str, object] = {"list": "old", "package": "demo==1.0", "target": "debian12"}
    return Outcome(result=result, possible=possible, seconds=1.0, **{**known, **fields})  # type: ignore[arg-type]


def test_a_line_is_a_requirement_and_words() -> None:
    assert parse("evdev") == Entry(requirement="evdev")
    assert parse("PyYAML==5.4.1  sdist  cannot:debian12,debian13") == Entry(
        requirement="PyYAML==5.4.1", sdist=True, cannot=frozenset({"debian12", "debian13"})
    )


@pytest.mark.parametrize("line", ["demo==", "demo sdists", "demo cannot:debian10"])
def test_a_line_that_means_nothing_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="demo"):
        parse(line)


def test_a_project_says_nothing_about_its_package_but_that_its_sdist_is_wanted() -> None:
    entry = Entry(requirement="PyYAML==5.4.1", sdist=True)
    content = tomllib.loads(entry.configuration("portable"))
    assert content == {
        "targets": {"portable": TARGETS["portable"]},
        "packages": {"pyyaml": {"source": "sdist"}},
    }
    assert "packages" not in tomllib.loads(Entry(requirement="evdev").configuration("debian12"))


@pytest.mark.parametrize("name", LISTS)
def test_a_list_names_each_package_once(name: str) -> None:
    packages = [(entry.name, entry.requirement) for entry in read(name)]
    assert len(packages) >= 30
    assert len(set(packages)) == len(packages)


def test_old_sdists_are_pinned_and_built() -> None:
    assert [e.requirement for e in read("old") if not e.sdist or "==" not in e.requirement] == []


def test_a_line_that_was_cut_off_is_no_event() -> None:
    lines = [json.dumps({"event": "notice", "message": "a"}), "[]", '{"event": "err']
    assert read_events("\n".join(lines)) == [{"event": "notice", "message": "a"}]


def test_a_failure_is_told_by_its_first_error_or_by_what_a_crash_ended_with() -> None:
    error = {"code": "build", "message": "demo 1.0: no cairo.h"}
    assert told([error, {"code": "lock", "message": "else"}], "") == ("build", error["message"])
    assert told([{**error, "kind": "missing-header"}], "")[0] == "missing-header"
    assert told([], "Traceback\nValueError: no\n") == ("crash", "ValueError: no")
    assert told([], "") == ("", "")


def test_what_cannot_be_built_does_not_count() -> None:
    outcomes = [
        outcome(PROVEN),
        outcome(PROVEN),
        outcome(FAILED, kind="missing-header"),
        outcome(LATE),
        outcome(FAILED, kind="stale-code", possible=False),
        outcome(PROVEN, target="debian13"),
    ]
    assert share_rows(outcomes) == [
        ("old", "debian12", "2", "4", "50%", "1", "1 missing-header, 1 late"),
        ("old", "debian13", "1", "1", "100%", "0", ""),
    ]


def test_a_list_without_possible_packages_has_no_share() -> None:
    assert share_rows([outcome(FAILED, possible=False)])[0][2:5] == ("0", "0", "-")


def test_a_result_that_the_list_did_not_expect_is_marked() -> None:
    results = [
        trial_row(outcome(result, possible=possible))[2]
        for result in (PROVEN, FAILED)
        for possible in (True, False)
    ]
    assert results == ["proven", "proven, unexpectedly", "failed", "failed, as expected"]
