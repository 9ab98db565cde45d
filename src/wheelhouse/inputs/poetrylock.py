"""Reading `poetry.lock`.

Spec: none but Poetry itself. Lock-version 2.1 (Poetry 2) says of each entry which groups it is
for, and by which markers. Versions 1.x and 2.0 say what each entry depends on: there the
`pyproject.toml` beside is where following that begins. In any case Poetry has one lock for all
platforms; `python -m bench.locks` compares what it installs of one with what is chosen here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelhouse.errors import ConfigError
from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.lockentries import Entry, EntryLock, LockFile, Way, check_known
from wheelhouse.inputs.lockreading import Places, hash_pairs, split_hashes
from wheelhouse.inputs.model import Requirements
from wheelhouse.inputs.poetrydependency import NEVER, allows_python, read_marker
from wheelhouse.inputs.poetrygraph import PoetryGraph, read_node, read_version
from wheelhouse.inputs.poetryproject import PoetryProject
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
from wheelhouse.wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeVar

    from packaging.utils import NormalizedName

    from wheelhouse.inputs.model import Direct, LockInput, Selection
    from wheelhouse.inputs.tomllock import TomlFile
    from wheelhouse.settings import InputFile

    T = TypeVar("T")

#: What makes the lock anew.
RENEW = "poetry lock"

#: The group of what is in no group.
MAIN = "main"

#: The first lock-version that says which entry is for whom.
_TELLING = Version("2.1")
_READ = (1, 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class PoetryLock:
    """A `poetry.lock`. It is a :class:`~.model.LockInput`.

    :ivar python: Poetry's constraint on the Python.
    """

    file: LockFile
    python: str
    entries: LockInput

    @property
    def directs(self) -> tuple[Direct, ...]:
        """All that it takes from elsewhere than an index, for whichever target."""
        return self.entries.directs

    def select(self, environment: Mapping[str, str]) -> Selection:
        """What of it is for a target with the marker *environment*.

        :raises ConfigError: it does not hold there, or an entry cannot be used.
        """
        path = self.file.path
        try:
            if not allows_python(self.python, environment):
                raise ConfigError(
                    f"{path}: is for Python {printable(self.python)}, and the target has "
                    f"{environment['python_full_version']}",
                    hint=f"widen the Python in pyproject.toml and run `{RENEW}`, or give the "
                    "target another Python",
                )
            return self.entries.select(environment)
        except Unusable as error:
            raise ConfigError(f"{path}: {error.message}", hint=f"run `{RENEW}`") from error


def read_poetry_lock(root: Path, file: InputFile) -> Requirements:
    """What the `poetry.lock` *file* has: of the main group, and what is chosen beyond it.

    :param root: the project's folder.
    :raises ConfigError: it cannot be used, or is not that of the `pyproject.toml` beside it.
    """
    root = root.resolve()
    lock = read_toml(root, file.path)
    _check_version(lock)
    beside = read_beside(lock, root)
    project = PoetryProject(data=beside.data) if beside else None
    if project:
        _check_fresh(lock, project)
    places = Places(root, lock.path.parent)
    reader = _Reader(root=root, lock=lock, project=project, file=file, places=places)
    return Requirements(
        asked=(),
        locks=(reader.read(),),
        files={**lock.text.files, **(beside.text.files if beside else {})},
        credentials=places.credentials,
    )


def _version(lock: TomlFile) -> Version:
    """The lock-version. Raises ConfigError."""
    try:
        return Version(str(table(lock.data, "metadata").get("lock-version", "")))
    except InvalidVersion:
        raise ConfigError(
            f"{lock.shown}: has no lock-version", hint=f"run `{RENEW}` with a present Poetry"
        ) from None


def _check_version(lock: TomlFile) -> None:
    version = _version(lock)
    if version.major not in _READ:
        raise ConfigError(
            f"{lock.shown}: has lock-version {version}; 1.x and 2.x are read",
            hint=f"run `{RENEW}` with Poetry 2",
        )


def _check_fresh(lock: TomlFile, project: PoetryProject) -> None:
    """That the lock was made from the project as it is, as `poetry install` wants it, too."""
    said = table(lock.data, "metadata").get("content-hash")
    known = project.content_hashes()
    if known and str(said) not in known:
        raise ConfigError(
            f"{lock.shown}: pyproject.toml has changed since it was made: its content-hash is "
            "another",
            hint=f"run `{RENEW}`",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    root: Path
    lock: TomlFile
    project: PoetryProject | None
    file: InputFile
    places: Places

    def read(self) -> LockInput:
        metadata = table(self.lock.data, "metadata")
        lock = LockFile(path=self.lock.shown, renew=RENEW)
        self._check_chosen()
        telling = _version(self.lock) >= _TELLING
        made = self._telling(lock) if telling else self._graph(lock)
        return PoetryLock(file=lock, python=str(metadata.get("python-versions", "*")), entries=made)

    def _check_chosen(self) -> None:
        packages = tables(self.lock.data, "package")
        locked = {group for each in packages for group in _groups(each)}
        groups = self.project.groups if self.project else locked
        check_known(self.lock.shown, "group", self.file.groups, groups | {MAIN})
        extras = {canonicalize_name(extra) for extra in table(self.lock.data, "extras")}
        check_known(self.lock.shown, "extra", self.file.extras, extras)

    # -- the two kinds of locks -------------------------------------------------------------------

    def _telling(self, lock: LockFile) -> EntryLock:
        entries = self._packages(lambda data: self._entry(data, _ways(data)))
        itself = self._itself()
        return EntryLock(
            file=lock,
            entries=(*entries, *itself),
            extras=frozenset(self.file.extras),
            groups=frozenset({MAIN, *self.file.groups}),
        )

    def _graph(self, lock: LockFile) -> PoetryGraph:
        if self.project is None:
            raise ConfigError(
                f"{self.lock.shown}: does not say which entries are for whom, and there is no "
                "pyproject.toml beside it",
                hint=f"put that beside it, or run `{RENEW}` with Poetry 2, whose locks say it",
            )
        nodes = self._packages(lambda data: read_node(self._entry(data), data))
        return PoetryGraph(
            file=lock,
            project=self.project,
            nodes=tuple(nodes),
            itself=tuple(self._itself()),
            extras=frozenset(self.file.extras),
            groups=frozenset({MAIN, *self.file.groups}),
        )

    # -- entries ----------------------------------------------------------------------------------

    def _packages(self, read: Callable[[Mapping[str, Any]], T]) -> list[T]:
        return read_each(self.lock, tables(self.lock.data, "package"), read, RENEW)

    def _entry(self, data: Mapping[str, Any], ways: Sequence[Way] = ()) -> Entry:
        name = read_name(data)
        direct, index = self._source(table(data, "source"))
        moves = direct is not None and direct.location.startswith(("dir:", "git+"))
        hashes, weak = split_hashes(hash_pairs(self._hashes(name, data)))
        if not (direct or hashes or weak):
            raise Unusable("has no files", f"run `{RENEW} --regenerate`")
        return Entry(
            name=name,
            version=None if moves else read_version(data),
            ways=tuple(ways),
            hashes=hashes,
            weak=weak,
            index=index,
            direct=direct,
        )

    def _hashes(self, name: NormalizedName, data: Mapping[str, Any]) -> Iterable[str]:
        """Those of its files: in the entry, or, in locks before 2.0, under `metadata`."""
        metadata = table(self.lock.data, "metadata")
        files = tables(data, "files") or tables(_by_name(metadata.get("files")), name)
        bare = strings(_by_name(metadata.get("hashes")).get(name))
        return [str(each.get("hash", "")) for each in files] or [f"sha256:{one}" for one in bare]

    def _source(self, source: Mapping[str, Any]) -> tuple[Direct | None, str | None]:
        """Where it comes from: an address, or an index that is not the public one."""
        url, inner = str(source.get("url", "")), str(source.get("subdirectory", ""))
        match source.get("type"):
            case None | "legacy":
                return None, self.places.index(url)
            case "git":
                commit = str(source.get("resolved_reference") or source.get("reference", ""))
                return self.places.git(url, commit, inner), None
            case "url":
                return self.places.archive(url, inner), None
            case "file" | "directory":
                return self.places.local(url, inner), None
        raise Unusable(f"comes from a kind of source that cannot be used: {source.get('type')}")

    def _itself(self) -> list[Entry]:
        """The project, if it is wanted: as Poetry does it, where nothing else is said."""
        named = self.project and self.project.name
        if self.file.project is False or (self.file.project is None and not named):
            return []
        if self.project is None or not named:
            raise ConfigError(
                f"{self.lock.shown}: there is no project with a name beside it",
                hint="leave `project` out",
            )
        if not self.project.is_package:
            if self.file.project is None:
                return []
            raise ConfigError(
                f"{self.lock.shown}: its project is no package: pyproject.toml has "
                "package-mode = false",
                hint="take that out of pyproject.toml, or leave `project` out",
            )
        return [own_entry(self.lock, self.root, named)]


def _by_name(data: object) -> dict[str, Any]:
    """A table of packages, by their normalised names."""
    return {canonicalize_name(name): value for name, value in table(data).items()}


def _groups(data: Mapping[str, Any]) -> list[str]:
    return [canonicalize_name(group) for group in strings(data.get("groups"))]


def _ways(data: Mapping[str, Any]) -> list[Way]:
    """By which groups it comes to be installed; markers are those of all, or by group."""
    said = data.get("markers", "*")
    by_group = {str(canonicalize_name(group)): str(text) for group, text in table(said).items()}
    ways = []
    for group in _groups(data):
        text = said if isinstance(said, str) else by_group.get(group, "*")
        if text != NEVER:
            ways.append(Way(marker=read_marker(text), group=group))
    return ways
