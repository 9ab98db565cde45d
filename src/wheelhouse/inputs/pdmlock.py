"""Reading `pdm.lock`.

Spec: https://pdm-project.org/en/stable/usage/lockfile/, and PDM itself. With the strategy
``inherit_metadata``, each entry says which groups it is for and by which marker. Without it, what
is for a target is found by following the dependencies from the `pyproject.toml` beside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelhouse.errors import ConfigError
from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.lockentries import Entry, EntryLock, LockFile, Way, check_known
from wheelhouse.inputs.lockreading import Places, hash_pairs, split_hashes
from wheelhouse.inputs.model import Requirements
from wheelhouse.inputs.pdmgraph import PdmGraph, read_part
from wheelhouse.inputs.pdmproject import DEFAULT, PdmProject
from wheelhouse.inputs.pdmtargets import read_target
from wheelhouse.inputs.tomllock import (
    own_entry,
    read_beside,
    read_each,
    read_name,
    read_toml,
    strings,
    table,
    tables,
)
from wheelhouse.inputs.toolindexes import declared, read_index
from wheelhouse.wording import listed, printable, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path
    from typing import TypeVar

    from packaging.requirements import Requirement

    from wheelhouse.inputs.model import Direct, IndexOption, LockInput, Selection
    from wheelhouse.inputs.pdmtargets import PdmTarget
    from wheelhouse.inputs.tomllock import TomlFile
    from wheelhouse.settings import InputFile

    T = TypeVar("T")

#: What makes the lock anew.
RENEW = "pdm lock"

#: The lock versions that are read: PDM 2.10 and later write them.
OLDEST, BEYOND = Version("4.4"), Version("5")

_REPOSITORIES = ("git", "hg", "svn", "bzr")
_ROOT = "${PROJECT_ROOT}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PdmLock:
    """A `pdm.lock`. It is a :class:`~.model.LockInput`.

    :ivar targets: one of them has to include a target; empty if any target will do.
    """

    file: LockFile
    targets: tuple[PdmTarget, ...]
    entries: LockInput

    @property
    def directs(self) -> tuple[Direct, ...]:
        """All that it takes from elsewhere than an index, for whichever target."""
        return self.entries.directs

    def select(self, environment: Mapping[str, str]) -> Selection:
        """What of it is for a target with the marker *environment*.

        :raises ConfigError: it does not hold there, or an entry cannot be used.
        """
        if self.targets and not any(each.allows(environment) for each in self.targets):
            system, machine = environment["sys_platform"], environment["platform_machine"]
            version, python = environment["python_full_version"], environment["python_version"]
            platform = f"manylinux_2_40_{machine}" if system == "linux" else system
            names = listed([printable(str(each)) for each in self.targets])
            raise ConfigError(
                f"{self.file.path}: is for {names}; the target has {system}, {machine} and Python "
                f"{version}",
                hint=f'`{RENEW} --append --python "=={python}.*" --platform {platform}` adds such '
                "a target to it",
            )
        return self.entries.select(environment)


def read_pdm_lock(root: Path, file: InputFile) -> Requirements:
    """What the `pdm.lock` *file* has: of the default group, and what is chosen beyond it.

    :param root: the project's folder.
    :raises ConfigError: it cannot be used, or is not that of the `pyproject.toml` beside it.
    """
    root = root.resolve()
    lock = read_toml(root, file.path)
    _check_version(lock)
    beside = read_beside(lock, root)
    project = PdmProject(data=beside.data) if beside else None
    if project:
        _check_fresh(lock, project)
    places = Places(root, lock.path.parent)
    reader = _Reader(root=root, lock=lock, project=project, file=file, places=places)
    return Requirements(
        asked=(),
        locks=(reader.read(),),
        files={**lock.text.files, **(beside.text.files if beside else {})},
        indexes=tuple(_indexes(beside, root)) if beside else (),
        credentials=places.credentials,
    )


def _check_version(lock: TomlFile) -> None:
    said = str(table(lock.data, "metadata").get("lock_version", ""))
    try:
        version = Version(said)
    except InvalidVersion:
        version = BEYOND
    if not OLDEST <= version < BEYOND:
        raise ConfigError(
            f"{lock.shown}: has lock_version {quoted(said)}; {OLDEST} and later 4.x are read",
            hint=f"run `{RENEW}` with a present PDM",
        )


def _check_fresh(lock: TomlFile, project: PdmProject) -> None:
    """That the lock was made from the project as it is, as `pdm install --check` wants it, too."""
    said = str(table(lock.data, "metadata").get("content_hash", ""))
    kind, _, digest = said.partition(":")
    known = project.content_hashes()
    if kind == "sha256" and known and digest not in known:
        raise ConfigError(
            f"{lock.shown}: pyproject.toml has changed since it was made: its content_hash is "
            "another",
            hint=f"run `{RENEW}`",
        )


def _indexes(beside: TomlFile, root: Path) -> Iterator[IndexOption]:
    """The indexes that PDM is told of: its locks do not say what comes from where."""
    for place, name, kind, url in declared({"tool": {"pdm": table(beside.data, "tool", "pdm")}}):
        origin = f"{beside.shown}: {place} {printable(name)}".rstrip()
        try:
            yield read_index(kind, url, origin, root)
        except Unusable as error:
            raise ConfigError(f"{origin} {error.message}", hint=error.hint) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    root: Path
    lock: TomlFile
    project: PdmProject | None
    file: InputFile
    places: Places

    def read(self) -> PdmLock:
        metadata = table(self.lock.data, "metadata")
        lock = LockFile(path=self.lock.shown, renew=RENEW)
        targets = read_each(self.lock, tables(metadata, "targets"), read_target, RENEW)
        return PdmLock(file=lock, targets=tuple(targets), entries=self._entries(lock))

    @property
    def _wanted(self) -> frozenset[str]:
        """The names by which the lock calls what is wanted of it. Raises ConfigError."""
        names = table(self.lock.data, "metadata").get("groups")
        locked = {canonicalize_name(name) for name in strings(names)}
        project = self.project
        groups = (project.groups if project else locked) | {DEFAULT}
        check_known(self.lock.shown, "group", self.file.groups, groups)
        check_known(
            self.lock.shown, "extra", self.file.extras, project.extras if project else locked
        )
        wanted = {DEFAULT, *self.file.groups, *self.file.extras}
        for name in sorted(wanted - locked) if locked else ():
            kind = "group" if name in (DEFAULT, *self.file.groups) else "extra"
            raise ConfigError(
                f"{self.lock.shown}: was made without the {kind} {quoted(name)}",
                hint=f"run `{RENEW} -G :all`",
            )
        return frozenset(wanted)

    # -- the two kinds of locks -------------------------------------------------------------------

    def _entries(self, lock: LockFile) -> LockInput:
        packages = tables(self.lock.data, "package")
        strategy = strings(table(self.lock.data, "metadata").get("strategy"))
        wanted, itself = self._wanted, self._itself()
        if "inherit_metadata" in strategy:
            excluded = self.project.excluded if self.project else frozenset()
            kept = [each for each in packages if canonicalize_name(_name(each)) not in excluded]
            extras = self.project.extras if self.project else frozenset(self.file.extras)
            entries = self._packages(kept, lambda data: self._entry(data, _ways(data, extras)))
            return EntryLock(
                file=lock,
                entries=(*entries, *itself),
                extras=frozenset(self.file.extras),
                groups=wanted,
            )
        if self.project is None:
            raise ConfigError(
                f"{self.lock.shown}: does not say which entries are for whom, and there is no "
                "pyproject.toml beside it",
                hint=f"put that beside it, or run `{RENEW} -S inherit_metadata`: such locks say it",
            )
        parts = self._packages(packages, lambda data: read_part(self._entry(data), data))
        return PdmGraph(
            file=lock,
            parts=tuple(parts),
            requirements=self._requirements(wanted),
            excluded=self.project.excluded,
            overridden=self.project.overridden,
            itself=tuple(itself),
        )

    def _requirements(self, wanted: frozenset[str]) -> tuple[Requirement, ...]:
        """The project's own. Raises ConfigError."""
        assert self.project is not None
        try:
            return tuple(self.project.requirements(wanted))
        except Unusable as error:
            shown = self.lock.path.with_name("pyproject.toml").relative_to(self.root)
            raise ConfigError(f"{shown}: {error.message}", hint=error.hint) from error

    # -- entries ----------------------------------------------------------------------------------

    def _packages(
        self, packages: list[dict[str, Any]], read: Callable[[Mapping[str, Any]], T]
    ) -> list[T]:
        return read_each(self.lock, packages, read, RENEW)

    def _entry(self, data: Mapping[str, Any], ways: tuple[Way, ...] = ()) -> Entry:
        direct = self._direct(data)
        moves = direct is not None and direct.location.startswith(("dir:", "git+"))
        digests = (str(each.get("hash", "")) for each in tables(data, "files"))
        hashes, weak = split_hashes(hash_pairs(digests))
        if not (direct or hashes or weak):
            raise Unusable("has no files", f"run `{RENEW} --refresh`")
        return Entry(
            name=read_name(data),
            version=None if moves else _version(data),
            ways=ways,
            hashes=hashes,
            weak=weak,
            direct=direct,
        )

    def _direct(self, data: Mapping[str, Any]) -> Direct | None:
        """Where it comes from, if not from an index."""
        inner = str(data.get("subdirectory", ""))
        here = self.lock.path.parent
        for kind in _REPOSITORIES:
            if kind in data and kind != "git":
                raise Unusable(
                    f"comes from a repository of {kind}; git is the only kind that is read",
                    "build an sdist or a wheel of it, and depend on that",
                )
        if "git" in data:
            revision = str(data.get("revision") or data.get("ref", ""))
            return self.places.git(str(data["git"]), revision, inner)
        if "path" in data:
            return self.places.local(str(data["path"]).replace(_ROOT, str(here)), inner)
        if "url" in data:
            url = str(data["url"]).partition("#")[0]
            return self.places.archive(url.replace(_ROOT, here.as_posix()), inner)
        return None

    def _itself(self) -> list[Entry]:
        """The project, if it is wanted: as PDM does it, where nothing else is said."""
        project = self.project
        as_pdm_does = self.file.project is None
        if self.file.project is False or (as_pdm_does and not (project and project.is_package)):
            return []
        if project is None or not project.is_package:
            raise ConfigError(
                f"{self.lock.shown}: the project it belongs to is wanted, but "
                + ("PDM is told that it is no package" if project else "there is none beside it"),
                hint="set `distribution = true` under `[tool.pdm]` in pyproject.toml, or leave "
                "`project = true` out",
            )
        if not project.name:
            return []
        return [own_entry(self.lock, self.root, project.name)]


def _name(data: Mapping[str, Any]) -> str:
    return str(data.get("name", ""))


def _version(data: Mapping[str, Any]) -> Version:
    said = str(data.get("version", ""))
    try:
        return Version(said)
    except InvalidVersion:
        raise Unusable(f"has a version that is none: {quoted(said)}") from None


def _ways(data: Mapping[str, Any], extras: AbstractSet[str]) -> tuple[Way, ...]:
    """By which groups it comes to be installed, or *extras*, which PDM calls groups, too."""
    text = data.get("marker")
    try:
        marker = Marker(text) if isinstance(text, str) and text else None
    except InvalidMarker as error:
        raise Unusable(f"has a marker that cannot be read: {quoted(str(text))}") from error
    names = [canonicalize_name(each) for each in strings(data.get("groups"))]
    ways = (
        Way(marker=marker, extra=name) if name in extras else Way(marker=marker, group=name)
        for name in names
    )
    return tuple(ways) or (Way(marker=marker),)
