"""Which wheels a Python installs on a platform: its tags, from facts instead of from the machine.

`packaging` knows how tags follow from a Python, but reads the C library and the architecture off
the machine it runs on. Here both are arguments. A target whose image can be had is probed all the
same: this is for what was captured on a server, and for telling of a platform.

The specification: https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.tags import Tag, compatible_tags, cpython_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelhouse.targets import Libc

#: The names from before PEP 600.
_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}

#: The oldest glibc that there is a manylinux for: manylinux1's, which other architectures than
#: these never had, or manylinux2014's.
_OLDEST_ON_X86 = (2, 5)
_OLDEST = (2, 17)


def tags_of(python: str, libc: Libc, arch: str) -> tuple[Tag, ...]:
    """Every tag that CPython *python* installs on *libc* and *arch*, best first.

    :param python: ``MAJOR.MINOR``, with a ``t`` behind it for a free-threaded one.
    :param arch: as `platform.machine()` says.
    """
    version = tuple(int(part) for part in python.removesuffix("t").split("."))
    interpreter = "cp" + "".join(map(str, version))
    abi = interpreter + ("t" if python.endswith("t") else "")
    platforms = platforms_of(libc, arch)
    return (
        *cpython_tags(version, [abi], platforms),
        *compatible_tags(version, interpreter, platforms),
    )


def platforms_of(libc: Libc, arch: str) -> tuple[str, ...]:
    """The platform tags of a machine, best first: ``linux_x86_64``, ``manylinux_2_36_x86_64``, …

    :raises ValueError: for a C library that no tag names.
    """
    if libc.family == "glibc":
        names = _manylinux(libc.version, _OLDEST_ON_X86 if arch == "x86_64" else _OLDEST)
    elif libc.family == "musl":
        major, newest = libc.version
        names = (f"musllinux_{major}_{minor}" for minor in range(newest, -1, -1))
    else:
        raise ValueError(f"there are no platform tags for {libc}")
    return (f"linux_{arch}", *(f"{name}_{arch}" for name in names))


def _manylinux(newest: tuple[int, int], oldest: tuple[int, int]) -> Iterator[str]:
    major = newest[0]
    for minor in range(newest[1], oldest[1] - 1, -1):
        yield f"manylinux_{major}_{minor}"
        if legacy := _LEGACY.get((major, minor)):
            yield legacy
