"""What `wheelhouse doctor` has looked at, line by line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from wheelhouse.cli.terminal import print_lines, wrapped
from wheelhouse.reporting.lines import Span, line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheelhouse.reporting.lines import Line


_MARKS: dict[str, Span] = {
    "ok": Span("ok  ", "good"),
    "note": Span("note", "warn"),
    "fail": Span("FAIL", "bad"),
}

#: Columns before what a check has said.
_MARGIN = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing looked at.

    :ivar noted: nothing is wrong, and it is worth a word.
    :ivar hint: what to do if it is not good, or about what is noted.
    :ivar target: the name of the target that it is about; None if it is about none by itself.
    """

    name: str
    good: bool
    said: str
    hint: str | None = None
    noted: bool = False
    target: str | None = None

    @property
    def state(self) -> Literal["ok", "note", "fail"]:
        """What has come of it."""
        if not self.good:
            return "fail"
        return "note" if self.noted else "ok"

    def to_dict(self) -> dict[str, str | None]:
        """In JSON's types; `docs/output.md` has the meaning of each."""
        return {
            "check": self.name,
            "target": self.target,
            "state": self.state,
            "message": self.said,
            "hint": None if self.state == "ok" else self.hint,
        }


def told(checks: Iterable[Check], *, as_json: bool = False) -> bool:
    """Print a line for each of *checks* as it is made, or all in JSON; whether all is well."""
    if as_json:
        made = list(checks)
        well = all(check.good for check in made)
        click.echo(json.dumps({"ok": well, "checks": [each.to_dict() for each in made]}, indent=2))
        return well
    well = True
    for check in checks:
        well = well and check.good
        print_lines(_lines(check))
    return well


def _lines(check: Check) -> Iterator[Line]:
    said, *more = check.said.split("\n")
    yield from wrapped(line(_MARKS[check.state], f"  {check.name:8}  {said}"), _MARGIN)
    yield from (line(each) for each in more)
    if check.hint and check.state != "ok":
        hint, *more = check.hint.split("\n")
        yield from wrapped(line(f"{'':{_MARGIN}}hint: {hint}"), _MARGIN)
        yield from (line(each) for each in more)
