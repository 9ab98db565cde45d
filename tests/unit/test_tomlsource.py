"""The lines of keys in TOML documents."""

from __future__ import annotations

import random
import tomllib
from typing import Any

import pytest

from wheelhouse.tomlsource import KeyPath, Repeated, read_key_lines

# Each value is unique and says its own line, so that the document is its own expectation.
DOCUMENT = '''\
# a comment
first = 2
"quoted key" = 3
'lit.eral' = 4
"esc\\u00e9\\"d" = 5
dotted.a = 6
dotted . "b c" . 'd' = 7
1979-05-27 = 8
3.14 = 9
text = """
inner = 99
"""
after = 13
inline = { x = 14, y.z = 14, deep = [{ k = 14 }, { k = 14 }] }
numbers = [ # comment
  16,

  # another = 1
  19, 19,
  [20,
   21],
  { n = 22 },
]
empty = {}

[table]  # comment
key = 27

[ spaced . "out" ]
key = 30

[table.sub.subsub]
key = 33

[table.sub]
key = 36

[[array]]
n = 39
[array.own]
n = 41
[[array.nested]]
n = 43
[[array.nested]]
n = 45

[[array]]
n = 48
[array.own]
n = 50
[[array.nested]]
n = 52
[[array.nested]]
n = 54
[array.nested.last]
n = 56

["unicode-ключ"]
naïve = 59
'''
DOCUMENT = DOCUMENT.replace("naïve", '"naïve"')


def leaves(value: Any, path: KeyPath = ()) -> list[tuple[KeyPath, Any]]:
    """Each number in *value* with its path."""
    if isinstance(value, dict):
        return [leaf for key, each in value.items() for leaf in leaves(each, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, each in enumerate(value) for leaf in leaves(each, (*path, index))]
    return [(path, value)]


LEAVES = [(path, line) for path, line in leaves(tomllib.loads(DOCUMENT)) if isinstance(line, int)]


@pytest.mark.parametrize(("path", "line"), LEAVES, ids=[repr(path) for path, _ in LEAVES])
def test_every_value_has_its_line(path: KeyPath, line: int) -> None:
    assert read_key_lines(DOCUMENT).line(path) == line


def test_every_value_has_its_line_with_windows_line_ends() -> None:
    lines = read_key_lines(DOCUMENT.replace("\n", "\r\n"))
    assert [lines.line(path) for path, _ in LEAVES] == [line for _, line in LEAVES]


def test_every_prefix_of_a_path_is_known() -> None:
    lines = read_key_lines(DOCUMENT).lines
    for path, _ in LEAVES:
        for length in range(1, len(path) + 1):
            assert path[:length] in lines


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("table",), 26),
        (("table", "sub"), 35),  # its own header, not the mention of its child above
        (("table", "sub", "subsub"), 32),
        (("spaced",), 29),
        (("array",), 38),
        (("array", 0), 38),
        (("array", 1), 47),
        (("array", 1, "nested", 1), 53),
        (("array", 1, "nested", 1, "last"), 55),
        (("numbers",), 15),
        (("numbers", 3, 1), 21),
        (("text",), 10),
        (("empty",), 24),
        (("dotted",), 6),
        # What is not there: the nearest part that is.
        (("table", "sub", "missing", "deeper"), 35),
        (("numbers", 99), 15),
        (("array", 7, "n"), 38),
        (("missing",), 1),
        ((), 1),
    ],
)
def test_tables_and_missing_keys(path: KeyPath, line: int) -> None:
    assert read_key_lines(DOCUMENT).line(path) == line


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("a = 1\nb = 2\na = 3\n", [(("a",), 3, 1)]),
        ("a.b = 1\na.c = 2\na.b = 3\n", [(("a", "b"), 3, 1)]),
        ('a = 1\n"a" = 2\n', [(("a",), 2, 1)]),
        ("[t]\nx = 1\n[u]\n[t]\ny = 1\n", [(("t",), 4, 1)]),
        ("[t]\nx = 1\nx = 2\nx = 3\n", [(("t", "x"), 3, 2), (("t", "x"), 4, 2)]),
        ("t = { x = 1, x = 2 }\n", [(("t", "x"), 1, 1)]),
        ("t = 1\n[t]\n", [(("t",), 2, 1)]),
        ("[[t]]\nx = 1\n[t.s]\n[[t]]\nx = 2\n[t.s]\n", []),
        ("[t.s]\n[t]\n", []),
        (DOCUMENT, []),
    ],
)
def test_keys_given_twice(text: str, repeated: list[tuple[KeyPath, int, int]]) -> None:
    expected = tuple(Repeated(path=path, line=line, first=first) for path, line, first in repeated)
    assert read_key_lines(text).repeated == expected


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only", "= 1", "[", "[[", "a = {", '"\\x" = 1', "é"]
)
def test_broken_or_empty_documents_do_not_raise(text: str) -> None:
    assert read_key_lines(text).line(("a", 0, "b")) >= 1


def test_damaged_documents_do_not_raise() -> None:
    chance = random.Random(1)
    for _ in range(100):
        start = chance.randrange(len(DOCUMENT))
        text = DOCUMENT[:start] + chance.choice("[]{}=.\"'\n#é\0") + DOCUMENT[start + 1 :]
        assert read_key_lines(text).line(("array", 1, "n")) <= text.count("\n") + 1


def test_deep_nesting_as_far_as_it_parses() -> None:
    text = "a = " + "[" * 200 + "]" * 200
    tomllib.loads(text)
    assert read_key_lines(text).line(("a", *([0] * 199))) == 1
