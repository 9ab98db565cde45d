"""Making a store smaller, while others use it.

What is removed is chosen first (pure), then looked at once more and removed, a few at a time,
while nobody gives final names or counts on them. So no run waits for longer than moments; and
nothing goes that a run has used which still lives.

What wheelhouses share with the store by hard links stays: it takes no room but theirs. Once they
are gone, it is like everything else.
"""

from __future__ import annotations

import stat
import time
from contextlib import suppress
from os.path import lexists
from typing import TYPE_CHECKING

from wheelhouse.durable import storage_errors
from wheelhouse.leases import oldest, used_at
from wheelhouse.locks import unheld
from wheelhouse.store import remove

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from wheelhouse.inventory import Holding
    from wheelhouse.store import Store

#: How many are removed while others wait, and the seconds in which these get their turn.
_BATCH, _TURN = 16, 0.002

#: What a run that uses it holds a lock on.
_LOCKED = "partial"


def chosen(
    held: Iterable[Holding], *, unused_since: int, in_use_since: int, limit: int | None = None
) -> list[Holding]:
    """What of *held* is to go, the longest unused first. Pure.

    :param unused_since: what was last used before goes; in nanoseconds since 1970, as the others.
    :param in_use_since: what was used at or after it stays, since a run may be about it.
    :param limit: the bytes that the rest may take: what was last used earliest goes until it does.
    """
    own = sorted((each for each in held if not each.shared), key=lambda each: each.used)
    size = sum(each.size for each in own)
    gone = []
    for each in own:
        if each.kind == "temporary" or each.used >= in_use_since:
            continue
        too_much = limit is not None and size > limit
        if too_much or each.kind == "damaged" or each.used < unused_since:
            gone.append(each)
            size -= each.size
    return gone


def in_use_since(store: Store) -> int:
    """Since when there may be a run that is using what it has looked at: the oldest that lives."""
    with storage_errors(store.root), store.settling():
        return _oldest(store)


def prune(store: Store, choice: Sequence[Holding]) -> list[Holding]:
    """Remove what was chosen, but for what has come into use since; what is gone now.

    :raises StorageError: the store cannot be written to.
    """
    gone: list[Holding] = []
    with storage_errors(store.root):
        for first in range(0, len(choice), _BATCH):
            with store.settling():
                since = _oldest(store)
                some = choice[first : first + _BATCH]
                gone.extend(each for each in some if _removed(each, since))
            time.sleep(_TURN)
    return gone


def drop_locks(store: Store) -> int:
    """Remove the files of locks that nobody holds: there is one for each thing that was ever made.

    :return: how many they were.
    :raises StorageError: the store cannot be written to.
    """
    with storage_errors(store.root):
        return sum(_unlinked(path) for path in sorted((store.root / "locks").glob("*.lock")))


def _oldest(store: Store) -> int:
    found = oldest(store.root / "runs")
    return time.time_ns() if found is None else found


def _removed(holding: Holding, since: int) -> bool:
    """Remove *holding* unless it was used in the time *since*; whether it is gone."""
    try:
        found = holding.path.lstat()
    except FileNotFoundError:
        return False
    linked = stat.S_ISREG(found.st_mode) and found.st_nlink > 1
    used = used_at(found)
    if linked or used > holding.used or used >= since:
        return False
    if holding.kind == _LOCKED:
        return _unlinked(holding.path)
    remove(holding.path)
    return not lexists(holding.path)


def _unlinked(path: Path) -> bool:
    """Remove the file at *path* unless somebody has locked it; whether it is gone."""
    with unheld(path) as free:
        if free:
            with suppress(FileNotFoundError):
                path.unlink()
                return True
    return False
