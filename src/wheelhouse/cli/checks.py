"""What `wheelhouse doctor` has looked at, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing looked at.

    :ivar noted: nothing is wrong, and it is worth a word.
    :ivar hint: what to do if it is not good, or about what is noted.
    """

    name: str
    good: bool
    said: str
    hint: str | None = None
    noted: bool = False


def told(checks: Iterable[Check]) -> bool:
    """Print a line for each of *checks* as it is made; whether all is well."""
    well = True
    for check in checks:
        well = well and check.good
        click.echo(f"{_mark(check)}  {check.name:8}  {check.said}")
        if check.hint and (check.noted or not check.good):
            click.echo(f"                hint: {check.hint}")
    return well


def _mark(check: Check) -> str:
    if not check.good:
        return click.style("FAIL", fg="red")
    return click.style("note", fg="yellow") if check.noted else click.style("ok  ", fg="green")
