"""Times and ages as people write them: ``2026-11-20``, ``2026-11-20T12:00:00Z``, ``7 days``.

Pure; imports the standard library only.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

#: Seconds of a unit, by each of its names.
_UNITS = {
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 24 * 3600),
    **dict.fromkeys(("w", "week", "weeks"), 7 * 24 * 3600),
}
_AGE = re.compile(r"(\d{1,5})\s*([a-z]+)", re.IGNORECASE)

# ISO 8601, without the months and years that have no length of their own.
_ISO_AGE = re.compile(r"P(?=.)(?:(\d{1,5})W|(?:(\d{1,5})D)?(?:T(\d{1,5})H)?)", re.IGNORECASE)


def moment_before(text: str) -> datetime | timedelta:
    """The moment, in UTC, or the age that *text* says: what is newer is not wanted.

    A day is wanted with all its hours, as uv takes it. Days, and times without an offset, are
    those of UTC, so that they are the same moment on every machine.

    :raises ValueError: it says neither.
    """
    text = text.strip()
    if (age := _age(text)) is not None:
        return age
    try:
        if len(text) == len("2026-11-20"):
            return end_of(date.fromisoformat(text))
        return in_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise ValueError(f'"{text}" is neither a time nor an age') from None


def age(text: str) -> timedelta:
    """The age that *text* says: ``7 days``, ``12h``, ``P1W``. Raises ValueError."""
    if (found := _age(text.strip())) is None:
        raise ValueError(f'"{text}" is no age')
    return found


def end_of(day: date) -> datetime:
    """The moment, in UTC, at which *day* is over. Raises OverflowError for the last of all days."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def in_utc(moment: datetime) -> datetime:
    """*moment* in UTC, which it is taken for if it has no offset."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _age(text: str) -> timedelta | None:
    if match := _ISO_AGE.fullmatch(text):
        weeks, days, hours = (int(part or 0) for part in match.groups())
        return timedelta(weeks=weeks, days=days, hours=hours)
    match = _AGE.fullmatch(text)
    seconds = _UNITS.get(match[2].lower()) if match else None
    return timedelta(seconds=int(match[1]) * seconds) if match and seconds else None
