"""Who asks for whom among the chosen versions: what a lock tells of each package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse.locking.requiring import holds, requirements_in, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wheelhouse.inputs.model import Requirements
    from wheelhouse.locking.resolver import Pin
    from wheelhouse.locking.view import View
    from wheelhouse.targets import Interpreter


@dataclass(frozen=True, kw_only=True, slots=True)
class Edges:
    """By name, of each chosen package.

    :ivar required_by: the lines of the user's files and the packages that ask for it.
    :ivar requires: what it requires on the target, with the extras that are wanted.
    """

    required_by: Mapping[NormalizedName, tuple[str, ...]]
    requires: Mapping[NormalizedName, tuple[str, ...]]


def edges_of(
    pins: Iterable[Pin], view: View, interpreter: Interpreter, requirements: Requirements
) -> Edges:
    """The edges among *pins*, which were chosen for *requirements*.

    :raises WheelhouseError: the metadata of one cannot be had.
    """
    wanted: dict[NormalizedName, list[str]] = {pin.name: [] for pin in pins}
    requires: dict[NormalizedName, tuple[str, ...]] = {}
    for asked in requirements.asked:
        if asked.name in wanted:
            wanted[asked.name].append(asked.origin)
    for pin in pins:
        holding = [
            requirement
            for requirement in requirements_in(view.metadata(pin.name, pin.version))
            if holds(requirement.marker, interpreter.environment, pin.extras)
        ]
        requires[pin.name] = tuple(sorted({told(each) for each in holding}))
        for name in {canonicalize_name(each.name) for each in holding}:
            if name in wanted and name != pin.name:
                wanted[name].append(pin.name)
    return Edges(
        required_by={name: tuple(dict.fromkeys(names)) for name, names in wanted.items()},
        requires=requires,
    )
