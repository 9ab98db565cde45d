"""Poetry's version constraints: ``^1.2``, ``~1.2``, ``>=3.8,<4``, ``1.*``, ``<2 || >=3``. Pure.

Spec: https://python-poetry.org/docs/dependency-specification/#version-constraints. What PEP 440
has, too, `packaging` decides.
"""

from __future__ import annotations

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

_CONDITION = re.compile(
    r"""\s* (?P<operator> \^ | ~=? | != | >=? | <=? | ={0,2} ) \s*
        (?P<version> [^\s,^~<>=!*]+? (?:\.\*)? | \* ) \s* (?:,\s*|(?=\s|[\^~<>=!])|$)""",
    re.VERBOSE,
)


class InvalidConstraint(ValueError):  # noqa: N818  (named as packaging names its own)
    """A text is no version constraint of Poetry's."""


def allows(constraint: str, version: Version) -> bool:
    """Whether *constraint* allows *version*, be it a pre-release or not.

    :raises InvalidConstraint: it cannot be read.
    """
    return any(
        _specifiers(alternative).contains(version, prereleases=True)
        for alternative in re.split(r"\s*\|\|?\s*", constraint.strip())
    )


def _specifiers(text: str) -> SpecifierSet:
    """What PEP 440 calls the conditions in *text*, all of which have to hold."""
    conditions: list[str] = []
    position = 0
    while position < len(text):
        match = _CONDITION.match(text, position)
        if match is None or match.end() == position:
            raise InvalidConstraint(text)
        conditions += _condition(match["operator"], match["version"])
        position = match.end()
    try:
        return SpecifierSet(",".join(conditions))
    except InvalidSpecifier:
        raise InvalidConstraint(text) from None


def _condition(operator: str, version: str) -> list[str]:
    if version == "*":
        return []
    if operator in ("^", "~"):
        return [f">={version}", f"<{_next(operator, version)}"]
    return [f"{'==' if operator in ('', '=') else operator}{version}"]


def _next(operator: str, text: str) -> str:
    """The first release that ``^`` or ``~`` before the version *text* does not allow."""
    try:
        version = Version(text)
    except InvalidVersion:
        raise InvalidConstraint(text) from None
    release = version.release
    if operator == "~":
        place = min(1, len(release) - 1)
    else:  # the first number that is not zero, or the last
        place = next((n for n, part in enumerate(release) if part), len(release) - 1)
    parts = [*release[:place], release[place] + 1]
    return (f"{version.epoch}!" if version.epoch else "") + ".".join(map(str, parts)) + ".dev0"
