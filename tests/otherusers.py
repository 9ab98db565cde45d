"""Folders of tests for other users than the one that runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SEEN = 0o055


def open_to_all(folder: Path) -> None:
    """Let everybody see what is in *folder*, which pytest has made for one user alone."""
    for each in (folder, *folder.parents):
        mode = each.stat().st_mode
        if mode & _SEEN != _SEEN:
            each.chmod(mode | _SEEN)
