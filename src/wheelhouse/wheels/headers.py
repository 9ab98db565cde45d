"""The fields of METADATA, PKG-INFO and WHEEL, read in the one way that every tool reads them.

These files have the form of an e-mail's header. Tools disagree about one that is not well-formed:
where a line is no field, some take the rest for text and others go on; some end lines at a bare
carriage return. So such a file is refused. What is read is bounded as well, because the parser of
the standard library takes quadratic time for very many fields, and follows the parts of e-mails
within e-mails.

Pure. Specification: "Core metadata specifications" of the Python Packaging User Guide.
"""

from __future__ import annotations

import re
from email.parser import HeaderParser
from email.policy import compat32
from typing import TYPE_CHECKING

from packaging.metadata import parse_email

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.metadata import RawMetadata

#: Bytes of the fields of one file, those of one line, and the number of fields; the text after
#: them does not count.
MAX_BYTES = 1 << 20
MAX_LINE = 1 << 16
MAX_FIELDS = 4096

_END = re.compile(rb"(?:\A|\r?\n)\r?\n")
_FIELD = re.compile(rb"^[^ \t\r\n]", re.MULTILINE)
_BARE_RETURN = re.compile(rb"\r(?!\n)")

#: What decides what is installed, by the names that `packaging` gives them.
_DECISIVE = ("name", "version", "requires-dist", "requires-python", "provides-extra", "dynamic")


class HeaderProblem(ValueError):  # noqa: N818  (told as one problem of the file it was found in)
    """There is more than one way to read it, or it is too large; the message says how."""


def fields_of(data: bytes) -> bytes:
    """The part of *data* that has the fields, its text left out.

    :raises HeaderProblem: it is too large, or not well-formed.
    """
    end = _END.search(data)
    head = data[: end.start()] if end else data
    if len(head) > MAX_BYTES:
        raise HeaderProblem(f"its fields have {len(head)} bytes; at most {MAX_BYTES} are read")
    if len(max(head.split(b"\n"), key=len)) > MAX_LINE:
        raise HeaderProblem(f"it has a line of more than {MAX_LINE} bytes")
    if sum(1 for _ in _FIELD.finditer(head)) > MAX_FIELDS:
        raise HeaderProblem(f"it has more than {MAX_FIELDS} fields")
    if _BARE_RETURN.search(head) or b"\0" in head:
        raise HeaderProblem("its fields have a carriage return or a NUL within a line")
    return head.rstrip(b"\r\n") + b"\n"


def read_fields(data: bytes) -> Mapping[str, list[str]]:
    """All fields of *data* by their names in lower case, each with its values in order.

    :raises HeaderProblem: it is too large, not well-formed, or not UTF-8.
    """
    head = fields_of(data)
    try:
        message = HeaderParser(policy=compat32).parsestr(head.decode("utf-8"))
    except UnicodeDecodeError:
        raise HeaderProblem("it is not UTF-8") from None
    if message.defects or str(message.get_payload()).strip():
        raise HeaderProblem("a line of it is no field")
    found: dict[str, list[str]] = {}
    for name, value in message.items():
        found.setdefault(name.lower(), []).append(str(value).strip())
    return found


def read_metadata(data: bytes) -> RawMetadata:
    """The fields of METADATA or PKG-INFO, as `packaging` has them.

    What does not decide anything may be in another encoding, as an author's name in old files.

    :raises HeaderProblem: it is too large or not well-formed, or what decides what is installed
        is there twice or not UTF-8.
    """
    head = fields_of(data)
    message = HeaderParser(policy=compat32).parsestr(head.decode("utf-8", "surrogateescape"))
    if message.defects or str(message.get_payload()).strip():
        raise HeaderProblem("a line of it is no field")
    raw, unread = parse_email(head)
    if "name" not in raw or "version" not in raw:
        raise HeaderProblem("it has no single Name and Version")
    if lost := [name for name in _DECISIVE if name in unread]:
        raise HeaderProblem(f"it has no single, readable {lost[0].title()}")
    return raw
