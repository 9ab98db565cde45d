"""What goes into a build's key, in words, and what of it has changed since another build. Pure.

The inputs are those of :meth:`~wheelhouse.building.recipe.Recipe.inputs`: the key is the hash of
exactly these, so where two keys differ there is something here to tell. Those of an earlier build
come from a file, which may be of another version of this program: whatever is in it is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What a person calls each input, the likeliest causes first: what changes one of them may change
#: another below it, as a package of the distribution makes another image.
TITLES = {
    "sdist": "sdist",
    "subdirectory": "folder in the sdist",
    "build requirements": "build requirements",
    "system packages": "system packages",
    "variables": "environment variables",
    "config settings": "config settings",
    "cibuildwheel": "cibuildwheel",
    "search": "searched for in the builder",
    "regenerate": "C code generated again",
    "cuda": "CUDA toolkit",
    "toolkit": "CUDA toolkit's wheels",
    "pure": "may be without its extension",
    "policy": "policy of the wheel",
    "python": "Python",
    "image": "builder image",
    "agent": "wheelhouse's own part",
    "left alone": "libraries never copied",
}

#: What a thing of each list or table is called.
_MEMBERS = {
    "build requirements": "build requirement",
    "system packages": "system package",
    "config settings": "config setting",
    "search": "search for",
    "cuda": "CUDA toolkit",
}

#: Characters of a hash that a person is shown.
_SHOWN = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """A build that was done before.

    :ivar version: of the package.
    :ivar place: what it was built for, in words.
    :ivar same_place: whether that is the place that is asked about.
    """

    key: str
    version: str
    place: str
    same_place: bool
    inputs: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One input that is another now.

    :ivar part: a name among :data:`TITLES`, or one that an earlier version had.
    :ivar item: which of the part, where it has several; else empty.
    :ivar before: None where there was none; *now* likewise.
    """

    part: str
    item: str
    before: str | None
    now: str | None

    def __str__(self) -> str:
        if self.part == "variables":
            return _variable(self.item, self.before, self.now)
        if self.part == "build requirements":
            return _requirement(self.item, self.before, self.now)
        if self.part == "toolkit":
            return _toolkit(self.item, self.before, self.now)
        if self.part == "sdist":
            return _file("sdist", self.before, self.now)
        title = _MEMBERS.get(self.part) or TITLES.get(self.part, self.part)
        return _moved(f"{title} {self.item}".strip(), self.before, self.now)

    def to_dict(self) -> dict[str, str | None]:
        """For programs."""
        told = {"part": self.part, "item": self.item, "before": self.before, "now": self.now}
        return {**told, "change": str(self)}


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Change, ...]:
    """What differs between the inputs of two builds, the likeliest causes first.

    Nothing only if they are equal, and so have one key.
    """
    names = [*TITLES, *sorted({*before, *now} - TITLES.keys())]
    return tuple(each for name in names for each in _part(name, before.get(name), now.get(name)))


def in_short(found: Sequence[Change], most: int = 2) -> str:
    """The first *most* of them in a clause, and how many there are besides."""
    told = ", ".join(map(str, found[:most]))
    more = len(found) - most
    return f"{told} and {more} more" if more > 0 else told


def rows(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """All inputs that are there, for a person: a title, and what it is. Titles come once."""
    for name in (*TITLES, *sorted(inputs.keys() - TITLES.keys() - {"kind"})):
        title = TITLES.get(name, name)
        value = inputs.get(name)
        for item, text in _items(value).items() if value is not False else ():
            yield title, _row(name, item, text)
            title = ""


def _part(name: str, before: object, now: object) -> Iterator[Change]:
    old, new = _items(before), _items(now)
    differing = [item for item in {**old, **new} if old.get(item) != new.get(item)]
    for item in differing:
        yield Change(part=name, item=item, before=old.get(item), now=new.get(item))
    if not differing and _canonical(before) != _canonical(now):  # in another order
        yield Change(part=name, item="", before=_canonical(before), now=_canonical(now))


def _items(value: object) -> dict[str, str]:
    """*value*, by items where it has several; empty where it says nothing."""
    match value:
        case None | "":
            return {}
        case bool():
            return {"": "yes" if value else "no"}
        case Mapping():
            return {str(item): _text(each) for item, each in value.items()}
        case list() | tuple():
            return {_text(each): "" for each in value}
    return {"": _text(value)}


def _text(value: object) -> str:
    return value if isinstance(value, str) else _canonical(value)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _row(part: str, item: str, value: str) -> str:
    if part == "variables":
        return f"{item}={value}"
    return f"{item} {value}".strip()


def _moved(what: str, before: str | None, now: str | None) -> str:
    if before is None:
        return f"{what} is new" + (f": {_brief(now)}" if now else "")
    if now is None:
        return f"{what} is gone" + (f": {_brief(before)}" if before else "")
    return f"{what} {_brief(before)} → {_brief(now)}"


def _variable(name: str, before: str | None, now: str | None) -> str:
    if before is None:
        return f"{name} was set to {now}"
    if now is None:
        return f"{name} is no longer set to {before}"
    return f"{name} {before or '(empty)'} → {now or '(empty)'}"


def _requirement(name: str, before: str | None, now: str | None) -> str:
    if before is None or now is None:
        version = (before or now or "").partition(" ")[0]
        return f"build requirement {name} {version} is {'new' if before is None else 'gone'}"
    return _file(name, before, now)


def _toolkit(name: str, before: str | None, now: str | None) -> str:
    what = f"CUDA toolkit's {name}"
    if before is None or now is None:
        version = (before or now or "").partition(" ")[0]
        return f"{what} {version} is {'new' if before is None else 'gone'}"
    return _file(what, before, now)


def _file(what: str, before: str | None, now: str | None) -> str:
    """``setuptools 80.9.0 → 81.0.0``: hashes tell more only where all that is before is equal."""
    old, _, made = (before or "").partition(" ")
    new, _, makes = (now or "").partition(" ")
    if old != new:
        return f"{what} {old} → {new}"
    if made.startswith("build:") and makes.startswith("build:"):
        return f"{what} {new} is built otherwise"
    return f"{what} {new} is another file: {_brief(made)} → {_brief(makes)}"


def _brief(text: str | None) -> str:
    """*text* with hashes cut to what a person compares."""
    words = []
    for word in (text or "").split(" "):
        head, colon, tail = word.rpartition(":")
        words.append(head + colon + tail[:_SHOWN] if _is_hash(tail) else word)
    return " ".join(words)


def _is_hash(text: str) -> bool:
    return len(text) == 64 and all(char in "0123456789abcdef" for char in text)
