"""What an index has of a project for one target, and what stands against the rest of it.

A :class:`~wheelhouse.locking.view.View` shows what may be used. To say why something else may not,
all of the project is looked at again, and each version held against the same rules. Pure but for
the pages that the view reads.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.tags import Tag
    from packaging.utils import NormalizedName

    from wheelhouse.locking.candidates import Release
    from wheelhouse.locking.view import View
    from wheelhouse.targets import Interpreter

#: How many platforms of a release's files are told at most.
TOLD = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Obstacle:
    """What keeps a version from being used.

    :ivar kind: its stable name: ``python``, ``platform``, ``hash``, ``cut-off``, ``refused``,
        ``source`` or ``yanked``.
    :ivar why: what the version is or has, as a clause after its name.
    """

    kind: str
    why: str


class Stock:
    """The versions of the project *name* that *view* knows."""

    def __init__(self, view: View, name: NormalizedName) -> None:
        self.name = name
        self._view = view
        self._seen = view.releases(name) or {}
        self._seen_versions = sorted(self._seen)

    @property
    def exists(self) -> bool:
        """Whether there is such a project at all."""
        return self._view.releases(self.name) is not None

    @property
    def everything(self) -> list[Version]:
        """All versions that there are, whoever may use them, the oldest first."""
        return sorted(self._view.every(self.name) or {})

    def choices(self, wanted: Sequence[SpecifierSet] = ()) -> list[Version]:
        """The versions that are all of *wanted* and may be used, the oldest first.

        Pre-releases are only among them where there are no others.
        """
        found = [
            version
            for version in _matching(self._seen_versions, wanted)
            if self._obstacle(version, wanted) is None
        ]
        return [version for version in found if not version.is_prerelease] or found

    def prerelease_of(self, wanted: SpecifierSet) -> Version | None:
        """The newest pre-release that may be used, of a version that would be *wanted*."""
        found = [
            version
            for version in self._seen_versions
            if version.is_prerelease
            and wanted.contains(version.base_version)
            and self._obstacle(version, ()) is None
        ]
        return max(found, default=None)

    def newest_unusable(
        self, wanted: Sequence[SpecifierSet]
    ) -> tuple[Version, Obstacle, bool] | None:
        """Of the versions that are all of *wanted*, none of which may be used, the newest.

        With what stands against it, and whether there are others.
        """
        found = _matching(self.everything, wanted)
        finals = [version for version in found if not version.is_prerelease]
        for version in reversed(finals or found):
            obstacle = self._obstacle(version, wanted)
            if obstacle is not None:
                return version, obstacle, len(found) > 1
        return None

    def nearest(self, wanted: SpecifierSet, others: Sequence[SpecifierSet] = ()) -> list[Version]:
        """Usable versions next to *wanted*: the one below and the one above, as far as they are.

        :param others: what these have to be.
        """
        usable = self.choices(others)
        limits = sorted(bounds(wanted))
        if not limits or not usable:
            return usable[-1:]
        below = usable[: bisect_right(usable, limits[0])][-1:]
        above = usable[bisect_left(usable, limits[-1]) :][:1]
        return sorted({*below, *above})

    def above(self, version: Version) -> list[Version]:
        """The usable versions that are not below *version*, the lowest first."""
        usable = self.choices()
        return usable[bisect_left(usable, version) :]

    def _obstacle(self, version: Version, wanted: Sequence[SpecifierSet]) -> Obstacle | None:
        release = self._seen.get(version)
        python = self._view.interpreter.full_version.base_version
        every = release or (self._view.every(self.name) or {})[version]
        if every.requires_python is not None and not every.requires_python.contains(python):
            return Obstacle(
                kind="python",
                why=f"requires Python {every.requires_python}; this target has {python}",
            )
        if release is None or not self._view.fits(self.name, release):
            return self._unusable(version)
        if release.yanked is not None and not _pins(wanted, version):
            return Obstacle(kind="yanked", why="was withdrawn (yanked) by its maintainers")
        return None

    def _unusable(self, version: Version) -> Obstacle:
        """Why no file of *version* may be used: the first rule that leaves none."""
        policy = self._view.policy
        release = (self._view.every(self.name) or {})[version]
        files = [*release.files("any"), *release.others]
        allowed = policy.hashes(self.name)
        if allowed and all(file.sha256 not in allowed for file in files):
            return Obstacle(kind="hash", why="has no file with a hash that the requirements allow")
        if version not in self._seen and policy.before is not None and release.uploaded is not None:
            return Obstacle(
                kind="cut-off",
                why=f"came to the index on {release.uploaded:%Y-%m-%d}, and only what was there "
                f"before {policy.before:%Y-%m-%d %H:%M} is used",
            )
        if any(file.sha256 in policy.refused for file in release.wheels):
            return Obstacle(kind="refused", why="has a wheel that is not what its tag says")
        if release.usable("any"):
            kind = policy.source_of(self.name)
            return Obstacle(kind="source", why=f"has no {kind}, and only a {kind} is to be used")
        return _for_others(release, self._view.interpreter)


class Stocks:
    """The stock of each project that *view* knows, read once."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._found: dict[NormalizedName, Stock] = {}

    def of(self, name: NormalizedName) -> Stock:
        """That of the project *name*. Raises WheelhouseError: its index cannot be asked."""
        if name not in self._found:
            self._found[name] = Stock(self._view, name)
        return self._found[name]


