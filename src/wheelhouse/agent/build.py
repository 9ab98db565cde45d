"""Job ``build``: an sdist to a repaired wheel, in one container."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from . import environment as environments
from .regenerate import regenerate
from .repair import only_wheel, repair
from .sources import unpack

if TYPE_CHECKING:
    from typing import Any

    from pyproject_hooks import BuildBackendHookCaller

    from .channel import Channel


def run(job: dict[str, Any], root: str, channel: Channel) -> dict[str, object]:
    """Send the finished wheel as the file of its own name; return what was done to it.

    ``repaired``: whether auditwheel had anything to do, and what else :func:`.repair.repair` tells;
    ``seconds``: time by stage; ``varied``: see :class:`~.environment.Environment`.
    """
    clock = Stopwatch()
    channel.message({"type": "phase", "phase": "unpacking"})
    source = unpack(
        os.path.join(root, str(job["sdist"])), os.path.join(root, "source"), job["subdirectory"]
    )
    environment = environments.create(job, root)
    clock.lap("prepare")
    channel.message({"type": "phase", "phase": "building"})
    if job["regenerate"]:
        regenerate(source, environment.python, environment.variables)
    wheel = _build(environments.backend(source, environment), job["config_settings"], root)
    clock.lap("build")
    told: dict[str, object] = {"repaired": False}
    if not wheel.endswith("-any.whl"):
        channel.message({"type": "phase", "phase": "repairing"})
        wheel, told = repair(job, wheel, root, environment.variables, channel)
        clock.lap("repair")
    channel.file(os.path.basename(wheel), wheel)
    return {**told, "seconds": clock.laps, "varied": environment.varied}


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        """The stage that ends now is called *stage*."""
        now = time.monotonic()
        self.laps[stage], self._last = round(now - self._last, 3), now


def _build(hooks: BuildBackendHookCaller, settings: Any, root: str) -> str:
    folder = os.path.join(root, "wheel")
    os.makedirs(folder)
    with environments.hook("build"):
        hooks.build_wheel(folder, settings)
    return only_wheel(folder, "the build backend")
