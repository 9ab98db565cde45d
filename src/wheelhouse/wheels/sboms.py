"""The lists of parts that a wheel brings along (PEP 770): JSON files below its dist-info.

auditwheel writes one when it copies libraries of the system into a wheel. Whoever made the wheel
chose their bytes, so nothing in them is believed to have any form.

https://peps.python.org/pep-0770/
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wheelhouse.agent.strictzip import ZipProblem
from wheelhouse.text import sanitize
from wheelhouse.wheels.peek import peek

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ".dist-info/sboms/"

#: Who copies libraries into wheels calls its list so.
AUDITWHEEL = "auditwheel.cdx.json"

#: How many lists are read of a wheel, and of how many bytes each; the longest in use has a tenth.
MOST, LARGEST = 32, 4 << 20

#: The longest name, version or address that is taken over from one, and how many parts are.
LONGEST, PARTS = 1000, 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What such a list names.

    :ivar purl: the package URL that it has there; may be empty.
    """

    name: str
    version: str = ""
    purl: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sbom:
    """One of a wheel's lists.

    :ivar member: its path in the wheel.
    :ivar parts: what it names but for the wheel itself, sorted, where it is CycloneDX in JSON.
    """

    member: str
    sha256: str
    parts: tuple[Part, ...] = ()

    @property
    def is_grafted(self) -> bool:
        """Whether its parts are libraries that auditwheel has copied in."""
        return self.member.endswith(f"{FOLDER}{AUDITWHEEL}")


def read_sboms(wheel: Path) -> tuple[Sbom, ...]:
    """The lists in the file *wheel*, by their names. None of what is no wheel."""
    try:
        with peek(wheel) as archive:
            names = [
                name
                for name, entry in archive.members.items()
                if FOLDER in name
                and name.count("/") == FOLDER.count("/")
                and 0 < entry.size <= LARGEST
            ]
            return tuple(_sbom(name, archive.read(name, LARGEST)) for name in sorted(names)[:MOST])
    except (ZipProblem, OSError):
        return ()


def grafted(sboms: tuple[Sbom, ...]) -> list[Part]:
    """The libraries of the system that were copied into a wheel with these lists, sorted."""
    return sorted(
        {part for sbom in sboms if sbom.is_grafted for part in sbom.parts},
        key=lambda part: (part.name, part.version, part.purl),
    )


def _sbom(member: str, data: bytes) -> Sbom:
    return Sbom(
        member=sanitize(member)[:LONGEST],
        sha256=hashlib.sha256(data).hexdigest(),
        parts=tuple(_parts(data)),
    )


def _parts(data: bytes) -> list[Part]:
    try:
        document = json.loads(data)
        main = document.get("metadata", {}).get("component", {}).get("name")
        listed = document.get("components", [])[:PARTS]
        found = {_part(each) for each in listed if each.get("name") != main}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []  # another format, or none
    return sorted(found, key=lambda part: (part.name, part.version, part.purl))


def _part(component: dict[str, Any]) -> Part:
    """A component of CycloneDX. Raises LookupError or TypeError where it is none."""
    told = {key: component.get(key) or "" for key in ("version", "purl")}
    if not all(isinstance(value, str) for value in (component["name"], *told.values())):
        raise TypeError("not a text")
    return Part(name=_shown(component["name"]), **{key: _shown(told[key]) for key in told})


def _shown(text: str) -> str:
    return sanitize(text)[:LONGEST]
