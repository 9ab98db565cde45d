"""Whether a wheelhouse is whole: every file there, as it was, and none added.

``SHA256SUMS`` says what there is to be. No symbolic link is followed: it is no file of a
wheelhouse, whatever it leads to.
"""

from __future__ import annotations

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from wheelhouse.errors import CheckError, StorageError
from wheelhouse.store import sha256_of
from wheelhouse.wording import printable, shown_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")
R = TypeVar("R")

SUMS = "SHA256SUMS"

#: Reading, hashing and writing release the interpreter; more threads than this gain nothing.
THREADS = 8

#: Bytes of a file that is read whole, wheels apart: thousands of wheels have less than this.
TEXT = 256 << 20

#: How many files a message names.
SHOWN = 30

_SUM_LINE = re.compile(r"(?P<sha256>[0-9a-f]{64}) [ *](?P<file>.+)")

_SAID = {
    "missing": "is missing",
    "changed": "was changed",
    "added": "does not belong here",
    "unreadable": "cannot be read as what it should be",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class HouseProblem:
    """A file that is not as it must be.

    :ivar file: relative to the wheelhouse.
    :ivar kind: what it is not: as ``SHA256SUMS`` has it, or in agreement with the others.
    :ivar detail: what it does not agree in, as a clause; only with ``contradicts``.
    """

    file: str
    kind: Literal["missing", "changed", "added", "unreadable", "contradicts"]
    detail: str = ""

    def __str__(self) -> str:
        return f"{printable(self.file)} {printable(self.detail) or _SAID[self.kind]}"


def refuse_problems(path: Path, problems: Sequence[HouseProblem]) -> None:
    """Raise CheckError, naming the files, if there are *problems* in the wheelhouse at *path*."""
    if problems:
        named = [str(problem) for problem in problems[:SHOWN]]
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise CheckError(
            f"{shown_path(path)} is not what was built: {'; '.join([*named, *more])}",
            hint="build it again, or copy it again from where it is whole",
        )


def sums_text(sums: Mapping[str, str]) -> str:
    """``SHA256SUMS`` for the hash of each file."""
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))


def read_text(path: Path) -> str | None:
    """The whole of the regular file at *path*; None if it is none, too large, or not UTF-8.

    What may have been tampered with neither leads elsewhere nor makes anybody wait.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > TEXT:
                return None
            return file.read(TEXT).decode()
    except (OSError, UnicodeDecodeError):
        return None


def house_sums(path: Path) -> dict[str, str] | None:
    """The hash of each file of the wheelhouse in *path*, as it says; None if it cannot be read.

    :raises StorageError: there is no wheelhouse.
    """
    if not os.path.lexists(path / SUMS):
        raise StorageError(
            f"{shown_path(path)} is no wheelhouse: it has no {SUMS}",
            hint="name a folder that `wheelhouse build` made, such as dist/TARGET",
        )
    text = read_text(path / SUMS)
    return None if text is None else _parse_sums(text)


def verify_house(path: Path) -> list[HouseProblem]:
    """Hash every file of the wheelhouse in *path*; all that is not as ``SHA256SUMS`` has it.

    :raises StorageError: there is no wheelhouse.
    """
    sums = house_sums(path)
    if sums is None:
        return [HouseProblem(file=SUMS, kind="unreadable")]
    unreadable: list[str] = []
    present = set(files_in(path, unreadable)) - {SUMS}
    found = in_parallel(lambda item: _compare(path, *item), sorted(sums.items()))
    return [
        *(problem for problem in found if problem is not None),
        *(HouseProblem(file=file, kind="unreadable") for file in unreadable),
        *(HouseProblem(file=file, kind="added") for file in sorted(present - sums.keys())),
    ]


def _parse_sums(text: str) -> dict[str, str] | None:
    """The hash of each file; None if *text* is no list of them or reaches outside its folder."""
    sums: dict[str, str] = {}
    for line in text.removesuffix("\n").split("\n"):
        match = _SUM_LINE.fullmatch(line)
        if match is None or match["file"].startswith("/") or ".." in match["file"].split("/"):
            return None
        if match["file"] in sums:
            return None  # one reader would believe the first, and another the last
        sums[match["file"]] = match["sha256"]
    return sums or None


def _compare(house: Path, file: str, sha256: str) -> HouseProblem | None:
    path = house / file
    try:
        if _leads_elsewhere(house, file) or not path.is_file():
            return HouseProblem(
                file=file, kind="unreadable" if os.path.lexists(path) else "missing"
            )
        return None if sha256_of(path) == sha256 else HouseProblem(file=file, kind="changed")
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return HouseProblem(file=file, kind="unreadable")


def _leads_elsewhere(house: Path, file: str) -> bool:
    """Whether *file*, or a folder on the way to it, is a symbolic link."""
    path = house
    for part in file.split("/"):
        path = path / part
        if path.is_symlink():
            return True
    return False


def files_in(folder: Path, unreadable: list[str] | None = None) -> list[str]:
    """Everything in *folder* that is no folder, relative to it, sorted.

    :param unreadable: gets the folders that cannot be looked into.
    """

    def skip(error: OSError) -> None:
        if unreadable is not None:
            unreadable.append(os.path.relpath(error.filename, folder))

    found: list[str] = []
    for top, folders, files in os.walk(folder, onerror=skip):
        links = [name for name in folders if os.path.islink(os.path.join(top, name))]  # noqa: PTH114, PTH118
        found += [os.path.relpath(os.path.join(top, name), folder) for name in (*files, *links)]  # noqa: PTH118
    return sorted(found)


def in_parallel(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """What *function* gives for each of *items*, in their order; the first error is raised."""
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return list(pool.map(function, items))
