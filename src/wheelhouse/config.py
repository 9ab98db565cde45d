"""`wheelhouse.toml` as a :class:`Project`.

Reading takes three steps: the text becomes data (`tomllib`), the data is checked against the
file's shape (:mod:`wheelhouse.projectfile`), the paths it names are looked up on the disk. All
that is wrong in the last two is raised at once, each error with the line it is about.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse.engine import Limits
from wheelhouse.errors import ConfigError, raise_all
from wheelhouse.targets import Target, presets
from wheelhouse.wording import has_control, nearest, printable, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheelhouse.configerrors import Issue
    from wheelhouse.projectfile import PackageTable, ProjectFile, TargetTable

FILE_NAME = "wheelhouse.toml"

MINIMAL = """\
requirements = ["requirements.txt"]

[targets.web]
platform = "debian12"
python = "3.11"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageSettings:
    """How one package is to be built.

    :ivar source: ``wheel`` never builds it, ``sdist`` always does.
    :ivar system: the distribution's packages that its build needs, sorted.
    :ivar env: environment variables of its build.
    :ivar config_settings: for its build backend, as PEP 517 passes them.
    :ivar allow_pure: its compiled extension may be missing from the wheel.
    :ivar skip_imports: top-level modules that the proof need not import.
    """

    source: Literal["any", "wheel", "sdist"] = "any"
    system: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    config_settings: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    allow_pure: bool = False
    skip_imports: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A user's project.

    :ivar root: the folder of *file*; absolute, as every path here.
    :ivar file: its `wheelhouse.toml`.
    :ivar requirements: existing files inside *root*.
    :ivar output: the folder for finished wheelhouses; it need not exist yet.
    :ivar index: URL of the package index, without credentials or a slash at its end.
    :ivar targets: by name, in the file's order; at least one.
    :ivar packages: only those that the file has settings for; see :meth:`settings`.
    :ivar jobs: containers at one time, or None to go by the engine's size.
    """

    root: Path
    file: Path
    requirements: tuple[Path, ...]
    output: Path
    index: str
    targets: Mapping[str, Target]
    packages: Mapping[NormalizedName, PackageSettings]
    limits: Limits
    jobs: int | None

    def settings(self, name: str) -> PackageSettings:
        """The settings of package *name*, in any spelling; the defaults if it has none."""
        return self.packages.get(canonicalize_name(name), PackageSettings())


def find_project(start: Path) -> Path:
    """The `wheelhouse.toml` in *start* or the nearest folder above it. Raises ConfigError."""
    folder = Path(os.path.realpath(start))
    for place in (folder, *folder.parents):
        if os.path.isfile(place / FILE_NAME):  # noqa: PTH113  (Path's raises without permission)
            return place / FILE_NAME
    raise ConfigError(
        f"there is no {FILE_NAME} in {_shown(folder)} or a folder above it", hint=_how_to_begin()
    )


def load_project(path: Path) -> Project:
    """Read the project file *path*.

    Raises ConfigError, or SeveralErrors of them: each names file, line and key.
    """
    root = Path(os.path.realpath(path.parent))
    data = _read(path, root)
    if has_control(str(root / path.name)):
        raise ConfigError(
            f"{_shown(path)}: a line break or control character in a path",
            hint="rename the file or folder",
        )
    text = _decode(data, path)
    document = _parse(text, path)
    from wheelhouse.configerrors import check

    file, issues = check(document)
    flagged = {issue.path for issue in issues}
    requirements = _find_requirements(root, document, flagged)
    output = _find_output(root, document, flagged)
    issues += [*requirements.issues, *output.issues]
    _raise_issues(issues, text, path)
    assert file is not None  # or there would be an issue
    return _project(file, root / path.name, requirements.paths, output.paths[0])


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `wheelhouse.toml`, for editors."""
    from wheelhouse import projectfile

    return projectfile.json_schema()


# --- from bytes to data ---------------------------------------------------------------------


