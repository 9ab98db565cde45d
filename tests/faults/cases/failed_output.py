"""Group 16: what is quoted of a failed build's log cannot speak to terminals or CI systems."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from faults.case import Case
from faults.cases.limits import before
from faults.world import refused
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from faults.world import World

LINES = (
    b"\x1b]0;owned\x07\x1b[2J::set-env name=A::b\n",
    b"error: \x1b[31m\xff\x00\xe2\x80\xae::warning::x\n",
    b"##vso[task.setvariable]x\n",
    b"fatal error\rhidden \xc2\x9b31m\n",
)

#: What must not reach a terminal: controls of two kinds, what turns text around, NUL.
RAW = ("\x1b", "\x07", "\x00", "\r", "\x9b", "\u202e")


def _quoted(world: World) -> None:
    code = before(f"sys.stdout.buffer.write({b''.join(LINES)!r})\nsys.stdout.flush()\nsys.exit(1)")
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="evil", extra=code))
        world.configure("evil==1.0\n", index=index.url)
        plain = refused(world.run("build", "--plain"), 4, "evil 1.0 cannot be built")
        told = refused(world.run("build", "--json"), 4)
    events = [json.loads(line) for line in told.out.splitlines()]
    for text in (plain.said, told.said, *map(str, _texts(events))):
        assert not [raw for raw in RAW if raw in text], repr(text)
    for line in plain.said.splitlines():
        assert not line.startswith(("::", "##")), line


def _texts(value: object) -> list[str]:
    """All text in what JSON says."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


CASES = [Case(group=16, name="a failed build's log is quoted", attempt=_quoted, everyday=True)]
