"""Reading `pylock.toml` and `pylock.NAME.toml`.

Spec: https://packaging.python.org/en/latest/specifications/pylock-toml/ (PEP 751). What is read
is checked by `packaging`. Who is chosen for a target is what its `select` chooses, too; but that
says nothing of the rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from wheelhouse.errors import ConfigError, WheelhouseError, raise_all
from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.lockentries import Entry, EntryLock, LockFile, Way, check_known
from wheelhouse.inputs.lockreading import Places, split_hashes, with_project
from wheelhouse.inputs.model import Requirements
from wheelhouse.inputs.tomllock import read_toml
from wheelhouse.wording import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from packaging.pylock import Package, PackageSdist, PackageWheel
    from packaging.version import Version

    from wheelhouse.inputs.model import Direct
    from wheelhouse.settings import InputFile


def read_pylock(root: Path, file: InputFile) -> Requirements:
    """What the lock *file* has, with its default groups and what is chosen beyond them.

    :param root: the project's folder.
    :raises ConfigError: it cannot be used; all of what is wrong with its entries at once.
    """
    root = root.resolve()
    found = read_toml(root, file.path)
    places = Places(root, found.path.parent)
    lock = from_pylock(found.data, LockFile(path=found.shown), file, places)
    entries = with_project(lock.entries, file.project, found.text, root)
    return Requirements(
        asked=(),
        locks=(replace(lock, entries=entries),),
        files=found.text.files,
        credentials=places.credentials,
    )


def from_pylock(
    data: Mapping[str, Any], lock: LockFile, file: InputFile, places: Places
) -> EntryLock:
    """The lock that *data* is, in the form of PEP 751.

    :param lock: the file that it is of; whom that is for, *data* says.
    :param file: says which extras and groups are wanted.
    :raises ConfigError: it cannot be used; all of what is wrong with its entries at once.
    """
    pylock = _validated(data, lock)
    groups = {canonicalize_name(group) for group in pylock.dependency_groups or ()}
    check_known(lock.path, "extra", file.extras, pylock.extras or ())
    check_known(lock.path, "group", file.groups, groups)
    defaults = {canonicalize_name(group) for group in pylock.default_groups or ()}
    return EntryLock(
        file=replace(
            lock,
            requires_python=pylock.requires_python,
            environments=tuple(pylock.environments or ()),
        ),
        entries=_entries(pylock.packages, lock, places),
        extras=frozenset(file.extras),
        groups=frozenset({*defaults, *file.groups}),
    )


def _validated(data: Mapping[str, Any], lock: LockFile) -> Pylock:
    try:
        return Pylock.from_dict(data)
    except (PylockValidationError, PylockUnsupportedVersionError) as error:
        raise ConfigError(
            f"{lock.path}: is not as PEP 751 has it: {printable(str(error))}", hint=lock.renewing
        ) from error


def _entries(packages: Sequence[Package], lock: LockFile, places: Places) -> tuple[Entry, ...]:
    found: list[Entry] = []
    errors: list[WheelhouseError] = []
    for package in packages:
        try:
            found.append(_entry(package, places))
        except Unusable as error:
            named = f"{package.name} {package.version or ''}".rstrip()
            hint = error.hint or lock.renewing
            errors.append(ConfigError(f"{lock.path}: {named} {error.message}", hint=hint))
    raise_all(errors)
    return tuple(found)


def _entry(package: Package, places: Places) -> Entry:
    files: list[PackageWheel | PackageSdist] = [*(package.wheels or ())]
    files += [package.sdist] if package.sdist else []
    named = [package.archive] if package.archive else files
    hashes, weak = split_hashes(pair for file in named for pair in file.hashes.items())
    direct, index = _source(package, files, places)
    return Entry(
        name=package.name,
        version=package.version or (_version(files[0].filename) if files else None),
        ways=(Way(marker=package.marker),),
        hashes=hashes,
        weak=weak,
        requires_python=package.requires_python,
        index=index,
        direct=direct,
    )


def _version(filename: str) -> Version:
    """The version in the name of a wheel or an sdist, which has been checked."""
    wheel = filename.endswith(".whl")
    return parse_wheel_filename(filename)[1] if wheel else parse_sdist_filename(filename)[1]


def _source(
    package: Package, files: Sequence[PackageWheel | PackageSdist], places: Places
) -> tuple[Direct | None, str | None]:
    """Where it comes from, if not from an index; else the URL of that, unless it is public."""
    if vcs := package.vcs:
        if vcs.type != "git":
            raise Unusable(
                f"is in a repository of a kind that cannot be used, {printable(vcs.type)}",
                "git is the only kind that is read",
            )
        place = vcs.url or vcs.path or ""
        return places.git(place, vcs.commit_id, vcs.subdirectory or ""), None
    if folder := package.directory:
        return places.local(folder.path, folder.subdirectory or ""), None
    if archive := package.archive:
        inner = archive.subdirectory or ""
        if archive.path is not None:
            return places.local(archive.path, inner), None
        return places.archive(archive.url or "", inner), None
    return _files(package.index, files, places)


def _files(
    index: str | None, files: Sequence[PackageWheel | PackageSdist], places: Places
) -> tuple[Direct | None, str | None]:
    """The same of a package that has *files* of its own.

    Of those on this machine, one alone is taken from there. Several are taken from their folder,
    as from an index: which of them, the target's tags say.
    """
    own = [path for path in map(_local, files) if path is not None]
    if len(own) < len(files):
        return None, places.index(index)
    if len(files) == 1:
        return places.local(own[0]), None
    folders = {places.path(path).parent for path in own}
    if len(folders) > 1:
        raise Unusable("has files in several folders", "put them into one, and lock again")
    return None, folders.pop().as_uri()


def _local(file: PackageWheel | PackageSdist) -> str | None:
    """Where *file* is on this machine: a path or a ``file:`` URL; None if it is elsewhere."""
    if file.url is not None:
        return file.url if file.url.lower().startswith("file:") else None
    return file.path
