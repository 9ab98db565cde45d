"""Group 18, the worst of it: killed by force at any moment. `make kills` does it far more often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faults.case import Case
from faults.killing import Killing
from faults.mixture import mixture

if TYPE_CHECKING:
    from faults.world import World

#: How often here, and the seed of the moments.
KILLS, SEED = 12, 18


def _killed(world: World) -> None:
    with mixture() as index:
        Killing(world, index, SEED).kill(KILLS)


CASES = [Case(group=18, name=f"kill -9 at {KILLS} random moments", attempt=_killed)]
