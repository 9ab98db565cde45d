"""`[tool.uv.sources]`: where uv takes requirements from, if not from an index as they say.

Spec: https://docs.astral.sh/uv/concepts/projects/dependencies/#dependency-sources
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wheelhouse.inputs.addresses import Unusable, read_address, static_name, without_credentials
from wheelhouse.inputs.toolindexes import tables
from wheelhouse.wording import did_you_mean, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.inputs.addresses import Address

#: The public index, by whose name no project is bound.
PUBLIC = ("https://pypi.org/simple", "https://pypi.python.org/simple")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """A requirement, and where it is to come from; from wherever it may if neither is said.

    :ivar index: the URL of an index.
    """

    requirement: Requirement
    address: Address | None = None
    index: str | None = None
    secret: tuple[str, tuple[str, str]] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """A source, in the pyproject.toml in *folder*."""

    table: Mapping[str, Any]
    folder: Path


class UvSources:
    """The sources of the `pyproject.toml` in *folder*, those of its workspace included.

    :param data: what is in the file.
    """

    def __init__(self, data: Mapping[str, Any], folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = root
        self._workspace = next(self._workspaces(data), None)
        self._entries: dict[NormalizedName, list[_Entry]] = {}
        self._indexes: dict[str, str] = {}
        above = [self._workspace] if self._workspace else []
        for place, said in (*above, (folder, data)):
            for name, value in _table(said, "tool", "uv", "sources").items():
                entries = value if isinstance(value, list) else [value]
                self._entries[canonicalize_name(name)] = [
                    _Entry(table=each if isinstance(each, dict) else {}, folder=place)
                    for each in entries
                ]
            self._indexes |= {
                str(each.get("name")): str(each.get("url"))
                for each in tables(said, "tool", "uv", "index")
            }

    def sought(self, requirement: Requirement, kind: str, context: str) -> Iterator[Sought]:
        """*requirement*, as its sources want it.

        One that holds under a marker only comes beside the plain one, which is for the rest.

        :param kind: ``extra`` or ``group``, where *context* is the name of the one that it is in.
        :raises Unusable: a source cannot be used.
        """
        entries = [
            each
            for each in self._entries.get(canonicalize_name(requirement.name), ())
            if all(
                key not in each.table
                or (key == kind and canonicalize_name(each.table[key]) == context)
                for key in ("extra", "group")
            )
        ]
        if not entries or all("marker" in each.table for each in entries):
            yield Sought(requirement=requirement)
        for each in entries:
            yield self._from(each, with_marker(requirement, str(each.table.get("marker", ""))))

    def _from(self, entry: _Entry, requirement: Requirement) -> Sought:
        table = entry.table
        if isinstance(name := table.get("index"), str):
            return self._bound(name, requirement)
        if table.get("workspace") is True:
            text = str(self._member(canonicalize_name(requirement.name)))
        else:
            kind = next((key for key in ("git", "url", "path") if key in table), None)
            if kind is None:
                raise Unusable("has an entry in tool.uv.sources that cannot be read", _KINDS)
            text = str(table[kind])
            if kind == "git" and not text.startswith("git+"):
                text = f"git+{text}"
        found = read_address(text, (entry.folder,), self._root)
        revision = next((str(table[key]) for key in ("rev", "tag", "branch") if key in table), "")
        if revision.startswith("-"):
            raise Unusable("has a revision that cannot be one")
        direct = replace(
            found.direct,
            revision=revision or found.direct.revision,
            subdirectory=str(table.get("subdirectory", found.direct.subdirectory)),
        )
        address = replace(found, direct=direct, name=requirement.name, named=True)
        return Sought(requirement=requirement, address=address, secret=found.secret)

    def _bound(self, name: str, requirement: Requirement) -> Sought:
        if name not in self._indexes:
            guess = did_you_mean(name, list(self._indexes))
            raise Unusable(
                f"is bound to the index {quoted(name)}, which is not there{guess}",
                "add it as [[tool.uv.index]] with its name and url",
            )
        url, credentials = without_credentials(self._indexes[name])
        return Sought(
            requirement=requirement,
            index=None if url in PUBLIC else url,
            secret=(url, credentials) if credentials else None,
        )

    # -- workspaces ------------------------------------------------------------------------------

    def _workspaces(self, data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """The folders of workspaces around, the nearest first, and what their files say."""
        if _table(data, "tool", "uv", "workspace"):
            yield self._folder, data
        for folder in self._folder.parents:
            said = _read(folder) if folder.is_relative_to(self._root) else {}
            if _table(said, "tool", "uv", "workspace"):
                yield folder, said

    def _member(self, name: NormalizedName) -> Path:
        """The folder of the member *name* of the workspace."""
        if self._workspace is None:
            raise Unusable(
                "is said to be in the workspace, but there is none in the project",
                "write wheelhouse.toml into the folder of the workspace's pyproject.toml",
            )
        top, data = self._workspace
        patterns = _table(data, "tool", "uv", "workspace").get("members", [])
        found = [top, *(path for pattern in patterns for path in sorted(top.glob(str(pattern))))]
        for folder in found:
            if canonicalize_name(static_name(folder) or "") == name:
                return folder
        raise Unusable(
            "is said to be in the workspace, which has no such member",
            "check `members` in [tool.uv.workspace]",
        )


_KINDS = "uv knows sources by git, url, path, index, and workspace = true"


def with_marker(requirement: Requirement, marker: str) -> Requirement:
    """*requirement* where *marker* holds, too. Raises Unusable if that is none."""
    if not marker:
        return requirement
    try:
        added = str(Marker(marker))
    except InvalidMarker:
        raise Unusable("has a source with a marker that cannot be read") from None
    own = f"({requirement.marker}) and ({added})" if requirement.marker else added
    found = Requirement(str(requirement))
    found.marker = Marker(own)
    return found


def _table(data: object, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _read(folder: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads((folder / "pyproject.toml").read_text("utf-8-sig"))
    except (OSError, ValueError):
        return {}
