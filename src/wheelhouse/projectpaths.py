"""The files and folders that a `wheelhouse.toml` names, looked up on the disk.

The document is taken unchecked, with the keys that are known to be wrong already: so whatever
else is wrong with it, all that can be looked up is.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from packaging.version import Version

from wheelhouse.configchecks import Issue
from wheelhouse.errors import ConfigError
from wheelhouse.filevalues import Refusal
from wheelhouse.settings import has_parts
from wheelhouse.targets import Place
from wheelhouse.targettable import check_arches, check_builder, check_cuda
from wheelhouse.wording import nearest, quoted, shown_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from wheelhouse.capture import CapturedTarget
    from wheelhouse.platformtable import Platforms
    from wheelhouse.targets import Preset
    from wheelhouse.tomlsource import KeyPath

_REQUIREMENTS_HINT: Final = 'write it, or name yours: requirements = ["…"]'
_PART_HINTS: Final = {
    "extras": "write extras behind the name of what has them: demo[extra]",
    "groups": "name the pyproject.toml that has them",
    "project": 'write the project into the file, on a line of its own, such as "."',
}
_REMOTE: Final = ("http://", "https://")
_CAPTURE_HINT: Final = (
    "run on the machine what `wheelhouse targets probe` writes, and save its output here"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Captured:
    """The target that a file describes."""

    file: Path
    target: CapturedTarget


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a document's paths lead to.

    :ivar requirements: existing files inside the project.
    :ivar folders: by the index's name, existing folders with files.
    :ivar output: None if something is wrong with it.
    :ivar captured: by the target's name.
    :ivar issues: what is wrong with those that are not among them.
    """

    requirements: tuple[Path, ...]
    folders: Mapping[str, Path]
    output: Path | None
    captured: Mapping[str, Captured]
    issues: tuple[Issue, ...]


def find_paths(
    root: Path,
    document: Mapping[str, Any],
    flagged: AbstractSet[KeyPath],
    platforms: Platforms,
    *,
    inputs: bool = True,
) -> Found:
    """Look up all paths of *document*.

    :param root: the project's folder, its links followed.
    :param document: what `tomllib` gives, unchecked.
    :param flagged: the keys that are wrong already; they are passed over.
    :param platforms: those that its targets may name.
    :param inputs: whether its requirements count; if not, none are looked for.
    """
    finder = _Finder(root, document, flagged, platforms)
    return Found(
        requirements=finder.requirements() if inputs else (),
        folders=finder.folders(),
        output=finder.output(),
        captured=finder.captured(),
        issues=tuple(finder.issues),
    )


