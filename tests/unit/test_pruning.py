"""A store that is made smaller: what goes, what stays, and that nobody else notices."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wheelhouse import pruning
from wheelhouse.inventory import Holding, Kind, holdings
from wheelhouse.leases import oldest
from wheelhouse.locks import locked
from wheelhouse.pruning import chosen, drop_locks, in_use_since, prune
from wheelhouse.store import Store, remove

if TYPE_CHECKING:
    from collections.abc import Sequence

LONG_AGO = 1_600_000_000 * 10**9


def holding(
    name: str, used: int, *, size: int = 10, kind: Kind = "downloads", shared: bool = False
) -> Holding:
    return Holding(kind=kind, path=Path(name), size=size, used=used, shared=shared)


def names(found: Sequence[Holding]) -> list[str]:
    return [each.path.name for each in found]


# --- what is chosen ---------------------------------------------------------------------------


HELD = [holding("c", 30), holding("a", 10), holding("b", 20), holding("d", 40)]


@pytest.mark.parametrize(
    ("since", "limit", "gone"),
    [
        (0, None, []),
        (20, None, ["a"]),
        (100, None, ["a", "b", "c", "d"]),
        (0, 40, []),
        (0, 39, ["a"]),
        (0, 20, ["a", "b"]),
        (0, 0, ["a", "b", "c", "d"]),
        (30, 10, ["a", "b", "c"]),
        (30, 30, ["a", "b"]),
    ],
)
def test_what_was_unused_for_longest_goes_first(
    since: int, limit: int | None, gone: list[str]
) -> None:
    found = chosen(HELD, unused_since=since, in_use_since=1000, limit=limit)
    assert names(found) == gone


def test_what_a_living_run_may_have_used_stays_however_small_the_limit() -> None:
    assert names(chosen(HELD, unused_since=100, in_use_since=30, limit=0)) == ["a", "b"]


def test_what_wheelhouses_share_frees_nothing_and_counts_for_nothing() -> None:
    held = [holding("shared", 1, size=1000, shared=True), holding("own", 2)]
    assert chosen(held, unused_since=0, in_use_since=9, limit=10) == []
    assert names(chosen(held, unused_since=9, in_use_since=9)) == ["own"]


def test_what_is_damaged_goes_at_any_age_and_what_is_being_written_never() -> None:
    held = [holding("link", 50, kind="damaged"), holding("file", 1, kind="temporary")]
    assert names(chosen(held, unused_since=10, in_use_since=99, limit=0)) == ["link"]


# --- a real store -----------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def aged(path: Path, when: int = LONG_AGO) -> None:
    os.utime(path, ns=(when, when), follow_symlinks=False)


def filled(root: Path, *contents: bytes) -> list[str]:
    """The hashes of *contents*, which a run that is no more has put into the store."""
    store = Store(root)
    found = [store.add([content]) for content in contents]
    for sha256 in found:
        aged(store.blob(sha256))
    return found


def prune_all(store: Store, *, limit: int | None = None) -> list[Holding]:
    """Remove all that may go."""
    held = holdings(store.root, ["build"])
    since = in_use_since(store)
    return prune(store, chosen(held, unused_since=since, in_use_since=since, limit=limit))


def test_what_nobody_uses_goes(root: Path) -> None:
    (sha256,) = filled(root, b"old")
    assert [each.kind for each in prune_all(Store(root))] == ["downloads"]
    assert not Store(root).has(sha256)


def test_what_was_read_through_a_store_stays_while_that_lives(root: Path) -> None:
    asked, read, other = filled(root, b"asked", b"read", b"other")
    aged_record(root, "kept")
    run = Store(root)
    assert run.has(asked)
    assert run.verified(read)
    assert run.record("answers", "kept")
    assert [each.path.name for each in prune_all(Store(root))] == [other]
    assert run.has(asked)
    assert run.record("answers", "kept")
    del run
    assert len(prune_all(Store(root))) == 3


def aged_record(root: Path, key: str) -> None:
    Store(root).write_record("answers", key, {"value": key})
    aged(root / "records" / "answers" / f"{key}.json")


def test_using_a_file_does_not_change_it_for_the_wheelhouse_that_shares_it(root: Path) -> None:
    (sha256,) = filled(root, b"wheel")
    shared = root.parent / "wheel.whl"
    shared.hardlink_to(Store(root).blob(sha256))
    before = shared.stat()
    assert Store(root).verified(sha256)
    assert shared.stat().st_mtime_ns == before.st_mtime_ns


def test_what_a_wheelhouse_shares_stays_until_that_is_gone(root: Path) -> None:
    (sha256,) = filled(root, b"wheel")
    shared = root.parent / "wheel.whl"
    shared.hardlink_to(Store(root).blob(sha256))
    assert prune_all(Store(root), limit=0) == []
    shared.unlink()
    assert len(prune_all(Store(root))) == 1


def test_what_became_shared_or_used_after_it_was_chosen_stays(root: Path) -> None:
    linked, used, idle = filled(root, b"linked", b"used", b"idle")
    store = Store(root)
    since = in_use_since(store)
    choice = chosen(holdings(root, []), unused_since=since, in_use_since=since)
    assert len(choice) == 3
    (root.parent / "link").hardlink_to(store.blob(linked))
    run = Store(root)
    assert run.has(used)
    assert [each.path.name for each in prune(store, choice)] == [idle]


def test_what_was_long_in_coming_is_new_when_it_is_there(root: Path) -> None:
    store = Store(root)
    with store.partial(hashlib.sha256(b"whole").hexdigest()) as partial:
        partial.append(b"whole")
        aged(partial.path)
        sha256 = store.complete(partial)
    assert prune_all(Store(root)) == []
    assert store.has(sha256)


def test_a_partial_file_that_somebody_has_stays(root: Path) -> None:
    store, sha256 = Store(root), hashlib.sha256(b"whole").hexdigest()
    with store.partial(sha256) as partial:
        partial.append(b"who")
        aged(partial.path)
        assert prune_all(Store(root)) == []
        partial.append(b"le")
        assert store.complete(partial) == sha256


def test_a_run_that_cannot_mark_what_it_uses_keeps_everything(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are another user's."""
    asked, _ = filled(root, b"asked", b"other")
    run, utime = Store(root), os.utime

    def refuse(path: Path, **options: object) -> None:
        if "blobs" in str(path):
            raise PermissionError(1, "not yours", str(path))
        utime(path, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(os, "utime", refuse)
        assert run.has(asked)
    assert prune_all(Store(root), limit=0) == []
    del run
    assert len(prune_all(Store(root))) == 2


def test_no_link_is_followed_and_what_is_damaged_goes(root: Path) -> None:
    (sha256,) = filled(root, b"real")
    precious = root.parent / "precious"
    precious.mkdir()
    (precious / ("a" * 64)).write_text("mine")
    aged(precious / ("a" * 64))
    folder = root / "blobs" / sha256[:2]
    for name, make in (("b", "link"), ("c", "folder"), ("d", "fifo")):
        path = folder / (name * 64)
        if make == "link":
            path.symlink_to(precious / ("a" * 64))
        elif make == "folder":
            path.mkdir()
            (path / "inner").write_text("x")
        else:
            os.mkfifo(path)
        aged(path)
    (root / "blobs" / "zz").symlink_to(precious)
    (folder / "README").write_text("not ours")
    aged(folder / "README")
    gone = prune_all(Store(root))
    assert sorted(each.kind for each in gone) == ["damaged"] * 3 + ["downloads"]
    assert [path.name for path in folder.iterdir()] == ["README"]
    assert (precious / ("a" * 64)).read_text() == "mine"


def test_only_locks_that_nobody_holds_are_dropped(root: Path) -> None:
    store = Store(root)
    with store.lock("held"):
        with store.lock("free"):
            pass
        assert drop_locks(store) == 2  # with that of names
        assert [path.name for path in (root / "locks").iterdir()] == ["held.lock"]


def test_a_lock_whose_file_was_dropped_is_still_one(root: Path) -> None:
    """Who waited for it must not hold what others no longer see."""
    code = (
        "import pathlib, sys\nfrom wheelhouse.store import Store\n"
        "store = Store(pathlib.Path(sys.argv[1]))\n"
        "for _ in range(300):\n"
        "    with store.lock('thing'):\n"
        "        path = store.root / 'alone'\n"
        "        path.mkdir()\n"
        "        path.rmdir()\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(root)]) for _ in range(3)]
    store, dropped = Store(root), 0
    while any(process.poll() is None for process in running):
        dropped += drop_locks(store)
    assert [process.returncode for process in running] == [0, 0, 0]
    assert dropped > 3


def test_a_lease_ends_with_its_run_however_that_ends(root: Path) -> None:
    Store(root)
    code = (
        "import os, pathlib, sys\nfrom wheelhouse.store import Store\n"
        "store = Store(pathlib.Path(sys.argv[1]))\nprint('ready', flush=True)\n"
        "sys.stdin.read()\nif len(sys.argv) > 2: os.kill(os.getpid(), 9)\n"
    )
    for how in ([], ["killed"]):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(root), *how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            assert oldest(root / "runs") is not None
            process.communicate("")
        assert oldest(root / "runs") is None
        assert len(list((root / "runs").iterdir())) == len(how)
    Store(root).clean()
    assert list((root / "runs").iterdir()) == []


def test_built_wheels_are_told_from_downloads(root: Path) -> None:
    built, unrepaired, fetched = filled(root, b"built", b"unrepaired", b"fetched")
    facts = {"unrepaired": unrepaired}
    Store(root).write_record("build", "key", {"sha256": built, "facts": facts})
    (root / "records" / "build" / "torn.json").write_text("{")
    kinds = {each.path.name: each.kind for each in holdings(root, ["build"])}
    assert kinds[built] == kinds[unrepaired] == "built"
    assert kinds[fetched] == "downloads"


def test_there_need_be_no_store(tmp_path: Path) -> None:
    assert holdings(tmp_path / "none", ["build"]) == []


# --- while others are at work -----------------------------------------------------------------

_RUN = """
import hashlib, json, pathlib, random, sys
from wheelhouse.store import Store

root, seed, rounds = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
contents = [b"%d" % number * 1000 for number in range(12)]
told = {"found": 0, "made": 0, "broken": 0}
for _ in range(rounds):
    store, mine = Store(root), {}
    for content in chance.sample(contents, 6):
        sha256 = hashlib.sha256(content).hexdigest()
        record = store.record("build", sha256)
        if record and store.has(sha256):
            told["found"] += 1
        else:
            told["made"] += 1
            with store.lock(sha256):
                store.add([content])
                store.write_record("build", sha256, {"sha256": sha256})
        mine[sha256] = content
    for sha256, content in mine.items():
        try:
            told["broken"] += store.blob(sha256).read_bytes() != content
        except FileNotFoundError:
            told["broken"] += 1
print(json.dumps(told))
"""


def test_runs_never_lose_what_they_have_seen_to_a_prune(root: Path) -> None:
    """Everything that may go does, over and over, while runs come, use, make and go."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _RUN, str(root), str(seed), "40"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(2)
    ]
    removed = 0
    while any(process.poll() is None for process in running):
        removed += len(prune_all(Store(root), limit=0))
        drop_locks(Store(root))
    told = [json.loads(process.communicate()[0]) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert [each["broken"] for each in told] == [0, 0]
    assert removed > 20
    assert all(each["found"] > 5 and each["made"] > 5 for each in told), told


def test_others_get_their_turn_between_a_few_removals(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(root, *(b"%d" % number for number in range(40)))
    store, left = Store(root), [40]

    def refuse() -> None:
        pytest.fail("the prune still holds the lock")

    def turn(seconds: float) -> None:
        with locked(root / "locks" / "settling.lock", refuse):
            left.append(len(list(root.glob("blobs/*/*"))))

    monkeypatch.setattr(time, "sleep", turn)
    assert len(prune_all(store)) == 40
    assert left[-1] == 0
    assert all(before - now <= 20 for before, now in pairwise(left))


def test_who_asks_in_the_middle_of_a_removal_is_told_the_truth(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sha256,) = filled(root, b"old")
    run, told = Store(root), []
    asking = threading.Thread(target=lambda: told.append(run.has(sha256)))

    def meanwhile(path: Path) -> None:
        asking.start()
        asking.join(0.2)  # as long as it would take, if it did not wait
        remove(path)

    monkeypatch.setattr(pruning, "remove", meanwhile)
    assert len(prune_all(run)) == 1
    asking.join()
    assert told == [False]
