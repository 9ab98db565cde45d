"""C extensions that a build has begun, and that its wheel does not have. Pure.

Some projects make their extension optional: if the compiler fails, the build succeeds, without it.
A wheel that names no platform does not give that away, but the build's log does: what builds
extensions says which one it begins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What distutils, in all its descendants, says of C, and setuptools-rust of Rust.
_BEGUN = re.compile(
    rb"^[ \t]{0,20}building '([\w.]{1,200})' (?:C\+\+ )?extension\b"
    rb"|^Build optional Rust extension ([\w.]{1,200}) failed"
)


def left_out(log: Iterable[bytes], files: Iterable[str]) -> list[str]:
    """The names of the extensions that the lines of *log* begin and none of *files* is.

    >>> left_out([b"building 'a._b' extension\\n"], ["a/_b.abi3.so"])
    []
    """
    matches = (_BEGUN.match(line) for line in log)
    begun = dict.fromkeys((each[1] or each[2]).decode() for each in matches if each)
    stems = {name.rpartition("/")[2].partition(".")[0] for name in files if ".so" in name}
    return [name for name in begun if name.rpartition(".")[2] not in stems]
