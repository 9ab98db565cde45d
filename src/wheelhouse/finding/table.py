"""What is known beforehand of things and their packages: ``data/system.toml``. Pure data."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelhouse.missing import Missing


@cache
def entries() -> Mapping[str, Mapping[str, Any]]:
    """By a name for people: patterns of things by kind, and their packages by family."""
    text = resources.files("wheelhouse").joinpath("data/system.toml").read_text("utf-8")
    return tomllib.loads(text)


def known_packages(missing: Missing, family: str) -> tuple[str, ...]:
    """The packages that have *missing* on *family*, such as ``debian``; the likeliest first."""
    found = (
        package
        for entry in entries().values()
        if any(_matches(missing, pattern) for pattern in entry.get(missing.kind, ()))
        for package in entry.get(family, ())
    )
    return tuple(dict.fromkeys(found))


def _matches(missing: Missing, pattern: str) -> bool:
    if missing.kind == "cmake":  # there are FindOpenSSL and find_package(OPENSSL)
        return fnmatchcase(missing.name.lower(), pattern.lower())
    return fnmatchcase(missing.name, pattern)
