"""Packages that come from elsewhere than an index: what lies there, and who that is.

A wheel says it itself, as does a source whose metadata is static. Of other sources the build
backend is asked, in a container.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from wheelhouse.agent.archives import is_zip
from wheelhouse.errors import BuildError, FetchError, LockError
from wheelhouse.inputs.model import Asked
from wheelhouse.locking.candidates import Release, TagRanks
from wheelhouse.locking.index import IndexFile
from wheelhouse.locking.metadata import wheel_metadata
from wheelhouse.locking.model import LockedFile, LockedPackage, is_file_name
from wheelhouse.locking.requiring import holds, requirements_in, without_addresses
from wheelhouse.locking.sdist import read_source
from wheelhouse.sources.location import direct_from_url, hashes_in, is_here, is_mutable, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from wheelhouse.fetch import Fetcher
    from wheelhouse.inputs.model import Direct, Requirements
    from wheelhouse.locking.model import Lock
    from wheelhouse.targets import Interpreter

#: What archives of sources may be called by, beside sdists.
ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip")

#: How setuptools calls a project that gives itself no name.
NAMELESS = "unknown"

#: The version that a source has until its backend has told it.
UNKNOWN = Version("0")


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectRelease:
    """The one release that there is of a project which comes from elsewhere.

    :ivar metadata: its METADATA, whose requirements name no addresses.
    :ivar requested: where it was asked for.
    """

    name: NormalizedName
    release: Release
    metadata: str
    requested: Direct

    def locked(self, required_by: tuple[str, ...], requires: tuple[str, ...]) -> LockedPackage:
        """It, as a lock has it."""
        file = _locked(self.release.files("any")[0])
        is_wheel = bool(self.release.wheels)
        return LockedPackage(
            name=self.name,
            version=self.release.version,
            wheels=(file,) if is_wheel else (),
            sdist=None if is_wheel else file,
            required_by=required_by,
            requires=requires,
            direct=self.requested,
        )


class Pinner(Protocol):
    """Says what exactly lies at a place now."""

    def pin(self, direct: Direct) -> str:
        """The location to lock. Raises FetchError."""


class DirectSources:
    """Looks into all that is asked for by its place, for one target.

    :param ask: asks the backend of a package's source for METADATA; raises BuildError.
    :param old: the lock whose pins are kept.
    :param root: the project's folder; what is inside is told relative to it.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        pinner: Pinner,
        interpreter: Interpreter,
        ask: Callable[[LockedPackage], str],
        old: Lock | None,
        root: Path,
    ) -> None:
        self._fetcher = fetcher
        self._root = root
        self._pinner = pinner
        self._interpreter = interpreter
        self._ask = ask
        self._kept = {
            each.direct: each.files[0]
            for each in (old.packages if old else ())
            if each.direct is not None
        }
        self._found: dict[Direct, tuple[DirectRelease, str]] = {}

    def take(
        self, requirements: Requirements
    ) -> tuple[Requirements, Mapping[NormalizedName, DirectRelease]]:
        """*requirements*, each by its project's name; and what comes from elsewhere, by name.

        :raises LockError: it cannot be had, is not what was asked for, or two places are named.
        :raises BuildError: its backend does not say what it is.
        """
        places: dict[NormalizedName, tuple[DirectRelease, str]] = {}
        asked = tuple(self._taken(requirements.asked, places))
        constraints = tuple(self._taken(requirements.constraints, places))
        chosen = replace(requirements, asked=asked, constraints=constraints)
        return chosen, {name: release for name, (release, _) in places.items()}

    def _taken(
        self, lines: Iterable[Asked], places: dict[NormalizedName, tuple[DirectRelease, str]]
    ) -> Iterator[Asked]:
        for line in lines:
            if line.direct is None:
                yield line
            elif holds(line.requirement.marker, self._interpreter.environment, ()):
                yield self._named(line, self._place(line, places))

    def _place(
        self, line: Asked, places: dict[NormalizedName, tuple[DirectRelease, str]]
    ) -> DirectRelease:
        """What lies where *line* says, and all that this takes from elsewhere in its turn."""
        assert line.direct is not None
        release, metadata = self._release(line, line.direct)
        known, origin = places.setdefault(release.name, (release, line.origin))
        if known.requested != release.requested:
            raise LockError(
                f"{release.name} is asked for from two places: {shown(known.requested)} "
                f"({origin}) and {shown(release.requested)} ({line.origin})",
                hint="keep one of them",
            )
        if origin == line.origin and not line.closed:  # it has just been found
            for each in self._nested(release, metadata, line):
                self._place(each, places)
        return release

    def _nested(self, release: DirectRelease, metadata: str, line: Asked) -> Iterator[Asked]:
        extras = line.requirement.extras
        for requirement in requirements_in(metadata):
            if requirement.url is not None and holds(
                requirement.marker, self._interpreter.environment, extras
            ):
                found = direct_from_url(requirement.url, self._root)
                if is_here(found.location) and not is_here(release.requested.location):
                    raise _reaching_in(release, found, line)
                yield Asked(
                    requirement=Requirement(requirement.name),
                    origin=f"{release.name} {release.release.version} ({line.origin})",
                    direct=found,
                    hashes=hashes_in(requirement.url),
                )

    @staticmethod
    def _named(line: Asked, release: DirectRelease) -> Asked:
        requirement = Requirement(str(line.requirement))
        if line.unnamed:
            requirement.name = release.name
        elif release.name != line.name:
            raise LockError(
                f"{line.origin} asks for {line.name}, but what lies at "
                f"{shown(release.requested)} is {release.name} {release.release.version}",
                hint="correct the name or the place",
            )
        return replace(line, requirement=requirement, unnamed=False)

    # -- what lies there -----------------------------------------------------------------------

    def _release(self, line: Asked, direct: Direct) -> tuple[DirectRelease, str]:
        """It, with its whole METADATA."""
        if direct not in self._found:
            try:
                location, sha256 = self._located(line, direct)
                path = self._fetcher.fetch(location, sha256)
            except FetchError as error:
                raise _of_line(error, line) from error
            is_wheel = urlsplit(location).path.endswith(".whl")
            look = self._wheel if is_wheel else self._source
            self._found[direct] = look(line, direct, location, sha256, path)
        return self._found[direct]

    def _located(self, line: Asked, direct: Direct) -> tuple[str, str]:
        """Its location and its hash: those of the lock, unless it is a file of the project."""
        kept = None if is_mutable(direct.location) else self._kept.get(direct)
        if kept is not None and (not line.hashes or kept.sha256 in line.hashes):
            return kept.url, kept.sha256
        location = self._pinner.pin(direct)
        if len(line.hashes) == 1:
            return location, next(iter(line.hashes))
        found = self._fetcher.first(location)
        if line.hashes and found not in line.hashes:
            raise LockError(
                f"{line.origin}: what lies at {shown(direct)} has none of the hashes that the "
                f"line allows: its SHA-256 is {found[:16]}…",
                hint="find out why it has changed; renew the hashes only if that is right",
            )
        return location, found

    def _wheel(
        self, line: Asked, direct: Direct, location: str, sha256: str, path: Path
    ) -> tuple[DirectRelease, str]:
        filename = unquote(urlsplit(location).path.rpartition("/")[2])
        try:
            name, version, _, tags = parse_wheel_filename(filename)
        except InvalidWheelFilename as error:
            raise LockError(
                f"{line.origin}: {filename} is not how a wheel is called: {error}",
                hint="give it back the name that it was built with",
            ) from error
        if TagRanks(self._interpreter.tags).of(tags) is None:
            raise LockError(
                f"{line.origin}: {filename} is not for this target",
                hint="give the target its own line by a marker, such as "
                "`; platform_machine == 'x86_64'`, or name the sdist",
            )
        file = _file(filename, location, sha256, path)
        metadata = wheel_metadata(path, filename)
        release = _release_of(version, metadata, wheel=file)
        return _found(name, release, metadata, direct), metadata

    def _source(
        self, line: Asked, direct: Direct, location: str, sha256: str, path: Path
    ) -> tuple[DirectRelease, str]:
        called = f"{line.origin}: {shown(direct)}"
        source = read_source(path, subdirectory=direct.subdirectory, shown=called)
        name = canonicalize_name(source.name) if source.name else line.name
        file = _file(_archive_name(location, name, path), location, sha256, path)
        metadata = source.metadata
        if metadata is None:
            metadata = self._ask(
                LockedPackage(
                    name=name,
                    version=UNKNOWN,
                    sdist=_locked(file),
                    required_by=(line.origin,),
                    direct=direct,
                    place=shown(direct),
                )
            )
        name, version = _identity(line, direct, metadata)
        release = _release_of(version, metadata, source=file)
        return _found(name, release, metadata, direct), metadata


