"""`wheelhouse.toml` as a :class:`Project`.

Reading takes three steps: the text becomes data (`tomllib`), the data is checked against the
file's shape (:mod:`wheelhouse.projectfile`), the paths it names are looked up on the disk
(:mod:`wheelhouse.projectpaths`). All that is wrong in the last two is raised at once, each error
with the line it is about.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse.errors import ConfigError, raise_all
from wheelhouse.recipes import system_packages
from wheelhouse.settings import AuditSettings
from wheelhouse.wording import has_control, shown_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from wheelhouse.configchecks import Issue
    from wheelhouse.engine import Limits
    from wheelhouse.settings import IndexSettings, InputFile
    from wheelhouse.targets import Target
    from wheelhouse.tomlsource import KeyPath

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
    :ivar system: the distribution's packages that its build needs, sorted; for all families of
        distributions, or by family. See :meth:`system_for`.
    :ivar env: environment variables of its build.
    :ivar config_settings: for its build backend, as PEP 517 passes them.
    :ivar allow_pure: its compiled extension may be missing from the wheel.
    :ivar allow_pth: files of its wheel may run at every start of Python, without a word.
    :ivar skip_imports: top-level modules that the proof need not import.
    :ivar builder: ``cibuildwheel`` builds it by its maintainers' own recipe.
    :ivar network: that recipe may use the network.
    :ivar requires: requirements that it has and does not declare.
    :ivar build_requires: build requirements that it does not declare, or limits to those it does.
    :ivar build_against: packages that its build gets in the version that is locked.
    :ivar runtime_system: the distribution's packages that the server must have for it; for all
        families of distributions, or by family. See :meth:`runtime_system_for`.
    :ivar system_libraries: sonames of libraries that it takes from the distribution, although a
        wheel or a build requirement has one so called, sorted.
    :ivar index: the name of the index that it comes from, and from no other.
    :ivar cuda: whether it has to do with CUDA: whether it is built with the target's toolkit, and
        must agree with the target's version; None to find that out.
    :ivar bypass: another mechanism brings it to the server: it is locked, and not in the
        wheelhouse.
    """

    source: Literal["any", "wheel", "sdist"] = "any"
    system: tuple[str, ...] | Mapping[str, tuple[str, ...]] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    config_settings: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    allow_pure: bool = False
    allow_pth: bool = False
    skip_imports: tuple[str, ...] = ()
    builder: Literal["wheelhouse", "cibuildwheel"] = "wheelhouse"
    network: bool = False
    requires: tuple[str, ...] = ()
    build_requires: tuple[str, ...] = ()
    build_against: tuple[NormalizedName, ...] = ()
    runtime_system: tuple[str, ...] | Mapping[str, tuple[str, ...]] = ()
    system_libraries: tuple[str, ...] = ()
    index: str | None = None
    bypass: bool = False
    cuda: bool | None = None

    def system_for(self, family: str) -> tuple[str, ...]:
        """The packages that its build needs on a distribution of *family*, such as ``debian``."""
        return _for_family(self.system, family)

    def runtime_system_for(self, family: str) -> tuple[str, ...]:
        """The packages that it needs on a server of *family*."""
        return _for_family(self.runtime_system, family)


