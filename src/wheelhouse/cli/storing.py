"""`wheelhouse store …`."""

from __future__ import annotations

import json
import time
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from wheelhouse.building.connecting import KIND as REPAIR
from wheelhouse.building.history import BUILD
from wheelhouse.cli.terminal import print_lines
from wheelhouse.durable import free_room, storage_errors
from wheelhouse.errors import StorageError
from wheelhouse.inuse import Hold
from wheelhouse.inventory import KINDS, holdings
from wheelhouse.pruning import Pruned, chosen, prune
from wheelhouse.reporting.lines import Span, line, pad
from wheelhouse.store import default_root
from wheelhouse.storeroot import is_there
from wheelhouse.text import human_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from wheelhouse.inventory import Holding, Kind
    from wheelhouse.reporting.lines import Line

#: What a prune that is told nothing removes: what was not used for a month.
USUAL = timedelta(days=30)

_BUILDS = (BUILD, REPAIR)

#: How many of what could not be removed are told one by one.
_TOLD = 10

_TITLES: dict[Kind, str] = {
    "downloads": "downloads",
    "built": "built wheels",
    "records": "records",
    "images": "uses of images",
    "partial": "partial downloads",
    "logs": "logs",
    "temporary": "temporary files",
    "locks": "locks",
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
    :raises StorageError: there is something else where the store should be, it cannot be known
        whether runs are using it, or something could not be removed.
    """
    if older_than is None and limit is None:
        older_than = USUAL
    since = _before(older_than) if older_than is not None else 0
    told = _Told(default_root(), limit, dry_run=dry_run, as_json=as_json)
    with storage_errors(told.root):
        there = is_there(told.root)
    if dry_run or not there:
        held = holdings(told.root, _BUILDS)
        told.tell(held, Pruned(chosen(held, unused_since=since, limit=limit)))
        return
    with Hold(told.root, _warn).alone(tell=_warn):
        held, done = holdings(told.root, _BUILDS), Pruned()
        try:
            prune(chosen(held, unused_since=since, limit=limit), done)
        except KeyboardInterrupt:
            told.tell(held, done, "freed before it was stopped")
            raise
    told.tell(held, done)
    if done.kept:
        raise StorageError(
            f"{len(done.kept)} of {len(done.kept) + len(done.gone)} could not be removed",
            hint="remove them as the user whose they are",
        )


def _warn(message: str) -> None:
    click.echo(message, err=True)


@dataclass(frozen=True, slots=True)
class _Told:
    """How what has become of the store at *root* is told."""

    root: Path
    limit: int | None
    _: KW_ONLY
    dry_run: bool
    as_json: bool

    def tell(self, held: Iterable[Holding], done: Pruned, words: str = "freed") -> None:
        """Print what of *held* is *done*; *words* say what that means for the room."""
        gone = set(done.gone)
        left = [each for each in held if each not in gone]
        if self.as_json:
            told = {
                "path": str(self.root),
                "dry-run": self.dry_run,
                "removed": _by_kind(done.gone),
                "freed": _size(done.gone),
                "kept": {str(path): why for path, why in done.kept.items()},
                **_totals(left),
            }
            click.echo(json.dumps(told, indent=2))
        else:
            words = "would be freed" if self.dry_run else words
            print_lines(pruned(self.root, done, left, self.limit, words))


def _before(age: timedelta) -> int:
    return time.time_ns() - int(age.total_seconds()) * 10**9


def shown(root: Path, held: Sequence[Holding], free: int | None) -> Iterator[Line]:
    """What the store at *root* holds, for a person. Pure."""
    yield line(Span(str(root), "strong"))
    yield from _table(held)
    totals = _totals(held)
    more = _shared(totals)
    if free is not None:
        more += f"; the disk has {human_size(free)} left"
    yield line(f"{human_size(totals['size'])} in all", Span(more, "dim"))


def pruned(
    root: Path, done: Pruned, left: Sequence[Holding], limit: int | None, words: str
) -> Iterator[Line]:
    """What has become of the store at *root*, for a person. Pure."""
    yield line(Span(str(root), "strong"))
    yield from _table(done.gone)
    totals = _totals(left)
    freed = f"{human_size(_size(done.gone))} {words}" if done.gone else "nothing to remove"
    stay = f", {human_size(totals['size'])} stay{_shared(totals)}"
    yield line(freed if not done.kept or done.gone else "nothing removed", Span(stay, "dim"))
    if limit is not None and totals["size"] > limit and (reasons := _reasons(done, left)):
        yield line(f"More than {human_size(limit)} stay: {', '.join(reasons)}")
    for path, why in list(done.kept.items())[:_TOLD]:
        yield line(f"kept {path}: {why}")


def _reasons(done: Pruned, left: Iterable[Holding]) -> list[str]:
    """Why what is *left* does not go, however small the limit."""
    kinds = {each.kind for each in left if each.path not in done.kept}
    reasons = {
        "some could not be removed": bool(done.kept),
        "temporary files may be some run's": "temporary" in kinds,
        "the uses of images are kept for `wheelhouse images prune`": "images" in kinds,
    }
    return [reason for reason, holds in reasons.items() if holds]


def _shared(totals: dict[str, int]) -> str:
    size = totals["shared"]
    return f", {human_size(size)} more shared with wheelhouses" if size else ""


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


def _totals(held: Iterable[Holding]) -> dict[str, int]:
    """The bytes that the store alone takes, and those of what it shares with wheelhouses."""
    kinds = _by_kind(held).values()
    return {name: sum(kind[name] for kind in kinds) for name in ("size", "shared")}


def _size(held: Iterable[Holding]) -> int:
    return sum(each.size for each in held)
