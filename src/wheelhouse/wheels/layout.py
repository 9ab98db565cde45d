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
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.agent.strictzip import Entry

#: The folders of ``.data``, by the installation scheme's keys.
DATA_KEYS = frozenset({"purelib", "platlib", "scripts", "headers", "data"})

#: What installers write into ``.dist-info``, to tell what they did.
INSTALLERS_OWN = frozenset({"INSTALLER", "REQUESTED", "direct_url.json"})

#: What Python runs at every start, beside ``.pth``.
_CUSTOMIZE = frozenset({"sitecustomize.py", "usercustomize.py"})
_PACKAGE_FOLDERS = ("site-packages", "dist-packages")

#: What every Linux disk can hold: bytes of a name, and of a path below some folder; the folders
#: that a path leads through.
MAX_NAME = 255
MAX_PATH = 1024
MAX_DEPTH = 100

#: Files and folders, those counted that only lead to others.
MAX_PLACES = 400_000

MIB = 1 << 20
_FILE_NAME = re.compile(r"[\w.+!-]+\.whl")
_DRIVE = re.compile(r"[A-Za-z]:")
_FILE_TYPES = (0, stat.S_IFREG, stat.S_IFDIR)
#: Bytes that nothing at all has when it is compressed.
_NOTHING = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveLimits:
    """How large a wheel may be, so that a made-up one cannot fill the machine.

    :ivar members: files and folders in it.
    :ivar unpacked: bytes of all its files.
    :ivar ratio: unpacked bytes per packed byte; looked at above *ratio_from* unpacked bytes.
    :ivar record: bytes of RECORD.
    :ivar text: bytes of METADATA, and of WHEEL.
    :ivar scripts: bytes of entry_points.txt.
    :ivar elf_steps: what is looked at in all its ELF files; see :class:`wheels.elfimage.Steps`.
    """

    members: int = 200_000
    unpacked: int = 16 * 1024 * MIB
    ratio: int = 200
    ratio_from: int = 64 * MIB
    record: int = 32 * MIB
    text: int = 16 * MIB
    scripts: int = MIB
    elf_steps: int = 4_000_000


def file_name_problem(filename: str) -> str | None:
    """Why a wheel must not be called *filename*, beside what the name's parts must be."""
    if not _FILE_NAME.fullmatch(filename) or len(filename.encode()) > MAX_NAME:
        return "its file name has characters that no wheel's has, or is too long"
    return None


def name_problems(entries: Sequence[Entry]) -> list[str]:
    """Names that lead out of the archive, or collide where they are unpacked."""
    problems = [f"member {e.name!r}: {p}" for e in entries if (p := _path_problem(e.name))]
    if problems:
        return problems  # others are only compared where they can be
    return list(_collisions(entries))


def _collisions(entries: Sequence[Entry]) -> Iterator[str]:
    """Entries that are there twice, or meet another, or its folder, on some disk."""
    listed: set[str] = set()
    places: dict[str, tuple[str, bool]] = {}
    for entry in entries:
        place = entry.name.rstrip("/")
        if place in listed:
            yield f"member {place!r} is there twice"
            continue
        listed.add(place)
        for at, is_folder in ((place, entry.is_folder), *((p, True) for p in _parents(place))):
            other, was_folder = places.setdefault(_folded(at), (at, is_folder))
            if other != at:
                yield f"{other!r} and {at!r} differ in case only"
            elif was_folder != is_folder:
                yield f"member {at!r} is a file and a folder"
        if len(places) > MAX_PLACES:
            yield f"it has more than {MAX_PLACES} files and folders"
            return


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def place_problems(files: Sequence[str], info: str) -> list[str]:
    """Files that are not where installers look for them, or would be installed over others.

    :param info: the wheel's own ``.dist-info`` folder.
    """
    problems = []
    places: dict[str, str] = {}
    for file in files:
        root, _, rest = file.partition("/")
        key, _, inner = rest.partition("/")
        if root.endswith(".data") and (key not in DATA_KEYS or not inner):
            problems.append(f"{file!r} is in no folder that an installer knows")
            continue
        place = installed_as(file)
        if place != file and ".dist-info" in place.partition("/")[0]:
            problems.append(f"{file!r} would be installed as another package's .dist-info")
        elif place and (other := places.setdefault(_folded(place), file)) != file:
            problems.append(f"{other!r} and {file!r} would be installed as the same file")
    problems += [
        f"{info}/{name} is an installer's to write"
        for name in sorted(INSTALLERS_OWN)
        if f"{info}/{name}" in files
    ]
    return problems


def runs_at_start(file: str) -> bool:
    """Whether Python runs *file*, once it is installed, at every start: ``.pth`` and the like."""
    folder, _, name = (installed_as(file) or file).rpartition("/")
    if folder and not folder.endswith(_PACKAGE_FOLDERS):
        return False
    return name.endswith(".pth") or name in _CUSTOMIZE


def _parents(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _path_problem(name: str) -> str | None:
    parts = name.removesuffix("/").split("/")
    if len(name) > MAX_PATH or len(parts) > MAX_DEPTH:
        return "its name is too long"
    if not name.isprintable():
        return "its name has control characters"
    if "\\" in name:
        return "its name has a backslash"
    if name.startswith("/") or _DRIVE.match(name):
        return "its name is an absolute path"
    if any(part in ("", ".", "..") for part in parts):
        return "its name leads out of the archive"
    if any(len(part.encode()) > MAX_NAME for part in parts):
        return "its name is too long"
    return None


def kind_problem(entry: Entry) -> str | None:
    """Why a member is neither a regular file nor a folder, if so."""
    kind = stat.S_IFMT(entry.mode)
    if kind not in _FILE_TYPES:
        return "it is a symbolic link" if kind == stat.S_IFLNK else "it is not a regular file"
    if entry.mode & (stat.S_ISUID | stat.S_ISGID):
        return "it would run with another user's rights (setuid or setgid)"
    if entry.is_folder and (entry.size or entry.compressed > _NOTHING or entry.crc):
        return "it is a folder with contents of its own"
    if entry.is_folder and kind == stat.S_IFREG:
        return "it is a file by its mode and a folder by its name"
    if not entry.is_folder and (kind == stat.S_IFDIR or entry.marked_folder):
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
    stem, _, suffix = folder.rpartition(".")
    said_name, dash, said_version = stem.rpartition("-")
    if suffix not in ("dist-info", "data") or not dash or canonicalize_name(said_name) != name:
        return False
    try:
        # The parts of a wheel's names are escaped: `1.0+local_1` may stand for `1.0+local.1`.
        return Version(said_version.replace("_", "-")) == version
    except ValueError:
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
