"""Words for messages about a user's input: quoting it safely, and guessing what was meant.

Nothing from a user's file reaches a terminal except through :func:`quoted` or
:func:`printable`.
"""

from __future__ import annotations

from pathlib import Path

from wheelhouse.text import neutralize


def quoted(text: str) -> str:
    """*text* for a message: in double quotes, control characters escaped, cut at 60."""
    cut = text if len(text) <= 60 else text[:57] + "..."
    return '"' + printable(cut) + '"'


def printable(text: str) -> str:
    """*text* with what a terminal must not be sent as escapes, and no command to a CI system."""
    return neutralize(
        "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
            for char in text
        )
    )


def nearest(name: str, names: list[str]) -> str | None:
    """The one of *names* that *name* was most likely meant to be."""
    from difflib import get_close_matches

    lower = {known.lower(): known for known in names}
    close = get_close_matches(name.lower().replace("_", "-"), lower, n=1)
    return lower[close[0]] if close else None


def did_you_mean(name: str, names: list[str]) -> str:
    """A clause to append to a message; empty where nothing is near."""
    near = nearest(name, names)
    return f'; did you mean "{near}"?' if near else ""


def listed(names: list[str]) -> str:
    """*names* as one says them: ``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def type_name(value: object) -> str:
    """What TOML calls the type of *value*, with its article."""
    names = {bool: "a boolean", int: "an integer", float: "a float", str: "a string"}
    names |= {list: "a list", dict: "a table"}
    return names.get(type(value), "a date or time")


def in_quotes(value: object) -> str | None:
    """How to write a bare value as a string. A float is left out: 3.10 has become 3.1 by now."""
    if isinstance(value, bool):
        return f'write it in quotes: "{str(value).lower()}", or whatever its reader expects'
    if isinstance(value, int) and value.bit_length() <= 64:
        return f'write it in quotes: "{value}"'
    return "write it in quotes"


def has_control(text: str) -> bool:
    """Whether *text* has control characters, or bytes that are not text."""
    return any(
        ord(char) < 32 or 127 <= ord(char) < 160 or "\ud800" <= char < "\ue000" for char in text
    )


def shown_path(path: Path) -> str:
    """*path* for a message: relative where it is below the current folder, and printable."""
    try:
        below = str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        below = str(path)
    return printable(str(path) if below == "." else below)
