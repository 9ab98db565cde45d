"""This machine's own loader: its environment, cache, folders and files."""

from __future__ import annotations

import platform
import re
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.machine.loader import Loadable, Surroundings
from wheelhouse.machine.loadercache import cached_paths
from wheelhouse.wheels.elf import MAGIC, read_binary
from wheelhouse.wheels.elfimage import BrokenElfError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wheelhouse.targets import Target

_CACHE = Path("/etc/ld.so.cache")
#: What puts folders into that cache.
_CONF = Path("/etc/ld.so.conf.d")


def surroundings(environ: Mapping[str, str], placed: Mapping[str, Loadable]) -> Surroundings:
    """What the loader of this machine goes by.

    :param placed: files by their paths that would be there, beside those that are.
    """
    arch = platform.machine()
    return Surroundings(
        open=_opener(placed, arch),
        library_path=_folders(environ.get("LD_LIBRARY_PATH", "")),
        preload=tuple(filter(None, re.split("[ :]", environ.get("LD_PRELOAD", "")))),
        cache=cached_paths(_CACHE.read_bytes() if _CACHE.exists() else b"", arch),
        default=(
            *(f"/lib/{arch}-linux-gnu", f"/usr/lib/{arch}-linux-gnu"),
            *("/lib64", "/usr/lib64", "/lib", "/usr/lib"),
        ),
    )


def _folders(value: str) -> tuple[str, ...]:
    return tuple(re.split("[:;]", value)) if value else ()


def _opener(placed: Mapping[str, Loadable], arch: str) -> Callable[[str], Loadable | None]:
    @cache
    def opened(path: str) -> Loadable | None:
        return placed.get(path) or read_loadable(Path(path), arch)

    return opened


def read_loadable(path: Path, arch: str) -> Loadable | None:
    """The ELF file *path* for *arch*; None if there is none there that can be read."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return None
            binary = read_binary(file, str(path))
    except (OSError, BrokenElfError):
        return None
    if binary.machine != arch or not binary.is_loadable:
        return None
    return Loadable(
        path=str(path),
        soname=binary.soname,
        needed=binary.needed,
        rpath=binary.rpath,
        runpath=binary.runpath,
    )


def program_of(target: Target) -> Loadable | None:
    """The Python of this machine that would use the wheels for *target*, if there is one."""
    for name in (target.python_path, f"python{target.python}"):
        if found := shutil.which(name):
            return read_loadable(Path(found).resolve(), platform.machine())
    return None


def whole_name(path: str) -> str:
    """The file that *path* leads to, in whose name there is often a version; empty if itself.

    Its name is enough where that is in the same folder.
    """
    given, real = Path(path), Path(path).resolve()
    if given.absolute() == real:
        return ""
    return real.name if real.parent == given.absolute().parent else str(real)


def configured_by(folder: str) -> str:
    """The file that has the loader's cache cover *folder*; empty if that is not known."""
    for file in sorted(_CONF.glob("*.conf")):
        try:
            lines = file.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        if folder in {line.strip().rstrip("/") for line in lines}:
            return str(file)
    return ""
