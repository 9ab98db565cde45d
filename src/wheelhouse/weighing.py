"""Weighing a plan: asking for lengths that the lock does not have, once, and for room on disks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelhouse.durable import existing, free_room, no_room
from wheelhouse.house import room_needed
from wheelhouse.store import digest_of
from wheelhouse.weights import announced, cuda_packages, files, weigh

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.events import Reporter
    from wheelhouse.plan import Planned
    from wheelhouse.run import Run
    from wheelhouse.targets import Target
    from wheelhouse.weights import Heavy, Weights

#: The kind of record of what servers have said.
_LENGTHS = "lengths"


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What is to be written to one disk.

    :ivar folder: what of it is told to a person.
    :ivar needed: bytes.
    :ivar free: bytes, or None where nobody can tell.
    """

    folder: Path
    needed: int
    free: int | None

    @property
    def fits(self) -> bool:
        """Whether there is room for it, as far as anybody can tell."""
        return self.free is None or self.needed <= self.free


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What a plan weighs, and what it takes of the disks."""

    weights: Weights
    rooms: tuple[Room, ...]

    def check(self) -> None:
        """Raise StorageError unless all of it has room."""
        for room in self.rooms:
            if room.free is not None and not room.fits:
                raise no_room(room.folder, room.needed, room.free)


def weighed(run: Run, planned: Planned, *, everything: bool = True) -> Load:
    """The load of a plan.

    :param everything: whether servers are asked for every length that nobody knows. Else it is so
        only where there is CUDA among the packages: a few hundred questions cost more than the
        lengths of small wheels are worth, and gigabytes are worth a few.
    :raises InterruptedRunError: the run is being stopped.
    """
    taken = files(planned.plan)
    ask = everything or bool(cuda_packages(step.package for step in planned.plan.steps))
    weights = weigh(taken, _lengths(run, taken, ask=ask), run.store)
    output = run.project.output / planned.target.name
    return Load(weights=weights, rooms=_rooms(weights, run.store.root, output))


def _lengths(run: Run, taken: tuple[Heavy, ...], *, ask: bool) -> dict[str, int]:
    """By SHA-256, what servers say, or have said, of the files that the lock has no size of."""
    key = digest_of(sorted(heavy.file.sha256 for heavy in taken))
    # One record for all of a plan, since each costs a flush.
    before = run.store.record(_LENGTHS, key) or {}
    known = {sha256: size for sha256, size in before.items() if type(size) is int and size > 0}
    urls = {
        heavy.file.sha256: heavy.file.url
        for heavy in taken
        if heavy.file.size is None
        and heavy.file.sha256 not in known
        and not run.store.has(heavy.file.sha256)
    }
    told = run.fetcher.lengths.of(urls.values(), run.scheduler) if ask and urls else {}
    found = known | {sha256: told[url] for sha256, url in urls.items() if url in told}
    if found != known:
        run.store.write_record(_LENGTHS, key, found)
    return found


def _rooms(weights: Weights, store: Path, output: Path) -> tuple[Room, ...]:
    """What fetching, and putting together, what is weighed writes to which disk."""
    shared = on_one_disk(store, output)
    copies = room_needed((each.size or 0 for each in weights.of("wheel")), shared=shared)
    download = weights.download.size
    if shared:
        return (_room(store, download + copies),)
    return (_room(store, download), _room(output, copies))


def _room(folder: Path, needed: int) -> Room:
    return Room(folder=folder, needed=needed, free=free_room(folder))


def on_one_disk(one: Path, other: Path) -> bool:
    """Whether both folders, or those they are to lie in, are on the same file system."""
    try:
        return existing(one).stat().st_dev == existing(other).stat().st_dev
    except OSError:
        return False


def tell_downloads(reporter: Reporter, target: Target, weights: Weights) -> None:
    """Report what is to be downloaded of the wheels of *target*, if that is anything."""
    told = announced(target.name, weights.of("wheel"))
    if told.files:
        reporter.emit(told)
