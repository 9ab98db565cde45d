"""One requirement, or one index, as people write it down. What is wrong is an :class:`Unusable`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelhouse.inputs.addresses import (
    Address,
    Unusable,
    found_path,
    is_address,
    is_path,
    read_address,
    without_credentials,
)
from wheelhouse.inputs.model import IndexOption
from wheelhouse.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_NAMED = re.compile(r"[A-Za-z0-9][\w.-]*\s*(\[[^\]]*\]\s*)?@")
_EXTRAS = re.compile(r"\[[^\[\]]*\]$")
_MARKER_HINT = "a marker follows a semicolon: `; python_version < '3.12'`"


def read_requirement(
    text: str, folders: Sequence[Path], root: Path, *, editable: bool = False, quotable: bool = True
) -> tuple[Requirement, Address | None]:
    """The requirement *text*, without its address; and that, if there is one in it.

    :param folders: where relative paths may begin.
    :param editable: it is that of ``-e``.
    :param quotable: whether it is as it is written, without the values of variables.
    :raises Unusable: it is none.
    """
    if (place := _place_in(text, editable=editable)) is not None:
        address, marker = place
        found = read_address(address, folders, root)
        return _requirement(found.name, found.extras, marker), found
    return read_specifier(text, folders, root, quotable=quotable)


def read_specifier(
    text: str, folders: Sequence[Path], root: Path, *, quotable: bool = True
) -> tuple[Requirement, Address | None]:
    """The same of a dependency specifier (PEP 508), which begins with a name."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise Unusable(*_unreadable(text, error, quotable=quotable)) from None
    if requirement.url is None:
        return requirement, None
    found = read_address(requirement.url, folders, root)
    if found.named and canonicalize_name(found.name) != canonicalize_name(requirement.name):
        raise Unusable(f"has the address of another project, {found.name}", "correct one of them")
    extras = found.extras.union(requirement.extras)
    named = replace(found, name=requirement.name, named=True)
    return _requirement(requirement.name, extras, str(requirement.marker or "")), named


def _place_in(text: str, *, editable: bool) -> tuple[str, str] | None:
    """The address or path that *text* begins with, and the marker behind it."""
    if is_address(text):
        address, *marker = re.split(r"\s;|;\s", text, maxsplit=1)
    elif _NAMED.match(text):
        return None
    else:
        address, *marker = text.split(";", 1)
        if not editable and not is_path(_EXTRAS.sub("", address.strip())):
            return None
    return address.strip(), "".join(marker).strip()


def _requirement(name: str, extras: Iterable[str], marker: str) -> Requirement:
    brackets = f"[{','.join(sorted(extras))}]" if extras else ""
    try:
        return Requirement(f"{name}{brackets}" + (f" ; {marker}" if marker else ""))
    except InvalidRequirement:
        raise Unusable("has a marker that cannot be read", _MARKER_HINT) from None


def _unreadable(text: str, error: Exception, *, quotable: bool) -> tuple[str, str | None]:
    """What is wrong with *text*, and the next step."""
    why = str(error).partition("\n")[0]
    told = quotable and why and "@" not in text and "://" not in text
    message = "cannot be read" + (f": {printable(why[:1].lower() + why[1:])}" if told else "")
    if reversed_operator := re.search(r"=[<>]", text.partition(";")[0]):
        return message, f"write {reversed_operator[0][::-1]} for {reversed_operator[0]}"
    if re.fullmatch(r"[\w.\-\[\], ]+=[^=]+", text.partition(";")[0]):
        return message, "a version is pinned by two equals signs: demo==1.0"
    return message, None


def index_option(
    kind: Literal["index-url", "extra-index-url", "find-links"],
    place: str,
    origin: str,
    folders: Sequence[Path],
) -> IndexOption:
    """An index at *place*, a URL, or a path that may begin at one of *folders*.

    :raises Unusable: it is neither, or not there.
    """
    if is_address(place) and not place.lower().startswith("file:"):
        url, credentials = without_credentials(place)
        return IndexOption(kind=kind, origin=origin, url=url, credentials=credentials)
    path = unquote(urlsplit(place).path) if is_address(place) else place
    return IndexOption(kind=kind, origin=origin, url=found_path(path, folders).as_uri())
