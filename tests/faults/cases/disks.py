"""Group 21: disks that are full, cannot be written to, or fill up in the middle of a run.

Each fault ends with room being made, after which the same command completes.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faults.case import Case, LeftOut
from faults.mixture import HEAVY, REQUIREMENTS, mixture
from faults.mounts import can_mount, fill, mounted, remount, use_up_inodes
from faults.world import digests, refused, succeeded
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from faults.world import World

#: Of a small disk.
SMALL = "size=50m,nr_inodes=20k"

FULL = "the disk is full:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something that ails a disk.

    :ivar words: what the refusal says.
    """

    name: str
    words: str
    spoil: Callable[[Path], object]
    mend: Callable[[Path], object]


READ_ONLY = Fault(
    name="is read-only",
    words="cannot write to",
    spoil=lambda place: remount(place, "ro"),
    mend=lambda place: remount(place, "rw"),
)
FAULTS = (
    Fault(
        name="is full",
        words=FULL,
        spoil=fill,
        mend=lambda place: (place / "ballast").unlink(),
    ),
    Fault(
        name="takes no more files",
        words=FULL,
        spoil=use_up_inodes,
        mend=lambda place: shutil.rmtree(place / "ballast"),
    ),
    READ_ONLY,
)

#: Where it can happen; each gives the folder that is a disk of its own then.
PLACES: dict[str, Callable[[World], Path]] = {
    "store": lambda world: world.own_store(),
    "output": lambda world: world.dist,
    "project": lambda world: world.project,
}


@contextmanager
def _disk(world: World, place: Path) -> Iterator[None]:
    """A small disk over *place*, and in ``dist``, wherever that is, another project's wheelhouse."""
    with mounted(place, SMALL):
        shutil.copytree(world.shop.house, world.house)
        yield
    world.replaces = True  # it was on that disk
    shutil.rmtree(world.dist, ignore_errors=True)


def _refused_at_the_start(world: World, fault: Fault, find: Callable[[World], Path]) -> None:
    """Nothing is asked for before it is known that the result can be kept."""
    place = find(world)
    with serving(LocalIndex()) as index, _disk(world, place):
        index.add(ProjectSdist(name="alpha"))
        world.configure("alpha\n", index=index.url)
        before = digests(world.dist)
        fault.spoil(place)
        if fault is READ_ONLY and place != world.store:
            refused(world.build(), 2, 'output: "dist" cannot be written')
        else:
            refused(world.build(), 7, fault.words, str(place))
        assert not index.requests, "there was work before the refusal"
        assert {name: digests(world.dist).get(name) for name in before} == before
        fault.mend(place)
        succeeded(world.build())


def _fills_up(world: World, find: Callable[[World], Path], room: int) -> None:
    """A disk with *room* for the beginning, but not for all."""
    place = find(world)
    with mixture() as index, _disk(world, place):
        world.configure(REQUIREMENTS, index=index.url)
        before = digests(world.house)
        ballast = fill(place, but=room)
        refused(world.build(), 7, FULL, str(place))
        assert digests(world.house) == before
        assert not [*world.dist.glob(".*"), *world.project.glob(".*"), *world.store.glob("tmp/*")]
        ballast.unlink()
        succeeded(world.build())


def _temporary_files(world: World) -> None:
    """They are in the store: nothing is asked of the machine's own folder for them."""
    with serving(LocalIndex()) as index, mounted(world.root / "tmp", SMALL) as place:
        index.add(ProjectSdist(name="alpha", native=True))
        world.configure("alpha\n", index=index.url)
        fill(place)
        succeeded(world.build(TMPDIR=str(place)))


def _where_mounting_works(
    attempt: Callable[..., None], *details: object
) -> Callable[[World], None]:
    def attempted(world: World) -> None:
        if not can_mount():
            raise LeftOut("mounting takes root")
        attempt(world, *details)

    return attempted


def _case(name: str, attempt: Callable[..., None], *details: object) -> Case:
    return Case(group=21, name=name, attempt=_where_mounting_works(attempt, *details))


CASES = [
    *(
        _case(f"the disk of the {name} {fault.name}", _refused_at_the_start, fault, find)
        for name, find in PLACES.items()
        for fault in FAULTS
    ),
    _case("the disk of the store fills up", _fills_up, PLACES["store"], HEAVY // 2),
    _case("the disk of the output fills up", _fills_up, PLACES["output"], HEAVY // 2),
    _case("the disk for temporary files is full", _temporary_files),
]
