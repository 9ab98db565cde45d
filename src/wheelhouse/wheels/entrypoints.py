"""entry_points.txt: the programs that an installer will write for a wheel.

Installers make a file of each name under ``console_scripts`` and ``gui_scripts``, and put what the
name stands for into its code. So both are held to what they can be: a file's name, and an object.
Other groups are of no concern: what they mean is up to who reads them.

Pure. Specification: "Entry points specification" of the Python Packaging User Guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUPS = frozenset({"console_scripts", "gui_scripts"})

_HEADING = re.compile(r"\[([^\[\]]+)\]")
#: What ends a line for some readers, and not for others.
_ODD_ENDS = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]|\r(?!\n)")
_OBJECT = re.compile(r"[\w.]+ *: *[\w.]+ *(?:\[[\w\s,.-]*\])?")


def script_problems(data: bytes) -> list[str]:
    """What is wrong with the scripts of an entry_points.txt with the content *data*."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return ["entry_points.txt is not UTF-8"]
    if _ODD_ENDS.search(text):
        return ["entry_points.txt has lines that not every tool ends at the same place"]
    problems: list[str] = []
    seen: set[str] = set()
    for group, line in _lines(text):
        if group is None:
            problems.append(f"entry_points.txt: {line!r} is in no group")
        elif group in GROUPS:
            name, equals, value = (part.strip() for part in line.partition("="))
            problem = _problem(name, value) if equals else "is no entry"
            if name in seen:
                problem = "is there twice"
            seen.add(name)
            if problem:
                problems.append(f"entry_points.txt, script {name!r}: {problem}")
    return problems


def _lines(text: str) -> Iterator[tuple[str | None, str]]:
    """Each line that says something, with the group it is in."""
    group = None
    for each in text.split("\n"):
        line = each.strip()
        if not line or line.startswith(("#", ";")):
            continue
        heading = _HEADING.fullmatch(line)
        if heading:
            group = heading[1].strip()
        else:
            yield group, line


def _problem(name: str, value: str) -> str | None:
    if not name.isprintable() or "/" in name or "\\" in name or name in ("", ".", ".."):
        return "its name is not that of a file"
    if not _OBJECT.fullmatch(value):
        return f"{value!r} is no object of a module"
    return None
