"""`wheelhouse store …`."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from wheelhouse.building.connecting import KIND as REPAIR
from wheelhouse.building.history import BUILD
from wheelhouse.cli.terminal import print_lines
from wheelhouse.durable import free_room
from wheelhouse.inventory import KINDS, holdings
from wheelhouse.pruning import chosen, drop_locks, in_use_since, prune
from wheelhouse.reporting.lines import Span, line, pad
from wheelhouse.store import Store, default_root
from wheelhouse.text import human_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from wheelhouse.inventory import Holding, Kind
    from wheelhouse.reporting.lines import Line

#: What a prune that is told nothing removes: what was not used for a month.
USUAL = timedelta(days=30)

_BUILDS = (BUILD, REPAIR)
_TITLES: dict[Kind, str] = {
    "downloads": "downloads",
    "built": "built wheels",
    "records": "records",
    "partial": "partial downloads",
    "logs": "logs",
    "temporary": "being written",
    "damaged": "damaged",
}


def show_store(*, as_json: bool) -> None:
    """Print what the store holds. Raises StorageError."""
    root = default_root()
    held = holdings(root, _BUILDS)
    if as_json:
        free = free_room(root)
        told = {"path": str(root), "free": free, **_totals(held), "kinds": _by_kind(held)}
        click.echo(json.dumps(told, indent=2))
    else:
        print_lines(shown(root, held, free_room(root)))


def prune_store(
    older_than: timedelta | None, limit: int | None, *, dry_run: bool, as_json: bool
) -> None:
    """Remove what was not used in the time *older_than*, and what goes beyond *limit* bytes.

    :param older_than: 30 days, if it and *limit* are both None.
    :raises StorageError: the store cannot be written to.
    """
    if older_than is None and limit is None:
        older_than = USUAL
    store = Store(default_root())
    if not dry_run:
        store.clean()
    held = holdings(store.root, _BUILDS)
    choice = chosen(
        held,
        unused_since=_before(older_than) if older_than is not None else 0,
        in_use_since=in_use_since(store),
        limit=limit,
    )
    gone = choice if dry_run else prune(store, choice)
    if not dry_run:
        drop_locks(store)
    left = set(held) - set(gone)
    if as_json:
        told = {"path": str(store.root), "dry-run": dry_run, "removed": _by_kind(gone)}
        click.echo(json.dumps({**told, "freed": _size(gone), **_totals(left)}, indent=2))
    else:
        print_lines(pruned(store.root, gone, left, limit, dry_run=dry_run))


def _before(age: timedelta) -> int:
    return time.time_ns() - int(age.total_seconds()) * 10**9


def shown(root: Path, held: Sequence[Holding], free: int | None) -> Iterator[Line]:
    """What the store at *root* holds, for a person. Pure."""
    yield line(Span(str(root), "strong"))
    yield from _table(held)
    totals = _totals(held)
    more = ""
    if totals["shared"]:
        more += f", {human_size(totals['shared'])} more shared with wheelhouses"
    if free is not None:
        more += f"; the disk has {human_size(free)} left"
    yield line(f"{human_size(totals['size'])} in all", Span(more, "dim"))


def pruned(
    root: Path,
    gone: Sequence[Holding],
    left: Iterable[Holding],
    limit: int | None,
    *,
    dry_run: bool,
) -> Iterator[Line]:
    """What was removed from the store at *root*, for a person. Pure."""
    yield line(Span(str(root), "strong"))
    yield from _table(gone)
    size = _totals(left)["size"]
    freed = f"{human_size(_size(gone))} {'would be freed' if dry_run else 'freed'}"
    yield line(freed if gone else "nothing to remove", Span(f", {human_size(size)} stay", "dim"))
    if limit is not None and size > limit:
        yield line(f"More than {human_size(limit)} stay: runs that are at work have used them")


def _table(held: Iterable[Holding]) -> Iterator[Line]:
    found = _by_kind(held)
    rows = [
        (_TITLES[kind], f"{told['count']:,}", human_size(told["size"]))
        for kind, told in found.items()
        if told["count"]
    ]
    first, second, third = (max((len(row[i]) for row in rows), default=0) for i in range(3))
    for title, count, size in rows:
        yield line("  ", pad(title, first), f"  {count:>{second}}  ", f"{size:>{third}}")


def _by_kind(held: Iterable[Holding]) -> dict[Kind, dict[str, int]]:
    found = {kind: {"count": 0, "size": 0, "shared": 0} for kind in KINDS}
    for each in held:
        found[each.kind]["count"] += 1
        found[each.kind]["shared" if each.shared else "size"] += each.size
    return found


def _totals(held: Iterable[Holding]) -> dict[str, Any]:
    """The bytes that the store alone takes, and those of what it shares with wheelhouses."""
    kinds = _by_kind(held).values()
    return {name: sum(kind[name] for kind in kinds) for name in ("size", "shared")}


def _size(held: Iterable[Holding]) -> int:
    return sum(each.size for each in held)
