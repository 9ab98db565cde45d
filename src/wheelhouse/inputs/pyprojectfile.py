"""Reading `pyproject.toml`: dependencies, extras, dependency groups, and the project itself.

Spec: https://packaging.python.org/en/latest/specifications/pyproject-toml/ and, for groups,
https://packaging.python.org/en/latest/specifications/dependency-groups/.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.dependency_groups import DependencyGroupResolver
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelhouse.errors import ConfigError, WheelhouseError, raise_all
from wheelhouse.inputs.addresses import Unusable, redacted
from wheelhouse.inputs.extremes import check_digits, content_of
from wheelhouse.inputs.model import Asked, Direct, IndexOption, Requirements
from wheelhouse.inputs.onerequirement import read_specifier
from wheelhouse.inputs.toolindexes import declared, read_index
from wheelhouse.inputs.uvsources import UvSources, with_marker
from wheelhouse.sources.location import path_location
from wheelhouse.wording import did_you_mean, printable, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from wheelhouse.inputs.uvsources import Sought
    from wheelhouse.settings import InputFile

_ITSELF = 'ask for the project itself: a requirements file with the line "."'
_LIST = 'write a list of strings: ["flask>=3"]'


def read_pyproject(root: Path, file: InputFile) -> Requirements:
    """What the `pyproject.toml` *file* asks for: its dependencies, and what of it is chosen.

    :param root: the project's folder.
    :raises ConfigError: something in it cannot be used; all of that at once.
    """
    root, path = root.resolve(), file.path.resolve()
    if not path.is_relative_to(root):
        raise ConfigError(
            f"{printable(str(path))}: lies outside the project",
            hint=f"move it into {root}, or wheelhouse.toml to a folder above both",
        )
    shown = printable(path.relative_to(root).as_posix())
    content, data = _data(path, shown)
    reader = _Reader(root=root, path=path, shown=shown, data=data)
    reader.read(file)
    raise_all(reader.errors)
    return Requirements(
        asked=tuple(reader.asked),
        constraints=tuple(reader.constraints),
        files={path: hashlib.sha256(content).hexdigest()},
        indexes=tuple(reader.indexes),
        credentials=reader.credentials,
    )


def _data(path: Path, shown: str) -> tuple[bytes, dict[str, Any]]:
    try:
        content = content_of(path)
        text = content.decode("utf-8-sig")
        check_digits(text)
        return content, tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            f"{shown}: cannot be read: {error.strerror}", hint="see to it that it can be"
        ) from None
    except Unusable as problem:
        raise ConfigError(f"{shown}: {problem.message}", hint=problem.hint) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{shown}: is not UTF-8", hint="save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{shown}: not valid TOML: {printable(str(error))}",
            hint="see https://toml.io/en/v1.0.0 for how TOML is written",
        ) from None


_HINT = (
    "see https://packaging.python.org/en/latest/specifications/pyproject-toml/ for what it may say"
)


@dataclass(slots=True, kw_only=True)
class _Reader:
    root: Path
    path: Path
    shown: str
    data: Mapping[str, Any]
    asked: list[Asked] = field(default_factory=list)
    constraints: list[Asked] = field(default_factory=list)
    indexes: list[IndexOption] = field(default_factory=list)
    credentials: dict[str, tuple[str, str]] = field(default_factory=dict)
    errors: list[WheelhouseError] = field(default_factory=list)
    sources: UvSources = field(init=False)
    project: Mapping[str, Any] = field(init=False)
    pulled_in: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sources = UvSources(self.data, self.path.parent, self.root)
        project = self.data.get("project", {})
        self.project = project if isinstance(project, dict) else {}

    def read(self, file: InputFile) -> None:
        """Take what is asked for by *file*; what is wrong gets among the errors."""
        if not self._is_understood(file):
            return
        self._dependencies(file)
        for extra in file.extras:
            self._extra(canonicalize_name(extra), "", itself=file.project is True)
        for group in file.groups:
            self._group(canonicalize_name(group))
        if file.project:
            self._itself(file)
        self._uv_settings()
        self._indexes()

    def _refuse(self, where: str, message: str, hint: str | None = None) -> None:
        told = ConfigError(f"{self.shown}: {where}: {message}", hint=hint or _HINT)
        self.errors.append(told)

    def _is_understood(self, file: InputFile) -> bool:
        """Whether it has tables of the standards; if not, that is an error."""
        if self.project or (file.groups and not file.extras and not file.project):
            return True
        tool = self.data.get("tool")
        message = f"{self.shown}: has no [project] table"
        hint = "add one with a name, a version and dependencies; or name a requirements file"
        if isinstance(tool, dict) and "poetry" in tool:
            message += "; what it asks for stands in Poetry's own, in Poetry's own words"
            hint = "run `poetry lock`, and name poetry.lock"
        elif (self.path.parent / "setup.py").is_file() or file.project:
            hint = _ITSELF
        self.errors.append(ConfigError(message, hint=hint))
        return False

    # -- what is asked for -----------------------------------------------------------------------

    def _dependencies(self, file: InputFile) -> None:
        if self._is_dynamic("dependencies"):
            if not file.project:
                self._refuse(
                    "project.dynamic", "only the build backend knows the dependencies", _ITSELF
                )
            return
        self._take("project.dependencies", self.project.get("dependencies", []))

    def _is_dynamic(self, key: str) -> bool:
        dynamic = self.project.get("dynamic", [])
        return isinstance(dynamic, list) and key in dynamic

    def _extra(self, extra: str, marker: str, *, itself: bool = False) -> None:
        """What *extra* asks for, where *marker* holds."""
        table = self.project.get("optional-dependencies", {})
        names: Iterable[str] = table if isinstance(table, dict) else ()
        known: dict[str, str] = {canonicalize_name(name): name for name in names}
        if extra not in known:
            if itself and self._is_dynamic("optional-dependencies"):
                return  # its backend tells
            guess = did_you_mean(extra, list(known))
            hint = f"it has {', '.join(map(printable, known))}" if known else "it has no extras"
            if self._is_dynamic("optional-dependencies"):
                hint = _ITSELF.replace('"."', f'".[{extra}]"')
            where = "project.optional-dependencies"
            self._refuse(where, f"there is no extra {quoted(extra)}{guess}", hint)
            return
        if (key := f"{extra};{marker}") not in self.pulled_in:
            self.pulled_in.add(key)
            where = f"project.optional-dependencies.{known[extra]}"
            self._take(where, table[known[extra]], ("extra", extra), marker)

    def _group(self, group: str) -> None:
        """What *group* asks for, groups that it includes included."""
        table = self.data.get("dependency-groups", {})
        known = [canonicalize_name(name) for name in table] if isinstance(table, dict) else []
        if group not in known:
            guess = did_you_mean(group, [str(name) for name in known])
            hint = f"it has {', '.join(map(printable, known))}" if known else "it has no groups"
            self._refuse("dependency-groups", f"there is no group {quoted(group)}{guess}", hint)
            return
        where = f"dependency-groups.{group}"
        try:
            found = DependencyGroupResolver(table).resolve(group)
        except* (ValueError, TypeError, LookupError, AttributeError) as errors:
            for text in _reasons(errors):
                self._refuse(where, text, "see https://peps.python.org/pep-0735/")
        else:
            self._take(where, [str(each) for each in found], ("group", group))

    def _take(
        self, where: str, texts: object, context: tuple[str, str] = ("", ""), marker: str = ""
    ) -> None:
        if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
            self._refuse(where, "is no list of strings", _LIST)
            return
        for text in texts:
            try:
                for asked in self._asked(where, text, context, marker):
                    self.asked.append(asked)
            except Unusable as problem:
                self._refuse(where, f"{_quoted(text)} {problem.message}", problem.hint)

    def _asked(
        self, where: str, text: str, context: tuple[str, str], marker: str
    ) -> Iterator[Asked]:
        requirement, address = read_specifier(text, (self.path.parent,), self.root)
        requirement = with_marker(requirement, marker)
        origin = f"{self.shown}: {where}"
        if address is not None:
            self.credentials |= [address.secret] if address.secret else []
            yield Asked(
                requirement=requirement,
                origin=origin,
                hashes=address.hashes,
                direct=address.direct,
            )
        elif canonicalize_name(requirement.name) == self._name:
            for extra in sorted(requirement.extras):
                self._extra(canonicalize_name(extra), str(requirement.marker or ""))
        else:
            for sought in self.sources.sought(requirement, *context):
                yield self._from(sought, origin)

    def _from(self, sought: Sought, origin: str) -> Asked:
        self.credentials |= [sought.secret] if sought.secret else []
        return Asked(
            requirement=sought.requirement,
            origin=origin,
            hashes=sought.address.hashes if sought.address else frozenset(),
            direct=sought.address.direct if sought.address else None,
            index=sought.index,
        )

    @property
    def _name(self) -> str | None:
        name = self.project.get("name")
        return canonicalize_name(name) if isinstance(name, str) else None

    def _itself(self, file: InputFile) -> None:
        """The project, built of its folder."""
        extras = f"[{','.join(sorted(file.extras))}]" if file.extras else ""
        try:
            requirement = Requirement(f"{self.project.get('name', '')}{extras}")
        except InvalidRequirement:
            self._refuse("project.name", "is no name of a project", "see PEP 621")
            return
        location = path_location(self.path.parent, self.root, folder=True)
        direct = Direct(location=location)
        self.asked.append(
            Asked(requirement=requirement, origin=f"{self.shown}: project", direct=direct)
        )

    # -- what else counts ------------------------------------------------------------------------

    def _uv_settings(self) -> None:
        tool = self.data.get("tool")
        uv = tool.get("uv") if isinstance(tool, dict) else None
        if not isinstance(uv, dict):
            return
        if uv.get("override-dependencies"):
            self._refuse(
                "tool.uv.override-dependencies",
                "changes what others require, which only uv does",
                "run `uv lock`, and name uv.lock",
            )
        where = "tool.uv.constraint-dependencies"
        for text in uv.get("constraint-dependencies", []):
            try:
                requirement, _ = read_specifier(str(text), (self.path.parent,), self.root)
            except Unusable as problem:
                self._refuse(where, f"{_quoted(str(text))} {problem.message}", problem.hint)
                continue
            origin = f"{self.shown}: {where}"
            self.constraints.append(Asked(requirement=requirement, origin=origin))

    def _indexes(self) -> None:
        for table, name, kind, url in declared(self.data):
            try:
                origin = f"{self.shown}: {table}"
                self.indexes.append(read_index(kind, url, origin, self.path.parent))
            except Unusable as problem:
                self._refuse(table, f"{quoted(name)} {problem.message}", problem.hint)


def _quoted(text: str) -> str:
    return quoted(redacted(text))


def _reasons(errors: BaseExceptionGroup[Exception]) -> Iterator[str]:
    """What is wrong with a group, in one line for each error."""
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _reasons(error)
        else:
            first = redacted(str(error.args[0] if error.args else error)).partition("\n")[0]
            yield printable(first[:1].lower() + first[1:])
