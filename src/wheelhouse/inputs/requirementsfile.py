"""Reading requirements files: what is asked for, and by which line.

The format is pip's: :mod:`.requirementlines` has its grammar, :mod:`.addresses` what does not come
from an index. Nested files are followed; they have to be inside the project. A relative path of a
requirement begins at the folder of the file that it stands in, if it leads somewhere there, else at
the project's; pip begins at the current folder, whichever that is.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement

from wheelhouse.errors import ConfigError, WheelhouseError, raise_all
from wheelhouse.inputs.addresses import HASH_HINT, Address, Unusable, checked_hash
from wheelhouse.inputs.extremes import check_line, content_of
from wheelhouse.inputs.formats import with_format
from wheelhouse.inputs.model import Asked, IndexOption, Requirements
from wheelhouse.inputs.onerequirement import index_option, read_requirement
from wheelhouse.inputs.requirementlines import Line, check_variables, decode, parse, read_lines
from wheelhouse.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.utils import NormalizedName

    from wheelhouse.inputs.requirementlines import Parsed
    from wheelhouse.settings import InputFile

_ELSEWHERE = re.compile(r"(https?|ftp):", re.IGNORECASE)
_CERTIFICATE_HINT = (
    "set the environment variable SSL_CERT_FILE to a file with the certificate of its authority, "
    "and remove the line"
)
_INCLUDED_HINT = "a file is named relative to the one that names it: check the path"
_LINE_HINT = (
    "a requirement is written as in https://packaging.python.org/en/latest/specifications/"
    "dependency-specifiers/"
)
_PRE_HINT = "ask for it with a version that is one, such as `demo>=2.0rc1`"


def read_requirements_file(
    root: Path, file: InputFile, environment: Mapping[str, str] | None = None
) -> Requirements:
    """What *file*, a requirements file, and all that it includes ask for.

    :param root: the project's folder; no requirements file outside of it is read.
    :param environment: the variables that may stand in it; by default those of this process.
    :raises ConfigError: a line cannot be used; all such lines at once.
    """
    reader = _Reader(root.resolve(), os.environ if environment is None else environment)
    try:
        _check_choice(file)
        reader.read(file.path, constraint=False)
    except Unusable as problem:
        reader.refuse(f"{reader.relative(file.path)}:", problem)
    raise_all(sorted(reader.errors, key=_place))
    return Requirements(
        asked=tuple(reader.asked),
        constraints=tuple(reader.constraints),
        files=reader.files,
        prereleases=reader.prereleases,
        indexes=tuple(reader.indexes),
        sources=reader.sources,
        config_settings=reader.config_settings,
        hashes_required=reader.hashes_required,
        variables=tuple(sorted(reader.variables)),
        credentials=reader.credentials,
    )


@dataclass(slots=True)
class _Reader:
    root: Path
    environment: Mapping[str, str]
    asked: list[Asked] = field(default_factory=list)
    constraints: list[Asked] = field(default_factory=list)
    files: dict[Path, str] = field(default_factory=dict)
    errors: list[WheelhouseError] = field(default_factory=list)
    indexes: list[IndexOption] = field(default_factory=list)
    sources: Mapping[str, Literal["wheel", "sdist"]] = field(default_factory=dict)
    config_settings: dict[NormalizedName, Mapping[str, str | tuple[str, ...]]] = field(
        default_factory=dict
    )
    credentials: dict[str, tuple[str, str]] = field(default_factory=dict)
    variables: set[str] = field(default_factory=set)
    prereleases: bool = False
    hashes_required: bool = False
    read_as: set[tuple[Path, bool]] = field(default_factory=set)

    # -- files ---------------------------------------------------------------------------------

    def read(self, path: Path, *, constraint: bool) -> None:
        """Read the file *path* and all that it includes. Raises Unusable if it cannot be read."""
        try:
            path = path.resolve()
            if not path.is_relative_to(self.root):
                hint = f"move it into {self.root}, or wheelhouse.toml to a folder above both"
                raise Unusable("lies outside the project", hint)
            if (path, constraint) in self.read_as:
                return
            content = content_of(path)
        except (OSError, RuntimeError, ValueError) as error:  # also a link to itself, and NUL
            why = getattr(error, "strerror", None) or str(error)
            raise Unusable(f"cannot be read: {printable(why)}", _INCLUDED_HINT) from None
        self.read_as.add((path, constraint))
        try:
            lines = list(read_lines(decode(content), self.environment))
        except Unusable as problem:
            self.refuse(f"{self.relative(path)}:", problem)
            return
        self.files[path] = _digest(content, lines)
        for line in lines:
            self._take(path, line, constraint=constraint)

    def relative(self, path: Path) -> str:
        """*path* for a message, relative to the project."""
        path = Path(os.path.abspath(path))  # noqa: PTH100  (what is named, not where a link leads)
        return printable(str(path.relative_to(self.root) if self.root in path.parents else path))

    def refuse(self, subject: str, problem: Unusable) -> None:
        """Remember *problem*, which *subject* has."""
        hint = problem.hint or _LINE_HINT
        self.errors.append(ConfigError(f"{subject} {problem.message}", hint=hint))

    # -- lines ---------------------------------------------------------------------------------

    def _take(self, path: Path, line: Line, *, constraint: bool) -> None:
        origin = f"{self.relative(path)}:{line.number}"
        try:
            check_line(line.raw)
            check_variables(line, self.environment)
            self.variables.update(line.variables)
            parsed = parse(line)
            if parsed.requirement:
                self._require(path, origin, line, parsed, constraint=constraint)
            else:
                self._obey(path, origin, parsed)
        except Unusable as problem:
            self.refuse(f"{origin}: {line.shown}", problem)
        except RecursionError:
            self.refuse(f"{origin}: {line.shown}", Unusable("is nested too deeply"))

    def _require(
        self, path: Path, origin: str, line: Line, parsed: Parsed, *, constraint: bool
    ) -> None:
        folders = (path.parent, self.root)
        requirement, address = read_requirement(
            parsed.requirement,
            folders,
            self.root,
            editable=parsed.editable,
            quotable=not line.variables,
        )
        if constraint:
            requirement = _as_constraint(requirement, address, editable=parsed.editable)
        hashes = _hashes(parsed, address)
        unnamed = address is not None and not address.named
        asked = Asked(
            requirement=requirement,
            origin=origin,
            hashes=hashes,
            direct=address.direct if address else None,
            unnamed=unnamed,
        )
        self._configure(asked, parsed)
        if address and address.secret:
            self.credentials |= [address.secret]
        (self.constraints if constraint else self.asked).append(asked)

    def _configure(self, asked: Asked, parsed: Parsed) -> None:
        if "global_options" in parsed.options:
            raise Unusable(
                "has --global-option, which only old builds by setup.py have",
                "write --config-settings=--global-option=…, which setuptools understands",
            )
        pairs = parsed.options.get("config_settings", ())
        if not pairs:
            return
        if asked.unnamed:
            raise Unusable(
                "has --config-settings, but names no project that they are for",
                "write `name @ ` before the address, and a path as file:///absolute/path",
            )
        known = self.config_settings.get(asked.name, {})
        self.config_settings[asked.name] = {**known, **_settings(pairs)}

    # -- options -------------------------------------------------------------------------------

    def _obey(self, path: Path, origin: str, parsed: Parsed) -> None:
        options = parsed.options
        for nested in options.get("requirements", ()):
            self._include(path, nested, constraint=False)
        for nested in options.get("constraints", ()):
            self._include(path, nested, constraint=True)
        for kind, value in parsed.formats:
            self.sources = with_format(self.sources, kind, value)
        self._prerelease(options)
        self.hashes_required |= "require_hashes" in options
        if "trusted_hosts" in options:
            raise Unusable("would leave the certificate of a host unchecked", _CERTIFICATE_HINT)
        self._index(path, origin, options)

    def _include(self, path: Path, nested: str, *, constraint: bool) -> None:
        if _ELSEWHERE.match(nested):
            raise Unusable(
                "names a file of another machine, which may say something else tomorrow",
                "save it in the project, and name that file",
            )
        if nested.lower().startswith("file:"):
            nested = unquote(urlsplit(nested).path)
        try:
            self.read(path.parent / nested, constraint=constraint)
        except Unusable as problem:
            raise Unusable(f"names a file that {problem.message}", problem.hint) from None

    def _prerelease(self, options: Mapping[str, Any]) -> None:
        if "pre" in options:
            self.prereleases = True
        for key, allowed in (("all_releases", True), ("only_final", False)):
            for value in options.get(key, ()):
                if value != ":all:":
                    raise Unusable("says for single packages which releases may be used", _PRE_HINT)
                self.prereleases = allowed

    def _index(self, path: Path, origin: str, options: Mapping[str, Any]) -> None:
        folders = (path.parent, self.root)
        if url := options.get("index_url"):
            self.indexes.append(index_option("index-url", url, origin, folders))
        for url in options.get("extra_index_urls", ()):
            self.indexes.append(index_option("extra-index-url", url, origin, folders))
        for url in options.get("find_links", ()):
            self.indexes.append(index_option("find-links", url, origin, folders))
        if "no_index" in options:
            self.indexes.append(IndexOption(kind="no-index", origin=origin))


# --- what stands in a line ------------------------------------------------------------------


def _as_constraint(
    requirement: Requirement, address: Address | None, *, editable: bool
) -> Requirement:
    """*requirement* of a constraints file, which can limit a project, and no more than that."""
    if editable:
        raise Unusable("is editable, which a constraint cannot be", "leave -e out")
    if address and not address.named:
        raise Unusable(
            "constrains no project, as it names none", "write `name @ ` before the address"
        )
    return _without_extras(requirement)


def _without_extras(requirement: Requirement) -> Requirement:
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return Requirement(f"{requirement.name}{requirement.specifier}{marker}")


def _hashes(parsed: Parsed, address: Address | None) -> frozenset[str]:
    """The SHA-256 hashes that the line allows."""
    pairs = [option.partition(":") for option in parsed.options.get("hashes", ())]
    digests = [checked_hash(digest) for kind, _, digest in pairs if kind == "sha256"]
    if pairs and not digests:
        raise Unusable("has hashes, but no SHA-256", HASH_HINT)
    found = frozenset(digests)
    if address is None:
        return found
    if found and not address.is_archive:
        raise Unusable(
            "has a hash, but names a folder or repository, whose files have none",
            "leave the hash out; a commit behind an @ pins a repository",
        )
    return found | address.hashes


def _settings(pairs: Iterable[str]) -> dict[str, str | tuple[str, ...]]:
    """``KEY=VALUE`` pairs; the values of a key that is given several times in a row."""
    values: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise Unusable("has a config setting that cannot be read", "write it as KEY=VALUE")
        values.setdefault(key, []).append(value)
    return {key: each[0] if len(each) == 1 else tuple(each) for key, each in values.items()}


# --- files and errors -----------------------------------------------------------------------


def _digest(content: bytes, lines: Iterable[Line]) -> str:
    """The SHA-256 of what a file says: with the values of variables, but without passwords."""
    lines = list(lines)
    if all(line.told == line.raw for line in lines):
        return hashlib.sha256(content).hexdigest()
    said = "\n".join(line.told for line in lines)
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


def _place(error: WheelhouseError) -> tuple[str, int]:
    """Sorts errors as a person reads the files."""
    path, _, rest = error.message.partition(":")
    number = rest.partition(":")[0]
    return path, int(number) if number.isdigit() else 0


def _check_choice(file: InputFile) -> None:
    if file.extras or file.groups or file.project is not None:
        raise Unusable(
            "is a requirements file: it has no extras, groups or project of its own",
            "write extras behind the name: `demo[extra]`",
        )
