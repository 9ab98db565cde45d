"""`[project]` of a pyproject.toml as core metadata, as far as it is static. Pure.

The specifications: https://packaging.python.org/en/latest/specifications/pyproject-toml/ and
https://packaging.python.org/en/latest/specifications/core-metadata/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: What must not be left to the backend, or it has to be asked.
STATIC = frozenset(("version", "dependencies", "optional-dependencies", "requires-python"))

#: What values of another form than the specification says lead to.
WRONG = (
    *(InvalidName, InvalidRequirement, InvalidSpecifier, InvalidVersion),
    *(AttributeError, LookupError, TypeError, ValueError),
)


def core_metadata(pyproject: Mapping[str, Any]) -> str | None:
    """METADATA as a wheel of the project will have it, as far as it concerns dependencies.

    None if a part of that is the backend's to say, or not valid: that is the backend's to tell.
    """
    project = pyproject.get("project")
    try:
        if project is None or not STATIC.isdisjoint(project.get("dynamic", [])):
            return None
        return "".join(f"{line}\n" for line in _lines(project))
    except WRONG:
        return None


def project_name(pyproject: Mapping[str, Any]) -> str | None:
    """The project's name, if it stands there."""
    for table in (pyproject.get("project"), _poetry(pyproject)):
        try:
            name = str(table["name"])  # type: ignore[index]
            canonicalize_name(name, validate=True)
        except WRONG:
            continue
        return name
    return None


def _poetry(pyproject: Mapping[str, Any]) -> object:
    tool = pyproject.get("tool")
    return tool.get("poetry") if isinstance(tool, dict) else None


def _lines(project: Mapping[str, Any]) -> Iterator[str]:
    yield "Metadata-Version: 2.4"
    canonicalize_name(project["name"], validate=True)
    yield f"Name: {project['name']}"
    yield f"Version: {Version(project['version'])}"
    if python := project.get("requires-python"):
        yield f"Requires-Python: {SpecifierSet(python)}"
    for line in project.get("dependencies", []):
        yield f"Requires-Dist: {Requirement(line)}"
    for extra, lines in project.get("optional-dependencies", {}).items():
        name = canonicalize_name(extra, validate=True)
        yield f"Provides-Extra: {name}"
        for line in lines:
            yield f"Requires-Dist: {_of_extra(Requirement(line), name)}"


def _of_extra(requirement: Requirement, extra: str) -> Requirement:
    """*requirement* where *extra* is asked for, too."""
    marker = f'extra == "{extra}"'
    if requirement.marker is not None:
        marker = f"({requirement.marker}) and {marker}"
    requirement.marker = Marker(marker)
    return requirement
