"""What a build's own words may mean to be missing. Pure.

Whoever wrote a `setup.py` says what it did not find in a sentence of their own. What follows a word
such as *requires*, or comes before one such as *not found*, may be called as a library is, and then
the distribution has a file of that very name. So these are only asked for, and mean nothing where
nobody has them.
"""

from __future__ import annotations

import re

from wheelhouse.missing import Missing

_NAME = r"['\"`<]?([A-Za-z][\w+.-]{2,40})"

_BEFORE = re.compile(
    r"(?i)\b(?:requires?|needs?|install|missing|lacks?|locate|find|found no|without)"
    rf" (?:the |a |an |that |for )?{_NAME}"
)
_AFTER = re.compile(
    rf"(?i)(?<![\w.-]){_NAME}['\"`>]? "
    r"(?:(?:library|libraries|headers?|development|dev|package|files?|and|is|are|was|were|not|could"
    r"|cannot|be) ){0,4}(?:required|needed|missing|found|installed)"
)

#: Words of such sentences that are called as libraries are, or as what is there anyway.
_WORDS = frozenset(
    """
    all and any are build cmake compiler correct could dependencies dependency development dist
    error file files following for from gcc git header headers include install installed latest
    least libraries library make meson module modules must newer not package packages path pip
    pkg-config pkgconfig please program programs pyproject python python3 required requirement
    requirements server setup setuptools some source suitable support system that the these this
    tool tools valid version versions with you your
    """.split()  # noqa: SIM905  (one could not see the words for the quotes)
)

#: Names that are asked for at most.
MOST = 6


def guesses(text: str) -> tuple[Missing, ...]:
    """What *text*, a few lines of a log, may mean."""
    found: dict[str, None] = {}
    for pattern in (_BEFORE, _AFTER):
        for match in pattern.finditer(text[:4000]):
            name = match.group(1).rstrip(".-")
            if name.lower() not in _WORDS and not name.endswith((".py", ".c", ".h")):
                found[name] = None
    return tuple(
        missing
        for name in list(found)[:MOST]
        for missing in (
            Missing("pkg-config", name),
            Missing("library", name.removeprefix("lib")),
        )
    )
