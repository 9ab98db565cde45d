"""How far a file is from where builds, loaders and shells look for such files. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelhouse.missing import Missing

#: What is reached only by those who know of it, such as `/usr/lib/…/glib-2.0/include`.
FAR = 4

_TOP = r"(?:/usr)?(?:/local)?"
_HEADERS = re.compile(_TOP + r"/include")
_LIBRARIES = re.compile(_TOP + r"/lib(?:64)?")
_SHARED = re.compile(r"/usr(?:/local)?/share")
_PROGRAMS = re.compile(_TOP + r"/s?bin")

#: Debian's folders of one architecture's libraries and headers.
_TRIPLE = re.compile(r"[a-z0-9_]+-(?:linux|kfreebsd|gnu|w64)[a-z0-9_-]*")


def distance(missing: Missing, path: str, arch: str) -> int | None:
    """0 where *missing* is looked for first, more where it takes options; None: it is not that.

    :param path: of a file that has the name of *missing*.
    :param arch: the target's, as `platform.machine()` says.
    """
    match missing.kind:
        case "header":
            return _header(missing.name, path, arch)
        case "library":
            far = _below(_LIBRARIES, _folder(path), arch)
            return None if far is None else far + path.endswith(".a")
        case "soname":
            return _below(_LIBRARIES, _folder(path), arch)
        case "pkg-config":
            return _pkg_config(_folder(path), arch)
        case "program":
            return 0 if _PROGRAMS.fullmatch(_folder(path)) else None
        case "cmake":
            return _cmake(path, arch)
        case "file":
            return 0 if _merged(path) == _merged(missing.name) else None


def _header(name: str, path: str, arch: str) -> int | None:
    if not path.endswith(f"/{name}"):
        return _linked(name, path, arch)
    folder = path.removesuffix(f"/{name}")
    far = _below(_HEADERS, folder, arch)
    if far is None and _below(_LIBRARIES, folder, arch) is not None:
        return FAR
    return far


def _linked(name: str, path: str, arch: str) -> int | None:
    """For `wcslib/wcs.h` in a folder `wcslib-7.12`: a link to that is in no list of files."""
    wanted = name.rpartition("/")[0]
    folder, there = _folder(path).rsplit("/", 1)
    far = _below(_HEADERS, folder, arch)
    alike = wanted and re.fullmatch(re.escape(wanted) + r"[-_]?[\d.]+", there)
    return far + 1 if alike and far is not None else None


def _pkg_config(folder: str, arch: str) -> int | None:
    top, _, last = folder.rpartition("/")
    if last != "pkgconfig":
        return None
    return 0 if _SHARED.fullmatch(top) else _below(_LIBRARIES, top, arch)


def _cmake(path: str, arch: str) -> int | None:
    """What finds a package best is its own configuration; CMake's modules ask for the others."""
    folder = _folder(path)
    if path.endswith(".cmake"):
        known = _SHARED.match(folder) or _below(_LIBRARIES, folder, arch) is not None
        return 0 if known else None
    far = _pkg_config(folder, arch) if path.endswith(".pc") else _below(_LIBRARIES, folder, arch)
    return None if far is None else far + 1


def _below(top: re.Pattern[str], folder: str, arch: str) -> int | None:
    """How many folders below *top* it is, not counting that of *arch*; None: not below at all."""
    found = top.match(folder)
    if found is None or folder[found.end() : found.end() + 1] not in ("", "/"):
        return None
    parts = folder[found.end() :].split("/")[1:]
    if parts and _TRIPLE.fullmatch(parts[0]):
        if parts[0] != f"{arch}-linux-gnu":
            return None
        del parts[0]
    return len(parts)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _merged(path: str) -> str:
    """*path* where `/lib` and `/bin` are links to what is below `/usr`."""
    return re.sub(r"^/(?=(?:s?bin|lib\w*)/)", "/usr/", path)
