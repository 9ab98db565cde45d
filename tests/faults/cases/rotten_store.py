"""Group 23: whatever has become of the store, a run finds out, and makes anew what is no good."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from faults.case import Case
from faults.world import World, digests, refused, succeeded
from housefactory import Package, wheel_bytes
from projects import LocalIndex, ProjectSdist, serving
from wheelhouse.store import Store, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from faults.shop import Shop

REQUIREMENTS = "alpha\nlight\n"

#: A process ID that Linux does not give.
NOBODY = 4194304 + 7


# -- what can become of a file ------------------------------------------------------------------


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.chmod(0o644)
    path.write_bytes(content)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _forbid(path: Path) -> None:
    path.chmod(0)


def _in_its_place(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        path.unlink()
        make(path)

    return spoil


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


SPOILS: dict[str, Callable[[Path], None]] = {
    "with a flipped bit": _flip,
    "empty": _empty,
    "that nobody may read": _forbid,
    "that are folders": _in_its_place(_folder),
    "that are links to what never ends": _in_its_place(_endless),
    "that are FIFOs": _in_its_place(os.mkfifo),
}


# -- a store to spoil ---------------------------------------------------------------------------


def _index() -> LocalIndex:
    index = LocalIndex()
    index.add(ProjectSdist(name="alpha", requires=("beta",)), ProjectSdist(name="beta"))
    light = Package(name="light")
    index.files["light"] = {f"light-1.0-{light.tag}.whl": wheel_bytes(light)}
    return index


def _filled(shop: Shop) -> Path:
    """A store of what the project needs, to be copied."""
    kept = shop.root / "a filled store"
    if not kept.exists():
        with serving(_index()) as index, shop.world() as world:
            world.own_store()
            world.configure(REQUIREMENTS, index=index.url)
            succeeded(world.build())
            shutil.copytree(world.house / "wheels", shop.root / "its wheels")
            shutil.copytree(world.store, kept)
    return kept


@contextmanager
def _spoilt(world: World, spoil: Callable[[Path], object]) -> Iterator[None]:
    """Within the block, the index of a project whose store has been spoilt."""
    shutil.copytree(_filled(world.shop), world.own_store())
    spoil(world.store)
    world.plant()
    with serving(_index()) as index:
        world.configure(REQUIREMENTS, index=index.url)
        yield


def _made_anew(world: World, spoil: Callable[[Path], object]) -> None:
    """The run completes with the right wheels, and the store is sound after it."""
    with _spoilt(world, spoil):
        succeeded(world.build(timeout=60))
    world.replaces = True
    assert digests(world.house / "wheels") == digests(world.shop.root / "its wheels")
    for path in world.store.glob("blobs/*/*"):
        assert path.is_file(), f"{path.name} is still no file"
        assert not path.is_symlink(), f"{path.name} is still a link"
        assert sha256_of(path) == path.name, f"{path.name} is still corrupt"
    for record in _builds(world.store):
        assert Store(world.store).record("build", record.stem), f"{record.name} is still damaged"


def _builds(store: Path) -> list[Path]:
    return sorted(store.glob("records/build/*.json"))


# -- what is spoilt -----------------------------------------------------------------------------


def _all(pattern: str, spoil: Callable[[Path], None]) -> Callable[[Path], None]:
    def spoil_all(store: Path) -> None:
        found = [path for path in store.glob(pattern) if path.is_file()]
        assert found
        for path in found:
            spoil(path)

    return spoil_all


def _no_folders(store: Path) -> None:
    """Where the folders of the files were, there are files."""
    for folder in store.glob("blobs/*"):
        shutil.rmtree(folder)
        folder.write_text("nothing of yours")


def _lies(store: Path) -> None:
    """Each build's record leads to the other's wheel, which is sound."""
    one, other = _builds(store)
    told = [json.loads(path.read_bytes()) for path in (one, other)]
    hashes = [each["value"]["sha256"] for each in told]
    for path, each, sha256 in zip((one, other), told, reversed(hashes), strict=True):
        each["value"]["sha256"] = sha256
        path.write_text(json.dumps(each))


def _lies_well(store: Path) -> None:
    """The same by somebody who knows how a record is written."""
    kept = Store(store)
    one, other = (path.stem for path in _builds(store))
    told = kept.record("build", one), kept.record("build", other)
    assert told[0] is not None
    assert told[1] is not None
    kept.write_record("build", one, {**told[0], "sha256": told[1]["sha256"]})
    kept.write_record("build", other, {**told[1], "sha256": told[0]["sha256"]})


def _exchanged(store: Path) -> None:
    """Each build's record is the other's."""
    one, other = _builds(store)
    aside = one.with_suffix(".aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def _planted(store: Path) -> None:
    """A sound wheel under each other hash."""
    wheel = wheel_bytes(Package(name="planted"))
    for path in store.glob("blobs/*/*"):
        path.chmod(0o644)
        path.write_bytes(wheel)


def _leftovers(store: Path) -> None:
    """What dead runs may leave among temporary files, and what they never would."""
    temporary = store / "tmp"
    (temporary / f"{NOBODY}-deadbeef").mkdir()
    (temporary / f"{NOBODY}-deadbeef" / "file").write_bytes(bytes(1 << 20))
    (temporary / f"{NOBODY}-filefile").touch()
    os.mkfifo(temporary / f"{NOBODY}-fifofifo")


def _locks(store: Path) -> None:
    """Of runs that were killed: their files stay, and say what they like."""
    for path in store.glob("locks/*"):
        path.write_text(f"{NOBODY}\nlocked since yesterday")


# -- what is refused ----------------------------------------------------------------------------


def _a_lock_that_is_none(world: World) -> None:
    def spoil(store: Path) -> None:
        _no_folders(store)
        (store / "locks" / "settling.lock").unlink()
        (store / "locks" / "settling.lock").mkdir()

    with _spoilt(world, spoil):
        refused(world.build(), 7, "cannot write to", "settling.lock")


def _a_store_that_is_a_file(world: World) -> None:
    world.own_store().write_text("mine")
    world.configure("alpha\n")
    world.plant()
    refused(world.build(), 7, f"cannot write to {world.store}: it is no folder")
    assert world.store.read_text() == "mine"


def _case(name: str, spoil: Callable[[Path], object]) -> Case:
    return Case(group=23, name=name, attempt=lambda world: _made_anew(world, spoil))


CASES = [
    *(_case(f"files {how}", _all("blobs/*/*", spoil)) for how, spoil in SPOILS.items()),
    *(_case(f"records {how}", _all("records/*/*", spoil)) for how, spoil in SPOILS.items()),
    _case("files where folders were", _no_folders),
    _case("a planted wheel under every hash", _planted),
    _case("records that lead to another's wheel", _lies),
    _case("records that lead to another's wheel, written well", _lies_well),
    _case("records of one another", _exchanged),
    _case("what dead runs left", _leftovers),
    _case("locks of dead runs", _locks),
    Case(group=23, name="a folder where a lock should be", attempt=_a_lock_that_is_none),
    Case(group=23, name="a file where the store should be", attempt=_a_store_that_is_a_file),
]
