"""Reading what the daemon says while it makes an image."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from wheelhouse.engine.docker_images import _events
from wheelhouse.errors import ImageError, InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_lines_come_in_order_to_the_end() -> None:
    lines: list[str] = []
    events = [{"stream": "one\ntwo\n"}, {"status": "Pulling", "id": "abc"}, {"stream": "three"}]
    _events(events, lines.append)
    assert [line for line in lines if line] == ["one", "two", "abc Pulling", "three"]


def test_an_error_is_raised_after_what_came_behind_it() -> None:
    lines: list[str] = []
    with pytest.raises(ImageError, match="no such host"):
        _events([{"error": "no such host"}, {"stream": "last"}], lines.append)
    assert "last" in lines


def test_what_reading_raises_comes_through() -> None:
    def broken() -> Iterator[dict[str, str]]:
        yield {"stream": "one"}
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        _events(broken(), lambda _: None)


def test_a_silent_step_can_be_given_up() -> None:
    end = threading.Event()

    def silent() -> Iterator[dict[str, str]]:
        yield {"stream": "Step 1/1 : RUN make"}
        end.wait()

    def stopped(line: str) -> None:
        if not line:
            raise InterruptedRunError("stopped")

    try:
        with pytest.raises(InterruptedRunError):
            _events(silent(), stopped)
    finally:
        end.set()
