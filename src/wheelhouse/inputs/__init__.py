"""What is wanted, from files of every kind: see :func:`read_inputs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.inputs.requirementsfile import read_requirements

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from wheelhouse.inputs.model import Requirements
    from wheelhouse.settings import InputFile


def read_inputs(root: Path, files: Iterable[InputFile]) -> Requirements:
    """Read *files* and all that they include.

    :param root: the project's folder; nothing outside of it is read.
    :raises ConfigError: something in them cannot be used; all such lines at once.
    """
    return read_requirements(root, [file.path for file in files])
