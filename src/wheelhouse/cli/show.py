"""Plans and wheelhouses as text for a person."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from wheelhouse.phases import stand_in_message
from wheelhouse.text import human_size

if TYPE_CHECKING:
    from wheelhouse.house import House
    from wheelhouse.plan import Action, Planned, Step

ORDER: tuple[Action, ...] = ("build", "reuse", "fetch")


def plan_text(planned: Planned) -> str:
    """The plan of one target: what is built first, then the rest."""
    plan = planned.plan
    steps = sorted(plan.steps, key=lambda step: (ORDER.index(step.action), step.package.name))
    width = max((len(str(step.package)) for step in steps), default=0)
    counts = Counter(step.action for step in steps)
    told = ", ".join(f"{counts[action]} to {action}" for action in ORDER if counts[action])
    if plan.emulated and counts["build"]:
        told += f"; builds are emulated: about {math.ceil(plan.seconds / 60)} min of work"
    lines = [f"{plan.target}: {len(steps)} packages ({told})"]
    if message := stand_in_message(planned.target, planned.images):
        lines.append(f"  note: {message}")
    lines += [_line(step, width) for step in steps]
    return "\n".join(lines)


def _line(step: Step, width: int) -> str:
    system = step.recipe.system if step.recipe else ()
    extra = f"; with {', '.join(system)}" if system else ""
    name = str(step.package).ljust(width)
    return (
        f"  {step.action:5}  {name}  {step.file.filename}\n{' ' * (width + 11)}{step.reason}{extra}"
    )


def verify_text(house: House) -> str:
    """What a sound wheelhouse is."""
    manifest = house.manifest
    return (
        f"{house.path}: whole and unchanged: {len(manifest.wheels)} wheels, "
        f"{human_size(house.size)}, for {manifest.target.title}, Python {manifest.target.python}"
    )
