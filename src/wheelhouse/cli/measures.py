"""Ages and sizes as options take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wheelhouse import moments

if TYPE_CHECKING:
    from datetime import timedelta


def age(context: click.Context, option: click.Parameter, value: str | None) -> timedelta | None:
    """*value*, such as ``30d`` or ``2 weeks``, as an age; a usage error where it is none."""
    try:
        return None if value is None else moments.age(value)
    except ValueError as error:
        told = f"{error} (write such as 30d, 2 weeks or 12h)"
        raise click.BadParameter(told, context, option) from error


def size(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """*value*, such as ``20GB`` or ``512MiB``, in bytes; a usage error where it is no size."""
    if value is None:
        return None
    from wheelhouse.filemeasures import bytes_of
    from wheelhouse.filevalues import Refusal

    try:
        return bytes_of(int(value) if value.isdecimal() else value)
    except Refusal as error:
        more = f" ({error.hint})" if error.hint else ""
        raise click.BadParameter(error.message + more, context, option) from error
