"""What repair has done to a wheel, as its container tells. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """What was done for the libraries that a wheel needs beyond its own.

    :ivar grafted: the sonames of those that were copied into it, with the symbol versions that it
        requires of each.
    :ivar places: where in the job's folder those of them were found that are not the image's; what
        is below a ``site-packages`` there is of a build requirement.
    :ivar unlocated: those that its builder does not have; another wheel may.
    :ivar excluded: those that were not to be copied.
    :ivar search: by member, the folders outside of the wheel that it was built to look in, and
        looks in no more, although nothing was copied from there.
    :ivar suppliers: by soname, the build requirements that have what was copied, or is not there,
        with their versions; see :mod:`wheelhouse.building.suppliers`.
    """

    grafted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    unlocated: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    search: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    suppliers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def left(self) -> tuple[str, ...]:
        """The sonames of all that it needs and does not have."""
        return (*self.unlocated, *self.excluded)

    @classmethod
    def of(cls, told: object) -> Repair:
        """As it was *told*, by a container or a record; what has another form is left out."""
        fields = told if isinstance(told, dict) else {}
        return cls(
            grafted=_texts_by_text(fields.get("grafted")),
            places=_text_by_text(fields.get("places")),
            unlocated=_texts(fields.get("unlocated")),
            excluded=_texts(fields.get("excluded")),
            search=_texts_by_text(fields.get("search")),
            suppliers=_versions(fields.get("suppliers")),
        )

    def to_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "grafted": {soname: list(each) for soname, each in self.grafted.items()},
            "places": dict(self.places),
            "unlocated": list(self.unlocated),
            "excluded": list(self.excluded),
            "search": {member: list(each) for member, each in self.search.items()},
            "suppliers": {soname: dict(each) for soname, each in self.suppliers.items()},
        }


#: Nothing.
AS_IT_WAS = Repair()


def _texts(told: object) -> tuple[str, ...]:
    return tuple(each for each in told if isinstance(each, str)) if isinstance(told, list) else ()


def _texts_by_text(told: object) -> dict[str, tuple[str, ...]]:
    return {str(key): _texts(each) for key, each in told.items()} if isinstance(told, dict) else {}


def _text_by_text(told: object) -> dict[str, str]:
    items = told.items() if isinstance(told, dict) else ()
    return {str(key): each for key, each in items if isinstance(each, str)}


def _versions(told: object) -> dict[str, dict[str, str]]:
    items = told.items() if isinstance(told, dict) else ()
    return {str(key): found for key, each in items if (found := _text_by_text(each))}
