"""`python -m bench.locks`: what wheelhouse takes from locks, and what their own tools install.

For each kind of lock and each shape of a project, the real tool locks the project, here, and
installs it into an empty virtual environment: here, which has to be Debian 12 with its Python 3.11,
and in a container of Debian 13 with its Python 3.13. What is in there then, `name==version`, has
to be what wheelhouse's reader chooses from the lock for that environment, exactly.

The tools come from the package index, each into an environment of its own, below the user's cache
folder. The container is made from the image that `scripts/images debian13` makes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from bench.locks.kinds import KINDS, Kind, Workshop
from bench.locks.places import Debian13, Here, ToolFailedError, environment, find_image, installed
from bench.locks.shapes import SHAPES, Shape
from wheelhouse.errors import WheelhouseError
from wheelhouse.inputs import read_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.locks.places import Place


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of one lock in one place.

    :ivar words: how many packages, and what differs; or why there is nothing to compare.
    :ivar equal: None if the tool itself cannot install there.
    """

    kind: str
    shape: str
    place: str
    words: str
    equal: bool | None


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.locks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kind", action="append", choices=tuple(KINDS), help="only this one")
    parser.add_argument("--shape", action="append", choices=tuple(SHAPES), help="only this one")
    parser.add_argument("--here", action="store_true", help="without the container")
    parser.add_argument("--keep", type=Path, help="a folder for the locks that were made")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the comparison; the exit status is 1 if something differs."""
    options = parse(arguments)
    shop = Workshop(folder=Path(platformdirs.user_cache_dir("wheelhouse-bench")) / "locks")
    shop.folder.mkdir(parents=True, exist_ok=True)
    places: list[Place] = [Here()]
    image = None if options.here else find_image()
    if image:
        places.append(Debian13(image=image, workplace=shop.folder))
    kinds = [KINDS[name] for name in options.kind or KINDS]
    shapes = [SHAPES[name] for name in options.shape or SHAPES]
    outcomes = []
    work = Path(tempfile.mkdtemp(prefix="compared-", dir=shop.folder))
    try:
        for kind, shape in ((kind, shape) for kind in kinds for shape in shapes):
            if kind.suits(shape):
                outcomes += compare(kind, shape, work, shop, places, options.keep)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return conclude(outcomes)


def compare(
    kind: Kind, shape: Shape, work: Path, shop: Workshop, places: list[Place], keep: Path | None
) -> list[Outcome]:
    """One lock, in each of *places*; told as it is found."""
    folder = work / f"{kind.name}-{shape.name}".replace(" ", "-").replace(",", "")
    folder.mkdir()
    began = time.monotonic()
    outcomes = []
    try:
        kind.lock(shape, folder, shop, places[0])
    except ToolFailedError as error:
        outcomes.append(told(kind, shape, places[0], f"not locked: {last(error)}", None))
    else:
        if keep:
            shutil.copytree(folder, keep / folder.name, dirs_exist_ok=True)
        outcomes += [compared(kind, shape, folder, shop, place) for place in places]
    for each in outcomes:
        mark = {True: "=", False: "DIFFERS", None: "-"}[each.equal]
        took = f"{time.monotonic() - began:.0f} s"
        print(f"{mark:8}{each.kind:26}{each.shape:12}{each.place:10}{each.words} ({took})")
    sys.stdout.flush()
    return outcomes


def told(kind: Kind, shape: Shape, place: Place, words: str, equal: bool | None) -> Outcome:
    """An outcome, in words."""
    return Outcome(kind=kind.name, shape=shape.name, place=place.name, words=words, equal=equal)


def last(error: Exception) -> str:
    """The last line of a tool's words, by which it can be found what it fails at."""
    return str(error).strip().splitlines()[-1].strip()


def compared(kind: Kind, shape: Shape, folder: Path, shop: Workshop, place: Place) -> Outcome:
    """What the tool installs in *place*, and what wheelhouse takes from the lock for it."""
    venv = folder / f"venv-{place.name}"
    try:
        kind.install(shape, folder, venv, shop, place)
        theirs = installed(place, venv)
    except ToolFailedError as error:
        return told(kind, shape, place, f"not installed: {last(error)}", None)
    finally:
        shutil.rmtree(venv, ignore_errors=True)
    try:
        ours = taken(kind, shape, folder, environment(place, folder))
    except WheelhouseError as error:
        return told(kind, shape, place, f"refused: {error}", False)
    # What comes from a folder has its version from there; our reader leaves that open.
    versions = {each.partition("==")[0]: each for each in theirs}
    ours = {each if "==" in each else versions.get(each, each) for each in ours}
    words = f"{len(theirs)} packages"
    if ours != theirs:
        words += f"; only theirs {sorted(theirs - ours)}; only ours {sorted(ours - theirs)}"
    return told(kind, shape, place, words, ours == theirs)


def taken(kind: Kind, shape: Shape, folder: Path, markers: Mapping[str, str]) -> set[str]:
    """What wheelhouse takes from the lock for a target with *markers*."""
    chosen = read_inputs(folder, [kind.input(shape, folder)]).chosen_for(markers)
    return {
        f"{each.name}{each.requirement.specifier}"
        for each in chosen.asked
        if each.requirement.marker is None or each.requirement.marker.evaluate(dict(markers))
    }


def conclude(outcomes: Sequence[Outcome]) -> int:
    """Print how many were equal; the exit status."""
    equal = sum(each.equal is True for each in outcomes)
    different = sum(each.equal is False for each in outcomes)
    impossible = len(outcomes) - equal - different
    print(f"\n{equal} equal, {different} different, {impossible} that the tool itself cannot do")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
