"""File systems of a few megabytes, to be filled; mounting takes root."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@cache
def can_mount() -> bool:
    """Whether this process may mount something."""
    if os.geteuid() or shutil.which("mount") is None or shutil.which("unshare") is None:
        return False
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A new tmpfs with *options* over the folder *place*, which is made."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)


def remount(place: Path, options: str) -> None:
    """Give what is mounted on *place* other options."""
    command = ["mount", "-o", f"remount,{options}", str(place)]
    subprocess.run(command, check=True, capture_output=True)


def fill(place: Path, *, but: int = 0) -> Path:
    """Fill the disk of *place* up to *but* bytes; the file that does."""
    found = os.statvfs(place)
    path = place / "ballast"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, found.f_bavail * found.f_frsize - but))
    return path


def use_up_inodes(place: Path) -> Path:
    """Make files on the disk of *place* until it takes no more; the folder of these."""
    folder = place / "ballast"
    folder.mkdir()
    try:
        for number in range(1 << 20):
            (folder / str(number)).touch()
    except OSError:
        return folder
    raise AssertionError(f"{place} takes any number of files")
