"""Locks that the tools themselves have made, in ``tests/data/locks``, read for a target."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wheelhouse.errors import ConfigError, SeveralErrors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelhouse.inputs.model import Asked, LeftOut, Requirements

LOCKS = Path(__file__).parents[1] / "data" / "locks"

#: The folder in which they are told to have been made, where a tool writes absolute addresses.
MADE_IN = "file:///srv/shop"

PYPI = "https://pypi.org/simple"

LINUX = {
    "implementation_name": "cpython",
    "implementation_version": "3.12.4",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.12.4",
    "platform_python_implementation": "CPython",
    "python_version": "3.12",
    "sys_platform": "linux",
}
OLDER = {**LINUX, "python_full_version": "3.11.9", "python_version": "3.11"}
WINDOWS = {
    **LINUX,
    "os_name": "nt",
    "platform_machine": "AMD64",
    "platform_system": "Windows",
    "sys_platform": "win32",
}


def case(root: Path, name: str) -> Path:
    """The lock's folder *name* copied to *root*, the project's, as if it had been made there."""
    shutil.copytree(LOCKS / name, root, dirs_exist_ok=True)
    for path in root.rglob("*.*"):
        if path.is_file():
            path.write_text(path.read_text("utf-8").replace(MADE_IN, root.as_uri()), "utf-8")
    return root


def asked(found: Requirements, environment: Mapping[str, str] = LINUX) -> dict[str, Asked]:
    """What the one lock in *found* has for a target, by name."""
    chosen = found.chosen_for(environment)
    by_name = {str(each.name): each for each in chosen.asked}
    assert len(by_name) == len(chosen.asked)
    return by_name


def pins(found: Requirements, environment: Mapping[str, str] = LINUX) -> list[str]:
    """The same as requirements, in order of their names."""
    return sorted(str(each.requirement) for each in asked(found, environment).values())


def left_out(found: Requirements, environment: Mapping[str, str] = LINUX) -> list[LeftOut]:
    """What the one lock in *found* has not for a target."""
    return list(found.chosen_for(environment).left_out)


def refusals(found: Requirements, environment: Mapping[str, str] = LINUX) -> list[ConfigError]:
    """What is wrong with the lock in *found* for a target."""
    with pytest.raises((ConfigError, SeveralErrors)) as told:
        found.chosen_for(environment)
    error = told.value
    errors = error.errors if isinstance(error, SeveralErrors) else (error,)
    assert all(isinstance(each, ConfigError) for each in errors)
    return [each for each in errors if isinstance(each, ConfigError)]
