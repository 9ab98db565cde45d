"""Reading a lock in TOML, and the `pyproject.toml` beside it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidName, canonicalize_name

from wheelhouse.errors import ConfigError, WheelhouseError, raise_all
from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.lockentries import Entry
from wheelhouse.inputs.lockreading import read_lock
from wheelhouse.inputs.model import Direct
from wheelhouse.sources.location import path_location
from wheelhouse.wording import printable, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import TypeVar

    from packaging.utils import NormalizedName

    from wheelhouse.inputs.lockreading import LockText

    T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class TomlFile:
    """A file in TOML: as it is read, and the *data* in it."""

    text: LockText
    data: dict[str, Any]

    @property
    def path(self) -> Path:
        """Absolute, inside the project."""
        return self.text.path

    @property
    def shown(self) -> str:
        """Its path for a person, relative to the project."""
        return self.text.shown


def read_toml(root: Path, path: Path) -> TomlFile:
    """Read *path*, which has to be inside *root*, the project's folder, resolved.

    :raises ConfigError: it cannot be read.
    """
    text = read_lock(root, path)
    try:
        return TomlFile(text=text, data=tomllib.loads(text.text))
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{text.shown}: not valid TOML: {printable(str(error))}",
            hint="where a merge has left marks of a conflict, resolve it; then lock again",
        ) from error


def read_beside(lock: TomlFile, root: Path) -> TomlFile | None:
    """The `pyproject.toml` in the folder of *lock*, if there is one. Raises ConfigError."""
    path = lock.path.with_name("pyproject.toml")
    return read_toml(root, path) if path.is_file() else None


def read_each(
    lock: TomlFile,
    items: Iterable[Mapping[str, Any]],
    read: Callable[[Mapping[str, Any]], T],
    renew: str,
) -> list[T]:
    """What *read* makes of each of *items*, tables of *lock*.

    :param renew: what makes the lock anew.
    :raises ConfigError: *read* has raised Unusable; all of these at once.
    """
    found: list[T] = []
    errors: list[WheelhouseError] = []
    for item in items:
        named = " ".join(str(item[key]) for key in ("name", "version") if key in item)
        try:
            found.append(read(item))
        except Unusable as error:
            told = " ".join(filter(None, (printable(named), error.message)))
            hint = error.hint or f"run `{renew}`"
            errors.append(ConfigError(f"{lock.shown}: {told}", hint=hint))
    raise_all(errors)
    return found


def read_name(data: Mapping[str, Any]) -> NormalizedName:
    """The normalised name of the entry *data*. Raises Unusable."""
    try:
        return canonicalize_name(str(data.get("name", "")), validate=True)
    except InvalidName:
        raise Unusable("is an entry without the name of a project") from None


def own_entry(lock: TomlFile, root: Path, name: str) -> Entry:
    """The entry of the project *name*, in whose folder *lock* is. Raises ConfigError."""
    folder = lock.path.parent
    try:
        known = canonicalize_name(name, validate=True)
    except InvalidName:
        raise ConfigError(
            f"{lock.shown}: the project beside it has a name that none can have: {quoted(name)}",
            hint="use letters, digits, hyphens, underscores and dots only",
        ) from None
    return Entry(name=known, direct=Direct(location=path_location(folder, root, folder=True)))


def table(data: object, *keys: str) -> dict[str, Any]:
    """The table at *keys* in *data*; empty if there is none, or anything else."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def tables(data: object, *keys: str) -> list[dict[str, Any]]:
    """The tables in the array at *keys* in *data*; an empty list if there is none."""
    found = table(data, *keys[:-1]).get(keys[-1])
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def strings(data: object) -> list[str]:
    """The strings in the array *data*; an empty list if it is none."""
    return [each for each in data if isinstance(each, str)] if isinstance(data, list) else []
