"""Knowing at once that nothing changed.

After a successful build, a *stamp* remembers the hash of every file that went in and the look
(size, time, inode) of every file that came out. If all are as they were, there is nothing to do,
and neither configuration nor engine nor index needs to be looked at. `wheelhouse verify` is what
reads the wheels themselves.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wheelhouse import __version__
from wheelhouse.errors import StorageError, WheelhouseError
from wheelhouse.events import Event, TargetFinished
from wheelhouse.store import Store, default_root, digest_of, read_record, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheelhouse.config import Project
    from wheelhouse.house import House
    from wheelhouse.inputs.model import Requirements

KIND = "stamp"
FILE_NAME = "wheelhouse.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked for: the same question about the same files has the same answer.

    :ivar signer: the ID of the key that signs; empty if none does.
    """

    file: Path | None
    targets: tuple[str, ...]
    engine: str
    inputs: tuple[str, ...] = ()
    signer: str = ""

    @property
    def key(self) -> str:
        """The key of its stamp."""
        asked = [str(self.file), self.targets, self.engine, self.inputs, self.signer]
        return digest_of([*asked, __version__])


def project_file(config: Path | None) -> Path | None:
    """The project's file, if it is easily found; whoever loads it tells what is wrong."""
    if config is not None:
        return config.absolute()
    here = Path.cwd()
    found = (folder / FILE_NAME for folder in (here, *here.parents))
    return next((path for path in found if path.is_file()), None)


def unchanged(question: Question) -> list[Event] | None:
    """The events that tell so, if nothing changed since the stamp; None if anything did."""
    if question.file is None:
        return None
    stamp = read_record(default_root(), KIND, question.key)
    try:
        if stamp is None or not _same(stamp):
            return None
        _clear({Path(house["path"]).parent for house in stamp["houses"]})
        return [_event(house) for house in stamp["houses"]]
    except (OSError, LookupError, TypeError, ValueError, AttributeError):
        return None  # something is gone, or the stamp is damaged


def _same(stamp: dict[str, Any]) -> bool:
    return (
        all(sha256_of(Path(path)) == sha for path, sha in stamp["inputs"].items())
        and all(_look(Path(house["path"])) == house["files"] for house in stamp["houses"])
        and all(_digest(Path(path), inner) == digest for path, inner, digest in stamp["folders"])
    )


def _digest(folder: Path, subdirectory: str) -> str:
    """That of the project in the *subdirectory* of a folder. Raises OSError."""
    from wheelhouse.sources.tree import digest

    try:
        return digest(folder, subdirectory)
    except WheelhouseError as error:
        raise OSError(error.message) from error


def _clear(outputs: Iterable[Path]) -> None:
    """Have what a killed run left in *outputs* removed: no build will come to do it."""
    for output in outputs:
        if any(output.glob(".*")):
            from wheelhouse.publish import clean_leftovers

            clean_leftovers(output)


def _look(folder: Path) -> dict[str, list[int]]:
    """Size, time of change (ns) and inode of every file below *folder*."""
    found: dict[str, list[int]] = {}
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    seen = entry.stat(follow_symlinks=False)
                    found[entry.path] = [seen.st_size, seen.st_mtime_ns, seen.st_ino]
    return found


def _event(house: dict[str, Any]) -> TargetFinished:
    return TargetFinished(
        target=house["target"],
        outcome="reused",
        seconds=0.0,
        counts={"reused": house["wheels"]},
        wheels=house["wheels"],
        size=house["size"],
        path=Path(house["path"]),
        message="nothing changed",
    )


def remember(question: Question, project: Project, houses: Sequence[House]) -> None:
    """Write the stamp of a build that has just succeeded.

    None is written if somebody has edited a file meanwhile: it is not what was built.
    """
    from wheelhouse.inputs import read_inputs
    from wheelhouse.locking.lockfile import lock_path

    try:
        requirements = read_inputs(project.root, project.requirements)
        if requirements.variables or not _is_what_was_built(project, requirements, houses):
            return  # what variables stand for, no file tells
        locks = [lock_path(project.root, house.manifest.target.name) for house in houses]
        folders = _folders(project, requirements)
        files = [path for path in requirements.files if not path.is_dir()]
        inputs: Iterable[Path] = [project.file, *project.captures, *files, *locks]
        stamp = {
            "inputs": {str(path): sha256_of(path) for path in inputs},
            "folders": [[str(path), inner, _digest(path, inner)] for path, inner in folders],
            "houses": [_remembered(house) for house in houses],
        }
    except (WheelhouseError, OSError):
        return  # the next run tells
    with suppress(StorageError):  # what was built is in its place, and that is what counts
        Store(default_root()).write_record(KIND, question.key, stamp)


def _folders(project: Project, requirements: Requirements) -> list[tuple[Path, str]]:
    """The folders that projects come from, and where in each such a project is."""
    root = project.root.resolve()
    found = {
        (root / direct.location.removeprefix("dir:"), direct.subdirectory)
        for direct in requirements.directs
        if direct.location.startswith("dir:")
    }
    return sorted(each for each in found if each[0] in requirements.files)


def _remembered(house: House) -> dict[str, Any]:
    return {
        "target": house.manifest.target.name,
        "path": str(house.path),
        "wheels": len(house.manifest.wheels),
        "size": house.size,
        "files": _look(house.path),
    }


def _is_what_was_built(
    project: Project, requirements: Requirements, houses: Sequence[House]
) -> bool:
    from wheelhouse.config import load_project
    from wheelhouse.inputs.applied import with_options
    from wheelhouse.locking.freshness import inputs_digest
    from wheelhouse.locking.lockfile import load_lock, lock_path

    for house in houses:
        name = house.manifest.target.name
        path = lock_path(project.root, name)
        lock = load_lock(path)
        if lock is None or sha256_of(path) != house.manifest.lock_sha256:
            return False
        if lock.inputs != inputs_digest(project, project.targets[name], requirements):
            return False
    as_read = replace(load_project(project.file, inputs=False), requirements=project.requirements)
    return with_options(as_read, requirements) == project