def bounds(wanted: SpecifierSet) -> Iterable[Version]:
    """The versions that *wanted* names, but for those that it only leaves out."""
    for each in wanted:
        if each.operator != "!=":
            try:
                yield Version(each.version.removesuffix(".*"))
            except InvalidVersion:  # `===` compares texts
                continue


def _matching(versions: Iterable[Version], wanted: Sequence[SpecifierSet]) -> list[Version]:
    return [
        version
        for version in versions
        if all(each.contains(version, prereleases=True) for each in wanted)
    ]


def _pins(wanted: Sequence[SpecifierSet], version: Version) -> bool:
    exact = (each for specifier in wanted for each in specifier if each.operator in ("==", "==="))
    return any(
        not each.version.endswith(".*") and each.contains(version, prereleases=True)
        for each in exact
    )


def _for_others(release: Release, interpreter: Interpreter) -> Obstacle:
    """Whom the files of *release*, all of them wheels, are for."""
    tags = {tag for wheel in release.others for tag in parse_wheel_filename(wheel.filename)[3]}
    here = {tag.platform for tag in interpreter.tags}
    fitting = {tag for tag in tags if tag.platform in here}
    if fitting:
        told = f"Python {_ranges(pythons)}" if (pythons := _pythons(fitting)) else "other Pythons"
        own = interpreter.environment["python_version"]
        return Obstacle(
            kind="python", why=f"has wheels for {told} only and no sdist; this target has {own}"
        )
    return Obstacle(kind="platform", why=f"has wheels for {_platforms(tags)} only and no sdist")


def _platforms(tags: Iterable[Tag]) -> str:
    found = sorted({tag.platform for tag in tags})
    more = f" and {len(found) - TOLD} more" if len(found) > TOLD else ""
    return ", ".join(found[:TOLD]) + more


def _pythons(tags: Iterable[Tag]) -> set[tuple[int, int]]:
    found = (re.fullmatch(r"(?:cp|py)(\d)(\d+)t?", tag.interpreter) for tag in tags)
    return {(int(each[1]), int(each[2])) for each in found if each}


def _ranges(pythons: Iterable[tuple[int, int]]) -> str:
    """``2.7, 3.3 to 3.7``."""
    runs: list[list[tuple[int, int]]] = []
    for major, minor in sorted(pythons):
        if runs and runs[-1][-1] == (major, minor - 1):
            runs[-1].append((major, minor))
        else:
            runs.append([(major, minor)])
    told = []
    for run in runs:
        first, last = (f"{major}.{minor}" for major, minor in (run[0], run[-1]))
        told.append(first if first == last else f"{first}{' to ' if len(run) > 2 else ', '}{last}")
    return ", ".join(told)
