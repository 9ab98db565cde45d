"""Reading requirements files: what is asked for, and by which line.

The format is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/), read by
`pip-requirements-parser`. Nested files are followed; everything stays inside the project.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

from wheelhouse.errors import ConfigError, WheelhouseError, raise_all
from wheelhouse.inputs.model import Asked, Requirements

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: Options that say where packages come from. They belong into wheelhouse.toml, where each is
#: bound to what may come from there.
SOURCES = {
    "index_url": "--index-url",
    "extra_index_urls": "--extra-index-url",
    "no_index": "--no-index",
    "find_links": "--find-links",
    "trusted_hosts": "--trusted-host",
}
FORMATS = {"no_binary": "--no-binary", "only_binary": "--only-binary"}


@dataclass(slots=True)
class _Reader:
    root: Path
    asked: list[Asked] = field(default_factory=list)
    constraints: list[Asked] = field(default_factory=list)
    files: dict[Path, str] = field(default_factory=dict)
    errors: list[WheelhouseError] = field(default_factory=list)
    prereleases: bool = False
    read_as: set[tuple[Path, bool]] = field(default_factory=set)

    def read(self, path: Path, origin: str, *, constraint: bool = False) -> None:
        try:
            path = path.resolve()
            if not path.is_relative_to(self.root):
                self._error(
                    origin,
                    f"{path} lies outside the project",
                    f"move it into {self.root}, or wheelhouse.toml to a folder above both",
                )
                return
            if (path, constraint) in self.read_as:
                return
            content = path.read_bytes()
        except (OSError, RuntimeError, ValueError) as error:  # also a link to itself, and NUL
            why = getattr(error, "strerror", None) or str(error)
            self._error(origin, f"cannot read {_shown(path)}: {why}")
            return
        self.read_as.add((path, constraint))
        self.files[path] = hashlib.sha256(content).hexdigest()
        self._parse(path, content, constraint=constraint)

    def _parse(self, path: Path, content: bytes, *, constraint: bool) -> None:
        from pip_requirements_parser import RequirementsFile

        try:
            content.decode("utf-8")  # the parser would try the locale's encoding, too
            parsed = RequirementsFile.from_file(str(path), include_nested=False)
        except (UnicodeDecodeError, LookupError):  # the latter, if it declares an unknown encoding
            self._error(str(path.relative_to(self.root)), "is not UTF-8")
            return
        for line in parsed.invalid_lines:
            self._error(self._origin(path, line), f"cannot be read: {_shown(line.line.strip())}")
        for found in parsed.requirements:
            self._take(path, found, constraint=constraint)
        for line in parsed.options:
            self._option(path, line, constraint=constraint)

    def _origin(self, path: Path, line: Any) -> str:
        number = getattr(line, "line_number", None) or line.requirement_line.line_number
        return f"{path.relative_to(self.root)}:{number}"

    def _take(self, path: Path, found: Any, *, constraint: bool) -> None:
        origin = self._origin(path, found)
        if found.req is None or found.link is not None or found.is_editable:
            text = _shown(str(found.requirement_line.line).strip())
            self._error(
                origin,
                f"{text} does not come from an index",
                "name a project and a version; local paths, URLs and VCS are not supported yet",
            )
            return
        hashes, other = _hashes(found.hash_options or [])
        if other and not hashes:
            self._error(origin, "its hashes are not SHA-256", "use --hash=sha256:…")
            return
        if wrong := [each for each in hashes if not re.fullmatch(r"[0-9a-f]{64}", each)]:
            self._error(origin, f"{_shown(wrong[0])} is no SHA-256", "it has 64 hexadecimal digits")
            return
        marker = f" ; {found.marker}" if found.marker else ""
        extras = f"[{','.join(sorted(found.extras))}]" if found.extras else ""
        requirement = Requirement(f"{found.req.name}{extras}{found.req.specifier}{marker}")
        asked = Asked(requirement=requirement, origin=origin, hashes=frozenset(hashes))
        (self.constraints if constraint else self.asked).append(asked)

    def _option(self, path: Path, line: Any, *, constraint: bool) -> None:
        origin = self._origin(path, line)
        for name, value in line.options.items():
            if name == "requirements":
                for nested in value:
                    self.read(path.parent / nested, origin, constraint=constraint)
            elif name == "constraints":
                for nested in value:
                    self.read(path.parent / nested, origin, constraint=True)
            elif name in SOURCES:
                self._error(
                    origin,
                    f"{SOURCES[name]} is not taken from a requirements file",
                    "set `index` in wheelhouse.toml",
                )
            elif name in FORMATS:
                self._error(
                    origin,
                    f"{FORMATS[name]} is not taken from a requirements file",
                    'set `source = "sdist"` or "wheel" under [packages.NAME] in wheelhouse.toml',
                )
            elif name == "pre":
                self.prereleases = True

    def _error(self, origin: str, message: str, hint: str | None = None) -> None:
        self.errors.append(ConfigError(f"{origin}: {message}", hint=hint))


def _shown(text: object) -> str:
    """*text* quoted, without control characters, and not too long."""
    return f"{str(text)[:200]!r}"


def _hashes(options: Iterable[str]) -> tuple[list[str], list[str]]:
    """Split hash options into SHA-256 digests and others."""
    digests: list[str] = []
    others: list[str] = []
    for option in options:
        kind, _, digest = option.removeprefix("--hash=").partition(":")
        (digests if kind == "sha256" else others).append(digest.lower())
    return digests, others


def _place(error: WheelhouseError) -> tuple[str, int]:
    """Sorts errors as a person reads the files."""
    path, _, rest = error.message.partition(":")
    number = rest.partition(":")[0]
    return path, int(number) if number.isdigit() else 0


def read_requirements(root: Path, files: Iterable[Path]) -> Requirements:
    """Read *files* and all that they include.

    :raises ConfigError: a line cannot be used; all such lines at once.
    """
    root = root.resolve()
    reader = _Reader(root)
    for path in files:
        reader.read(path, str(path))
    raise_all(sorted(reader.errors, key=_place))
    if not reader.asked:
        names = ", ".join(str(path.name) for path in files)
        raise ConfigError(f"{names}: asks for nothing", hint="add a requirement, such as `flask`")
    return Requirements(
        asked=tuple(reader.asked),
        constraints=tuple(reader.constraints),
        files=reader.files,
        prereleases=reader.prereleases,
    )
