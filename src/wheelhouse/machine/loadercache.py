"""The loader's cache, ``/etc/ld.so.cache``. Pure: reads the file's bytes.

Its form is told by glibc's ``sysdeps/generic/dl-cache.h``: a header, then for each library what
kind of machine it is for, its name and its path, in the loader's order.
"""

from __future__ import annotations

import struct

_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("<20sII20x")
_ENTRY = struct.Struct("<iIIIQ")

#: What an entry says of libraries for 64-bit programs of these machines.
_KINDS = {"x86_64": 0x0303, "aarch64": 0x0A03}


def cached_paths(data: bytes, arch: str) -> dict[str, str]:
    """The paths of the libraries for *arch*, by the names that they are asked for by.

    Empty where *data* is not of this form: then the loader takes it for none, too. Those for CPUs
    with more instructions than every *arch* has are left out.
    """
    start = data.find(_MAGIC)  # older ones have a cache of an older form before it
    if start < 0 or arch not in _KINDS:
        return {}
    cache = data[start:]
    try:
        return _paths(cache, _KINDS[arch])
    except (struct.error, ValueError):
        return {}


def _paths(cache: bytes, wanted: int) -> dict[str, str]:
    _, count, _ = _HEADER.unpack_from(cache)
    found: dict[str, str] = {}
    for number in range(count):
        at = _HEADER.size + number * _ENTRY.size
        kind, name, path, _, instructions = _ENTRY.unpack_from(cache, at)
        if kind == wanted and not instructions:
            found.setdefault(_string(cache, name), _string(cache, path))
    return found


def _string(cache: bytes, at: int) -> str:
    return cache[at : cache.index(b"\0", at)].decode("utf-8", "surrogateescape")
