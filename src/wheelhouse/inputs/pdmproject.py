"""What `pdm.lock` leaves to the `pyproject.toml` beside it. Pure.

Spec: https://pdm-project.org/en/stable/reference/pep621/. A lock made without the strategy
``inherit_metadata`` does not say which entry is for which group: that is found by following the
dependencies from here.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.dependency_groups import DependencyGroupResolver
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.tomllock import strings, table
from wheelhouse.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

#: How PDM calls the dependencies of the project itself.
DEFAULT = "default"

_EGG = re.compile(r"#(?:.*&)?egg=([^&]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class PdmProject:
    """A `pyproject.toml` as PDM sees it.

    :ivar data: all of it.
    """

    data: Mapping[str, Any]

    @property
    def _project(self) -> dict[str, Any]:
        return table(self.data, "project")

    @property
    def _pdm(self) -> dict[str, Any]:
        return table(self.data, "tool", "pdm")

    @property
    def name(self) -> str:
        """The project's; empty if it has none."""
        return str(self._project.get("name") or "")

    @property
    def is_package(self) -> bool:
        """Whether PDM installs the project itself."""
        if "package-type" in self._pdm:
            return bool(self._pdm["package-type"] == "library")
        return self._pdm.get("distribution", True) is not False

    @property
    def groups(self) -> frozenset[str]:
        """The names of its dependency groups."""
        own = {*table(self.data, "dependency-groups"), *table(self._pdm, "dev-dependencies")}
        return frozenset(canonicalize_name(name) for name in own)

    @property
    def extras(self) -> frozenset[str]:
        """The names of its extras."""
        own = table(self._project, "optional-dependencies")
        return frozenset(canonicalize_name(name) for name in own)

    @property
    def excluded(self) -> frozenset[str]:
        """The projects that PDM never installs."""
        own = strings(table(self._pdm, "resolution").get("excludes"))
        return frozenset(canonicalize_name(name) for name in own)

    @property
    def overridden(self) -> frozenset[str]:
        """The projects of which one version will do whatever others ask for."""
        own = table(self._pdm, "resolution", "overrides")
        return frozenset(canonicalize_name(name) for name in own)

    def content_hashes(self) -> frozenset[str]:
        """What the lock's `content_hash` may be for this file; empty if that cannot be told.

        PDM up to 2.15 hashes the overrides alone of what is said of resolution, and up to 2.18 of
        all groups the ones in its own table. Of a workspace it hashes other projects, too.
        """
        if "workspace" in self._pdm:
            return frozenset()
        resolution, legacy = table(self._pdm, "resolution"), table(self._pdm, "dev-dependencies")
        overrides = {"overrides": table(resolution, "overrides")}
        try:
            return frozenset(
                self._digest({**more, "dev-dependencies": groups})
                for more in ({"resolution": resolution}, overrides)
                for groups in (legacy, self._groups())
            )
        except TypeError:  # a date, which JSON does not have
            return frozenset()

    def _digest(self, more: Mapping[str, Any]) -> str:
        project = self._project
        content = {
            "sources": self._pdm.get("source", []),
            "dependencies": project.get("dependencies", []),
            "optional-dependencies": project.get("optional-dependencies", {}),
            "requires-python": project.get("requires-python", ""),
            **more,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _groups(self) -> dict[str, list[Any]]:
        """All groups by normalised name, with what they include left as it is."""
        groups: dict[str, list[Any]] = {}
        for own in (table(self.data, "dependency-groups"), table(self._pdm, "dev-dependencies")):
            for name, lines in own.items():
                known = groups.setdefault(canonicalize_name(name), [])
                groups[canonicalize_name(name)] = [*known, *(lines or [])]
        return groups

    def requirements(self, wanted: AbstractSet[str]) -> Iterator[Requirement]:
        """Those of its groups and extras that are *wanted*, :data:`DEFAULT` among them.

        Where the project asks for extras of itself, what is in those takes the place of that.

        :raises Unusable: one cannot be read.
        """
        seen: set[str] = set()
        queue = sorted(wanted)
        while queue:
            group = queue.pop()
            if group in seen:
                continue
            seen.add(group)
            for line in self._lines(group):
                requirement = read_line(line)
                if self.name and canonicalize_name(requirement.name) == self.own_name:
                    queue += [canonicalize_name(extra) for extra in requirement.extras]
                else:
                    yield requirement

    @property
    def own_name(self) -> str:
        """Its name, normalised."""
        return canonicalize_name(self.name)

    def _lines(self, group: str) -> Iterator[str]:
        if group == DEFAULT:
            yield from strings(self._project.get("dependencies"))
        for extra, lines in table(self._project, "optional-dependencies").items():
            if canonicalize_name(extra) == group:
                yield from strings(lines)
        groups = self._groups()
        if group in groups:
            lines = groups[group]
            editable = [line for line in lines if isinstance(line, str) and line.startswith("-e")]
            yield from editable
            rest = {**groups, group: [line for line in lines if line not in editable]}
            try:
                yield from map(str, DependencyGroupResolver(rest).resolve(group))
            except (ValueError, TypeError, LookupError, ExceptionGroup) as error:
                raise Unusable(f"has a group {group} that cannot be read: {error}") from error


def read_line(line: str) -> Requirement:
    """A requirement as PDM writes it, also that of an editable folder. Raises Unusable."""
    if line.startswith("-e") and (egg := _EGG.search(line)):
        line = egg[1]
    try:
        return Requirement(line)
    except InvalidRequirement as error:
        raise Unusable(f"has a requirement that cannot be read: {printable(str(error))}") from error
