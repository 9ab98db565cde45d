"""Which index each project comes from: from exactly one, whatever the others have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from wheelhouse.locking.index import Index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName

    from wheelhouse.config import Project
    from wheelhouse.fetch import Client
    from wheelhouse.locking.index import Pages
    from wheelhouse.targets import Target


class Shelves(Protocol):
    """All indexes of a project; what a target sees of them."""

    def seen_by(
        self,
        target: Target,
        *,
        remembered: Mapping[NormalizedName, str],
        bound: Mapping[NormalizedName, str],
    ) -> Pages:
        """The one page of each project that *target* may use.

        :param remembered: by name, the URL of the index that the present lock has it from.
        :param bound: by name, the URL of the index that a lock among the inputs has it from.
        """


class Indexes:
    """The indexes of *project*. Implements :class:`Shelves`."""

    def __init__(self, client: Client, project: Project) -> None:
        self._default = Index(client, project.index)

    def seen_by(
        self,
        target: Target,
        *,
        remembered: Mapping[NormalizedName, str],
        bound: Mapping[NormalizedName, str],
    ) -> Pages:
        """See :meth:`Shelves.seen_by`."""
        return self._default
