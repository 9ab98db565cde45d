"""What the tables of a `wheelhouse.toml` say of each other that cannot be. Pure: data in, issues out.

A table's own model checks the table alone (:mod:`wheelhouse.projectfile`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from packaging.utils import canonicalize_name

from wheelhouse.credentials import variables
from wheelhouse.indexvalues import INDEX_NAME
from wheelhouse.settings import DEFAULT_INDEX
from wheelhouse.wording import did_you_mean, listed, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wheelhouse.tomlsource import KeyPath


@dataclass(frozen=True, kw_only=True, slots=True)
class Issue:
    """One thing that is wrong, at *path* in the file."""

    path: KeyPath
    message: str
    hint: str | None = None


def format_path(path: KeyPath) -> str:
    """A path as a user would write it: ``packages."a.b".env.X``, ``requirements[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else quoted(part)
            text += f".{shown}" if text else shown
    return text


def _twins(
    data: Mapping[str, Any], table: str, key: Callable[[str], str], clause: str
) -> list[Issue]:
    """Names in *table* that mean the same to wheelhouse or to a file system."""
    tables = data.get(table)
    if not isinstance(tables, dict):
        return []
    first: dict[str, str] = {}
    issues = []
    for name in tables:
        if (other := first.setdefault(key(name), name)) != name:
            message = f"{clause} {format_path((table, other))}"
            issues.append(Issue(path=(table, name), message=message, hint="keep one of the two"))
    return issues


def _in_a_circle(data: Mapping[str, Any]) -> list[Issue]:
    """Packages that are to require, or to be built against, themselves."""
    tables = data.get("packages")
    return [
        Issue(path=("packages", name, key, number), message="is the package itself", hint=hint)
        for name, table in (tables.items() if isinstance(tables, dict) else ())
        for key, hint in _OF_OTHERS.items()
        for number, entry in enumerate(_list(table, key))
        if (match := re.match(r"\s*([A-Za-z0-9._-]+)", str(entry)))
        and canonicalize_name(match[1]) == canonicalize_name(name)
    ]


#: Keys that name other packages, and what to do where it is the package itself.
_OF_OTHERS: Final = {
    "requires": "ask for its versions and extras in the requirements file",
    "build-against": "leave it out",
}


def _unknown_indexes(data: Mapping[str, Any]) -> list[Issue]:
    """Where an index is named that is not declared."""
    known = list(_tables(data, "indexes"))
    named: list[tuple[KeyPath, object, list[str]]] = [
        (("packages", name, "index"), table["index"], [*known, DEFAULT_INDEX])
        for name, table in _tables(data, "packages").items()
        if isinstance(table, dict) and "index" in table
    ]
    if isinstance(said := data.get("index"), str) and re.fullmatch(INDEX_NAME, said):
        named.append((("index",), said, known))
    return [
        Issue(
            path=path,
            message=f"there is no index {quoted(value)}{did_you_mean(value, names)}",
            hint=f"declare it: [indexes.{value}] with its url"
            + (f"; there is {listed(names)}" if names else ""),
        )
        for path, value, names in named
        if isinstance(value, str) and value not in names
    ]


def _provided_by_mistake(data: Mapping[str, Any]) -> list[Issue]:
    """Packages of which a target says how they come there, and that are in the wheelhouse."""
    bypassing = {
        canonicalize_name(name)
        for name, table in _tables(data, "packages").items()
        if isinstance(table, dict) and table.get("bypass") is True
    }
    return [
        Issue(
            path=("targets", target, "provided", name),
            message="it is in the wheelhouse like the others, so nothing else has to bring it",
            hint=f"say bypass = true under [packages.{name}], or leave this out",
        )
        for target, table in _tables(data, "targets").items()
        for name in _tables(table if isinstance(table, dict) else {}, "provided")
        if canonicalize_name(name) not in bypassing
    ]


def _tables(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def _list(table: object, key: str) -> list[object]:
    values = table.get(key) if isinstance(table, dict) else None
    return values if isinstance(values, list) else []
