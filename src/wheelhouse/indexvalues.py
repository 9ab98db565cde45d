"""What may be said of indexes: addresses, names, patterns. See :mod:`wheelhouse.filevalues`."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, WithJsonSchema

from wheelhouse.filevalues import Refusal, path_text
from wheelhouse.settings import DEFAULT_INDEX
from wheelhouse.wording import has_control, quoted

INDEX_NAME: Final = "^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$"
PROJECT_PATTERN: Final = r"^[A-Za-z0-9*]([A-Za-z0-9._*-]*[A-Za-z0-9*])?$"


def _index(value: str) -> str:
    """An index's address, or the name of one of [indexes]; whether there is one is asked later."""
    if re.fullmatch(INDEX_NAME, value):
        return value
    text = "must be the http or https URL of a package index, or the name of one"
    return _url(value, text).rstrip("/")


def _location(value: str) -> str:
    if not value.startswith("file:"):
        return _url(value, "must be the http, https or file URL of a package index").rstrip("/")
    parts = urlsplit(value)
    if parts.netloc or not parts.path.startswith("/"):
        raise Refusal("has no full path in it", hint=_MIRROR_HINT)
    if parts.query or parts.fragment or has_control(unquote(value)) or " " in value:
        raise Refusal(
            f"{quoted(value)} has characters that a URL must not have, or has percent-encoded",
            hint="write a space as %20, ? as %3F and # as %23",
        )
    return value.rstrip("/")


_MIRROR_HINT = "write it with three slashes: file:///srv/mirror/simple"


def _links(value: str) -> str:
    """A folder's path, or a page's address."""
    if value.startswith("file:"):
        raise Refusal(f"{quoted(value)} is a URL", hint="write the folder's path alone")
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value):
        return path_text(value)
    return _url(value, "must be a folder's path, or the http or https URL of a page", _PAGE_HINT)


_PAGE_HINT = "write the address of a page with links to wheels and sdists, or the path of a folder"


def _index_name(value: str) -> str:
    if value.lower() == DEFAULT_INDEX:
        raise Refusal(
            "is what packages call the index that `index` says",
            hint='choose another name, such as corp, and say index = "corp" at the top if '
            "everything is to come from there",
        )
    if not re.fullmatch(INDEX_NAME, value) or len(value) > 64:
        raise Refusal(
            "the name of an index begins and ends with a letter or digit, and has only letters, "
            "digits, - and _, at most 64",
            hint="it becomes part of the names of environment variables",
        )
    return value


def _known_index(value: str) -> str:
    """The name of an index, as others say it; whether there is one is asked later."""
    if not re.fullmatch(INDEX_NAME, value):
        raise Refusal(
            "must be the name of an index",  # it may be an address with a password
            hint="declare the index in a table of its own, such as [indexes.corp] with its url, "
            "and write its name here",
        )
    return value


def normal(pattern: str) -> str:
    """*pattern* as names are normalised."""
    return re.sub(r"[-_.]+", "-", pattern).lower()


def _pattern(value: str) -> str:
    if not re.fullmatch(PROJECT_PATTERN, value):
        raise Refusal(
            f"{quoted(value)} is no name of a project, nor a pattern of names",
            hint='write a name such as "acme", or one with * for any part of it, such as "corp-*"',
        )
    return normal(value)


def _url(value: str, expected: str, hint: str | None = None) -> str:
    """*value*, which is *expected* to be an http or https URL without anything secret."""
    hint = hint or _INDEX_HINT
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  (raises where it is no number)
    except ValueError:
        raise Refusal("is not a valid URL", hint=hint) from None
    if "@" in parts.netloc:
        raise Refusal(
            "has a user name or a password in it",
            hint="take them out, and put them in your netrc file (~/.netrc, or the file that "
            "NETRC names), a keyring, or the environment",
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Refusal(expected, hint=hint)
    if parts.query or parts.fragment:
        raise Refusal('must not have a "?" or "#" part', hint=hint)
    if has_control(value) or " " in value:
        raise Refusal("has a space or a control character in it", hint=hint)
    return value


_INDEX_HINT = "write the address of its simple API, such as https://pypi.org/simple"


IndexPlace = Annotated[
    str,
    AfterValidator(_index),
    WithJsonSchema({"type": "string", "pattern": f"{INDEX_NAME}|^https?://[^@?# ]+$"}),
]
IndexLocation = Annotated[
    str,
    AfterValidator(_location),
    WithJsonSchema({"type": "string", "pattern": "^https?://[^@?# ]+$|^file:///[^?# ]*$"}),
]
IndexName = Annotated[
    str, AfterValidator(_index_name), WithJsonSchema({"type": "string", "pattern": INDEX_NAME})
]
FindLinks = Annotated[
    str,
    AfterValidator(_links),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^https?://[^@?# ]+$|^(?!~|file:|[A-Za-z][A-Za-z0-9+.-]*://).",
        }
    ),
]
KnownIndex = Annotated[
    str, AfterValidator(_known_index), WithJsonSchema({"type": "string", "pattern": INDEX_NAME})
]
ProjectPattern = Annotated[
    str, AfterValidator(_pattern), WithJsonSchema({"type": "string", "pattern": PROJECT_PATTERN})
]
