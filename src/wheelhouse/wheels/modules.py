"""Which modules a wheel's files can be imported as.

Pure: names in, names out; nothing is imported. A name is given only where Python's own finders
would find it, so that the proof in a container can import every one of them.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: ``NAME[.cpython-312-x86_64-linux-gnu | .abi3 | .abi3t | .cp312-…].so``, as CPython names them.
_EXTENSION = re.compile(r"(?P<stem>[^./]+)(?P<flavour>\.[A-Za-z0-9_-]+)?\.so\Z")

Tree = dict[str, "Tree"]
_IS_MODULE = ""


def extension_stem(path: str) -> str | None:
    """The module name that an extension module at *path* would have, without its packages.

    Not always an identifier: mypyc's shared modules begin with a hash.
    """
    match = _EXTENSION.search(path)
    if match is None:
        return None
    folder = path[: match.start()]
    return match["stem"] if folder.endswith("/") or not folder else None


def extension_flavour(path: str) -> str:
    """What stands between an extension's name and ``.so``: ``cpython-312-x86_64-linux-gnu``."""
    match = _EXTENSION.search(path)
    return (match["flavour"] or "").lstrip(".") if match else ""


def importable_modules(paths: Iterable[str], extensions: Iterable[str]) -> tuple[str, ...]:
    """The outermost importable names among *paths*, sorted.

    A package counts as a whole (``yaml``). A folder without ``__init__`` is a namespace that
    others may share, so what lies in it is named (``google.protobuf``).

    :param paths: installed files, relative to site-packages.
    :param extensions: those of them that are extension modules.
    """
    tree: Tree = {}
    for path in (*(path for path in paths if path.endswith(".py")), *extensions):
        parts = _parts(path)
        if parts is None:
            continue
        node = tree
        for part in parts:
            node = node.setdefault(part, {})
        node[_IS_MODULE] = {}
    return tuple(sorted(_outermost(tree, "")))


def _parts(path: str) -> list[str] | None:
    *folders, file = path.split("/")
    name = file[:-3] if file.endswith(".py") else extension_stem(path)
    if name is None or not all(map(_is_name, (*folders, name))):
        return None
    return [*folders, name]


def _outermost(tree: Tree, prefix: str) -> Iterable[str]:
    for name, below in tree.items():
        if _is_dunder(name):
            continue
        if _IS_MODULE in below or "__init__" in below:
            yield prefix + name
        else:
            yield from _outermost(below, f"{prefix}{name}.")


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
