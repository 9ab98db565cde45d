"""What may be meant by a name that no index has: ``data/misnomers.toml``. Pure data."""

from __future__ import annotations

import sys
import tomllib
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName, canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: How alike a name has to be to be meant: one letter more, less or other in five.
ALIKE = 0.82


def meant_by(name: NormalizedName, others: Iterable[NormalizedName]) -> str | None:
    """A clause about what *name*, which does not exist, may be meant to be; None if nothing.

    :param others: names that the project has to do with: they are as likely as frequent ones.
    """
    modules = _modules()
    if name in modules:
        return f"the module {name} is in the project {modules[name]}: ask for that"
    if name.replace("-", "_") in {module.lower() for module in sys.stdlib_module_names}:
        return f"{name} is in Python's standard library: take the line out"
    candidates = dict(_frequent()) | {each: str(each) for each in others}
    candidates.pop(name, None)
    alike = get_close_matches(name, candidates, n=2, cutoff=ALIKE)
    if not alike:
        return None
    return f"is {' or '.join(candidates[each] for each in alike)} meant?"


@cache
def _modules() -> Mapping[str, str]:
    return {canonicalize_name(name): project for name, project in _table("modules").items()}


@cache
def _frequent() -> Mapping[str, str]:
    names = (*_table("projects")["frequent"], *_modules().values())
    return {canonicalize_name(name): name for name in names}


@cache
def _table(key: str) -> Mapping[str, str]:
    text = resources.files("wheelhouse").joinpath("data/misnomers.toml").read_text("utf-8")
    found: Mapping[str, str] = tomllib.loads(text)[key]
    return found
