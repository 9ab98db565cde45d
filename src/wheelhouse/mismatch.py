"""A file that is not the one the lock tells of: said of its package, with what helps."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.errors import FetchError
from wheelhouse.fetcherrors import ChangedError
from wheelhouse.locking.lockfile import lock_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelhouse.locking.model import LockedPackage


@contextmanager
def held_against_lock(package: LockedPackage, target: str, *, upgrade: str) -> Iterator[None]:
    """What is fetched meanwhile for *package* is held against the lock of *target*.

    `wheelhouse lock` alone keeps a lock that belongs to the requirements, and its hashes with it:
    what renews them has to be named.

    :param upgrade: the options of `wheelhouse lock` that have these files chosen anew.
    :raises FetchError: one is another file than the lock says, or is there no longer.
    """
    lock, again = lock_path(Path(), target).name, f"`wheelhouse lock {upgrade}`"
    try:
        yield
    except ChangedError as error:
        hint = (
            "if the lock was edited or merged wrongly, restore it; if the index's file changed "
            f"and that is right: {again}"
        )
        raise FetchError(
            f"{package}: {error.url} is not what {lock} says: {error.differs}",
            hint=error.hint if error.is_page else hint,
            kind=error.kind,
        ) from error
    except FetchError as error:
        if error.kind != "gone":
            raise
        raise FetchError(
            f"{package}: {error.message}, where {lock} says it is",
            hint=f"have another one locked: {again}",
            kind=error.kind,
        ) from error
