"""Times and ages as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wheelhouse.moments import moment_before


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-11-20T12:00:00Z", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("2026-11-20T12:00:00+02:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        (" 2026-11-20T12:00 ", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("2026-11-20 12:30:15.5", datetime(2026, 11, 20, 12, 30, 15, 500_000, tzinfo=UTC)),
    ],
)
def test_a_moment(text: str, moment: datetime) -> None:
    found = moment_before(text)
    assert found == moment
    assert isinstance(found, datetime)
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("7 days", timedelta(days=7)),
        ("7d", timedelta(days=7)),
        ("1 week", timedelta(weeks=1)),
        ("2 Weeks", timedelta(weeks=2)),
        ("36h", timedelta(hours=36)),
        ("0 days", timedelta(0)),
        ("P7D", timedelta(days=7)),
        ("P2W", timedelta(weeks=2)),
        ("P1DT12H", timedelta(days=1, hours=12)),
        ("PT24H", timedelta(hours=24)),
    ],
)
def test_an_age(text: str, age: timedelta) -> None:
    assert moment_before(text) == age


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "7", "7 months", "P1M", "P1Y", "P", "-7 days", "2026-02-30", "2026-13-01"),
        *("9999-12-31", "999999999 days", "2026-11", "20261120T", "7 days ago"),
    ],
)
def test_neither(text: str) -> None:
    with pytest.raises(ValueError, match="neither a time nor an age"):
        moment_before(text)
