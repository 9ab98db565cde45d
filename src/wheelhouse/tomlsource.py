"""Where each key of a TOML document stands, so that an error can name its line.

`tomllib` gives values without positions. This module reads the same text with tree-sitter, and
is imported only once something is wrong: a good file never pays for it.

A *key path* names a place in the parsed document: ``("targets", "web", "python")``, or
``("requirements", 1)`` for the second entry of an array.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tree_sitter_toml
from tree_sitter import Language, Parser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tree_sitter import Node

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeated:
    """A key that is given a second time, on *line*; it first stands on line *first*."""

    path: KeyPath
    line: int
    first: int


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyLines:
    """The lines of a document's keys, counted from 1.

    :ivar lines: the line of each key, table and array entry.
    :ivar repeated: keys and tables that are given twice, which TOML forbids.
    """

    lines: Mapping[KeyPath, int]
    repeated: tuple[Repeated, ...]

    def line(self, path: KeyPath) -> int:
        """The line of *path*, or of the nearest part of it that exists; 1 if there is none."""
        for length in range(len(path), 0, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return 1


def read_key_lines(text: str) -> KeyLines:
    """The lines of all keys of the TOML document *text*.

    Never raises: of a broken document, what can be made out is reported.
    """
    tree = Parser(Language(tree_sitter_toml.language())).parse(text.encode("utf-8"))
    reader = _Reader()
    reader.read(tree.root_node)
    return KeyLines(lines=reader.lines, repeated=tuple(reader.repeated))


class _Reader:
    """Collects lines while it walks the syntax tree."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.repeated: list[Repeated] = []
        self._defined: dict[KeyPath, int] = {}
        self._lengths: dict[KeyPath, int] = {}  # of the arrays of tables, so far

    def read(self, document: Node) -> None:
        for node in document.named_children:
            if node.type == "pair":
                self._pair(node, ())
            elif node.type in {"table", "table_array_element"}:
                self._table(node)

    def _table(self, node: Node) -> None:
        path = self._header(node)
        if not path:
            return
        self._ancestors(path, node)
        if node.type == "table":
            self._define(path, node)
        else:
            path = self._append(path, node)
        for pair in node.named_children:
            if pair.type == "pair":
                self._pair(pair, path)

    def _header(self, node: Node) -> KeyPath:
        """The path in a table's header, where a name of an array of tables means its last."""
        path: KeyPath = ()
        for part in _key(node):
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
            path = (*path, part)
        return path

    def _append(self, path: KeyPath, node: Node) -> KeyPath:
        """Begin the next table of the array *path*."""
        index = self._lengths.get(path, 0)
        self._lengths[path] = index + 1
        self.lines.setdefault(path, _line(node))
        self.lines[*path, index] = _line(node)
        return (*path, index)

    def _pair(self, node: Node, table: KeyPath) -> None:
        parts = _key(node)
        if not parts:
            return
        path = (*table, *parts)
        self._ancestors(path, node)
        self._define(path, node)
        self._value(node.named_children[-1], path)

    def _value(self, node: Node, path: KeyPath) -> None:
        if node.type == "inline_table":
            for pair in node.named_children:
                if pair.type == "pair":
                    self._pair(pair, path)
        elif node.type == "array":
            entries = (child for child in node.named_children if child.type != "comment")
            for index, entry in enumerate(entries):
                self.lines[*path, index] = _line(entry)
                self._value(entry, (*path, index))

    def _ancestors(self, path: KeyPath, node: Node) -> None:
        for length in range(1, len(path)):
            self.lines.setdefault(path[:length], _line(node))

    def _define(self, path: KeyPath, node: Node) -> None:
        """Note an explicit definition, which says more than the mention of a child before it."""
        if (first := self._defined.get(path)) is not None:
            self.repeated.append(Repeated(path=path, line=_line(node), first=first))
            return
        self._defined[path] = _line(node)
        self.lines[path] = _line(node)


def _line(node: Node) -> int:
    return int(node.start_point.row) + 1


def _key(node: Node) -> tuple[str, ...]:
    """The parts of the key that *node*, a pair or a table, begins with; none if it is broken.

    Quotes, escapes and dots are left to `tomllib`, so that both readings agree.
    """
    keys = [child for child in node.named_children if child.type.endswith("_key")]
    if not keys or keys[0].text is None:
        return ()
    try:
        value = tomllib.loads(keys[0].text.decode("utf-8") + " = 0")
    except tomllib.TOMLDecodeError:
        return ()
    return _only_path(value)


def _only_path(value: object) -> tuple[str, ...]:
    parts: list[str] = []
    while isinstance(value, dict):
        if len(value) != 1:
            return ()  # what a broken document takes for a key can have several lines
        [(part, value)] = value.items()
        parts.append(part)
    return tuple(parts)
