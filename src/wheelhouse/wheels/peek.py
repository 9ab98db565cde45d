"""A look at a few small members of a wheel that the gate has not read yet.

Somebody else made the file, so this is as strict and as bounded as the gate is; but it says
nothing about the rest of the wheel.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from wheelhouse.agent import strictzip
from wheelhouse.agent.strictzip import ZipProblem
from wheelhouse.wheels.layout import ArchiveLimits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from wheelhouse.agent.strictzip import Entry


class Peek:
    """The members of one wheel.

    :ivar members: by name, in the order of their data; of two with one name, the later.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        limits = ArchiveLimits()
        entries = strictzip.read_directory(file, size, max_entries=limits.members)
        self._starts, problems = strictzip.check_tiling(
            file, entries, strictzip.directory_start(file, size)
        )
        if problems:
            raise ZipProblem(problems[0])
        self.members: Mapping[str, Entry] = {entry.name: entry for entry in entries}

    def read(self, name: str, at_most: int) -> bytes:
        """The content of the member *name*, of *at_most* bytes.

        :raises ZipProblem: it is larger, or damaged.
        """
        entry = self.members[name]
        if entry.size > at_most:
            raise ZipProblem(f"member {name!r} has more than {at_most} bytes")
        return b"".join(self.stream(name))

    def stream(self, name: str) -> Iterator[bytes]:
        """The content of the member *name*, in pieces.

        :raises ZipProblem: it is damaged.
        """
        entry = self.members[name]
        return strictzip.stream(self._file, entry, self._starts[entry.offset])


@contextmanager
def peek(wheel: Path) -> Iterator[Peek]:
    """Open the file *wheel* for a look.

    :raises ZipProblem: it is no ZIP, or no unambiguous one.
    :raises OSError: it cannot be read at all.
    """
    with wheel.open("rb") as file:
        yield Peek(file, wheel.stat().st_size)
