"""Plans and wheelhouses as text for a person."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from wheelhouse.locking.provision import told
from wheelhouse.phases import stand_in_message
from wheelhouse.reporting.lines import short_path
from wheelhouse.text import counted, human_size
from wheelhouse.weights import file_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelhouse.plan import Action, Planned, Step
    from wheelhouse.verification import Verified
    from wheelhouse.weighing import Load
    from wheelhouse.weights import Amount, Weights

ORDER: tuple[Action, ...] = ("build", "reuse", "fetch")


#: CUDA's packages that are named: what of them is heaviest is what one wants to know.
_NAMED = 4


def plan_data(planned: Planned, load: Load) -> dict[str, Any]:
    """The same as :func:`plan_text`, in JSON's types."""
    plan = planned.plan
    return {
        "target": planned.target.name,
        "place": str(planned.images.place),
        "emulated": plan.emulated,
        "size": load.weights.to_dict(),
        "disks": [
            {"folder": str(room.folder), "needed": room.needed, "free": room.free}
            for room in load.rooms
        ],
        "first": [_step_data(step, load.weights) for step in plan.first],
        "steps": [_step_data(step, load.weights) for step in plan.steps],
    }


def _step_data(step: Step, weights: Weights) -> dict[str, Any]:
    sha256 = file_of(step).sha256
    return {**step.to_dict(), "size": weights.size(sha256), "stored": weights.is_there(sha256)}


def plan_text(planned: Planned, load: Load) -> str:
    """The plan of one target: what it weighs, what is built first, then the rest."""
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
    lines += [f"  {each}" for each in _load_lines(load)]
    sizes = _column([_size(step, load.weights) for step in (*first, *steps)])
    platform = planned.images.build_place.preset.name
    for step, size in zip((*first, *steps), sizes, strict=True):
        name = str(step.package).ljust(width)
        lines.append(f"  {step.action:5}  {name}  {size}{step.file.filename}")
        lines += [" " * (width + len(size) + 11) + why for why in _reasons(step, platform, first)]
    return "\n".join(lines)


def _column(texts: list[str]) -> list[str]:
    """*texts* as a column with its gap; no column if there is nothing in it."""
    room = max(map(len, texts), default=0)
    return [f"{text.rjust(room)}  " if room else "" for text in texts]


def _size(step: Step, weights: Weights) -> str:
    """How long the file is that *step* takes; nothing if nobody knows."""
    size = weights.size(file_of(step).sha256)
    return "" if size is None else human_size(size)


def _load_lines(load: Load) -> Iterator[str]:
    """What is to come, and what of that is CUDA's; and whether there is room for it."""
    weights = load.weights
    if weights.wheels.files:
        yield f"wheels: {_amount(weights.wheels)}{_of_cuda(weights)}"
    yield from _download_line(weights)
    for room in load.rooms:
        if room.free is not None and (weights.download.files or room.needed > room.free // 10):
            full = "" if room.fits else ": the disk is full"
            yield (
                f"to write: {human_size(room.needed)} to {short_path(room.folder)}, "
                f"which has room for {human_size(room.free)}{full}"
            )


def _download_line(weights: Weights) -> Iterator[str]:
    download = weights.download
    if not download.files:
        return
    parts = {"CUDA": weights.cuda_download, "the CUDA toolkit": weights.toolkit_download}
    told = ", ".join(f"{amount} of it {what}" for what, amount in parts.items() if amount.files)
    stored = f"; {weights.stored} are there already" if weights.stored.files else ""
    yield f"to download: {_amount(download)}{f', {told}' if told else ''}{stored}"


def _amount(amount: Amount) -> str:
    return f"{amount} in {counted(amount.files, 'file')}"


def _of_cuda(weights: Weights) -> str:
    """What of the wheels is CUDA's, and which are the heaviest of those."""
    if not weights.cuda.files:
        return ""
    names = weights.cuda_owners
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f", {weights.cuda} of it CUDA: {', '.join(names[:_NAMED])}{more}"


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
