"""Dependencies as Poetry writes them, in `pyproject.toml` and in locks. Pure.

Spec: https://python-poetry.org/docs/dependency-specification/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.markers import InvalidMarker, Marker
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.lockentries import set_marker
from wheelhouse.inputs.poetryversions import InvalidConstraint, allows
from wheelhouse.inputs.tomllock import strings, table
from wheelhouse.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: How Poetry writes a marker that never holds.
NEVER = "<empty>"

_ELSEWHERE = ("git", "url", "path", "file")
_PUBLIC = "pypi"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def read_marker(text: str) -> Marker | None:
    """The marker *text*, which is not :data:`NEVER`; None if it always holds.

    :raises Unusable: it is none.
    """
    try:
        return set_marker(text) if text not in ("", "*") else None
    except InvalidMarker as error:
        raise Unusable(f"has a marker that cannot be read: {quoted(text)}") from error


def allows_python(constraint: str, environment: Mapping[str, str]) -> bool:
    """Whether *constraint*, as in ``python = "^3.11"``, allows the Python of *environment*.

    :raises Unusable: it cannot be read.
    """
    return allows_version(constraint, Version(environment["python_full_version"].rstrip("+")))


def allows_version(constraint: str, version: Version) -> bool:
    """Whether *constraint* allows *version*.

    :raises Unusable: it cannot be read.
    """
    try:
        return allows(constraint, version)
    except InvalidConstraint as error:
        raise Unusable(
            f"has a version constraint that cannot be read: {quoted(constraint)}"
        ) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependency:
    """One dependency.

    :ivar constraint: on its version.
    :ivar optional: it is there for extras only.
    :ivar marker: which may speak of ``extras``, those of whoever has the dependency.
    :ivar python: a constraint on the Python; :ivar platform: one on ``sys_platform``.
    :ivar source: the name of the index that it is to come from; empty for any.
    :ivar elsewhere: whether it has an address of its own.
    """

    name: NormalizedName
    constraint: str = "*"
    extras: frozenset[NormalizedName] = frozenset()
    optional: bool = False
    marker: Marker | None = None
    python: str = "*"
    platform: str = "*"
    source: str = ""
    elsewhere: bool = False

    def is_for(self, environment: Mapping[str, str]) -> bool:
        """Whether it applies there, as far as *python* and *platform* go. Raises Unusable."""
        return allows_python(self.python, environment) and _allows_platform(
            self.platform, environment["sys_platform"]
        )

    def fits(self, version: Version, source: str, *, elsewhere: bool) -> bool:
        """Whether *version*, of the index named *source* or of an address, will do."""
        if self.elsewhere:
            return elsewhere
        at_home = elsewhere or self.source in ("", source)
        return at_home and allows_version(self.constraint, version)


def _allows_platform(constraint: str, platform: str) -> bool:
    """``linux``, ``!=win32`` and ``linux || darwin`` are such constraints."""

    def fits(condition: str) -> bool:
        match = re.fullmatch(r"\s*(!=|={0,2})\s*(\S*)\s*", condition)
        if match is None:
            raise Unusable(f"has a platform that cannot be read: {quoted(constraint)}")
        return match[2] == "*" or (match[2] == platform) is (match[1] != "!=")

    return any(
        all(fits(condition) for condition in alternative.split(","))
        for alternative in re.split(r"\|\|?", constraint)
    )


def dependencies(data: Mapping[str, Any]) -> Iterator[Dependency]:
    """Those in a table of Poetry's, in which each has the name of what it is of.

    :raises Unusable: one has a shape that Poetry does not know.
    """
    for name, value in data.items():
        if name.lower() == "python":
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield Dependency(name=canonicalize_name(name), constraint=one)
            elif not isinstance(one, dict):
                raise Unusable(f"has a dependency that cannot be read: {quoted(name)}")
            elif one.get("markers") != NEVER:
                yield _dependency(name, one)


def _dependency(name: str, data: Mapping[str, Any]) -> Dependency:
    source = str(data.get("source", ""))
    return Dependency(
        name=canonicalize_name(name),
        constraint=str(data.get("version", "*")),
        extras=frozenset(canonicalize_name(extra) for extra in strings(data.get("extras"))),
        optional=bool(data.get("optional")),
        marker=read_marker(str(data.get("markers", ""))),
        python=str(data.get("python", "*")),
        platform=str(data.get("platform", "*")),
        source="" if source.lower() == _PUBLIC else source,
        elsewhere=any(key in data for key in _ELSEWHERE),
    )


def extras_of(data: object) -> dict[str, frozenset[NormalizedName]]:
    """By extra, the projects in it: of a `pyproject.toml`, or of an entry of a lock.

    The latter are requirements, of which old locks have some that PEP 508 does not know.
    """
    return {
        canonicalize_name(extra): frozenset(
            canonicalize_name(match[0]) for line in strings(lines) if (match := _NAME.match(line))
        )
        for extra, lines in table(data).items()
    }
