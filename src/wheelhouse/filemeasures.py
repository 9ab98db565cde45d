"""Sizes and durations in `wheelhouse.toml`: ``4GiB``, ``1h30m``. See :mod:`.filevalues`."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final

from pydantic import PlainValidator, WithJsonSchema

from wheelhouse.engine import GIB, MIB
from wheelhouse.filevalues import Refusal
from wheelhouse.moments import end_of, in_utc, moment_before
from wheelhouse.wording import quoted, type_name

KIB: Final = 1024
UNITS: Final = {
    "B": 1,
    "KiB": KIB,
    "MiB": MIB,
    "GiB": GIB,
    "TiB": KIB * GIB,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
LONGEST: Final = 30 * 24 * 3600
LARGEST: Final = KIB * KIB * GIB
SIZE: Final = f"^([0-9]+(?:\\.[0-9]+)?)({'|'.join(UNITS)})$"
#: A day, a time, or an age; :mod:`wheelhouse.moments` has the last word.
CUTOFF: Final = (
    "^\\s*([0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?|[0-9]{1,5}\\s*[A-Za-z]+|[Pp][0-9TWDHtwdh]+)\\s*$"
)
DURATION: Final = "^(?=.)(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?$"


def size(smallest: str) -> PlainValidator:
    def check(value: object) -> int:
        number = bytes_of(value)
        if number < bytes_of(smallest):
            hint = 'a bare number counts bytes; write "4GiB" for gibibytes'
            raise Refusal(f"must be at least {smallest}", hint=hint)
        if number > LARGEST:
            raise Refusal("must be at most 1024TiB")
        return number

    schema = {"type": ["integer", "string"], "pattern": SIZE, "minimum": bytes_of(smallest)}
    return PlainValidator(check, json_schema_input_type=Annotated[Any, WithJsonSchema(schema)])


def bytes_of(value: object) -> int:
    """Read ``4GiB`` or a number of bytes. Raises Refusal."""
    from fractions import Fraction

    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise Refusal(f"must be a size, not {type_name(value)}", hint=_SIZE_HINT)
    if not (match := re.fullmatch(SIZE, value)):
        raise Refusal(f"{quoted(value)} is not a size{_meant_unit(value)}", hint=_SIZE_HINT)
    return int(Fraction(match[1]) * UNITS[match[2]])


def _meant_unit(value: str) -> str:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt])(?:i?b)?", value.lower())
    return f'; did you mean "{match[1]}{match[2].upper()}iB"?' if match else ""


_SIZE_HINT = f'write a number and one of {", ".join(UNITS)}, such as "4GiB", or a number of bytes'


def _seconds(value: object) -> float:
    """Read ``1h30m``, or a number of seconds."""
    if isinstance(value, str) and (match := re.fullmatch(DURATION, value)):
        hours, minutes, seconds = (int(part[:9]) if part else 0 for part in match.groups())
        number: int | float = hours * 3600 + minutes * 60 + seconds
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    else:
        what = quoted(value) if isinstance(value, str) else type_name(value)
        raise Refusal(f"must be a duration, not {what}", hint=_DURATION_HINT)
    if not 1 <= number <= LONGEST:
        raise Refusal("must be at least a second and at most 30 days", hint=_DURATION_HINT)
    return float(number)


def _cutoff(value: object) -> datetime | timedelta:
    """Read ``2026-11-20``, in quotes or not, a time, or ``7 days``."""
    try:
        if isinstance(value, datetime):
            return in_utc(value)
        if isinstance(value, date):
            return end_of(value)
        if isinstance(value, str):
            return moment_before(value)
    except (ValueError, OverflowError):
        said = quoted(str(value))
        raise Refusal(f"{said} is neither a day, a time nor an age", hint=_CUTOFF_HINT) from None
    what = "a time without a day" if isinstance(value, time) else type_name(value)
    raise Refusal(f"must be a day, a time or an age, not {what}", hint=_CUTOFF_HINT)


_CUTOFF_HINT = 'write it as "2026-11-20", "2026-11-20T12:00:00Z" or "7 days"'

Cutoff = Annotated[
    Any,
    PlainValidator(
        _cutoff,
        json_schema_input_type=Annotated[
            Any, WithJsonSchema({"type": "string", "pattern": CUTOFF})
        ],
    ),
]

_DURATION_HINT = 'write it as "1h", "90m", "1h30m" or "45s", or as a number of seconds'

Duration = Annotated[
    float,
    PlainValidator(
        _seconds,
        json_schema_input_type=Annotated[
            Any,
            WithJsonSchema(
                {
                    "type": ["number", "string"],
                    "pattern": DURATION,
                    "minimum": 1,
                    "maximum": LONGEST,
                }
            ),
        ],
    ),
]
