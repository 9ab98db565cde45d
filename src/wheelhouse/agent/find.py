"""Job ``find``: which packages of the distribution have a file or a name, as its index says.

Runs in an image of kind ``index``; ``images/index.py`` wrote what is read here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .channel import Channel

#: Where the image has its index.
INDEX = "/opt/wheelhouse/index"

#: Paths told of one question, those in the fewest folders first: some names are in every package.
MOST_PATHS = 300


def run(
    job: dict[str, list[dict[str, list[str]]]], root: str, channel: Channel
) -> dict[str, object]:
    """Return ``answers``, one for each of ``questions``.

    A question has ends of ``paths``, ends in whatever case (``folded``), ``names`` that packages
    provide, and ``packages`` that may not exist. Its answer has ``files`` (path and packages, by
    end), ``names`` (packages, by name) and ``packages``: section, number of files, of dependents,
    and dependencies of all those, and of the packages that depend on one of them; ``lists`` is
    true where the index knows of headers.
    """
    index = Index()
    return {"answers": [index.answer(question) for question in job["questions"]]}


class Index:
    """The three files, in memory."""

    def __init__(self) -> None:
        self._files = _Table("files")
        self._provides = _Table("provides")
        lines = _read("packages").decode("utf-8", "replace").split("\n")
        self._packages = [line.split("\t") for line in lines if line]
        self._has_headers = bool(self._files.rows(".h\t", most=1))

    def answer(self, question: dict[str, list[str]]) -> dict[str, object]:
        """The answer to one question."""
        files = {end: self._files.rows(f"{end}\t") for end in question["paths"]}
        files.update({end: self._files.rows(f"{end}\t", folded=True) for end in question["folded"]})
        files = {end: sorted(rows, key=_depth)[:MOST_PATHS] for end, rows in files.items()}
        names = {}
        for name in question["names"]:
            rows = self._provides.rows(f"\n{name}\t", folded=True)
            if rows:
                names[name] = [package for _, packages in rows for package in packages]
        mentioned = {package for rows in files.values() for _, found in rows for package in found}
        mentioned.update(*names.values(), question["packages"])
        about = self._about(mentioned)
        return {"files": files, "names": names, "packages": about, "lists": self._has_headers}

    def _about(self, mentioned: set[str]) -> dict[str, tuple[str, int, int, list[str]]]:
        found = {}
        for name, section, files, dependents, depends in self._packages:
            taken = depends.split(",") if depends else []
            if name in mentioned or not mentioned.isdisjoint(taken):
                found[name] = (section, int(files), int(dependents), taken)
        return found


class _Table:
    """Lines of a name and packages, each of which follows a line break."""

    def __init__(self, name: str) -> None:
        self._data = _read(name)
        self._folded: bytes | None = None

    def rows(
        self, wanted: str, *, folded: bool = False, most: int | None = None
    ) -> list[tuple[str, list[str]]]:
        """The lines that have *wanted*, if *folded* in whatever case; the first *most* of them."""
        if folded and self._folded is None:
            self._folded = self._data.lower()
        searched = self._folded if folded and self._folded is not None else self._data
        sought = (wanted.lower() if folded else wanted).encode()
        found: list[tuple[str, list[str]]] = []
        position = searched.find(sought)
        while position >= 0 and (most is None or len(found) < most):
            start = self._data.rfind(b"\n", 0, position + 1) + 1
            stop = self._data.index(b"\n", position + 1)
            name, packages = self._data[start:stop].decode("utf-8", "replace").split("\t")
            found.append((name, packages.split(",")))
            position = searched.find(sought, stop)
        return found


def _depth(row: tuple[str, list[str]]) -> tuple[int, str]:
    return row[0].count("/"), row[0]


def _read(name: str) -> bytes:
    with open(os.path.join(INDEX, name), "rb") as file:
        return file.read()
