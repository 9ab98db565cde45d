"""Group 26: faults of `wheelhouse.toml`, all told at once, with lines and the nearest names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from faults.case import Case
from faults.world import refused

if TYPE_CHECKING:
    from faults.world import Finished, World

TARGET = '[targets.d12]\nplatform = "debian12"\npython = "3.11"\n'

#: Twenty faults, each in a line of its own, with words of its message.
FAULTS = {
    'jobs = "two"': "jobs: must be an integer, not a string",
    'indx = "x"': 'indx: unknown key; did you mean "index"?',
    "output = 7": "output: must be a string, not an integer",
    'exclude-newer = "soon"': "exclude-newer:",
    "[targets.a]": None,
    'platfrom = "debian12"': 'targets.a.platfrom: unknown key; did you mean "platform"?',
    "python = 3.11": "targets.a.python: must be a string, not a float",
    "[targets.b]": None,
    'platform = "debain12"': 'targets.b.platform: unknown platform "debain12"; did you mean',
    'python = "3.11"': None,
    "[targets.c]": None,
    'platform = "debian13" ': None,
    'python = "2.7"': 'targets.c.python: "2.7" is not a Python version',
    '[targets."x y"]': "a target's name begins with a letter or digit",
    'platform = "debian11"': None,
    'python = "3.9"': None,
    "[packages.demo]": None,
    'source = "sdit"': '"sdit" is not one of its values; did you mean "sdist"?',
    'system = "x"': "packages.demo.system: must be a list, not a string",
    'env = ["A"]': "packages.demo.env: must be a table, not a list",
    'allow-pure = "yes"': "packages.demo.allow-pure: must be true or false, not a string",
    "config-setings = {}": 'unknown key; did you mean "config-settings"?',
    '[packages."no name!"]': "is not a valid name of a Python package",
    'source = "any"': None,
    "[packages.other]": None,
    'index = "corp"': 'there is no index "corp"',
    "[limits]": None,
    'memory = "lots"': 'limits.memory: "lots" is not a size',
    "timeout = 1": "limits.timeout: unknown key",
    "processes = -1": "limits.processes: must be at least",
    "[indexes]": None,
    "x = 1": "indexes.x: must be a table, not an integer",
}

BROKEN: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "invalid TOML": (f"{TARGET}[targets.x\n".encode(), ("wheelhouse.toml:4:11: not valid TOML",)),
    "UTF-16": (TARGET.encode("utf-16"), ("wheelhouse.toml:1: is UTF-16", "save it as UTF-8")),
    "a byte that is not UTF-8": (
        f"{TARGET}# ".encode() + b"\xff",
        ("wheelhouse.toml:4: is not UTF-8 (byte 0xff)",),
    ),
    "NUL": (f'{TARGET}a = "\0"'.encode(), ("wheelhouse.toml:4:6: not valid TOML",)),
    "keys given twice": (
        f'{TARGET}python = "3.12"\nplatform = "debian13"\n'.encode(),
        (
            "wheelhouse.toml:4: targets.d12.python: given twice; it first stands in line 3",
            "wheelhouse.toml:5: targets.d12.platform: given twice; it first stands in line 2",
        ),
    ),
    "lists 5000 deep": (
        f"{TARGET}a = {'[' * 5000}{']' * 5000}".encode(),
        ("wheelhouse.toml:4: its values are nested too deeply",),
    ),
    "a number of 5000 digits": (
        f"jobs = {'9' * 5000}\n{TARGET}".encode(),
        ("not valid TOML: a number has too many digits",),
    ),
    "a key of a megabyte": (
        f"{TARGET}{'x' * (1 << 20)} = 1".encode(),
        ("wheelhouse.toml:4: targets.d12.", "unknown key"),
    ),
    "escape sequences in a key": (
        f'{TARGET}"\\u001b[31mred" = 1'.encode(),
        (r'wheelhouse.toml:4: targets.d12."\x1b[31mred": unknown key',),
    ),
    "nothing": (b"", ("no target is declared", "add a table such as [targets.web]")),
}


def _told(world: World, content: bytes) -> Finished:
    world.configure("demo\n")
    (world.project / "wheelhouse.toml").write_bytes(content)
    return world.run("plan", timeout=30)


def _twenty_at_once(world: World) -> None:
    done = refused(_told(world, "\n".join(FAULTS).encode()), 2)
    said = " ".join(done.err.split())
    places = re.findall(r"error\[config\]: wheelhouse\.toml:(\d+): ", said)
    lines = [number for number, told in enumerate(FAULTS.values(), 1) if told]
    assert len(lines) == 20, len(lines)
    assert list(map(int, places)) == lines, (places, lines)
    assert not [told for told in FAULTS.values() if told and told not in said], done.err
    assert "20 errors: 20 config" in said, done.err


def _broken(name: str) -> Case:
    content, words = BROKEN[name]

    def attempt(world: World) -> None:
        done = refused(_told(world, content), 2, *words)
        assert len(done.err) < 2000, len(done.err)
        assert "\x1b" not in done.err

    return Case(group=26, name=name, attempt=attempt, engine=False, everyday=True)


def _byte_order_mark(world: World) -> None:
    """It is no part of the text: what is wrong here is something else."""
    mark = b"\xef\xbb\xbf"
    refused(_told(world, mark + f"indx = 1\n{TARGET}".encode()), 2, "wheelhouse.toml:1: indx: unkn")


def _no_file(world: World) -> None:
    world.configure("demo\n")
    (world.project / "wheelhouse.toml").unlink()
    refused(world.run("plan"), 2, "there is no wheelhouse.toml", "write a wheelhouse.toml such as")


CASES = [
    Case(group=26, name="20 faults at once", attempt=_twenty_at_once, engine=False, everyday=True),
    *(_broken(name) for name in BROKEN),
    Case(group=26, name="a byte order mark", attempt=_byte_order_mark, engine=False, everyday=True),
    Case(group=26, name="no file", attempt=_no_file, engine=False, everyday=True),
]
