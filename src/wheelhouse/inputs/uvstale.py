"""Whether a `uv.lock` is of the `pyproject.toml` files as they are now. Pure.

uv exports a lock whatever has become of these, and only a new resolution could tell all. But the
lock repeats what each project of the workspace required when it was made. Where that is another
project or another version now, the lock is certainly old.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from wheelhouse.inputs.tomllock import strings, table, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.utils import NormalizedName

    #: By project, the versions that are asked for; None where a source has a say in that.
    Wanted = Mapping[NormalizedName, frozenset[SpecifierSet] | None]

#: What an entry of a lock has that asks for versions and for nothing else.
PLAIN = {"name", "extras", "marker", "specifier"}


def changed_since(package: Mapping[str, Any], pyproject: Mapping[str, Any]) -> list[str]:
    """The projects that *pyproject* requires otherwise than *package*, its entry in a lock, says.

    Sorted. None if that cannot be told: locks of early versions do not repeat requirements, and
    what a backend adds does not stand in the file.
    """
    metadata = table(package, "metadata")
    if not metadata:
        return []
    found = {*_groups_changed(metadata, pyproject)}
    project = table(pyproject, "project")
    if not {"dependencies", "optional-dependencies"}.intersection(strings(project.get("dynamic"))):
        lines = [*strings(project.get("dependencies"))]
        for extra in table(project, "optional-dependencies").values():
            lines += strings(extra)
        found.update(_differences(_locked(tables(metadata, "requires-dist")), _asked(lines)))
    return sorted(found)


def _groups_changed(
    metadata: Mapping[str, Any], pyproject: Mapping[str, Any]
) -> Iterator[NormalizedName]:
    """What groups have that those in the lock, into which others are merged, have not."""
    locked = {
        canonicalize_name(group): _locked(tables(metadata, "requires-dev", group))
        for group in table(metadata, "requires-dev")
    }
    for group, items in table(pyproject, "dependency-groups").items():
        lines = [item for item in items if isinstance(item, str)] if isinstance(items, list) else []
        known = locked.get(canonicalize_name(group), {})
        yield from (name for name in _asked(lines) if name not in known)


def _differences(locked: Wanted, asked: Wanted) -> Iterator[NormalizedName]:
    yield from locked.keys() ^ asked.keys()
    for name in locked.keys() & asked.keys():
        if None not in (locked[name], asked[name]) and locked[name] != asked[name]:
            yield name


def _locked(entries: Iterable[Mapping[str, Any]]) -> Wanted:
    found: defaultdict[NormalizedName, set[SpecifierSet] | None] = defaultdict(set)
    for entry in entries:
        name = canonicalize_name(str(entry.get("name", "")))
        _note(found, name, entry.get("specifier", "") if PLAIN.issuperset(entry) else None)
    return _frozen(found)


def _asked(lines: Iterable[str]) -> Wanted:
    found: defaultdict[NormalizedName, set[SpecifierSet] | None] = defaultdict(set)
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # uv refuses it
        specifier = None if requirement.url else str(requirement.specifier)
        _note(found, canonicalize_name(requirement.name), specifier)
    return _frozen(found)


def _note(
    found: defaultdict[NormalizedName, set[SpecifierSet] | None],
    name: NormalizedName,
    specifier: object,
) -> None:
    known = found[name]
    try:
        if known is not None and specifier is not None:
            known.add(SpecifierSet(str(specifier)))
            return
    except InvalidSpecifier:
        pass  # uv may know operators that `packaging` does not
    found[name] = None


def _frozen(found: Mapping[NormalizedName, set[SpecifierSet] | None]) -> Wanted:
    return {name: None if each is None else frozenset(each) for name, each in found.items()}
