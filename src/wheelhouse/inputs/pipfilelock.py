"""Reading `Pipfile.lock`.

Spec: none but Pipenv itself. `pipenv sync` installs the category ``default``, with ``--dev`` also
``develop``; ``--categories`` others by their names. An entry that names no index comes from the
first of the sources. What the platform that locked does not need has the version ``*`` there:
Pipenv has not looked it up.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from packaging.markers import InvalidMarker, Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelhouse.errors import ConfigError, WheelhouseError, raise_all
from wheelhouse.inputs.addresses import Unusable
from wheelhouse.inputs.lockentries import Entry, EntryLock, LockFile, Way, check_known
from wheelhouse.inputs.lockreading import (
    Places,
    hash_pairs,
    read_lock,
    split_hashes,
    with_project,
)
from wheelhouse.inputs.model import Requirements
from wheelhouse.inputs.requirementlines import refuse_secret
from wheelhouse.inputs.tomllock import strings, table, tables
from wheelhouse.wording import printable, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from wheelhouse.inputs.lockreading import LockText
    from wheelhouse.inputs.model import Direct
    from wheelhouse.settings import InputFile

#: What makes the lock anew.
RENEW = "pipenv lock"

#: The category of what a deployment wants, and that of what only development wants.
DEFAULT, DEVELOP = "default", "develop"

#: What else categories are called, in a Pipfile and by people.
ALIASES = {"packages": DEFAULT, "dev": DEVELOP, "dev-packages": DEVELOP}

_OTHER_REPOSITORIES = {"hg": "Mercurial", "svn": "Subversion", "bzr": "Bazaar"}
_VARIABLE = re.compile(r"'?\$\{(\w+)\}'?|\$(\w+)")
_NO_NAME = re.compile(r"[0-9a-f]{7}")


def read_pipfile_lock(root: Path, file: InputFile) -> Requirements:
    """What `pipenv sync` installs from the `Pipfile.lock` *file*, for whichever target.

    :param root: the project's folder.
    :raises ConfigError: it cannot be used; all of what is wrong with its entries at once.
    """
    root = root.resolve()
    lock = read_lock(root, file.path)
    data = _parsed(lock)
    categories = {
        str(canonicalize_name(name)): table(content)
        for name, content in data.items()
        if name != "_meta"
    }
    groups = frozenset(ALIASES.get(name, name) for name in file.groups)
    check_known(lock.shown, "extra", file.extras, ())
    check_known(lock.shown, "group", groups, {DEVELOP, *categories})
    places = Places(root, lock.path.parent)
    reader = _Reader(lock=lock, meta=table(data, "_meta"), places=places, variables=os.environ)
    entries = with_project(reader.entries(categories), file.project, lock, root)
    about = LockFile(path=lock.shown, renew=RENEW, requires_python=reader.python())
    return Requirements(
        asked=(),
        locks=(EntryLock(file=about, entries=entries, groups=groups),),
        files=lock.files,
        variables=tuple(sorted(set(_names(lock.text)))),
        credentials=places.credentials,
    )


def _parsed(lock: LockText) -> dict[str, Any]:
    try:
        data = json.loads(lock.text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{lock.shown}: not valid JSON: {printable(str(error))}",
            hint=f"where a merge has left marks of a conflict, resolve it; then run `{RENEW}`",
        ) from error
    if not isinstance(data, dict) or not isinstance(data.get(DEFAULT), dict):
        raise ConfigError(f"{lock.shown}: is no lock of Pipenv", hint=f"run `{RENEW}`")
    return data


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    """:ivar meta: what the lock says of itself."""

    lock: LockText
    meta: Mapping[str, Any]
    places: Places
    variables: Mapping[str, str]

    def python(self) -> SpecifierSet | None:
        """The Python that it is for. Raises ConfigError."""
        requires = table(self.meta, "requires")
        full, short = requires.get("python_full_version"), requires.get("python_version")
        text = str(full or short or "*").strip()
        if text == "*":
            return None
        try:
            if text[0].isdigit():
                text = f"=={text}" if full else f"=={text}.*"
            return SpecifierSet(text)
        except InvalidSpecifier:
            raise ConfigError(
                f"{self.lock.shown}: requires a Python that cannot be read, {quoted(text)}",
                hint=f"correct it in the Pipfile and run `{RENEW}`",
            ) from None

    def entries(self, categories: Mapping[str, Mapping[str, Any]]) -> tuple[Entry, ...]:
        """All of them. Raises ConfigError."""
        found: list[Entry] = []
        errors: list[WheelhouseError] = []
        for category, packages in categories.items():
            for name, said in packages.items():
                try:
                    found.append(self._entry(category, name, table(said)))
                except Unusable as error:
                    message = (
                        f"{self.lock.shown}: {printable(name) or quoted(name)} {error.message}"
                    )
                    errors.append(ConfigError(message, hint=error.hint or f"run `{RENEW}`"))
        raise_all(errors)
        return tuple(found)

    def _entry(self, category: str, name: str, said: Mapping[str, Any]) -> Entry:
        try:
            named = canonicalize_name(name, validate=True)
        except InvalidName:
            raise Unusable("is no name of a project") from None
        direct = self._direct(said)
        hashes, weak = split_hashes(hash_pairs(strings(said.get("hashes"))))
        way = Way(marker=_marker(said), group="" if category == DEFAULT else category)
        return Entry(
            name=named,
            version=None if direct else _version(said),
            ways=(way,),
            hashes=hashes,
            weak=weak,
            index=None if direct else self._index(said),
            direct=direct,
            unnamed=direct is not None and _NO_NAME.fullmatch(name) is not None,
        )

    def _index(self, said: Mapping[str, Any]) -> str | None:
        sources = tables(self.meta, "sources")
        named = said.get("index")
        source = next((each for each in sources if named in (None, each.get("name"))), None)
        if source is None and named is not None:
            raise Unusable(f"comes from the index {quoted(str(named))}, which it does not describe")
        return self.places.index(self._filled(str(source.get("url", "")))) if source else None

    def _direct(self, said: Mapping[str, Any]) -> Direct | None:
        inner = str(said.get("subdirectory", ""))
        if kind := next((kind for kind in _OTHER_REPOSITORIES if kind in said), None):
            raise Unusable(
                f"is in a {_OTHER_REPOSITORIES[kind]} repository; git is the only kind that is read"
            )
        if "git" in said:
            place = self._filled(str(said["git"]))
            return self.places.git(place, str(said.get("ref", "")), inner)
        if "path" in said:
            return self.places.local(str(said["path"]), inner)
        if url := said.get("file") or said.get("uri"):
            place = self._filled(str(url))
            return self.places.archive(place, inner) if "://" in place else self.places.local(place)
        return None

    def _filled(self, url: str) -> str:
        """*url* with the values of variables in their places.

        What signs in is left out if it lacks one: it may be known from elsewhere.

        :raises Unusable: another part of it lacks one, or has one that is a secret.
        """
        parts = re.fullmatch(r"(?P<scheme>[^/]*//)(?P<user>[^/]*@)?(?P<rest>.*)", url, re.DOTALL)
        if parts is None:
            return self._replaced(url)
        user = parts["user"] or ""
        if any(name not in self.variables for name in _names(user)):
            user = ""
        signed = _VARIABLE.sub(lambda found: quote(self.variables[found[1] or found[2]], ":"), user)
        return f"{parts['scheme']}{signed}{self._replaced(parts['rest'])}"

    def _replaced(self, text: str) -> str:
        for name in _names(text):
            refuse_secret(name)
            if name not in self.variables:
                raise Unusable(
                    f"comes from a place with the environment variable {name} in it, which is not "
                    "set",
                    f"set {name}",
                )
        return _VARIABLE.sub(lambda found: self.variables[found[1] or found[2]], text)


def _names(text: str) -> Iterator[str]:
    """The names of the variables in *text*."""
    return (braced or bare for braced, bare in _VARIABLE.findall(text))


def _version(said: Mapping[str, Any]) -> Version | None:
    """What it is pinned to, if it is."""
    text = str(said.get("version", "*")).strip()
    if text == "*":
        return None
    try:
        return Version(text.lstrip("="))
    except InvalidVersion:
        raise Unusable(f"is not pinned to a version: {quoted(text)}") from None


def _marker(said: Mapping[str, Any]) -> Marker | None:
    text = said.get("markers")
    try:
        return Marker(str(text)) if text else None
    except InvalidMarker:
        raise Unusable(f"has a marker that cannot be read: {quoted(str(text))}") from None
