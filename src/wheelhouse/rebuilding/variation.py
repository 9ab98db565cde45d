"""What is otherwise when a wheel is built again. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wheelhouse.building.runner import Runner

if TYPE_CHECKING:
    from wheelhouse.engine import ContainerSpec

DAY = 24 * 3600

#: Has process 1 begin with another umask than the engine gives it.
UMASK = ("/bin/sh", "-c", 'umask 0077 && exec "$@"', "sh")

#: The time zone needs no data of the image, and the locale need not exist in it.
ENVIRONMENT = {"TZ": "XXX-11:30", "LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"}

#: What this machine's processes have of its own where there are no containers.
IN_CONTAINERS = ("user", "host name")
ANYWHERE = ("time zone", "locale", "umask")
ALL = (*IN_CONTAINERS, *ANYWHERE, "CPU count", "clock")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variation:
    """Another machine and another day.

    :ivar user: UID:GID; of a user that every distribution has.
    :ivar ahead: seconds of the clock.
    """

    user: str = "1:1"
    hostname: str = "another-host"
    ahead: int = 400 * DAY

    def spec(self, usual: ContainerSpec) -> ContainerSpec:
        """The container of a build that is *usual* otherwise."""
        cpus = self.cpus(usual.limits.cpus)
        return replace(
            usual,
            argv=(*UMASK, *usual.argv),
            environment={**usual.environment, **ENVIRONMENT, "WHEELHOUSE_CPUS": str(cpus)},
            user=self.user,
            hostname=self.hostname,
            processors="0" if cpus == 1 else "",
        )

    @staticmethod
    def cpus(usual: float) -> int:
        """How many CPUs a build is told that has *usual* ones."""
        return 1 if math.ceil(usual) > 1 else 2

    def parameters(self, usual: float) -> dict[str, int]:
        """What the agent is told of it, for a build that has *usual* CPUs."""
        return {"ahead": self.ahead, "cpus": self.cpus(usual)}


class VariedRunner(Runner):
    """Runs jobs in containers that are otherwise by a *variation*."""

    def __init__(self, usual: Runner, variation: Variation) -> None:
        super().__init__(
            usual.engine, usual.store, usual.limits, usual.reporter, usual.cancellation
        )
        self.variation = variation

    def spec(self, image: str, argv: tuple[str, ...], purpose: str, size: int = 0) -> ContainerSpec:
        """See :meth:`Runner.spec`."""
        return self.variation.spec(super().spec(image, argv, purpose, size))


def varied(engine: str, seen: tuple[str, ...]) -> tuple[str, ...]:
    """What was otherwise for a build on *engine*, with what it has *seen* so itself."""
    return (*(IN_CONTAINERS if engine != "local" else ()), *ANYWHERE, *seen)
