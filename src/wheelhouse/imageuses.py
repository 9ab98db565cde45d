"""When runs on a store used which image: an engine does not know."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from wheelhouse.inventory import IMAGE_USES
from wheelhouse.leases import used_at
from wheelhouse.locks import locked
from wheelhouse.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wheelhouse.store import Store

#: The lock that is shared by all who are making an image, in a store's ``locks``.
MAKING = "making-images.lock"

_OURS = re.compile(r"wheelhouse/.*")


class InUseError(Exception):
    """Somebody is about it at this moment."""


class ImageUses:
    """When runs on *store* used images.

    A run asks the engine for an image while it shares the image's lock, and has marked the use; who
    removes one has the lock alone. So what was found is there for as long as the run lives.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def using(self, name: str) -> Iterator[None]:
        """Within the block, nobody removes the image *name*; and not before this run ends.

        :raises StorageError: the store cannot be written to.
        """
        if not _OURS.fullmatch(name):
            yield
            return
        with locked(self._lock(name), shared=True):
            key = _key(name)
            if self._store.record(IMAGE_USES, key) is None:
                self._store.write_record(IMAGE_USES, key, {"name": name})
            yield

    def removing(self, name: str) -> AbstractContextManager[object]:
        """Within the block, nobody asks for the image *name*. Raises StorageError."""
        return locked(self._lock(name))

    def clearing(self) -> AbstractContextManager[object]:
        """Within the block, no run on this store makes an image.

        :raises InUseError: one is making one now.
        :raises StorageError: the store cannot be written to.
        """
        return locked(self._store.root / "locks" / MAKING, _refuse)

    def last(self, name: str) -> float:
        """When a run last used the image *name*, in seconds since 1970; 0 if none has."""
        try:
            return used_at(self._record(name).lstat()) / 10**9
        except OSError:
            return 0.0

    def forget(self, before: float, there: Collection[str]) -> None:
        """Drop uses *before* a time, in seconds since 1970, of all but the images that are *there*.

        :raises StorageError: the store cannot be written to.
        """
        kept = {_key(name) for name in there}
        for record in (self._store.root / "records" / IMAGE_USES).glob("*.json"):
            with suppress(FileNotFoundError):
                if record.stem not in kept and used_at(record.lstat()) / 10**9 < before:
                    self._store.forget(IMAGE_USES, record.stem)

    def _record(self, name: str) -> Path:
        return self._store.root / "records" / IMAGE_USES / f"{_key(name)}.json"

    def _lock(self, name: str) -> Path:
        return self._store.root / "locks" / f"image-{_key(name)}.lock"


def _key(name: str) -> str:
    return digest_of(name)[:32]


def _refuse() -> None:
    raise InUseError
