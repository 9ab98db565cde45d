"""What is known about packages beforehand: ``data/recipes.toml``. Pure data."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.utils import NormalizedName


@cache
def _recipes() -> Mapping[str, Mapping[str, Any]]:
    text = resources.files("wheelhouse").joinpath("data/recipes.toml").read_text("utf-8")
    return tomllib.loads(text)


def system_packages(name: NormalizedName, family: str) -> tuple[str, ...]:
    """The distribution packages that building *name* takes on *family*, such as ``debian``."""
    return tuple(_recipes().get(name, {}).get(family, ()))


def skipped_imports(name: NormalizedName) -> tuple[str, ...]:
    """Modules of *name* that cannot be imported outside their host program."""
    return tuple(_recipes().get(name, {}).get("skip-imports", ()))


def runtime_packages(name: NormalizedName, family: str) -> tuple[str, ...]:
    """The distribution packages that a server of *family* must have for *name*."""
    return tuple(_recipes().get(name, {}).get("runtime", {}).get(family, ()))


def runtime_libraries(name: NormalizedName) -> tuple[str, ...]:
    """Sonames that *name* opens by name when it is used, and does not bring along."""
    return tuple(_recipes().get(name, {}).get("libraries", ()))


def runtime_programs(name: NormalizedName) -> tuple[str, ...]:
    """Commands that *name* runs when it is used."""
    return tuple(_recipes().get(name, {}).get("programs", ()))
