"""What a build was given beyond what it asks for: for files, and in words. Pure."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelhouse.locking.model import Provision


def provision_fields(provision: Provision) -> dict[str, Any]:
    """*provision* as a table; what it has nothing of is left out."""
    fields = {
        "system": {name: list(names) for name, names in sorted(provision.system.items())},
        "constraints": list(provision.constraints),
        "requires": list(provision.requires),
        "before": provision.before,
        "relaxed": provision.relaxed,
        "search": list(provision.search),
        "regenerate": provision.regenerate,
    }
    return {name: value for name, value in fields.items() if value}


def told(provision: Provision, platform: str) -> str:
    """*provision* in one line, of system packages those of *platform*; empty if there is nothing.

    Such as ``libpq-dev, zlib1g-dev; build requirements of before 2021-01-20; with setuptools<82``.
    """
    system = provision.system.get(platform)
    return "; ".join([*([", ".join(system)] if system else []), *_others(provision)])


def clauses(provision: Provision) -> tuple[str, ...]:
    """*provision* in clauses, the system packages of every platform with its name."""
    system = (f"{', '.join(names)} on {name}" for name, names in sorted(provision.system.items()))
    return (*system, *_others(provision))


def _others(provision: Provision) -> Iterator[str]:
    if provision.before is not None:
        yield f"build requirements of before {provision.before.astimezone(UTC):%Y-%m-%d}"
    if provision.relaxed:
        yield "without its own limits to build requirements"
    if provision.constraints:
        yield f"with {', '.join(provision.constraints)}"
    if provision.requires:
        yield f"with {', '.join(provision.requires)}, which it does not declare"
    if provision.regenerate:
        yield "its C code generated again by Cython"
    if provision.search:
        yield f"with {', '.join(provision.search)} where the compiler looks"
