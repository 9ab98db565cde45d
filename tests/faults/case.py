"""One case of the fault suite."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faults import cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.world import World


class LeftOut(Exception):  # noqa: N818  (neither passed nor failed)
    """Raised by a case that this machine cannot have: why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Something bad, and the proof that it ends as it must.

    :ivar group: the row of docs/faults.md.
    :ivar name: what is injected, in a few words; unique in its group.
    :ivar attempt: injects it, and raises AssertionError unless what must happen does; or LeftOut.
    :ivar engine: whether it takes a container engine.
    :ivar index: whether it takes the package index.
    :ivar everyday: whether it is part of `make test` too: what is quick, or tested nowhere else.
    """

    group: int
    name: str
    attempt: Callable[[World], None]
    engine: bool = True
    index: bool = False
    everyday: bool = False

    def __str__(self) -> str:
        return f"{self.group}: {self.name}"


def all_cases() -> list[Case]:
    """Those of every module in ``cases``, by group, each group in its modules' order.

    :raises ValueError: two have the same group and name.
    """
    found: list[Case] = []
    for module in pkgutil.iter_modules(cases.__path__):
        found += importlib.import_module(f"faults.cases.{module.name}").CASES
    names = [str(case) for case in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"there are two cases {', '.join(sorted(twice))}")
    return sorted(found, key=lambda case: case.group)
