"""What a wheel says about itself in METADATA and WHEEL, held against its file name.

Pure. Specifications: "Core metadata" and "Binary distribution format" of the Python Packaging User
Guide.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, parse_tag
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse.wheels.headers import HeaderProblem, read_fields, read_metadata
from wheelhouse.wheels.licenses import license_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.utils import BuildTag, NormalizedName

_WHEEL_VERSION = re.compile(r"1\.\d{1,9}")
_METADATA_VERSION = re.compile(r"[12]\.\d{1,9}")
_PURELIB = {"true": True, "false": False}

#: Tags of one wheel; the names of files have no room for more than some hundreds.
_MOST_TAGS = 4096

#: The older names of platforms that have a name by their glibc, too (PEP 600).
_ALIASES = {
    "manylinux1": "manylinux_2_5",
    "manylinux2010": "manylinux_2_12",
    "manylinux2014": "manylinux_2_17",
}
_OLDER_NAME = re.compile(r"(manylinux(?:1|2010|2014))_(.+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelMetadata:
    """What METADATA says that matters here.

    :ivar license: an SPDX expression, or else what it says in words; empty if nothing.
    """

    name: str
    version: Version
    requires_dist: tuple[Requirement, ...] = ()
    requires_python: SpecifierSet | None = None
    provides_extra: frozenset[NormalizedName] = frozenset()
    license: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelFile:
    """What WHEEL says that matters here.

    :ivar purelib: of the files outside ``.data``.
    :ivar retagged: whether the file name has tags that WHEEL has only in a wider form.
    """

    purelib: bool
    retagged: bool


def parse_metadata(data: bytes) -> WheelMetadata:
    """What METADATA with the content *data* says.

    :raises ValueError: it is not valid; the message says how.
    """
    raw = read_metadata(data)
    version = raw.get("metadata_version", "")
    if not _METADATA_VERSION.fullmatch(version):
        raise HeaderProblem(f"it says Metadata-Version {version!r}; only 1.x and 2.x are known")
    python = raw.get("requires_python")
    try:
        return WheelMetadata(
            name=raw["name"],
            version=Version(raw["version"]),
            requires_dist=tuple(map(Requirement, raw.get("requires_dist", ()))),
            requires_python=SpecifierSet(python) if python else None,
            provides_extra=frozenset(map(canonicalize_name, raw.get("provides_extra", ()))),
            license=license_of(raw),
        )
    except RecursionError:
        raise HeaderProblem("a requirement of it is nested too deeply") from None


def identity_problems(metadata: WheelMetadata, name: NormalizedName, version: Version) -> list[str]:
    """Where *metadata* is not that of the file's *name* and *version*."""
    problems = []
    if canonicalize_name(metadata.name) != name:
        problems.append(f"METADATA is that of {metadata.name!r}, not of {name!r}")
    if metadata.version != version:
        problems.append(f"METADATA says version {metadata.version}, not {version}")
    return problems


def parse_wheel_file(
    data: bytes, tags: frozenset[Tag], build: BuildTag
) -> tuple[WheelFile, list[str]]:
    """What WHEEL with the content *data* says, and all that is wrong with it.

    :param tags: those of the file name, as *build* is.
    """
    try:
        fields = read_fields(data)
    except HeaderProblem as problem:
        return WheelFile(purelib=False, retagged=False), [f"WHEEL is not valid: {problem}"]
    problems = []
    (spec, purelib, number) = (
        fields.get(name, []) for name in ("wheel-version", "root-is-purelib", "build")
    )
    if len(spec) != 1 or not _WHEEL_VERSION.fullmatch(spec[0]):
        problems.append(f"WHEEL says Wheel-Version {_shown(spec)}; only 1.x is known")
    if len(purelib) != 1 or purelib[0].lower() not in _PURELIB:
        problems.append(f"WHEEL says Root-Is-Purelib {_shown(purelib)}; it is true or false")
    if number and number != [f"{build[0]}{build[1]}" if build else ""]:
        problems.append(f"WHEEL says Build {_shown(number)}; its file name says something else")
    retagged, untrue = _compare(fields.get("tag", []), tags)
    problems += untrue
    is_pure = bool(purelib) and _PURELIB.get(purelib[0].lower(), False)
    return WheelFile(purelib=is_pure, retagged=retagged), problems


def _shown(values: list[str]) -> str:
    return " and ".join(map(repr, values)) or "nothing"


def _compare(lines: list[str], tags: frozenset[Tag]) -> tuple[bool, list[str]]:
    """Whether the file name's *tags* are those of WHEEL in a narrower form; else what is wrong."""
    if sum(map(_number, lines)) > _MOST_TAGS:
        return False, [f"WHEEL has more than {_MOST_TAGS} tags"]
    try:
        said = frozenset(tag for line in lines for tag in parse_tag(line))
    except ValueError as error:
        return False, [f"WHEEL has a malformed Tag: {error}"]
    if said and _meant(said) == _meant(tags):
        return False, []
    if said and _is_narrowed(said, tags):
        return True, []
    return False, [f"WHEEL has the tags {_list_tags(said)}; its file name says {_list_tags(tags)}"]


def _number(line: str) -> int:
    """How many tags *line* stands for: three parts, of which each may have several."""
    return math.prod(part.count(".") + 1 for part in line.split("-"))


def _meant(tags: Iterable[Tag]) -> set[Tag]:
    """*tags* by the newer names of platforms, without those of Python 2, which no target has.

    Some build tools write Python 3's only, and the file name has both.
    """
    return {
        Tag(tag.interpreter, tag.abi, _newer_name(tag.platform))
        for tag in tags
        if not tag.interpreter.startswith("py2")
    }


def _newer_name(platform: str) -> str:
    older = _OLDER_NAME.fullmatch(platform)
    return f"{_ALIASES[older[1]]}_{older[2]}" if older else platform


def _is_narrowed(said: frozenset[Tag], tags: frozenset[Tag]) -> bool:
    """Whether a file name only promises less than WHEEL does.

    Some projects build for `any` or `linux_x86_64` and rename the file to the manylinux platform
    it is for (playwright, PyTorch's). Whether that is true of the binaries is checked anyway.
    """
    if len({(tag.interpreter, tag.abi) for tag in said | tags}) != 1 or len(said) != 1:
        return False
    (wide,) = {tag.platform for tag in said}
    if not all(tag.platform.startswith(("manylinux", "musllinux")) for tag in tags):
        return False
    arch = wide.removeprefix("linux_")
    return wide == "any" or (arch != wide and all(t.platform.endswith(f"_{arch}") for t in tags))


def _list_tags(tags: frozenset[Tag]) -> str:
    return ", ".join(sorted(map(str, tags))) or "(none)"
