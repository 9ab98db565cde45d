"""What `poetry.lock` leaves to the `pyproject.toml` beside it. Pure.

Spec: https://python-poetry.org/docs/pyproject/. Locks before lock-version 2.1 do not say which
entry is for which group: that is found by following the dependencies from here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse.inputs.poetrydependency import dependencies, extras_of
from wheelhouse.inputs.tomllock import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from wheelhouse.inputs.poetrydependency import Dependency

#: What Poetry's hash is of: in its own tables, told by name even where it is missing; and in the
#: standard ones.
_HASHED = ("dependencies", "source", "extras", "dev-dependencies")
_HASHED_STANDARD = ("requires-python", "dependencies", "optional-dependencies")


@dataclass(frozen=True, kw_only=True, slots=True)
class PoetryProject:
    """A `pyproject.toml` as Poetry sees it.

    :ivar data: all of it.
    """

    data: Mapping[str, Any]

    @property
    def _poetry(self) -> dict[str, Any]:
        return table(self.data, "tool", "poetry")

    @property
    def name(self) -> str:
        """The project's; empty if it has none."""
        return str(table(self.data, "project").get("name") or self._poetry.get("name") or "")

    @property
    def is_package(self) -> bool:
        """Whether Poetry installs the project itself."""
        return self._poetry.get("package-mode", True) is not False

    @property
    def groups(self) -> frozenset[NormalizedName]:
        """The names of its dependency groups."""
        legacy = {"dev"} if "dev-dependencies" in self._poetry else set()
        names = {*table(self._poetry, "group"), *table(self.data, "dependency-groups"), *legacy}
        return frozenset(canonicalize_name(name) for name in names)

    def content_hashes(self) -> frozenset[str]:
        """What the lock's `content-hash` may be for this file; empty if that cannot be told.

        Poetry 2.3 and later hash the standard tables with the groups, 2.0 to 2.2 without groups,
        and those before know Poetry's own tables only.
        """
        content = table(self.data, "project")
        project = {key: content[key] for key in _HASHED_STANDARD if key in content}
        groups = table(self.data, "dependency-groups")
        known = [(project, groups), (project, {}), ({}, {})]
        try:
            return frozenset(self._digest(*each) for each in known)
        except TypeError:  # a date, which JSON does not have
            return frozenset()

    def _digest(self, project: Mapping[str, Any], groups: Mapping[str, Any]) -> str:
        standard = {"project": project, "dependency-groups": groups}
        standard = {key: part for key, part in standard.items() if part}
        own = {
            key: self._poetry.get(key)
            for key in (*_HASHED, "group")
            if key in self._poetry or (key in _HASHED and not standard)
        }
        content = {**standard, "tool": {"poetry": own}} if standard else own
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def dependencies(
        self, groups: AbstractSet[str], extras: AbstractSet[str]
    ) -> Iterator[Dependency]:
        """Those of the project itself, of its *groups* and of its *extras*, as Poetry 1 has them.

        :raises Unusable: one has a shape that Poetry does not know.
        """
        by_extra = extras_of(self._poetry.get("extras"))
        wanted = {name for extra in extras for name in by_extra.get(extra, ())}
        for each in dependencies(table(self._poetry, "dependencies")):
            if not each.optional or each.name in wanted:
                yield each
        for group in table(self._poetry, "group"):
            if canonicalize_name(group) in groups:
                yield from dependencies(table(self._poetry, "group", group, "dependencies"))
        if "dev" in groups:
            yield from dependencies(table(self._poetry, "dev-dependencies"))
