"""A project's folder with files in it, read, and all that is said about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheelhouse.errors import ConfigError, SeveralErrors, WheelhouseError
from wheelhouse.inputs import read_inputs
from wheelhouse.settings import InputFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from wheelhouse.inputs.model import Requirements

MAIN = "requirements.txt"


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write *files*, by their paths in *root*."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def read(root: Path, *files: str, **choice: Any) -> Requirements:
    """What *files* ask for; *choice* goes with each of them."""
    return read_inputs(root, [InputFile(path=root / each, **choice) for each in files or (MAIN,)])


def problems(root: Path, *files: str, **choice: Any) -> list[WheelhouseError]:
    """What is wrong with *files*, each a ConfigError."""
    with pytest.raises((ConfigError, SeveralErrors)) as told:
        read(root, *files, **choice)
    error = told.value
    found = error.errors if isinstance(error, SeveralErrors) else (error,)
    assert all(isinstance(each, ConfigError) for each in found)
    return list(found)