def _of_line(error: FetchError, line: Asked) -> FetchError:
    """*error* with the line that it comes from, and what to do about that."""
    hint = error.hint
    if error.kind == "gone":
        hint = "correct the address"
    elif error.kind == "changed" and line.hashes:
        hint = "find out why; renew the hash in the line only if the change is right"
    return FetchError(
        f"{line.origin}: {error.message}",
        hint=hint,
        context=error.context,
        evidence=error.evidence,
        kind=error.kind,
    )


def _reaching_in(release: DirectRelease, wanted: Direct, line: Asked) -> LockError:
    """The error for what somebody else has made, and takes files of this machine."""
    return LockError(
        f"{line.origin}: {release.name} {release.release.version}, from "
        f"{shown(release.requested)}, wants {shown(wanted)} of this machine",
        hint="have that corrected, or do without it: what comes from elsewhere reads nothing here",
    )


def _identity(line: Asked, direct: Direct, metadata: str) -> tuple[NormalizedName, Version]:
    raw, _ = parse_email(metadata)
    problem = BuildError(
        f"{line.origin}: {shown(direct)} does not say which version of which project it is",
        hint="give its pyproject.toml a valid [project] name and version",
    )
    try:
        name, version = canonicalize_name(raw["name"], validate=True), Version(raw["version"])
    except (KeyError, ValueError, InvalidVersion) as error:
        raise problem from error
    if name == NAMELESS:
        raise problem
    return name, version


