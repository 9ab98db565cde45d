"""Which index each project comes from: from exactly one, whatever the others have.

The first of these that holds for a project says which:

1. ``[packages.NAME] index``;
2. a pattern among the ``packages`` of an index;
3. a lock among the inputs, which has it from there;
4. for PyTorch's own, the target's ``torch-backend``;
5. the present lock, which has it from a private index;
6. the private indexes in their order, those without patterns: the first that has it;
7. the default index.

By the first five a project is *bound*: it is an error if the index does not have it. By the sixth
no name that a private index has is ever told to the public one; and an index that does not answer,
or lets nobody in, is an error, for it might have it. So nobody can take a private project's place
by giving another its name.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from wheelhouse.errors import ConfigError, FetchError
from wheelhouse.locking.flatindex import place_of
from wheelhouse.settings import DEFAULT_INDEX, IndexSettings
from wheelhouse.torchindex import index_of, is_mirror, torch_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from packaging.utils import NormalizedName

    from wheelhouse.config import Project
    from wheelhouse.fetch import Client
    from wheelhouse.locking.index import Pages, Place, ProjectPage
    from wheelhouse.targets import Target

#: Where servers send for what they do not have; the first is how it is spelled now.
PUBLIC = ("https://pypi.org/simple", "https://pypi.python.org/simple")


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
    """The indexes of *project*, each page of which is read once. Implements :class:`Shelves`."""

    def __init__(self, client: Client, project: Project) -> None:
        self._client = client
        self.project = project
        self._places: dict[tuple[str, bool], Place] = {}
        self._lock = threading.Lock()

    def seen_by(
        self,
        target: Target,
        *,
        remembered: Mapping[NormalizedName, str],
        bound: Mapping[NormalizedName, str],
    ) -> Pages:
        """See :meth:`Shelves.seen_by`."""
        return _Seen(self, target, remembered, bound)

    def named(self, name: str) -> Place:
        """The declared index that is called *name*.

        :raises ConfigError: there is none.
        """
        settings = next((s for s in self.project.known_indexes if s.name == name), None)
        if settings is None:
            raise ConfigError(
                f"`[packages]` names the index {name}, which there is not",
                hint=f"declare it: `[indexes.{name}]`" if name != DEFAULT_INDEX else "set `index`",
            )
        return self.place(settings)

    def at(self, url: str) -> Place:
        """The index at *url*: the declared one, if one is there.

        Of this machine, what a lock among the inputs has is a folder of files.
        """
        known = (each for each in self.project.known_indexes if same(each.url, url))
        undeclared = IndexSettings(name="", url=url, flat=url.startswith("file:"))
        return self.place(next(known, undeclared))

    def place(self, settings: IndexSettings) -> Place:
        """The index of *settings*, which is one object in the life of this one."""
        key = (spelled(settings.url), settings.flat)
        with self._lock:
            if key not in self._places:
                self._places[key] = place_of(
                    settings, self._client, self.project.root, self._others(settings)
                )
            return self._places[key]

    def _others(self, settings: IndexSettings) -> Callable[[str], bool]:
        """Whether an address is of another index than that of *settings*.

        The default index is the last one to be asked: where it sends to is its own affair.
        """
        if settings.name == DEFAULT_INDEX:
            return lambda _: False
        known = [*PUBLIC, *(each.url for each in self.project.known_indexes)]
        others = [each for each in known if not same(each, settings.url)]
        return lambda url: (
            not is_below(url, settings.url) and any(is_below(url, each) for each in others)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Binding:
    """The one place that a project may come from.

    :ivar reason: who says so, in a clause. :ivar way: how to say otherwise.
    """

    place: Place
    reason: str
    way: str


class _Seen:
    """What one target sees. Implements :class:`~wheelhouse.locking.index.Pages`."""

    def __init__(
        self,
        indexes: Indexes,
        target: Target,
        remembered: Mapping[NormalizedName, str],
        bound: Mapping[NormalizedName, str],
    ) -> None:
        self._indexes = indexes
        self._project = indexes.project
        self._target = target
        self._remembered = remembered
        self._bound = bound

    def project(self, name: NormalizedName) -> ProjectPage | None:
        """See :meth:`~wheelhouse.locking.index.Pages.project`."""
        binding = self._binding(name)
        if binding is None:
            return self._first_that_has(name)
        page = binding.place.project(name)
        if page is None:
            raise FetchError(
                f"{name} is to come from {binding.place.title}, as {binding.reason}, but it is not "
                "there; it is not taken from elsewhere",
                hint=binding.way,
            )
        return page

    def _first_that_has(self, name: NormalizedName) -> ProjectPage | None:
        asked = [each for each in self._project.indexes if not each.packages]
        if self._project.default_index is not None:
            asked.append(self._project.default_index)
        pages = (self._indexes.place(each).project(name) for each in asked)
        return next((page for page in pages if page is not None), None)

    def _binding(self, name: NormalizedName) -> _Binding | None:
        """Where *name* has to come from; None if that is not said."""
        if own := self._project.settings(name).index:
            return _Binding(
                place=self._indexes.named(own),
                reason=f"`[packages.{name}] index` says",
                way=f"correct `[packages.{name}] index`, or upload {name} there",
            )
        way = f"upload {name} there, or bind it to another: `[packages.{name}] index`"
        for settings in self._project.known_indexes:
            if settings.has_to_have(name):
                reason = f"`packages` of {settings.name} says"
                return _Binding(place=self._indexes.place(settings), reason=reason, way=way)
        if name in self._bound:
            place, reason = self._indexes.at(self._bound[name]), "the lock that asks for it says"
            return _Binding(place=place, reason=reason, way=way)
        if self._target.torch_backend and name in torch_packages():
            backend = self._target.torch_backend
            reason = f'`torch-backend = "{backend}"` of {self._target.name} says'
            return _Binding(place=self._torch(backend), reason=reason, way=way)
        return self._remembering(name, way)

    def _torch(self, backend: str) -> Place:
        """PyTorch's index for *backend*, or the project's mirror of it."""
        mirrors = (each for each in self._project.indexes if is_mirror(each.url, backend))
        mirror = next(mirrors, None)
        return self._indexes.place(mirror) if mirror else self._indexes.at(index_of(backend))

    def _remembering(self, name: NormalizedName, way: str) -> _Binding | None:
        url = self._remembered.get(name)
        private = (each for each in self._project.indexes if url and same(each.url, url))
        settings = next(private, None)
        if settings is None:
            return None
        reason = "the present lock has it from there"
        return _Binding(place=self._indexes.place(settings), reason=reason, way=way)


# -- addresses ---------------------------------------------------------------------------------


def spelled(url: str) -> str:
    """*url* as all spellings of it are: without slashes too many, the host in lower case."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    port = {"https": ":443", "http": ":80"}.get(parts.scheme.lower(), "")
    path = re.sub("/{2,}", "/", parts.path).rstrip("/")
    found = f"{parts.scheme.lower()}://{host.removesuffix(port)}{path}"
    return PUBLIC[0] if found in PUBLIC else found


def same(one: str, other: str) -> bool:
    """Whether two URLs are of the same index."""
    return spelled(one) == spelled(other)


def is_below(url: str, index: str) -> bool:
    """Whether *url* is of a page of *index*."""
    return f"{spelled(url)}/".startswith(f"{spelled(index)}/")
