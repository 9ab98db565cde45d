"""Things of a distribution that a build or an import lacks, and who can name their packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: ``header``: ``libpq-fe.h``, ``gtk/gtk.h``; ``pkg-config``: ``libxml-2.0``, the name of a .pc
#: file; ``program``: ``pg_config``, ``cargo``; ``library``: ``pq``, what ``-lpq`` links;
#: ``soname``: ``libGL.so.1``, what is loaded; ``cmake``: ``OpenCV``, what `find_package` finds;
#: ``file``: the absolute path of a file that is expected.
Kind = Literal["header", "pkg-config", "program", "library", "soname", "cmake", "file"]

_WORDS: dict[Kind, str] = {
    "header": "the header {}",
    "pkg-config": "the pkg-config file {}.pc",
    "program": "the program {}",
    "library": "the library {} (-l{})",
    "soname": "the shared library {}",
    "cmake": "the CMake package {}",
    "file": "the file {}",
}


@dataclass(frozen=True, order=True, slots=True)
class Missing:
    """One such thing."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        name = f"lib{self.name}" if self.kind == "library" else self.name
        return _WORDS[self.kind].format(name, self.name)


class PackageFinder(Protocol):
    """Knows the packages of one distribution: of a builder's, or of a runtime's."""

    def find(self, missing: Sequence[Missing]) -> Mapping[Missing, tuple[str, ...]]:
        """For each of *missing*, the packages that have it, the likeliest first; () if none.

        :raises EngineError: the distribution's index cannot be had, or be asked.
        """