def _found(name: NormalizedName, release: Release, metadata: str, direct: Direct) -> DirectRelease:
    return DirectRelease(
        name=name, release=release, metadata=without_addresses(metadata), requested=direct
    )


def _release_of(
    version: Version,
    metadata: str,
    *,
    wheel: IndexFile | None = None,
    source: IndexFile | None = None,
) -> Release:
    raw, _ = parse_email(metadata)
    try:
        python = SpecifierSet(raw.get("requires_python", ""))
    except InvalidSpecifier:
        python = SpecifierSet()
    return Release(
        version=version,
        wheels=(wheel,) if wheel else (),
        sdist=source,
        others=(),
        requires_python=python or None,
        yanked=None,
    )


def _file(filename: str, location: str, sha256: str, path: Path) -> IndexFile:
    return IndexFile(
        filename=filename,
        url=location,
        sha256=sha256,
        requires_python=None,
        yanked=None,
        upload_time=None,
        size=path.stat().st_size,
        metadata=False,
    )


def _locked(file: IndexFile) -> LockedFile:
    assert file.sha256 is not None
    return LockedFile(filename=file.filename, url=file.url, sha256=file.sha256, size=file.size)


def _archive_name(location: str, name: NormalizedName, path: Path) -> str:
    """What the source is called: as it is there, if that says how it is packed."""
    there = unquote(urlsplit(location).path.rpartition("/")[2])
    if there.endswith(ARCHIVES) and is_file_name(there):
        return there
    return f"{name}.zip" if is_zip(path) else f"{name}.tar"
