"""What runs have left in a store, and nobody wants any more.

Only what has a name as runs give them is anybody's business. A folder that was made a store by
mistake, or is one and has other things in it, keeps those.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wheelhouse.locks import unheld

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What runs leave, by the folder of a store that it is in.
Left = Literal["tmp", "logs", "partial"]

#: The names that runs give.
NAMES: dict[Left, re.Pattern[str]] = {
    "tmp": re.compile(r"(?P<pid>\d+)-[a-z0-9_]{8}"),
    "logs": re.compile(r"\d{8}-\d{6}-(internal-[a-z0-9_]{8}|[A-Za-z0-9._-]+-\d{6})\.log"),
    "partial": re.compile(r"[0-9a-f]{64}"),
}

#: Seconds after which what nobody holds in ``tmp/`` belongs to a run that is no more, though its
#: process ID may have been given to another process.
STALE = 60.0

#: Seconds that the log of a build is kept, and what has come of a file for whoever wants the rest.
LIVES: dict[Left, float] = {"tmp": STALE, "logs": 30 * 24 * 3600.0, "partial": 7 * 24 * 3600.0}


def entries(folder: Path, name: re.Pattern[str]) -> Iterator[os.DirEntry[str]]:
    """What is in *folder* and called so; nothing where it is a link, or cannot be read."""
    with suppress(OSError):
        if not folder.is_symlink():
            with os.scandir(folder) as found:
                yield from (each for each in found if name.fullmatch(each.name))


def leftovers(root: Path, ended: int | None = None) -> Iterator[Path]:
    """What runs have left in the store at *root*; until the next is asked for, nobody has it.

    :param ended: a process ID whose process is known to be no more.
    """
    now = time.time()
    for kind, name in NAMES.items():
        for each in entries(root / kind, name):
            path = Path(each)
            with suppress(OSError):
                age = now - each.stat(follow_symlinks=False).st_mtime
                if is_over(kind, age, alive=kind != "tmp" or _alive(each.name, ended)):
                    yield from _unheld(kind, path)


def is_over(kind: Left, age: float, *, alive: bool) -> bool:
    """Whether what is of this *kind* and *age*, in seconds, is wanted no more. Pure.

    :param alive: whether the process that has made it may be there.
    """
    return not alive or age > LIVES[kind]


def _unheld(kind: Left, path: Path) -> Iterator[Path]:
    if kind == "logs":  # which nobody holds
        yield path
        return
    with unheld(path) as free:
        if free:
            yield path


def _alive(name: str, ended: int | None) -> bool:
    pid = name.partition("-")[0]
    if pid == str(ended):
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
