"""What the tables of a `wheelhouse.toml` say against each other. Pure: data in, issues out.

What one of them says against itself, its model tells (:mod:`wheelhouse.projectfile`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from packaging.utils import canonicalize_name

from wheelhouse.credentials import variables
from wheelhouse.indexvalues import INDEX_NAME, normal
from wheelhouse.settings import DEFAULT_INDEX
from wheelhouse.torchindex import backends
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
            shown = part if re.fullmatch(r"[A-Za-z0-9_-]{1,100}", part) else quoted(part)
            text += f".{shown}" if text else shown
    return text


def contradictions(data: Mapping[str, Any]) -> list[Issue]:
    """All that the tables of *data*, which `tomllib` gives, say against each other."""
    return [
        *_twins(data, ("packages",), canonicalize_name, "is the same package as"),
        *_twins(data, ("targets",), str.casefold, "differs only in case from"),
        *_twins(data, ("indexes",), _variables, "has the same environment variables as"),
        *_provided_twice(data),
        *_in_a_circle(data),
        *_unknown_indexes(data),
        *_claimed_twice(data),
        *_provided_by_mistake(data),
        *_torch_of_another_cuda(data),
    ]


def _twins(
    data: Mapping[str, Any], path: tuple[str, ...], key: Callable[[str], str], clause: str
) -> Iterator[Issue]:
    """Names in the table at *path* that mean the same to wheelhouse or to a file system."""
    first: dict[str, str] = {}
    for name in _table(data, *path):
        if (other := first.setdefault(key(name), name)) != name:
            message = f"{clause} {format_path((*path, other))}"
            yield Issue(path=(*path, name), message=message, hint="keep one of the two")


def _variables(index: str) -> str:
    """What is one for all indexes that have the same environment variables."""
    return variables(index)[0]


def _provided_twice(data: Mapping[str, Any]) -> Iterator[Issue]:
    for target in _table(data, "targets"):
        where = ("targets", target, "provided")
        yield from _twins(data, where, canonicalize_name, "is the same package as")


#: Keys that name other packages, and what to do where it is the package itself.
_OF_OTHERS: Final = {
    "requires": "ask for its versions and extras in the requirements file",
    "build-against": "leave it out",
}


def _in_a_circle(data: Mapping[str, Any]) -> Iterator[Issue]:
    """Packages that are to require, or to be built against, themselves."""
    for name in _table(data, "packages"):
        for key, hint in _OF_OTHERS.items():
            for number, entry in enumerate(_list(_table(data, "packages", name), key)):
                match = re.match(r"\s*([A-Za-z0-9._-]+)", str(entry))
                if match and canonicalize_name(match[1]) == canonicalize_name(name):
                    path = ("packages", name, key, number)
                    yield Issue(path=path, message="is the package itself", hint=hint)


def _unknown_indexes(data: Mapping[str, Any]) -> Iterator[Issue]:
    """Where an index is named that is not declared."""
    declared = list(_table(data, "indexes"))
    said = data.get("index")
    if isinstance(said, str) and re.fullmatch(INDEX_NAME, said) and said not in declared:
        yield _unknown_index(("index",), said, declared)
    for number, each in enumerate(_list(_table(data, "audit"), "mirrors")):
        if isinstance(each, str) and each not in (known := [*declared, DEFAULT_INDEX]):
            yield _unknown_index(("audit", "mirrors", number), each, known)
    for name in _table(data, "packages"):
        said, known = _table(data, "packages", name).get("index"), [*declared, DEFAULT_INDEX]
        if isinstance(said, str) and re.fullmatch(INDEX_NAME, said) and said not in known:
            yield _unknown_index(("packages", name, "index"), said, known)


def _unknown_index(path: KeyPath, said: str, known: list[str]) -> Issue:
    has = f"; there is {listed(known)}" if known else ""
    return Issue(
        path=path,
        message=f"there is no index {quoted(said)}{did_you_mean(said, known)}",
        hint=f"declare it in a table of its own, such as [indexes.corp] with its url{has}",
    )


def _claimed_twice(data: Mapping[str, Any]) -> Iterator[Issue]:
    """Patterns of names that two indexes have: only the first of these would ever be asked."""
    owners: dict[str, str] = {}
    for name in _table(data, "indexes"):
        for number, entry in enumerate(_list(_table(data, "indexes", name), "packages")):
            if (first := owners.setdefault(normal(str(entry)), name)) == name:
                continue
            yield Issue(
                path=("indexes", name, "packages", number),
                message=f"comes from {format_path(('indexes', first))} already",
                hint="a name comes from one index: take it out of the other",
            )


def _provided_by_mistake(data: Mapping[str, Any]) -> Iterator[Issue]:
    """Packages of which a target says how they come there, and that are in the wheelhouse."""
    bypassing = {
        canonicalize_name(name)
        for name in _table(data, "packages")
        if _table(data, "packages", name).get("bypass") is True
    }
    for target in _table(data, "targets"):
        for name in _table(data, "targets", target, "provided"):
            if canonicalize_name(name) not in bypassing:
                yield Issue(
                    path=("targets", target, "provided", name),
                    message="is in the wheelhouse like the others, so nothing else has to bring it",
                    hint=f"say bypass = true under {_header('packages', name)}, or leave this out",
                )


def _torch_of_another_cuda(data: Mapping[str, Any]) -> Iterator[Issue]:
    """Targets whose PyTorch is to be made for another major version of CUDA than all the rest."""
    if any(
        canonicalize_name(name) == "torch" and _table(data, "packages", name).get("cuda") is False
        for name in _table(data, "packages")
    ):
        return  # it may differ, the user says
    for target in _table(data, "targets"):
        table = _table(data, "targets", target)
        cuda, backend = str(table.get("cuda")), str(table.get("torch-backend"))
        major, match = cuda.partition(".")[0], re.fullmatch("cu([0-9]+)([0-9])", backend)
        if not match or not re.fullmatch(r"[0-9]+\.[0-9]+", cuda) or match[1] == major:
            continue
        known = [each for each in backends() if re.fullmatch(f"cu{major}[0-9]", each)]
        other = f"write {' or '.join(map(quoted, known))}; or " if known else ""
        yield Issue(
            path=("targets", target, "torch-backend"),
            message=f"{quoted(backend)} is for CUDA {match[1]}.{match[2]}, and everything else of "
            f"{target} for CUDA {cuda}",
            hint=f'{other}cuda = "{match[1]}.{match[2]}"',
        )


def _header(*path: str) -> str:
    return f"[{format_path(path)}]"


def _table(data: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The table at *path*; empty if there is none."""
    found: object = data
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _list(table: Mapping[str, Any], key: str) -> list[object]:
    values = table.get(key)
    return values if isinstance(values, list) else []
