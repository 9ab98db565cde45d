"""What was built last of a project: found by its name, version and place, without a search.

A build's own record has its inputs. Beside it, the store keeps the key of the newest build by three
ever wider questions: of this version for this place; of the project for this place; of the project
at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.building.changes import Earlier
from wheelhouse.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelhouse.store import Store
    from wheelhouse.targets import Place

#: The kind of a build's record.
BUILD = "build"

KIND = "last-build"


def remember_build(
    store: Store, name: NormalizedName, version: Version, place: Place, key: str
) -> None:
    """Keep that the build *key* is the newest of *name*. Raises StorageError."""
    for question in _questions(name, version, place):
        store.write_record(KIND, question, {"key": key})


def last_build(
    store: Store, name: NormalizedName, version: Version, place: Place
) -> Earlier | None:
    """The newest build that is most like that of *version* for *place*; None if there is none.

    Records that are damaged, or of another version of this program, are as good as none.
    """
    for question in _questions(name, version, place):
        key = (store.record(KIND, question) or {}).get("key")
        found = _recorded(store, key, place) if isinstance(key, str) else None
        if found is not None:
            return found
    return None


def _questions(name: NormalizedName, version: Version, place: Place) -> Iterator[str]:
    where = [place.preset.name, place.python, place.arch]
    yield f"{name}@{digest_of([*where, str(version)])[:32]}"
    yield f"{name}@{digest_of(where)[:32]}"
    yield name


def _recorded(store: Store, key: str, place: Place) -> Earlier | None:
    if len(key) != 64 or not key.isalnum():  # it becomes part of a path
        return None
    match store.record(BUILD, key):
        case {"version": str(version), "place": str(where), "inputs": dict(inputs)}:
            return Earlier(
                key=key,
                version=version,
                place=where,
                same_place=where == str(place),
                inputs=inputs,
            )
    return None
