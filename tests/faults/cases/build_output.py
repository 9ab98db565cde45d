"""Group 16: what a build prints cannot speak to terminals or CI systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faults.case import Case
from faults.world import succeeded
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from faults.world import World

PRINT = """
def before_build(directory):
    os.write(2, {!r})
"""

OUTPUTS = {
    "ANSI and OSC codes": b"\x1b[2J\x1b]0;owned\x07\x1b[31m\n",
    "commands of CI systems": b"::set-env name=PATH::/evil\n##vso[task.setvariable]x\n",
    "carriage returns, NUL and invalid UTF-8": b"progress 1%\rprogress 2%\r\0\xff\xfe\n",
}


def _prints(content: bytes) -> Case:
    name = next(key for key, value in OUTPUTS.items() if value == content)

    def attempt(world: World) -> None:
        with serving(LocalIndex()) as index:
            index.add(ProjectSdist(name="loud", extra=PRINT.format(content)))
            world.configure("loud==1.0\n", index=index.url)
            done = succeeded(world.build())
        for raw in (b"\x1b", b"\0", b"\r"):
            assert raw.decode() not in done.said, done.said
        for line in done.said.splitlines():
            assert not line.startswith(("::", "##")), line

    return Case(group=16, name=f"a build prints {name}", attempt=attempt)


CASES = [_prints(content) for content in OUTPUTS.values()]
