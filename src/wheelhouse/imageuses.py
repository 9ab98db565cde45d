"""When runs on a store used or made which image: an engine does not know."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from wheelhouse.inventory import IMAGE_USES
from wheelhouse.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from wheelhouse.store import Store

#: What is noted: names of ours, and steps on the way to them (:func:`.imagepruning.mark_of`).
_NOTED = re.compile(r"wheelhouse/.*|sha256:[0-9a-f]{12}")


class ImageUses:
    """When runs on *store* used or made images, each by its *mark*: its name, or a part of its ID.

    The time is that at which a record's file was written. No run loses what it has found by that:
    who removes images has the store alone (:meth:`wheelhouse.store.Store.alone`).
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: set[str] = set()

    def note(self, mark: str) -> None:
        """Remember that the image *mark*, if it is one of ours, is in use now; once for a run.

        :raises StorageError: the store cannot be written to.
        """
        if mark in self._noted or not _NOTED.fullmatch(mark):
            return
        try:
            os.utime(self._record(mark), follow_symlinks=False)
        except OSError:  # there is none, or it is another user's
            self._store.write_record(IMAGE_USES, _key(mark), {"name": mark})
        self._noted.add(mark)

    def last(self, mark: str) -> float:
        """When a run last used the image *mark*, in seconds since 1970; 0 if none has."""
        try:
            return self._record(mark).lstat().st_mtime
        except OSError:
            return 0.0

    def forget(self, before: float, there: Collection[str]) -> None:
        """Drop uses *before* a time, in seconds since 1970, of all but the images that are *there*.

        :raises StorageError: the store cannot be written to.
        """
        kept = {_key(mark) for mark in there}
        for record in (self._store.root / "records" / IMAGE_USES).glob("*.json"):
            with suppress(FileNotFoundError):
                if record.stem not in kept and record.lstat().st_mtime < before:
                    self._store.forget(IMAGE_USES, record.stem)

    def _record(self, mark: str) -> Path:
        return self._store.root / "records" / IMAGE_USES / f"{_key(mark)}.json"


def _key(mark: str) -> str:
    return digest_of(mark)[:32]
