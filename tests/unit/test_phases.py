"""How the end of a target is reported."""

from __future__ import annotations

import pytest
from lockingfactory import target

from wheelhouse.errors import BuildError, LockError, SeveralErrors, WheelhouseError
from wheelhouse.events import Event, TargetFinished
from wheelhouse.phases import telling_the_end


class Remembering:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


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
