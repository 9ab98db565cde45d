"""Indexes that a `pyproject.toml` names in the tables of uv, Poetry and PDM. Pure.

They count as the options of a requirements file do: where they were passed over, a private project
would be looked for on the public index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.onerequirement import index_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from wheelhouse.inputs.model import IndexOption

Kind = Literal["index-url", "extra-index-url", "find-links"]


def tables(data: object, *keys: str) -> list[Mapping[str, Any]]:
    """The array of tables under *keys*; an empty one if there is none, or anything else."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []


def declared(data: Mapping[str, Any]) -> Iterator[tuple[str, str, Kind, str]]:
    """The indexes in a `pyproject.toml` that any project may come from.

    Each is told by its table, its name, how it counts, and its URL or path.
    """
    for each in tables(data, "tool", "uv", "index"):
        if not each.get("explicit"):
            flat = each.get("format") == "flat"
            yield _told("tool.uv.index", each, default=bool(each.get("default")), flat=flat)
    for each in tables(data, "tool", "poetry", "source"):
        if each.get("priority") != "explicit" and str(each.get("name")).lower() != "pypi":
            yield _told("tool.poetry.source", each)
    for each in tables(data, "tool", "pdm", "source"):
        default, flat = each.get("name") == "pypi", each.get("type") == "find_links"
        yield _told("tool.pdm.source", each, default=default, flat=flat)


def _told(
    place: str, table: Mapping[str, Any], *, default: bool = False, flat: bool = False
) -> tuple[str, str, Kind, str]:
    kind: Kind = "find-links" if flat else "index-url" if default else "extra-index-url"
    return place, str(table.get("name", "")), kind, str(table.get("url", ""))


def read_index(kind: Kind, url: str, origin: str, folder: Path) -> IndexOption:
    """The index at *url*. Raises Unusable."""
    if not url:
        raise Unusable("names an index without a URL")
    return index_option(kind, url, origin, (folder,))
