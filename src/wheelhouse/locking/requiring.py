"""What core metadata says of requirements, and what of it the resolver is to see. Pure.

The specification: https://packaging.python.org/en/latest/specifications/core-metadata/
"""

from __future__ import annotations

import re
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from packaging.markers import UndefinedEnvironmentName
from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from packaging.markers import Marker

#: What a resolver reads of METADATA, requirements apart.
_READ = ("Metadata-Version", "Name", "Version", "Requires-Python", "Provides-Extra")

_EXTRA = re.compile(r"\bextra\b")


def requirements_in(metadata: str) -> Iterator[Requirement]:
    """Those of METADATA that can be read; uv reads the others in its own lenient way."""
    raw, _ = parse_email(metadata)
    for line in raw.get("requires_dist", []):
        try:
            yield Requirement(line)
        except InvalidRequirement:
            continue


def extras_in(metadata: str) -> set[str]:
    """The extras that METADATA declares, normalised."""
    raw, _ = parse_email(metadata)
    return set(map(canonicalize_name, raw.get("provides_extra", ())))


def holds(marker: Marker | None, environment: Mapping[str, str], extras: Iterable[str]) -> bool:
    """Whether a requirement with *marker* holds on a target, with any of *extras* or without."""
    if marker is None:
        return True
    contexts = ({**environment, "extra": extra} for extra in ("", *extras))
    try:
        return any(marker.evaluate(context) for context in contexts)
    except UndefinedEnvironmentName:
        return False


def told(requirement: Requirement) -> str:
    """*requirement* without its marker: on a target that it holds for."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def without_dependencies(metadata: str) -> str:
    """METADATA without the requirements that hold whatever extras are wanted."""
    return _rewritten(metadata, lambda line: line if _is_of_extra(line) else None)


def without_addresses(metadata: str) -> str:
    """METADATA whose requirements name no addresses: what stands there is known otherwise."""

    def bare(line: str) -> str:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            return line
        requirement.url = None
        return str(requirement)

    return _rewritten(metadata, bare)


def _is_of_extra(line: str) -> bool:
    return bool(_EXTRA.search(line.partition(";")[2]))


def _rewritten(metadata: str, change: Callable[[str], str | None]) -> str:
    """The fields of METADATA that a resolver reads, with requirements as *change* makes them."""
    message = HeaderParser().parsestr(metadata)
    fields = [(name, value) for name in _READ for value in message.get_all(name, [])]
    lines = [change(" ".join(str(line).split())) for line in message.get_all("Requires-Dist", [])]
    fields += [("Requires-Dist", line) for line in lines if line is not None]
    return "".join(f"{name}: {' '.join(str(value).split())}\n" for name, value in fields)
