"""Which files of a project a target may use: the judgement behind every choice. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from wheelhouse.locking.model import is_file_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from packaging.specifiers import SpecifierSet
    from packaging.tags import Tag
    from packaging.utils import BuildTag, NormalizedName
    from packaging.version import Version

    from wheelhouse.locking.index import IndexFile, ProjectPage
    from wheelhouse.targets import Interpreter

Source = Literal["any", "wheel", "sdist"]


class Named(Protocol):
    """A file, be it an index's or a lock's."""

    @property
    def filename(self) -> str:
        """Its name."""


F = TypeVar("F", bound=Named)


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """What a target may use of one version.

    :ivar wheels: wheels it can install, best first.
    :ivar sdist: the sdist, if there is one.
    :ivar others: wheels that it cannot install, or that were found out not to be what they say.
    :ivar requires_python: as its files say.
    """

    version: Version
    wheels: tuple[IndexFile, ...]
    sdist: IndexFile | None
    others: tuple[IndexFile, ...]
    requires_python: SpecifierSet | None
    yanked: str | None

    @property
    def uploaded(self) -> datetime | None:
        """When the first of its files came to the index, if that says so."""
        times = (file.upload_time for file in (*self.files("any"), *self.others))
        return min((time for time in times if time is not None), default=None)

    def usable(self, source: Source) -> bool:
        """Whether there is a file that *source* allows."""
        return bool(self.files(source))

    def files(self, source: Source) -> tuple[IndexFile, ...]:
        """The files that *source* allows, the one to use first."""
        sdist = (self.sdist,) if self.sdist else ()
        if source == "wheel":
            return self.wheels
        return sdist if source == "sdist" else self.wheels + sdist


@dataclass(slots=True)
class _Draft:
    wheels: list[IndexFile] = field(default_factory=list)
    others: list[IndexFile] = field(default_factory=list)
    sdist: IndexFile | None = None

    def files(self) -> list[IndexFile]:
        found = self.wheels + self.others
        return [*found, self.sdist] if self.sdist else found


class TagRanks:
    """How good each tag is for an interpreter: 0 is best."""

    def __init__(self, tags: Iterable[Tag]) -> None:
        self._ranks: Mapping[Tag, int] = {tag: rank for rank, tag in enumerate(tags)}

    def of(self, tags: Iterable[Tag]) -> int | None:
        """The best rank among *tags*, or None if none of them is installable."""
        return min((self._ranks[tag] for tag in tags if tag in self._ranks), default=None)

    def best_first(self, wheels: Iterable[F]) -> list[F]:
        """The installable ones among *wheels*: by tag, then the highest build number first."""
        found = []
        for wheel in wheels:
            _, _, build, tags = _wheel_parts(wheel.filename)
            rank = self.of(tags)
            if rank is not None:
                found.append((rank, build, wheel))
        found.sort(key=lambda each: (each[1], each[2].filename), reverse=True)
        found.sort(key=itemgetter(0))
        return [wheel for _, _, wheel in found]


def releases(
    page: ProjectPage,
    interpreter: Interpreter,
    allowed: Collection[str] = (),
    refused: Collection[str] = (),
) -> dict[Version, Release]:
    """The releases on *page* as *interpreter* sees them.

    :param allowed: SHA-256 hashes; if there are any, other files do not exist, nor do those whose
        index tells no hash.
    :param refused: SHA-256 hashes of wheels that are not to be used, whatever their tags say.
    """
    ranks = TagRanks(interpreter.tags)
    drafts: defaultdict[Version, _Draft] = defaultdict(_Draft)
    for file in page.files:
        known = not allowed or file.sha256 in allowed
        if known and is_file_name(file.filename):
            _place(drafts, page.name, file, ranks, refused)
    return {version: _release(version, draft, ranks) for version, draft in drafts.items()}


def _wheel_parts(filename: str) -> tuple[NormalizedName, Version, BuildTag, frozenset[Tag]]:
    """`packaging.utils.parse_wheel_filename`, with each part of a page's many names read once.

    A project has thousands of files with few versions and tags. Any name out of the ordinary
    goes to `packaging`, which refuses what is wrong.
    """
    parts = filename.removesuffix(".whl").split("-")
    if len(parts) != 5:
        return parse_wheel_filename(filename)
    return (*_first_parts(parts[0], parts[1]), (), _tags("-".join(parts[2:])))


@lru_cache(maxsize=4096)
def _first_parts(name: str, version: str) -> tuple[NormalizedName, Version]:
    found = parse_wheel_filename(f"{name}-{version}-py3-none-any.whl")
    return found[0], found[1]


@lru_cache(maxsize=65536)
def _tags(text: str) -> frozenset[Tag]:
    return parse_wheel_filename(f"x-0-{text}.whl")[3]


def _place(
    drafts: defaultdict[Version, _Draft],
    name: NormalizedName,
    file: IndexFile,
    ranks: TagRanks,
    refused: Collection[str],
) -> None:
    try:
        if file.filename.endswith(".whl"):
            found, version, _, tags = _wheel_parts(file.filename)
            if found != name:
                return
            draft = drafts[version]
            fits = ranks.of(tags) is not None and file.sha256 not in refused
            (draft.wheels if fits else draft.others).append(file)
        elif file.filename.endswith((".tar.gz", ".zip")):
            found, version = parse_sdist_filename(file.filename)
            if canonicalize_name(found) == name and not _better(drafts[version].sdist, file):
                drafts[version].sdist = file
    except (InvalidWheelFilename, InvalidSdistFilename):
        return  # of another age or a draft standard; no installer would take it


def _better(present: IndexFile | None, file: IndexFile) -> bool:
    """A .tar.gz is the standard's form of an sdist; a .zip serves where there is none."""
    return present is not None and not file.filename.endswith(".tar.gz")


def _release(version: Version, draft: _Draft, ranks: TagRanks) -> Release:
    files = draft.files()
    yanked = [file.yanked for file in files if file.yanked is not None]
    python = next((file.requires_python for file in files if file.requires_python), None)
    return Release(
        version=version,
        wheels=tuple(ranks.best_first(draft.wheels)),
        sdist=draft.sdist,
        others=tuple(draft.others),
        requires_python=python,
        yanked=yanked[0] if files and len(yanked) == len(files) else None,
    )
