"""Small random changes to texts that programs read, the same for the same seed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

#: What readers stumble over.
_PIECES = (
    *(
        b"\0",
        b"\x1b[31m",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\r",
        b"\x85",
        "\u2028".encode(),
        b"\xed\xa0\x80",
    ),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b"'",
        b'"""',
        b"=",
        b"==",
        b"#",
        b";",
        b"@",
        b",",
        b"\\",
        b"${A}",
    ),
    *(b"../../", b"/etc/passwd", b"file:///", b"git+https://", b"https://u:p@[::1", b"-r ", b"-e "),
    *(b"9" * 5000, b"[" * 3000, b"(" * 3000, b"-" * 300, b"a" * 70_000, b"1e999", b"-0", b"nan"),
    *(
        b"[[a]]\n",
        b"a.b.c = 1\n",
        b"; python_version < '3'",
        b"; extra == 'x'",
        b"::set-env name=a::b",
    ),
)

#: Values of other types than are wanted, as TOML and JSON have them.
_VALUES = (
    *(b"5", b"-1", b"1.5", b"true", b"null", b"[]", b"{}", b"[[]]", b'""', b'"*"', b'"\\u0000"'),
    *(b"[5]", b'[""]', b'{"a": 1}', b"{a = 1}", b"1979-05-27", b"1979-05-27T07:32:00Z", b"9" * 30),
    *(
        b'"../.."',
        b'"sha256:zz"',
        b'"%s"' % (b"x" * 300),
        b'"==1"',
        b'"1.0.0.0.0+a.b"',
        b'"python_version"',
    ),
)

_VALUE = re.compile(rb"\"(?:[^\"\\\n]|\\.)*\"|\b\d+(?:\.\d+)?\b|\btrue\b|\bfalse\b|\[\]|\{\}")


def mutated(content: bytes, chance: random.Random) -> bytes:
    """*content* after one to three changes."""
    for _ in range(chance.randint(1, 3)):
        content = chance.choice(_WAYS)(content, chance)
    return content


def _flip(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) or 1)
    return content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]


def _cut(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) or 1)
    return content[:at] + content[at + chance.choice((1, 5, 50, 500, 50_000)) :]


def _put(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.choice(_PIECES) + content[at:]


def _other_value(content: bytes, chance: random.Random) -> bytes:
    found = list(_VALUE.finditer(content))
    if not found:
        return content
    match = chance.choice(found)
    value = chance.choice((*_VALUES, chance.choice(found)[0]))
    return content[: match.start()] + value + content[match.end() :]


def _other_line(content: bytes, chance: random.Random) -> bytes:
    """A line left out, given twice, or moved."""
    lines = content.split(b"\n")
    line = lines.pop(chance.randrange(len(lines)))
    for _ in range(chance.randrange(3)):
        lines.insert(chance.randrange(len(lines) + 1), line)
    return b"\n".join(lines)


#: What changes types and lines gets further into a reader than broken bytes do.
_WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_flip, _cut, _put),
    *(_other_value, _other_value, _other_value, _other_line, _other_line),
)
