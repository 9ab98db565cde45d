"""Job ``find``: which packages of the distribution have a file or a name, as its index says.

Runs in an image of kind ``index``; ``images/index.py`` wrote what is read here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .channel import Channel

#: Where the image has its index.
INDEX = "/opt/wheelhouse/index"

#: Paths told of one question, those in the fewest folders first: some names are in every package.
MOST_PATHS = 300


def run(job: dict[str, list[str]], root: str, channel: Channel) -> dict[str, object]:
    """Answer for ``paths``, ``folded``, ``names`` and ``packages``.

    *paths* are ends of paths, *folded* too, in whatever case; *names* are what packages provide;
    *packages* may not exist. Returns ``files`` (path and packages, by end), ``names`` (packages,
    by name) and ``packages``: section, number of files,
    dependents and dependencies of all those, and of the
    packages that depend on one of them.
    """
    files = _paths(_read("files"), job["paths"], job["folded"])
    names = _names(_read("provides"), job["names"])
    mentioned = {package for rows in files.values() for _, found in rows for package in found}
    mentioned.update(*names.values(), job["packages"])
    return {"files": files, "names": names, "packages": _packages(_read("packages"), mentioned)}


def _read(name: str) -> bytes:
    with open(os.path.join(INDEX, name), "rb") as file:
        return file.read()


def _paths(
    data: bytes, ends: Iterable[str], folded: Iterable[str]
) -> dict[str, list[tuple[str, list[str]]]]:
    lower = data.lower()
    answers = {end: _rows(data, data, f"{end}\t") for end in ends}
    answers.update({end: _rows(data, lower, f"{end.lower()}\t") for end in folded})
    return {
        end: sorted(rows, key=lambda row: (row[0].count("/"), row[0]))[:MOST_PATHS]
        for end, rows in answers.items()
    }


def _names(data: bytes, names: Iterable[str]) -> dict[str, list[str]]:
    lower = data.lower()
    answers = {}
    for name in names:
        rows = _rows(data, lower, f"\n{name.lower()}\t")
        if packages := [package for _, found in rows for package in found]:
            answers[name] = packages
    return answers


def _rows(data: bytes, searched: bytes, wanted: str) -> list[tuple[str, list[str]]]:
    """The lines of *data* where *searched*, which is *data* in some case, has *wanted*."""
    sought = wanted.encode()
    rows = []
    position = searched.find(sought)
    while position >= 0:
        start = data.rfind(b"\n", 0, position + 1) + 1
        stop = data.index(b"\n", position + 1)
        name, packages = data[start:stop].decode("utf-8", "replace").split("\t")
        rows.append((name, packages.split(",")))
        position = searched.find(sought, stop)
    return rows


def _packages(data: bytes, mentioned: set[str]) -> dict[str, tuple[str, int, int, list[str]]]:
    found = {}
    for name, section, files, dependents, depends in _columns(data):
        taken = depends.split(",") if depends else []
        if name in mentioned or not mentioned.isdisjoint(taken):
            found[name] = (section, int(files), int(dependents), taken)
    return found


def _columns(data: bytes) -> Iterator[list[str]]:
    for line in data.decode("utf-8", "replace").splitlines():
        if line:
            yield line.split("\t")