def _read(path: Path, root: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(
                f"{_shown(path)} is not a file", hint=f"name the project's {FILE_NAME}"
            )
        return path.read_bytes()
    except FileNotFoundError:
        hint = _how_to_begin() if root.is_dir() else "check the path"
        raise ConfigError(f"there is no file {_shown(path)}", hint=hint) from None
    except OSError as error:
        raise ConfigError(f"cannot read {_shown(path)}: {error.strerror}") from error


def _how_to_begin() -> str:
    lines = "".join(f"\n    {line}" for line in MINIMAL.splitlines())
    return f"write a {FILE_NAME} such as{lines}"


def _decode(data: bytes, path: Path) -> str:
    """The file's text. A UTF-8 byte order mark is no part of it."""
    hint = "save it as UTF-8"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{_shown(path)}:1: is UTF-16, but TOML is UTF-8", hint=hint)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{_shown(path)}:{line}: is not UTF-8 (byte 0x{data[error.start]:02x})"
        raise ConfigError(message, hint=hint) from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{_shown(path)}: its values are nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        _raise_repeated(text, path)
        raise ConfigError(_syntax(str(error), text, path), hint=_SYNTAX_HINT) from None


_SYNTAX_HINT = "see https://toml.io/en/v1.0.0 for how TOML is written"


def _raise_repeated(text: str, path: Path) -> None:
    """Name every key that is given twice; `tomllib` says only that there is one."""
    from wheelhouse.configerrors import format_path
    from wheelhouse.tomlsource import read_key_lines

    raise_all(
        [
            ConfigError(
                f"{_shown(path)}:{twice.line}: {format_path(twice.path)}: given twice; it first "
                f"stands in line {twice.first}",
                hint="keep one of the two",
            )
            for twice in read_key_lines(text).repeated
        ]
    )


def _syntax(problem: str, text: str, path: Path) -> str:
    """The message for *problem*, which ends in ``(at line 3, column 7)`` or in its like."""
    what, _, where = problem.partition(" (at ")
    if match := re.match(r"line (\d+), column (\d+)", where):
        place = f"{match[1]}:{match[2]}"
    else:
        place = str(len(text.splitlines()) or 1) if where else "1"
    return f"{_shown(path)}:{place}: not valid TOML: {what[:1].lower()}{what[1:]}"


# --- the paths it names ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """Paths of one key, and what is wrong with those that are not among them."""

    paths: tuple[Path, ...]
    issues: tuple[Issue, ...]


def _find_requirements(
    root: Path, document: Mapping[str, Any], flagged: set[tuple[str | int, ...]]
) -> _Found:
    """The requirements files of *document*; entries already *flagged* are passed over."""
    from wheelhouse.configerrors import Issue

    values = document.get("requirements", ["requirements.txt"])
    paths: list[Path] = []
    issues: list[Issue] = []
    for index, value in enumerate(values if isinstance(values, list) else ()):
        key = ("requirements", index)
        if key in flagged:
            continue
        path = Path(os.path.realpath(root / value))
        if path in paths:
            issues.append(
                Issue(path=key, message=f"{quoted(value)} is listed twice", hint="keep one")
            )
        elif problem := _requirements_problem(root, value, path):
            issues.append(Issue(path=key, message=problem[0], hint=problem[1]))
        else:
            paths.append(path)
    return _Found(paths=tuple(paths), issues=tuple(issues))


def _requirements_problem(root: Path, value: str, path: Path) -> tuple[str, str | None] | None:
    """Why *path*, written as *value*, cannot be a requirements file, and what to do."""
    name = quoted(value)
    if not path.is_relative_to(root):
        return (
            f"{name} is outside the project's folder, {_shown(root)}",
            f"move it into the folder, or move {FILE_NAME} to a folder above both",
        )
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"there is no file {name} in {_shown(root)}", _similar_file(path)
    except OSError as error:
        return f"cannot read {name}: {error.strerror}", None
    if stat.S_ISDIR(mode):
        return f"{name} is a folder, not a file", "name the file in it"
    return None if stat.S_ISREG(mode) else (f"{name} is not a regular file", None)


def _similar_file(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        names = []
    near = nearest(path.name, names)
    return f'did you mean "{near}"?' if near else 'write it, or name yours: requirements = ["…"]'


def _find_output(
    root: Path, document: Mapping[str, Any], flagged: set[tuple[str | int, ...]]
) -> _Found:
    """The output folder of *document*, unless it is already *flagged*."""
    from wheelhouse.configerrors import Issue

    if ("output",) in flagged:
        return _Found(paths=(), issues=())
    value = document.get("output", "dist")
    path = Path(os.path.realpath(root / value))
    if problem := _output_problem(root, value, path):
        issue = Issue(path=("output",), message=problem, hint="name a folder of its own")
        return _Found(paths=(), issues=(issue,))
    return _Found(paths=(path,), issues=())


def _output_problem(root: Path, value: str, path: Path) -> str | None:
    """Why *path*, written as *value*, cannot be the output folder."""
    name = quoted(value)
    if root.is_relative_to(path):
        what = "is" if root == path else "contains"
        return f"{name} {what} the project's own folder, {_shown(root)}"
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
        blame = "it" if place == path else _shown(place)
        return f"{name} cannot be a folder: {blame} is a file"
    if not os.access(
        place, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids
    ):
        return f"{name} cannot be written: no permission to write in {_shown(place)}"
    return None


# --- from the checked file to the project ---------------------------------------------------


def _project(file: ProjectFile, path: Path, requirements: Sequence[Path], output: Path) -> Project:
    return Project(
        root=path.parent,
        file=path,
        requirements=tuple(requirements),
        output=output,
        index=file.index,
        targets={name: _target(name, table) for name, table in file.targets.items()},
        packages={canonicalize_name(name): _package(t) for name, t in file.packages.items()},
        limits=replace(Limits(), **file.limits.model_dump(exclude_unset=True)),
        jobs=file.jobs,
    )


def _target(name: str, table: TargetTable) -> Target:
    return Target(name=name, preset=presets()[table.platform], python=table.python, arch=table.arch)


def _package(table: PackageTable) -> PackageSettings:
    return PackageSettings(
        source=table.source,
        system=tuple(sorted(set(table.system))),
        env=table.env,
        config_settings={
            key: tuple(value) if isinstance(value, list) else value
            for key, value in table.config_settings.items()
        },
        allow_pure=table.allow_pure,
        skip_imports=tuple(table.skip_imports),
    )


# --- errors ---------------------------------------------------------------------------------


def _raise_issues(issues: Sequence[Issue], text: str, path: Path) -> None:
    """Raise *issues* in the order of the lines they are about; return if there are none."""
    if not issues:
        return
    from wheelhouse.configerrors import format_path
    from wheelhouse.tomlsource import read_key_lines

    lines = read_key_lines(text)
    raise_all(
        [
            ConfigError(
                f"{_shown(path)}:{line}: {format_path(issue.path)}: {issue.message}",
                hint=issue.hint,
            )
            for line, _, issue in sorted(
                ((lines.line(issue.path), _order(issue.path), issue) for issue in issues),
                key=lambda placed: placed[:2],
            )
        ]
    )


def _order(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """Sorts paths of one line: entries of an array by number."""
    return tuple(f"{part:>9}" if isinstance(part, int) else part for part in path)


def _shown(path: Path) -> str:
    """*path* for a message: relative where it is below the current folder, and printable."""
    try:
        below = str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        below = str(path)
    return printable(str(path) if below == "." else below)
