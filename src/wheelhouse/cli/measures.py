"""Ages and sizes as options take them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from wheelhouse import moments

if TYPE_CHECKING:
    from datetime import timedelta


#: Sizes as other programs take them, too: 20G, 20 GB, 20gib.
_SPELLED = re.compile(r"^([0-9.]+)\s*([kmgt])(i?)b?$", re.IGNORECASE)


def age(context: click.Context, option: click.Parameter, value: str | None) -> timedelta | None:
    """*value*, such as ``30d`` or ``2 weeks``, as an age; a usage error where it is none."""
    try:
        return None if value is None else moments.age(value)
    except ValueError as error:
        told = f"{error} (write such as 30d, 2 weeks, 12h or 30m)"
        raise click.BadParameter(told, context, option) from error


def _spelled(match: re.Match[str]) -> str:
    number, prefix, binary = match.groups()
    prefix = prefix.upper() if binary or prefix not in "kK" else "k"
    return f"{number}{prefix}{binary.lower()}B"


def size(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """*value*, such as ``20GB``, ``20G`` or ``512 MiB``, in bytes; a usage error if it is none."""
    if value is None:
        return None
    value = _SPELLED.sub(_spelled, value.strip())
    from wheelhouse.filemeasures import bytes_of
    from wheelhouse.filevalues import Refusal

    try:
        return bytes_of(int(value) if value.isdecimal() else value)
    except Refusal as error:
        more = f" ({error.hint})" if error.hint else ""
        raise click.BadParameter(error.message + more, context, option) from error