def _for_family(
    packages: tuple[str, ...] | Mapping[str, tuple[str, ...]], family: str
) -> tuple[str, ...]:
    return packages if isinstance(packages, tuple) else packages.get(family, ())


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A user's project.

    :ivar root: the folder of *file*; absolute, as every path here.
    :ivar file: its `wheelhouse.toml`.
    :ivar requirements: what is wanted, by existing files inside *root*.
    :ivar captures: the files, inside *root*, that captured targets come from.
    :ivar output: the folder for finished wheelhouses; it need not exist yet.
    :ivar default_index: where packages come from, if nothing else is said; None: from nowhere.
    :ivar indexes: others, which are asked before it, in this order.
    :ivar targets: by name, in the file's order; at least one.
    :ivar packages: only those that the file has settings for; see :meth:`settings`.
    :ivar jobs: containers at one time, or None to go by the engine's size.
    :ivar auto_system: what a build or a proof lacks of the distribution is added to it.
    :ivar auto_requires: a package that lacks an undeclared requirement gets it.
    :ivar undeclared_libraries: a wheel that uses a library of another one, which it does not
        require, is given that requirement (``add``), or is refused.
    :ivar exclude_newer: files that came to their index at this time or later are not used; or
        those younger than this.
    :ivar source: for packages whose settings say nothing: ``wheel`` never builds, ``sdist`` always.
    :ivar audit: how the locked set is compared with known vulnerabilities.
    :ivar credentials: user and password by the URLs of requirements that named them; they must get
        into nothing that is written.
    """

    root: Path
    file: Path
    requirements: tuple[InputFile, ...]
    output: Path
    default_index: IndexSettings | None
    targets: Mapping[str, Target]
    packages: Mapping[NormalizedName, PackageSettings]
    limits: Limits
    jobs: int | None
    captures: tuple[Path, ...] = ()
    auto_system: bool = True
    auto_requires: bool = False
    undeclared_libraries: Literal["add", "error"] = "add"
    indexes: tuple[IndexSettings, ...] = ()
    exclude_newer: datetime | timedelta | None = None
    source: Literal["any", "wheel", "sdist"] = "any"
    audit: AuditSettings = field(default_factory=AuditSettings)
    credentials: Mapping[str, tuple[str, str]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def known_indexes(self) -> tuple[IndexSettings, ...]:
        """All of them, in the order in which they are asked."""
        return (*self.indexes, *([self.default_index] if self.default_index else []))

    @property
    def index(self) -> str:
        """The default index's URL; empty if there is none."""
        return self.default_index.url if self.default_index else ""

    def settings(self, name: str) -> PackageSettings:
        """The settings of package *name*, in any spelling; the defaults if it has none."""
        return self.packages.get(canonicalize_name(name), PackageSettings(source=self.source))

    def system(self, name: NormalizedName, family: str) -> tuple[str, ...]:
        """The distribution's packages that building *name* takes on *family*, sorted.

        They are the user's, or those that are known beforehand.
        """
        own = self.settings(name).system_for(family)
        return tuple(sorted(own or system_packages(name, family)))


def find_project(start: Path) -> Path:
    """The `wheelhouse.toml` in *start* or the nearest folder above it. Raises ConfigError."""
    folder = Path(os.path.realpath(start))
    for place in (folder, *folder.parents):
        if os.path.isfile(place / FILE_NAME):  # noqa: PTH113  (Path's raises without permission)
            return place / FILE_NAME
    raise ConfigError(
        f"there is no {FILE_NAME} in {shown_path(folder)} or a folder above it",
        hint=_how_to_begin(),
    )


