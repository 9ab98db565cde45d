"""How the end of a target is reported."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from lockingfactory import images, target
from packaging.version import Version

from wheelhouse.cuda import Cuda
from wheelhouse.errors import (
    BuildError,
    InterruptedRunError,
    LockError,
    SeveralErrors,
    WheelhouseError,
)
from wheelhouse.events import Event, Notice, TargetFinished
from wheelhouse.phases import errors_of, tell_doubt, tell_stand_in, telling_the_end
from wheelhouse.targets import Target, presets

if TYPE_CHECKING:
    from wheelhouse.run import Run


class Remembering:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("debian13", "no image; so it is proven in Debian 13 (trixie)"),
        (
            "portable",
            (
                "no image; so it is proven in Portable Linux (glibc 2.31), with glibc 2.31 instead "
                "of glibc 2.41"
            ),
        ),
    ],
)
def test_a_stand_in_is_told_with_what_is_different_there(other: str, told: str) -> None:
    reporter = Remembering()
    wanted = Target(name="web", preset=presets()["python-slim"], python="3.13")
    elsewhere = replace(wanted.place, preset=presets()[other])
    found = replace(images(), place=elsewhere, lacking="no image")
    tell_stand_in(cast("Run", SimpleNamespace(reporter=reporter)), wanted, found)
    (event,) = reporter.events
    assert isinstance(event, Notice)
    assert event.message == told


@pytest.mark.parametrize(("version", "told"), [("13.2", 0), ("99.0", 1), (None, 0)])
def test_a_cuda_of_which_not_all_is_known_is_told_of(version: str | None, told: int) -> None:
    reporter = Remembering()
    cuda = Cuda(version=Version(version)) if version else None
    tell_doubt(cast("Run", SimpleNamespace(reporter=reporter)), replace(target("web"), cuda=cuda))
    assert len(reporter.events) == told


def test_errors_have_the_name_of_their_target() -> None:
    with pytest.raises(LockError) as known, errors_of(target("web")):
        raise LockError("a long explanation")
    with pytest.raises(InterruptedRunError) as stopped, errors_of(target("web")):
        raise InterruptedRunError("stopped")
    assert (known.value.target, stopped.value.target) == ("web", None)


def test_a_target_that_the_end_of_the_run_overtook_was_stopped() -> None:
    reporter = Remembering()
    with pytest.raises(InterruptedRunError), telling_the_end(reporter, target("web")):
        raise InterruptedRunError("stopped")
    (event,) = reporter.events
    assert isinstance(event, TargetFinished)
    assert (event.outcome, event.counts, event.message) == ("stopped", {}, "")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (LockError("a long explanation"), "1 lock error"),
        (
            SeveralErrors([BuildError("a"), BuildError("b"), LockError("c")]),
            "2 build errors, 1 lock error",
        ),
    ],
)
def test_a_failed_target_counts_its_errors_which_are_told_elsewhere(
    error: WheelhouseError, told: str
) -> None:
    reporter = Remembering()
    with pytest.raises(WheelhouseError), telling_the_end(reporter, target("web")):
        raise error
    (event,) = reporter.events
    assert isinstance(event, TargetFinished)
    assert (event.outcome, event.message) == ("failed", told)
    assert error.target == "web" or isinstance(error, SeveralErrors)
