"""`[audit]`: how the locked set is compared with known vulnerabilities."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from wheelhouse.filevalues import Line, PackageName, Refusal, Table, matching, path_text
from wheelhouse.indexvalues import KnownIndex
from wheelhouse.moments import moment_before
from wheelhouse.wording import quoted, type_name

#: A database's prefix and its own number.
ADVISORY: Final = "^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9:._]+)+$"
_DAY: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_AGE: Final = "^\\s*([0-9]{1,5}\\s*[A-Za-z]+|[Pp][0-9TWDHtwdh]+)\\s*$"


def _source(value: str) -> str:
    if value.startswith(("https://", "http://")) and "@" in value.partition("//")[2].split("/")[0]:
        raise Refusal(
            "has a user name in it",
            hint="leave it out of the address; it can stand in a netrc file",
        )
    return path_text(value)


def _day(value: object) -> date:
    """Read ``2026-11-20``, in quotes or not."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and len(value) == len("2026-11-20"):
            return date.fromisoformat(value)
    except ValueError:
        pass
    said = quoted(value) if isinstance(value, str) else type_name(value)
    raise Refusal(f"must be a day, not {said}", hint='write it as "2026-11-20"')


def _age(value: object) -> timedelta:
    """Read ``7 days``."""
    try:
        age = moment_before(value) if isinstance(value, str) else None
    except ValueError:
        age = None
    if isinstance(age, timedelta) and age:
        return age
    said = quoted(value) if isinstance(value, str) else type_name(value)
    raise Refusal(f"must be an age, not {said}", hint='write it as "7 days" or "2 weeks"')


AdvisoryId = Annotated[
    str,
    matching(ADVISORY, "is no name of an advisory", "write one such as CVE-2026-1234"),
    WithJsonSchema({"type": "string", "pattern": ADVISORY}),
]
SourcePlace = Annotated[
    str,
    AfterValidator(_source),
    WithJsonSchema({"type": "string", "minLength": 1, "pattern": "^(?!~)(?!https?://[^/]*@)"}),
]
Day = Annotated[
    Any,
    PlainValidator(
        _day,
        json_schema_input_type=Annotated[Any, WithJsonSchema({"type": "string", "pattern": _DAY})],
    ),
]
Age = Annotated[
    Any,
    PlainValidator(
        _age,
        json_schema_input_type=Annotated[Any, WithJsonSchema({"type": "string", "pattern": _AGE})],
    ),
]


class IgnoreTable(Table):
    """An advisory that does not count, and why."""

    model_config = ConfigDict(title="[[audit.ignore]]")

    id: AdvisoryId = Field(
        description="Any name of the advisory, such as CVE-2026-1234, GHSA-… or PYSEC-…."
    )
    reason: Line = Field(
        description="Why it does not count; everybody who reads the audit sees it."
    )
    until: Day | None = Field(
        default=None,
        description="The last day on which that holds, such as 2026-11-20; then it counts again.",
    )
    package: PackageName | None = Field(
        default=None, description="The only package that it does not count for; else for all."
    )


class AuditTable(Table):
    """How `wheelhouse audit` compares the locked set with known vulnerabilities."""

    model_config = ConfigDict(title="[audit]")

    sources: list[SourcePlace] = Field(
        default=[],
        description="Where advisories are: an offline copy of OSV's data (all.zip, or a folder of "
        'JSON files, relative to this file\'s folder), the address of a service, or "osv" for '
        "https://api.osv.dev.",
    )
    mirrors: list[KnownIndex] = Field(
        default=[],
        description="The names of indexes that mirror PyPI: what comes from them is what PyPI has "
        'under that name. "default" is the default index.',
    )
    max_age: Age = Field(
        default=timedelta(days=7),
        description="How old the newest record of an offline copy may be; older ones are told.",
        json_schema_extra={"default": "7 days"},
    )
    ignore: list[IgnoreTable] = Field(
        default=[], description="Advisories that do not count, each with its reason."
    )
