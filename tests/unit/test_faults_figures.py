"""The fault suite's own arithmetic, and that it cannot pass by accident."""

from __future__ import annotations

import pytest

from faults.aftermath import check
from faults.case import Case, all_cases
from faults.figures import Figures, percentile
from faults.report import Outcome, failed, lines
from faults.shop import Shop
from faults.world import SECRETS, TARGET, Finished, refused, succeeded


def nothing(_: object) -> None:
    """A case's attempt that does nothing."""


CASE = Case(group=1, name="nothing", attempt=nothing, engine=False)


def finished(status: int, err: str = "") -> Finished:
    return Finished(arguments=("build",), status=status, out="", err=err, seconds=1.0)


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 99)) == (50.0, 99.0)
    assert percentile([3.0, 1.0], 99) == 3.0
    assert percentile([2.0], 50) == 2.0


def test_what_must_be_nothing_is_told_with_its_whole() -> None:
    figures = Figures()
    figures.add("objects", 700)
    assert not figures.broken
    figures.add("corrupt objects")
    assert figures.broken == ["corrupt objects"]
    assert "corrupt objects: 1 in 700 objects" in list(figures.lines())


def test_the_report_counts_what_failed() -> None:
    bad = Outcome(case=CASE, seconds=1.0, problem="no")
    told = list(lines([Outcome(case=CASE, seconds=1.0), bad], Figures()))
    assert told[0] == "group  1: 1 of 2"
    assert "cases passed: 1 of 2" in told
    assert failed([bad]) == [bad]


def test_what_could_not_happen_is_neither_passed_nor_failed() -> None:
    told = list(lines([Outcome(case=CASE, seconds=1.0, left_out="no root")], Figures()))
    assert told[-2:] == ["cases passed: 0 of 0", "cases left out: 1 (no root)"]


def test_names_of_cases_are_unique() -> None:
    assert len(all_cases()) == len({str(case) for case in all_cases()})


def test_a_case_of_nothing_passes(shop: Shop) -> None:
    shop.attempt(CASE)
    assert shop.figures.counts["cases"] == 1


@pytest.mark.parametrize(
    ("done", "problem"),
    [
        (finished(1, "Traceback (most recent call last):\n"), "traceback"),
        (finished(3, "all went wrong\n"), "told no error"),
        (finished(3, "error[lock]: web: no\n"), "no next step"),
    ],
)
def test_failures_have_to_be_told(shop: Shop, done: Finished, problem: str) -> None:
    with shop.world() as world, pytest.raises(AssertionError, match=problem):
        world.finished.append(done)
        check(world, CASE)


def test_a_secret_anywhere_is_found(shop: Shop) -> None:
    with shop.world() as world, pytest.raises(AssertionError, match="the secret of netrc"):
        (world.project / "a log").write_text(f"password {SECRETS['netrc']}")
        check(world, CASE)
    assert shop.figures.broken == ["planted secrets found"]


def test_half_a_wheelhouse_is_found(shop: Shop) -> None:
    with shop.world() as world, pytest.raises(AssertionError, match="no whole wheelhouse"):
        wheels = world.dist / TARGET / "wheels"
        wheels.mkdir(parents=True)
        (wheels.parent / "SHA256SUMS").write_text(f"{'0' * 64}  wheels/a.whl\n")
        check(world, CASE)


def test_a_lost_wheelhouse_is_found(shop: Shop) -> None:
    with shop.world() as world, pytest.raises(AssertionError, match="is not what it was"):
        world.before = {f"{TARGET}/manifest.json": "0" * 64}
        check(world, CASE)


def test_a_staging_folder_is_found(shop: Shop) -> None:
    with shop.world() as world, pytest.raises(AssertionError, match="left in dist"):
        (world.dist / ".d12.x.wheelhouse-staging").mkdir(parents=True)
        check(world, CASE)


def test_outcomes_of_commands_are_looked_at() -> None:
    assert succeeded(finished(0)).status == 0
    with pytest.raises(AssertionError):
        succeeded(finished(1))
    assert refused(finished(3, "error[lock]: no\n  such thing\n"), 3, "no such thing")
    with pytest.raises(AssertionError, match="not in"):
        refused(finished(3, "error[lock]: no"), 3, "such thing")
    with pytest.raises(AssertionError, match="instead of 4"):
        refused(finished(3), 4)
