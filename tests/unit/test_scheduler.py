"""The scheduler: lanes with their widths, the costliest first, failures told to dependents."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING

import pytest

from wheelhouse.errors import BuildError, InternalError, InterruptedRunError, SeveralErrors
from wheelhouse.scheduler import NotStartedError, Scheduler, gather

if TYPE_CHECKING:
    from collections.abc import Callable

SOON = 5.0


def fail() -> None:
    raise BuildError("broken")


def blocker(scheduler: Scheduler) -> Callable[[], None]:
    """Occupy the only container until the returned function is called."""
    started, go = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        assert go.wait(SOON)

    scheduler.submit("containers", wait)
    assert started.wait(SOON)
    return go.set


def test_a_result_and_an_error_come_back() -> None:
    with Scheduler(1) as scheduler:
        assert scheduler.submit("downloads", lambda: 42).result(SOON) == 42
        with pytest.raises(BuildError, match="broken"):
            scheduler.submit("containers", fail).result(SOON)


def test_even_an_exit_belongs_to_who_waits() -> None:
    def leave() -> None:
        raise SystemExit(3)

    with Scheduler(1) as scheduler:
        with pytest.raises(SystemExit):
            scheduler.submit("containers", leave).result(SOON)
        assert scheduler.submit("containers", lambda: "still there").result(SOON)


def test_the_costliest_goes_first_then_as_submitted() -> None:
    order: list[str] = []
    with Scheduler(1) as scheduler:
        release = blocker(scheduler)
        costs = [("a", 1.0), ("b", 5.0), ("c", 0.0), ("d", 5.0), ("e", 0.0)]
        futures = [
            scheduler.submit("containers", lambda name=name: order.append(name), cost=cost)  # type: ignore[misc]
            for name, cost in costs
        ]
        release()
        for future in futures:
            future.result(SOON)
    assert order == ["b", "d", "a", "c", "e"]


@pytest.mark.parametrize(("lane", "width"), [("containers", 2), ("downloads", 3)])
def test_a_lane_is_as_wide_as_it_was_asked_to_be(lane: str, width: int) -> None:
    running = most = 0
    lock = threading.Lock()
    full = threading.Barrier(width)

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        full.wait(SOON)  # proves that so many run at once
        with lock:
            running -= 1

    with Scheduler(containers=2, downloads=3) as scheduler:
        for future in [scheduler.submit(lane, work) for _ in range(width * 4)]:  # type: ignore[arg-type]
            future.result(SOON)
    assert most == width


def test_lanes_do_not_wait_for_each_other() -> None:
    with Scheduler(1) as scheduler:
        release = blocker(scheduler)
        assert scheduler.submit("downloads", lambda: 1).result(SOON) == 1
        release()


def test_a_task_waits_for_all_that_it_needs() -> None:
    done: list[str] = []
    with Scheduler(2) as scheduler:
        release = blocker(scheduler)
        first = scheduler.submit("containers", lambda: done.append("first"))
        other = scheduler.submit("downloads", lambda: done.append("other"))
        last = scheduler.submit(
            "downloads", lambda: done.append("last"), after=[first, other, first]
        )
        release()
        last.result(SOON)
    assert done[-1] == "last"
    assert sorted(done) == ["first", "last", "other"]


def test_after_what_is_already_done() -> None:
    with Scheduler(1) as scheduler:
        first = scheduler.submit("containers", lambda: 1)
        first.result(SOON)
        second = scheduler.submit("containers", lambda: first.result() + 1, after=[first])
        assert second.result(SOON) == 2


def test_a_failure_stops_only_what_depends_on_it_and_says_why() -> None:
    with Scheduler(1) as scheduler:
        bad = scheduler.submit("containers", fail)
        good = scheduler.submit("containers", lambda: "fine")
        child = scheduler.submit("containers", lambda: "never", after=[good, bad])
        grandchild = scheduler.submit("downloads", lambda: "never", after=[child])
        both = scheduler.submit("downloads", lambda: "never", after=[bad, child, grandchild])
        assert good.result(SOON) == "fine"
        for future in (child, grandchild, both):
            error = future.exception(SOON)
            assert isinstance(error, NotStartedError)
            assert isinstance(error.cause, BuildError)  # the root, not the link between
            assert str(error) == "broken"


def test_what_nobody_foresaw_is_one_failure_among_others() -> None:
    def unforeseen() -> None:
        raise KeyError("x")

    def foreseen() -> None:
        raise BuildError("b")

    with Scheduler(containers=1) as scheduler:
        futures = [scheduler.submit("containers", each) for each in (unforeseen, foreseen)]
        with pytest.raises(SeveralErrors) as told:
            gather(futures)
    first, second = told.value.errors
    assert isinstance(first, InternalError)
    assert "(KeyError: 'x')" in first.message
    assert isinstance(second, BuildError)


def test_a_cancelled_task_counts_as_failed() -> None:
    with Scheduler(1) as scheduler:
        release = blocker(scheduler)
        waiting = scheduler.submit("containers", lambda: 1)
        child = scheduler.submit("downloads", lambda: 2, after=[waiting])
        assert waiting.cancel()
        error = child.exception(SOON)
        assert isinstance(error, NotStartedError)
        assert isinstance(error.cause, CancelledError)
        release()


def test_at_the_end_what_runs_is_waited_for_and_what_waits_is_told() -> None:
    with Scheduler(1) as scheduler:
        release = blocker(scheduler)
        pending = scheduler.submit("containers", lambda: "never")
        child = scheduler.submit("downloads", lambda: "never", after=[pending])
        cancelled = scheduler.submit("containers", lambda: "never")
        cancelled.cancel()
        threading.Timer(0.05, release).start()
    assert isinstance(pending.exception(SOON), InterruptedRunError)
    told = child.exception(SOON)
    assert isinstance(told, NotStartedError)
    assert isinstance(told.cause, InterruptedRunError)
    late = scheduler.submit("containers", lambda: "never")
    assert isinstance(late.exception(SOON), InterruptedRunError)


def test_at_the_end_nothing_new_starts_in_any_lane() -> None:
    """Not even what waited for the very task that was still running."""
    ran: list[str] = []
    with Scheduler(1) as scheduler:
        running: Future[None] = Future()
        started, go = threading.Event(), threading.Event()

        def work() -> None:
            started.set()
            assert go.wait(SOON)

        running = scheduler.submit("containers", work)
        after = scheduler.submit("downloads", lambda: ran.append("x"), after=[running])
        assert started.wait(SOON)
        threading.Timer(0.05, go.set).start()
    assert running.exception(SOON) is None
    assert ran == []
    assert isinstance(after.exception(SOON), InterruptedRunError)


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with Scheduler(4, downloads=8) as scheduler:
        scheduler.submit("downloads", lambda: None).result(SOON)
    assert threading.active_count() == before
