"""Groups 2 and 5: wheels that are wrong in one way each, of which none is taken."""

from __future__ import annotations

import random
import zipfile
from typing import TYPE_CHECKING

from faults import competitors
from faults.badwheels import CODE, FILENAME, GOOD, families, flipped, plain, recorded
from faults.case import Case
from faults.world import refused, succeeded
from projects import LocalIndex, serving
from wheelfactory import INFO
from wheelhouse.errors import CheckError
from wheelhouse.wheels import read_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from faults.world import World

#: What is counted, by whom.
REFUSED = "bad wheels refused"
OURS = "wheelhouse"


def problem_of(path: Path, filename: str = FILENAME) -> str | None:
    """What the gate says of a wheel, or None if it takes it. There is always a next step."""
    try:
        read_wheel(path, filename=filename)
    except CheckError as error:
        assert error.hint
        return error.message
    return None


def _family(name: str) -> Case:
    def attempt(world: World) -> None:
        path, outside = world.root / "wheel", world.root / "outside"
        taken = []
        for bad in families()[name](str(outside)):
            path.write_bytes(bad.content)
            good = problem_of(path, bad.filename) is not None
            world.figures.judge(REFUSED, OURS, good=good)
            taken += [] if good else [bad.name]
        if outside.exists():
            world.figures.add("escaped files")
        assert not taken, taken

    return Case(
        group=2 if name == "bombs" else 5,
        name=f"bad wheels: {name}",
        attempt=attempt,
        engine=False,
        everyday=True,
    )


def _every_flipped_byte(world: World) -> None:
    """Whatever bit turns over: the wheel is refused, or has all its content as it was."""
    whole = plain(GOOD)
    path = world.root / "wheel"
    chance = random.Random(2)
    for at in range(len(whole)):
        path.write_bytes(flipped(whole, at, 1 << chance.randrange(8)))
        if problem_of(path) is None:
            with zipfile.ZipFile(path) as archive:
                there = {info.filename: archive.read(info) for info in archive.infolist()}
            assert there == GOOD, f"byte {at}"


def _in_order(world: World) -> None:
    """What looks odd and is not wrong."""
    path = world.root / "wheel"
    script = b"[console_scripts]\ndemo-2.x = demo.cli:main [fast]\n\n# x\n[other]\na/b = anything\n"
    for content in (
        GOOD,
        recorded({**GOOD, f"{INFO}/entry_points.txt": script}),
        recorded({**GOOD, "demo/\u00e9t\u00e9.txt": b"", "demo/aux.py": b"", "demo/a b.txt": b""}),
        recorded({**GOOD, "demo-1.0.data/data/share/demo/x": b"", "demo-1.0.data/scripts/d": b""}),
        {**GOOD, f"{INFO}/RECORD.jws": b"{}"},
    ):
        path.write_bytes(plain(content))
        assert problem_of(path) is None


def _on_the_index(world: World) -> None:
    untrue = plain({**GOOD, CODE: b"X = 2\n"})
    with serving(LocalIndex()) as index:
        index.files["demo"] = {FILENAME: untrue}
        world.configure("demo==1.0\n", index=index.url)
        world.plant()
        done = world.build()
    refused(done, 5, f"{FILENAME} is not a sound wheel", f"'{CODE}' does not have the sha256")


def _at_every_start(world: World) -> None:
    """A .pth is told of, unless it is expected."""
    content = recorded({**GOOD, "demo.pth": b"import demo\n"})
    with serving(LocalIndex()) as index:
        index.files["demo"] = {FILENAME: plain(content)}
        world.configure("demo==1.0\n", index=index.url)
        told = succeeded(world.build())
        assert "demo.pth: runs at every start of Python" in " ".join(told.said.split())
        world.configure("demo==1.0\n", index=index.url, more="[packages.demo]\nallow-pth = true\n")
        told = succeeded(world.build())
    assert "demo.pth" not in told.said


def _others(world: World) -> None:
    """What other tools do with them: only a figure."""
    folder = world.root / "others"
    folder.mkdir()
    for who, refusals in competitors.judge(folder).items():
        for good in refusals:
            world.figures.judge(REFUSED, who, good=good)


CASES = [
    *map(_family, families()),
    Case(
        group=5,
        name="any bit of a wheel turned over",
        attempt=_every_flipped_byte,
        engine=False,
        everyday=True,
    ),
    Case(
        group=5,
        name="wheels that only look odd are taken",
        attempt=_in_order,
        engine=False,
        everyday=True,
    ),
    Case(group=5, name="bad wheels in other tools", attempt=_others, engine=False, index=True),
    Case(group=5, name="a bad wheel on the index", attempt=_on_the_index, everyday=True),
    Case(group=5, name="a .pth is told, unless allowed", attempt=_at_every_start),
]
