"""What a wheel's members may be called, be, and amount to; where they are installed.

Pure: each rule is a function of what the archive's directory says.
"""

from __future__ import annotations

import re
import stat
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.wheels.strictzip import Entry

#: The folders of ``.data``, by the installation scheme's keys.
DATA_KEYS = frozenset({"purelib", "platlib", "scripts", "headers", "data"})

MIB = 1 << 20
_DRIVE = re.compile(r"[A-Za-z]:")
_FILE_TYPES = (0, stat.S_IFREG, stat.S_IFDIR)


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveLimits:
    """How large a wheel may be, so that a made-up one cannot fill the machine.

    :ivar members: files and folders in it.
    :ivar unpacked: bytes of all its files.
    :ivar ratio: unpacked bytes per packed byte; looked at above *ratio_from* unpacked bytes.
    :ivar text: bytes of each of its own metadata files.
    """

    members: int = 200_000
    unpacked: int = 16 * 1024 * MIB
    ratio: int = 200
    ratio_from: int = 64 * MIB
    text: int = 32 * MIB


def name_problems(entries: Sequence[Entry]) -> list[str]:
    """Names that lead out of the archive, or collide where they are unpacked."""
    problems = [f"member {e.name!r}: {p}" for e in entries if (p := _path_problem(e.name))]
    seen: dict[str, str] = {}
    for entry in entries:
        place = entry.name.rstrip("/")
        folded = unicodedata.normalize("NFC", place).casefold()
        other = seen.setdefault(folded, place)
        if other != place:
            problems.append(f"members {other!r} and {place!r} differ in case only")
        elif other is not place:
            problems.append(f"member {place!r} is there twice")
    files = {entry.name for entry in entries if not entry.is_folder}
    problems += [
        f"member {parent!r} is a file and a folder"
        for parent in sorted({p for name in files for p in _parents(name)} & files)
    ]
    return problems


def _parents(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _path_problem(name: str) -> str | None:
    if not name.isprintable():
        return "its name has control characters"
    if "\\" in name:
        return "its name has a backslash"
    if name.startswith("/") or _DRIVE.match(name):
        return "its name is an absolute path"
    if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        return "its name leads out of the archive"
    return None


def kind_problem(entry: Entry) -> str | None:
    """Why a member is neither a regular file nor a folder, if so."""
    kind = stat.S_IFMT(entry.mode)
    if kind not in _FILE_TYPES:
        return "it is a symbolic link" if kind == stat.S_IFLNK else "it is not a regular file"
    if entry.is_folder and entry.size:
        return "it is a folder with contents of its own"
    if not entry.is_folder and kind == stat.S_IFDIR:
        return "it is a folder by its mode and a file by its name"
    return None


def bulk_problems(entries: Sequence[Entry], size: int, limits: ArchiveLimits) -> list[str]:
    """Whether the whole, in *size* packed bytes, is too much to read."""
    unpacked = sum(entry.size for entry in entries)
    if unpacked > limits.unpacked:
        return [f"it unpacks to {unpacked} bytes; at most {limits.unpacked} are read"]
    if unpacked > limits.ratio_from and unpacked > limits.ratio * size:
        return [f"it unpacks to {unpacked // size} times its size; at most {limits.ratio} is read"]
    return []


def is_named(folder: str, name: NormalizedName, version: Version) -> bool:
    """Whether a ``.dist-info`` or ``.data`` folder bears the wheel's name and version."""
    said_name, dash, said_version = folder.rpartition(".")[0].rpartition("-")
    if not dash or canonicalize_name(said_name) != name:
        return False
    try:
        # The parts of a wheel's names are escaped: `1.0+local_1` may stand for `1.0+local.1`.
        return Version(said_version.replace("_", "-")) == version
    except InvalidVersion:
        return False


def installed_as(file: str) -> str:
    """The path of *file* in site-packages, or nothing where it is installed elsewhere."""
    root, _, rest = file.partition("/")
    if root.endswith(".dist-info") and rest:
        return ""
    if root.endswith(".data") and rest:
        key, _, inner = rest.partition("/")
        return inner if key in ("purelib", "platlib") else ""
    return file
