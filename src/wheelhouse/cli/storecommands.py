"""The commands about the store: `store show` and `store prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wheelhouse.cli.measures import age, size

if TYPE_CHECKING:
    from datetime import timedelta


@click.group(short_help="What was downloaded and built, for all projects.")
def store() -> None:
    """What was downloaded and built, kept for all projects of a user."""


@store.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, sizes in bytes.")
def show(as_json: bool) -> None:
    """Tell where the store is, and what takes how much of the disk."""
    from wheelhouse.cli.storing import show_store

    show_store(as_json=as_json)


@store.command()
@click.option(
    "--older-than",
    callback=age,
    metavar="AGE",
    help="Remove what was not used for so long: 30d, 2 weeks, 12h, 30m.  [default: 30d, unless "
    "--max-size is given]",
)
@click.option(
    "--max-size",
    callback=size,
    metavar="SIZE",
    help="Remove what was used least recently until the rest takes no more: 20GB, 20GiB.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would go, and remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, sizes in bytes.")
def prune(older_than: timedelta | None, max_size: int | None, dry_run: bool, as_json: bool) -> None:
    """Remove what is not wanted any more. What is missing then is downloaded or built again.

    It waits until no run uses the store, and runs that begin meanwhile wait for it. What
    wheelhouses share with the store by hard links stays, since it takes no room of its own.

    \b
    wheelhouse store prune --max-size 20GB      for a machine that builds every night
    """
    from wheelhouse.cli.storing import prune_store

    prune_store(older_than, max_size, dry_run=dry_run, as_json=as_json)
