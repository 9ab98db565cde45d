"""RECORD: what a wheel says about its own files, and whether it is true.

Pure. Specification: "Recording installed projects" and "Binary distribution format" of the
Python Packaging User Guide.
"""

from __future__ import annotations

import base64
import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: "The hash algorithm must be sha256 or better; specifically, md5 and sha1 are not permitted."
#: With the bytes of a digest of each.
ALGORITHMS = {"sha256": 32, "sha384": 48, "sha512": 64}

_LONGEST_LINE = 1 << 16
_SIZE = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What RECORD says of one file; the algorithm, digest and size may each be left out."""

    algorithm: str | None
    digest: bytes | None
    size: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a file really is."""

    algorithm: str
    digest: bytes
    size: int


def parse_record(text: str, *, max_lines: int) -> tuple[dict[str, Line], list[str]]:
    """The lines of a RECORD by path, and what is wrong with it."""
    if text.count("\n") > max_lines:
        return {}, [f"RECORD has more than {max_lines} lines"]
    if len(max(text.split("\n"), key=len)) > _LONGEST_LINE:
        return {}, [f"RECORD has a line of more than {_LONGEST_LINE} characters"]
    lines: dict[str, Line] = {}
    problems: list[str] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            if not row:
                continue
            line = _line(row)
            if isinstance(line, str):
                problems.append(f"RECORD, {row[0]!r}: {line}")
            elif row[0] in lines:
                problems.append(f"RECORD, {row[0]!r}: listed twice")
            else:
                lines[row[0]] = line
    except csv.Error as error:
        return {}, [f"RECORD is not CSV: {error}"]
    return lines, problems


def compare(
    record: Mapping[str, Line], contents: Mapping[str, Content], *, unlisted: Collection[str]
) -> list[str]:
    """All differences between *record* and the *contents* of the archive, by path.

    :param unlisted: paths that need no hash: RECORD itself and its signatures.
    """
    problems = [
        f"RECORD lists {path!r}, which is not in the archive"
        for path in record
        if path not in contents and path not in unlisted
    ]
    for path, content in contents.items():
        line = record.get(path)
        if line is None:
            if path not in unlisted:
                problems.append(f"{path!r} is in the archive, but not in RECORD")
            continue
        problem = _difference(line, content, needs_hash=path not in unlisted)
        if problem:
            problems.append(f"{path!r} {problem}")
    return problems


def _line(row: list[str]) -> Line | str:
    if len(row) != 3:
        return f"{len(row)} columns instead of 3"
    _, hashed, size = row
    if size and not _SIZE.fullmatch(size):
        return f"{size!r} is not a size"
    if not hashed:
        return Line(algorithm=None, digest=None, size=int(size) if size else None)
    algorithm, _, encoded = hashed.partition("=")
    if algorithm not in ALGORITHMS:
        return f"{algorithm!r} is not a hash that protects it (sha256 or better)"
    digest = _digest(encoded, ALGORITHMS[algorithm])
    if digest is None:
        return f"{hashed!r} is not a hash"
    return Line(algorithm=algorithm, digest=digest, size=int(size) if size else None)


def _digest(encoded: str, length: int) -> bytes | None:
    """The digest of *length* bytes that *encoded* is: in base64 without padding, as it must be.

    Some published wheels have it in hexadecimal instead, and no installer minds: gmsh. That has
    another length, so it cannot be mistaken.
    """
    try:
        if len(encoded) == 2 * length:
            return bytes.fromhex(encoded)
        digest = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        return None
    same = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == encoded
    return digest if same and len(digest) == length else None


def _difference(line: Line, content: Content, *, needs_hash: bool) -> str | None:
    if line.size is not None and line.size != content.size:
        return f"has {content.size} bytes; RECORD says {line.size}"
    if line.digest is None:
        return "has no hash in RECORD" if needs_hash else None
    if (line.algorithm, line.digest) != (content.algorithm, content.digest):
        return f"does not have the {line.algorithm} that RECORD says"
    return None
