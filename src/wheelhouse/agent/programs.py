"""Whether the compiled programs that wheels install can be loaded; none of them is started.

What a wheel brings as a program, no import shows. So the dynamic loader is asked about each, as
``ldd -r`` does: what it needs that is not here, and which symbols nobody has. Only what installers
put into ``bin`` is looked at, also where repair has left a script in its place: files of other
packages' folders may be meant for other machines, or for nobody.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

#: Seconds that a loader may take for one program.
DEADLINE = 60.0

#: Has glibc's loader tell what it finds, with all symbols, instead of starting the program.
TRACING = {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "1", "LD_BIND_NOW": "1"}

#: Where auditwheel puts a program that has to find libraries: ``NAME.scripts`` in site-packages.
MOVED = ".scripts"

_PT_INTERP = 3
_MOST_SEGMENTS = 256

_NOT_FOUND = re.compile(r"^\s*(\S+) => not found$", re.MULTILINE)
_NO_LIBRARY = re.compile(r"^Error loading shared library .+$", re.MULTILINE)

#: What loaders say of one symbol, or symbol version, and of which file.
_UNRESOLVED = (
    re.compile(r"^(?P<what>undefined symbol: \S+)\s+\((?P<file>.+)\)$", re.MULTILINE),
    re.compile(r"^(?P<what>symbol .+ link time reference)\s+\((?P<file>.+)\)$", re.MULTILINE),
    re.compile(r"^Error relocating (?P<file>.+?): (?P<what>\S+: symbol not found)$", re.MULTILINE),
)


def find(site_packages: str, scripts: str, files: Iterable[str]) -> dict[str, str]:
    """The compiled programs among the installed *files*, by their paths: ``bin/`` and the name.

    Those for other machines, and those that need no loader, are left out.
    """
    found = {}
    for path in map(os.path.normpath, files):
        folder, name = os.path.split(path)
        above, last = os.path.split(folder)
        moved = above == os.path.normpath(site_packages) and last.endswith(MOVED)
        if (moved or folder == os.path.normpath(scripts)) and interpreter(path) is not None:
            found[path] = f"bin/{name}"
    return found


def interpreter(path: str) -> str | None:
    """The loader that the file at *path* names; None if it is no program of this machine's."""
    try:
        with open(path, "rb") as file, open("/proc/self/exe", "rb") as own:
            header = file.read(64)
            # Class, byte order and machine are those of the Python that runs this.
            mine = own.read(20)
            if header[:6] != mine[:6] or header[18:20] != mine[18:20]:
                return None
            for kind, offset, size in _segments(header, file):
                if kind == _PT_INTERP and size < 4096:
                    file.seek(offset)
                    return os.fsdecode(file.read(size).rstrip(b"\0"))
    except (OSError, struct.error):
        return None
    return None


def _segments(header: bytes, file: Any) -> Iterator[tuple[int, int, int]]:
    """Type, offset and size in the file of what the program *header* of an ELF file lists."""
    order = "<" if header[5] == 1 else ">"
    wide = header[4] == 2
    at = struct.unpack_from(order + ("Q" if wide else "L"), header, 32 if wide else 28)[0]
    each, count = struct.unpack_from(f"{order}HH", header, 54 if wide else 42)
    for index in range(min(count, _MOST_SEGMENTS)):
        file.seek(at + index * each)
        if wide:
            kind, _, offset, _, _, size = struct.unpack(f"{order}LLQQQQ", file.read(40))
        else:
            kind, offset, _, _, size = struct.unpack(f"{order}LLLLL", file.read(20))
        yield kind, offset, size


def faults(path: str, variables: Mapping[str, str]) -> list[str]:
    """Why the program at *path* cannot be loaded, each cause once; nothing if it can be."""
    loader = interpreter(path) or ""
    if not os.access(loader, os.X_OK):
        return [f"its loader is {loader}, which is not here"]
    asked = [loader, "--list", path] if "ld-musl" in loader else [loader, path]
    try:
        done = subprocess.run(
            asked,
            env={**variables, **TRACING},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"its loader did not end within {DEADLINE:g} s"]
    said = done.stderr.decode("utf-8", "replace")
    return read_answer(path, done.returncode, done.stdout.decode("utf-8", "replace"), said)


def read_answer(path: str, status: int, listed: str, said: str) -> list[str]:
    """The causes in what a loader *listed* and *said* (its errors) of the program at *path*.

    Where a library is not there, that its symbols are not is no cause of its own. Symbols that
    other libraries lack are left out: most are never asked for.
    """
    lacking = [f"{name}: cannot open shared object file" for name in _NOT_FOUND.findall(listed)]
    lacking += _NO_LIBRARY.findall(said)
    if lacking:
        return list(dict.fromkeys(lacking))
    unresolved = [
        match["what"]
        for pattern in _UNRESOLVED
        for match in pattern.finditer(said)
        if match["file"] == path
    ]
    if unresolved:
        more = f" and {len(unresolved) - 1} more" if len(unresolved) > 1 else ""
        return [unresolved[0] + more]
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    refused = [line for line in lines if "version `" in line]
    if refused or (status and not any(each.search(said) for each in _UNRESOLVED)):
        return [(refused or lines or [f"its loader ended with status {status}"])[-1]]
    return []