def load_project(path: Path, *, inputs: bool = True) -> Project:
    """Read the project file *path*.

    :param inputs: whether the requirements that it names count. If not, the project has none, and
        the files need not be there.
    :raises ConfigError: or SeveralErrors of them: each names file, line and key.
    """
    root = Path(os.path.realpath(path.parent))
    data = _read(path, root)
    if has_control(str(root / path.name)):
        raise ConfigError(
            f"{shown_path(path)}: a line break or control character in a path",
            hint="rename the file or folder",
        )
    text = _decode(data, path)
    document = _parse(text, path)
    from wheelhouse.configerrors import check
    from wheelhouse.platformtable import known_platforms
    from wheelhouse.projectmaker import make_project
    from wheelhouse.projectpaths import find_paths

    platforms = known_platforms(document)
    file, issues = check(document, platforms)
    flagged = {issue.path for issue in issues}
    found = find_paths(root, document, flagged, platforms, inputs=inputs)
    _raise_issues([*issues, *found.issues], text, path)
    assert file is not None  # or there would be an issue
    return make_project(file, root / path.name, found, platforms)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `wheelhouse.toml`, for editors."""
    from wheelhouse import projectfile

    return projectfile.json_schema()


# --- from bytes to data ---------------------------------------------------------------------


def _read(path: Path, root: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(
                f"{shown_path(path)} is not a file", hint=f"name the project's {FILE_NAME}"
            )
        return path.read_bytes()
    except FileNotFoundError:
        hint = _how_to_begin() if root.is_dir() else "check the path"
        raise ConfigError(f"there is no file {shown_path(path)}", hint=hint) from None
    except OSError as error:
        raise ConfigError(
            f"cannot read {shown_path(path)}: {error.strerror}", hint="see to it that you may"
        ) from error


def _how_to_begin() -> str:
    lines = "".join(f"\n    {line}" for line in MINIMAL.splitlines())
    return f"write a {FILE_NAME} such as{lines}"


def _decode(data: bytes, path: Path) -> str:
    """The file's text. A UTF-8 byte order mark is no part of it."""
    hint = "save it as UTF-8"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{shown_path(path)}:1: is UTF-16, but TOML is UTF-8", hint=hint)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{shown_path(path)}:{line}: is not UTF-8 (byte 0x{data[error.start]:02x})"
        raise ConfigError(message, hint=hint) from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(
            f"{shown_path(path)}:{_deepest(text)}: its values are nested too deeply",
            hint="no key takes lists within lists",
        ) from None
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        _raise_repeated(text, path)
        raise ConfigError(_syntax(str(error), text, path), hint=_SYNTAX_HINT) from None


def _deepest(text: str) -> int:
    """The line with the most brackets, counted from 1."""
    counts = [line.count("[") + line.count("{") for line in text.splitlines()]
    return counts.index(max(counts)) + 1


_SYNTAX_HINT = "see https://toml.io/en/v1.0.0 for how TOML is written"


def _raise_repeated(text: str, path: Path) -> None:
    """Name every key that is given twice; `tomllib` says only that there is one."""
    from wheelhouse.configchecks import format_path
    from wheelhouse.tomlsource import read_key_lines

    raise_all(
        [
            ConfigError(
                f"{shown_path(path)}:{twice.line}: {format_path(twice.path)}: given twice; it "
                f"first stands in line {twice.first}",
                hint="keep one of the two, with the lines of both",
            )
            for twice in read_key_lines(text).repeated
        ]
    )


def _syntax(problem: str, text: str, path: Path) -> str:
    """The message for *problem*, which ends in ``(at line 3, column 7)`` or in its like."""
    if problem.startswith("Exceeds the limit"):  # of Python, which tells how to lift it
        problem = "a number has too many digits"
    what, _, where = problem.partition(" (at ")
    if match := re.match(r"line (\d+), column (\d+)", where):
        place = f"{match[1]}:{match[2]}"
    else:
        place = str(len(text.splitlines()) or 1) if where else "1"
    return f"{shown_path(path)}:{place}: not valid TOML: {what[:1].lower()}{what[1:]}"


# --- errors ---------------------------------------------------------------------------------


def _raise_issues(issues: Sequence[Issue], text: str, path: Path) -> None:
    """Raise *issues* in the order of the lines they are about; return if there are none."""
    if not issues:
        return
    from wheelhouse.configchecks import format_path
    from wheelhouse.tomlsource import read_key_lines

    lines = read_key_lines(text)
    raise_all(
        [
            ConfigError(
                f"{shown_path(path)}:{line}: {format_path(issue.path)}: {issue.message}",
                hint=issue.hint or "`wheelhouse schema` tells what each key takes",
            )
            for line, _, issue in sorted(
                ((lines.line(issue.path), _order(issue.path), issue) for issue in issues),
                key=lambda placed: placed[:2],
            )
        ]
    )


def _order(path: KeyPath) -> tuple[str, ...]:
    """Sorts paths of one line: entries of an array by number."""
    return tuple(f"{part:>9}" if isinstance(part, int) else part for part in path)