class _Finder:
    """Collects issues while it looks up one kind of path after the other."""

    def __init__(
        self,
        root: Path,
        document: Mapping[str, Any],
        flagged: AbstractSet[KeyPath],
        platforms: Platforms,
    ) -> None:
        self.issues: list[Issue] = []
        self._root = root
        self._document = document
        self._flagged = flagged
        self._platforms = platforms

    def _refuse(self, key: KeyPath, message: str, hint: str | None) -> None:
        self.issues.append(Issue(path=key, message=message, hint=hint))

    def requirements(self) -> tuple[Path, ...]:
        values = self._document.get("requirements", ["requirements.txt"])
        paths: list[Path] = []
        for index, value in enumerate(values if isinstance(values, list) else ()):
            entry = value if isinstance(value, dict) else {}
            key: KeyPath = ("requirements", index, *(["file"] if entry else []))
            name = entry.get("file") if isinstance(value, dict) else value
            if not isinstance(name, str) or self._flagged & {key, key[:2]}:
                continue
            path = Path(os.path.realpath(self._root / name))
            if path in paths:
                self._refuse(key, f"{quoted(name)} is listed twice", "keep one")
            elif problem := input_problem(self._root, name, path, self._root, _REQUIREMENTS_HINT):
                self._refuse(key, *problem)
            else:
                paths.append(path)
            self._check_parts(key[:2], entry, path)
        return tuple(paths)

    def _check_parts(self, key: KeyPath, entry: Mapping[str, Any], path: Path) -> None:
        """That nothing is wanted of the file at *path* that its kind does not have."""
        for part in () if has_parts(path) else ("extras", "groups", "project"):
            if part in entry and (*key, part) not in self._flagged:
                self._refuse(
                    (*key, part),
                    f"{quoted(path.name)} is neither a pyproject.toml nor a lock, so it has none",
                    _PART_HINTS[part],
                )

    def folders(self) -> Mapping[str, Path]:
        tables = self._document.get("indexes")
        found = {
            name: self._folder(("indexes", name), table)
            for name, table in (tables.items() if isinstance(tables, dict) else ())
            if isinstance(table, dict)
        }
        return {name: path for name, path in found.items() if path is not None}

    def _folder(self, key: KeyPath, table: Mapping[str, Any]) -> Path | None:
        """The folder with the files of the index *table*, if they are on this machine."""
        for kind, path_of in (("find-links", self._root.joinpath), ("url", _path_of_url)):
            value = table.get(kind)
            if not isinstance(value, str) or (*key, kind) in self._flagged:
                continue
            if value.startswith(_REMOTE):
                continue
            path = Path(os.path.realpath(path_of(value)))
            if _is_folder(path):
                return path
            beside = "" if value.startswith(("/", "file:")) else f", in {shown_path(self._root)}"
            what = "is a file" if os.path.lexists(path) else f"is not there{beside}"
            self._refuse(
                (*key, kind),
                f"{quoted(value)} {what}, but it is to be a folder",
                "name the folder that has the files, or make it",
            )
        return None

    def output(self) -> Path | None:
        if ("output",) in self._flagged:
            return None
        value = self._document.get("output", "dist")
        path = Path(os.path.realpath(self._root / value))
        if problem := _output_problem(self._root, value, path):
            self._refuse(("output",), problem, "name a folder of its own")
            return None
        return path

    def captured(self) -> Mapping[str, Captured]:
        targets = self._document.get("targets")
        tables = targets.items() if isinstance(targets, dict) else ()
        found = {name: self._capture(name, table) for name, table in tables}
        return {name: each for name, each in found.items() if each is not None}

    def _capture(self, name: str, table: object) -> Captured | None:
        key = ("targets", name, "captured")
        if not isinstance(table, dict) or "captured" not in table or key in self._flagged:
            return None
        value = table["captured"]
        file = Path(os.path.realpath(self._root / value))
        if problem := _file_problem(self._root, value, file, self._root, _CAPTURE_HINT):
            self._refuse(key, *problem)
            return None
        from wheelhouse.capture import read_capture

        try:
            captured = Captured(file=file, target=read_capture(file))
        except ConfigError as error:
            self._refuse(key, error.message, error.hint)
            return None
        except OSError as error:
            self._refuse(key, f"cannot read {quoted(value)}: {error.strerror}", None)
            return None
        self._check_builder(name, table, captured.target)
        self._check_cuda(name, table, captured.target)
        self._check_arches(name, table, captured.target)
        return captured

    def _check_builder(self, name: str, table: Mapping[str, Any], target: CapturedTarget) -> None:
        """Of other targets, the table's own check does this."""
        key = ("targets", name, "builder")
        if "builder" not in table or key in self._flagged:
            return
        builder = self._platforms[table["builder"]]
        place = Place(preset=target.preset, python=target.python, arch=target.arch)
        try:
            if builder is not None:
                check_builder(builder, place, self._platforms)
        except Refusal as refusal:
            self._refuse(key, refusal.message, refusal.hint)

    def _check_cuda(self, name: str, table: Mapping[str, Any], target: CapturedTarget) -> None:
        """Likewise."""
        key = ("targets", name, "cuda")
        if "cuda" not in table or key in self._flagged:
            return
        try:
            check_cuda(Version(table["cuda"]), target.preset, self._builder(table))
        except Refusal as refusal:
            self._refuse(key, refusal.message, refusal.hint)

    def _check_arches(self, name: str, table: Mapping[str, Any], target: CapturedTarget) -> None:
        """Likewise."""
        key = ("targets", name, "cuda-arch")
        told = [*self._flagged, *(issue.path for issue in self.issues)]
        wrong = {each[:3] for each in told}  # of a list, what in it is
        if "cuda-arch" not in table or wrong & {key, ("targets", name, "cuda")}:
            return
        place = Place(preset=target.preset, python=target.python, arch=target.arch)
        version, arches = Version(table["cuda"]), table["cuda-arch"]
        try:
            check_arches(arches, version, place, self._builder(table), self._platforms)
        except Refusal as refusal:
            self._refuse(key, refusal.message, refusal.hint)

    def _builder(self, table: Mapping[str, Any]) -> Preset | None:
        """None also where what is said is no name, which is told elsewhere."""
        name = table.get("builder")
        return self._platforms.get(name) if isinstance(name, str) else None


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112  (Path's raises for names that are too long)


def _path_of_url(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def input_problem(
    root: Path, value: str, path: Path, base: Path, how_to: str
) -> tuple[str, str | None] | None:
    """Why *path* cannot be a file that says what is wanted, and what to do; None if it can.

    :param root: the project's folder.
    :param value: the path as it is written, relative to *base*.
    :param how_to: what to do if there is no file of such a name.
    """
    problem = _file_problem(root, value, path, base, how_to)
    if problem and path.is_relative_to(root) and _is_folder(path):
        return problem[0], _folder_hint(path)
    return problem


def _folder_hint(folder: Path) -> str:
    if (folder / "pyproject.toml").is_file():
        return (
            "name its pyproject.toml: what that asks for is wanted then, and with "
            "`project = true` the project itself, too"
        )
    return "name the file in it; a project to build stands in a requirements file, such as ./app"


def _file_problem(
    root: Path, value: str, path: Path, base: Path, how_to: str
) -> tuple[str, str | None] | None:
    """Why *path*, written as *value*, cannot be a file of the project, and what to do.

    Parameters as of :func:`input_problem`.
    """
    name = quoted(value)
    if not path.is_relative_to(root):
        return (
            f"{name} is outside the project's folder, {shown_path(root)}",
            "move it into the folder, or move the project's own file to a folder above both",
        )
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        hint = _similar_file(path) or how_to
        return f"there is no file {name} in {shown_path(base)}", hint
    except OSError as error:
        return f"cannot read {name}: {error.strerror}", None
    if stat.S_ISDIR(mode):
        return f"{name} is a folder, not a file", "name the file in it"
    return None if stat.S_ISREG(mode) else (f"{name} is not a regular file", None)


def _similar_file(path: Path) -> str | None:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        names = []
    near = nearest(path.name, names)
    return f'did you mean "{near}"?' if near else None


def _output_problem(root: Path, value: str, path: Path) -> str | None:
    """Why *path*, written as *value*, cannot be the output folder."""
    name = quoted(value)
    if root.is_relative_to(path):
        what = "is" if root == path else "contains"
        return f"{name} {what} the project's own folder, {shown_path(root)}"
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        return f"{name} cannot be used: {error.strerror}"
    place = path
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        blame = "it" if place == path else shown_path(place)
        return f"{name} cannot be a folder: {blame} is a file"
    if not os.access(
        place, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids
    ):
        return f"{name} cannot be written: no permission to write in {shown_path(place)}"
    return None
