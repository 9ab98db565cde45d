"""Plans and wheelhouses as text for a person."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from wheelhouse.locking.provision import told
from wheelhouse.phases import stand_in_message
from wheelhouse.text import counted, human_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelhouse.plan import Action, Planned, Step
    from wheelhouse.verification import Verified

ORDER: tuple[Action, ...] = ("build", "reuse", "fetch")


def plan_text(planned: Planned) -> str:
    """The plan of one target: what is built first, then the rest."""
    plan, first = planned.plan, planned.plan.first
    steps = sorted(plan.steps, key=lambda step: (ORDER.index(step.action), step.package.name))
    width = max((len(str(step.package)) for step in (*first, *steps)), default=0)
    counts = Counter(step.action for step in steps)
    summary = ", ".join(f"{counts[action]} to {action}" for action in ORDER if counts[action])
    if first:
        summary += f"; first {counted(len(first), 'build requirement')} without a wheel"
    if plan.emulated and counts["build"]:
        summary += f"; builds are emulated: about {math.ceil(plan.seconds / 60)} min of work"
    lines = [f"{plan.target}: {counted(len(steps), 'package')} ({summary})"]
    if message := stand_in_message(planned.target, planned.images):
        lines.append(f"  note: {message}")
    platform = planned.images.build_place.preset.name
    for step in (*first, *steps):
        name = str(step.package).ljust(width)
        lines.append(f"  {step.action:5}  {name}  {step.file.filename}")
        lines += [" " * (width + 11) + why for why in _reasons(step, platform, first)]
    return "\n".join(lines)


def _reasons(step: Step, platform: str, first: Sequence[Step]) -> Iterator[str]:
    """Why it is done so, and on *platform* with what. Those of *first* are for others' builds."""
    recipe, build = step.recipe, step.package.build
    if recipe is None or build is None:
        yield step.reason
        return
    learned = build.provision.system.get(platform, ())
    system = ", ".join(name for name in recipe.system if name not in learned)
    for_whom = f"; needed by {', '.join(step.package.required_by)}" if step in first else ""
    past = f"; {step.past}" if step.past else ""
    yield step.reason + past + for_whom + (f"; with {system}" if system else "")
    if known := told(build.provision, platform):
        yield f"learned from failures: {known}"


def verify_text(found: Verified) -> str:
    """What a sound wheelhouse is, and who has signed it."""
    house = found.house
    assert house is not None  # or there would be a problem
    manifest = house.manifest
    return (
        f"{found.path}: whole and unchanged: {counted(len(manifest.wheels), 'wheel')}, "
        f"{human_size(house.size)}, for {manifest.target.title}, Python {manifest.target.python}\n"
        f"  {_signature(found)}"
    )


def _signature(found: Verified) -> str:
    if found.checked:
        return f"signed by key {found.checked}"
    if found.vouched.keyids:
        keys = ", ".join(found.vouched.keyids)
        return f"signed by key {keys}, which was not checked: name its public key with --key"
    return "not signed"
