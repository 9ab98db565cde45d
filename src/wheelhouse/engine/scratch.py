"""Where a job's files are: in memory, or on a disk if they might not fit there. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from wheelhouse.agent.limits import DISK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelhouse.engine import Limits

#: How much larger wheels are once they are installed, with room to spare.
UNPACKED = 5


class Scratch(NamedTuple):
    """What a container's spec says of it."""

    place: Literal["memory", "disk"]
    environment: Mapping[str, str]


def scratch_for(size: int, limits: Limits) -> Scratch:
    """That of a job into which *size* bytes go: most of them are wheels, which get installed."""
    files = size * (UNPACKED + 1)
    if files < limits.memory // 2:
        return Scratch("memory", {})
    return Scratch("disk", {DISK: str(2 * files + limits.memory)})
