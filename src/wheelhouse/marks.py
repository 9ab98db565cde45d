"""Marks of use, by which what a store holds is ordered by age. Nothing is safe because of them.

A mark is a file's time of access, which says when somebody last read it anyway. The time of change
is none: wheelhouses have hard links to files of the store, and who copies those looks at it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: Nanoseconds for which a mark is new enough: what is asked for again and again is marked once.
_NEW = 60 * 10**9


def used_at(found: os.stat_result) -> int:
    """When the file that was *found* was last used, or written, in nanoseconds since 1970."""
    return max(found.st_atime_ns, found.st_mtime_ns)


def mark(path: Path, found: os.stat_result) -> None:
    """Mark what was *found* at *path* as used now, where that can be: it may be another user's."""
    now = time.time_ns()
    if now - used_at(found) > _NEW:
        with suppress(OSError):
            os.utime(path, ns=(now, found.st_mtime_ns), follow_symlinks=False)
