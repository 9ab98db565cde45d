"""A store that is made smaller: what goes, and what stays."""

from __future__ import annotations

import json
import os
import random
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otherusers import open_to_all
from wheelhouse import inuse
from wheelhouse.inventory import Holding, Kind, holdings
from wheelhouse.leftovers import is_over
from wheelhouse.pruning import Pruned, chosen, prune
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

LONG_AGO = 1_600_000_000 * 10**9


def holding(
    name: str,
    used: int,
    *,
    size: int = 10,
    kind: Kind = "downloads",
    shared: bool = False,
    over: bool = False,
) -> Holding:
    return Holding(kind=kind, path=Path(name), size=size, used=used, shared=shared, over=over)


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
    found = chosen(HELD, unused_since=since, limit=limit)
    assert names(found) == gone


def test_what_wheelhouses_share_frees_nothing_and_counts_for_nothing() -> None:
    held = [holding("shared", 1, size=1000, shared=True), holding("own", 2)]
    assert chosen(held, unused_since=0, limit=10) == []
    assert names(chosen(held, unused_since=9)) == ["own"]


def test_what_is_of_no_use_goes_at_any_age_and_what_may_be_never() -> None:
    held = [
        holding("link", 50, kind="damaged"),
        holding("lock", 51, kind="locks"),
        holding("left", 52, kind="temporary", over=True),
        holding("log", 53, kind="logs", over=True),
        holding("file", 1, kind="temporary"),
        holding("use", 1, kind="images"),
    ]
    assert names(chosen(held, unused_since=10, limit=0)) == ["link", "lock", "left", "log"]


def test_what_goes_anyway_makes_room_first() -> None:
    held = [holding("old", 1, size=30), holding("left", 9, size=30, kind="logs", over=True)]
    assert names(chosen(held, unused_since=0, limit=30)) == ["left"]


def test_when_what_runs_leave_is_over() -> None:
    day = 24 * 3600.0
    assert not is_over("tmp", 59, alive=True)
    assert is_over("tmp", 61, alive=True)
    assert is_over("tmp", 0, alive=False)
    assert [is_over("logs", age * day, alive=True) for age in (29, 31)] == [False, True]
    assert [is_over("partial", age * day, alive=True) for age in (6, 8)] == [False, True]


# --- a real store -----------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def aged(path: Path, when: int = LONG_AGO) -> None:
    os.utime(path, ns=(when, when), follow_symlinks=False)


def filled(root: Path, *contents: bytes) -> list[str]:
    """The hashes of *contents*, which were put into the store long ago."""
    store = Store(root)
    found = [store.add([content]) for content in contents]
    for sha256 in found:
        aged(store.blob(sha256))
    return found


def prune_all(root: Path, *, limit: int | None = None) -> list[Holding]:
    """Remove all that may go and was not used in the last hour."""
    done = Pruned()
    since = time.time_ns() - 3600 * 10**9
    with Store(root).alone():
        prune(chosen(holdings(root, ["build"]), unused_since=since, limit=limit), done)
    assert not done.kept
    return [each for each in done.gone if each.kind != "locks"]


def test_what_was_not_used_goes_and_what_was_stays(root: Path) -> None:
    asked, read, other = filled(root, b"asked", b"read", b"other")
    store = Store(root)
    store.write_record("answers", "kept", {"value": 1})
    store.write_record("answers", "old", {"value": 1})
    for key in ("kept", "old"):
        aged(root / "records" / "answers" / f"{key}.json")
    assert store.has(asked)
    assert store.verified(read)
    assert store.record("answers", "kept")
    del store
    assert set(names(prune_all(root))) == {"old.json", other}
    assert Store(root).has(asked)
    assert not Store(root).has(other)


def test_using_a_file_does_not_change_it_for_the_wheelhouse_that_shares_it(root: Path) -> None:
    (sha256,) = filled(root, b"wheel")
    shared = root.parent / "wheel.whl"
    shared.hardlink_to(Store(root).blob(sha256))
    before = shared.stat()
    assert Store(root).verified(sha256)
    assert shared.stat().st_mtime_ns == before.st_mtime_ns
    assert shared.stat().st_atime_ns > before.st_atime_ns


def test_what_is_used_again_and_again_is_marked_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sha256,) = filled(root, b"wheel")
    store, marks, utime = Store(root), [], os.utime

    def counted(path: Path, **options: object) -> None:
        marks.append(path)
        utime(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "utime", counted)
    assert [store.has(sha256) for _ in range(3)] == [True] * 3
    assert marks == [store.blob(sha256)]


def test_what_a_wheelhouse_shares_stays_until_that_is_gone(root: Path) -> None:
    (sha256,) = filled(root, b"wheel")
    shared = root.parent / "wheel.whl"
    shared.hardlink_to(Store(root).blob(sha256))
    assert prune_all(root, limit=0) == []
    shared.unlink()
    assert names(prune_all(root)) == [sha256]


def test_no_link_is_followed_and_what_is_damaged_goes(root: Path) -> None:
    (sha256,) = filled(root, b"real")
    precious = root.parent / "precious"
    precious.mkdir()
    (precious / ("a" * 64)).write_text("mine")
    aged(precious / ("a" * 64))
    folder = root / "blobs" / sha256[:2]
    (folder / ("b" * 64)).symlink_to(precious / ("a" * 64))
    (folder / ("c" * 64)).mkdir()
    (folder / ("c" * 64) / "inner").write_text("x")
    os.mkfifo(folder / ("d" * 64))
    (root / "blobs" / "ee").symlink_to(precious)
    (root / "partial").rmdir()
    (root / "partial").symlink_to(precious)
    gone = prune_all(root)
    assert sorted(each.kind for each in gone) == ["damaged"] * 3 + ["downloads"]
    assert list(folder.iterdir()) == []
    assert (precious / ("a" * 64)).read_text() == "mine"


def test_people_s_own_files_stay_whatever_folder_they_are_in(root: Path) -> None:
    filled(root, b"real")
    theirs = [
        *("tmp/thesis.tex", "tmp/1-notes", "tmp/12345678/draft", "logs/diary.log"),
        *("logs/2026.log", "partial/novel.txt", "blobs/README", "blobs/ab/README"),
        *("blobs/photos/" + "a" * 64, "records/letter", "records/build/notes.txt"),
        *("records/2024/tax.json", "locks/door", "in-use", "mine.lock"),
    ]
    for name in theirs:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("precious")
        aged(root / name)
        aged((root / name).parent)
    Store(root).clean()
    prune_all(root, limit=0)
    assert [name for name in theirs if not (root / name).is_file()] == []


def test_locks_go_but_for_those_that_all_count_on(root: Path) -> None:
    store = Store(root)
    with store.lock("build-abc"), store.settling():
        pass
    del store
    done = Pruned()
    with Store(root).alone():
        prune(chosen(holdings(root, []), unused_since=0), done)
    assert names(done.gone) == ["build-abc.lock"]
    assert (root / "locks" / "settling.lock").is_file()
    assert (root / "in-use.lock").is_file()


def test_what_cannot_be_removed_is_told_and_the_rest_goes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may remove everything: where it is not root that runs this, a folder is closed."""
    first, second = filled(root, b"first", b"second")
    code = (
        "import json, os, pathlib, sys\n"
        "from wheelhouse.inventory import holdings\n"
        "from wheelhouse.pruning import Pruned, chosen, prune\n"
        "root, done = pathlib.Path(sys.argv[1]), Pruned()\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "prune(chosen(holdings(root, []), unused_since=10**30), done)\n"
        "told = [[each.path.name for each in done.gone], [p.name for p in done.kept]]\n"
        "print(json.dumps([*told, list(done.kept.values())]))\n"
    )
    store = Store(root)
    open_to_all(root.parent)
    anything = stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO
    store.blob(first).parent.chmod(anything)
    store.blob(second).parent.chmod(0o555)
    told = subprocess.run(
        [sys.executable, "-c", code, str(root)], capture_output=True, check=True, text=True
    )
    store.blob(second).parent.chmod(anything)
    assert json.loads(told.stdout) == [[first], [second], ["Permission denied"]]


def test_built_wheels_are_told_from_downloads(root: Path) -> None:
    built, unrepaired, fetched = filled(root, b"built", b"unrepaired", b"fetched")
    facts = {"unrepaired": unrepaired}
    Store(root).write_record("build", "key", {"sha256": built, "facts": facts})
    Store(root).write_record("build", "other", {"sha256": None, "facts": [1]})
    (root / "records" / "build" / "torn.json").write_text("{")
    (root / "records" / "build" / "deep.json").write_text("[" * 200_000)
    kinds = {each.path.name: each.kind for each in holdings(root, ["build"])}
    assert kinds[built] == kinds[unrepaired] == "built"
    assert kinds[fetched] == "downloads"


def test_there_need_be_no_store(tmp_path: Path) -> None:
    assert holdings(tmp_path / "none", ["build"]) == []


def test_what_vanishes_while_one_looks_is_left_out(root: Path) -> None:
    """A process makes and removes what there is to look at, all the time."""
    code = (
        "import pathlib, sys\nfrom wheelhouse.store import Store\n"
        "store = Store(pathlib.Path(sys.argv[1]))\nprint(flush=True)\n"
        "while True:\n"
        "    with store.workspace() as folder:\n"
        "        (folder / 'inner').mkdir()\n"
        "        sha256 = store.add([b'x'])\n"
        "    store.blob(sha256).unlink()\n"
        "    store.write_record('build', 'k', {'sha256': sha256})\n"
        "    store.forget('build', 'k')\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE) as busy:
        assert busy.stdout
        busy.stdout.readline()
        seen = [len(holdings(root, ["build"])) for _ in range(400)]
        busy.kill()
    assert max(seen) > 0


def random_store(root: Path, chance: random.Random) -> None:
    """Some of everything, of any age."""
    store = Store(root)
    store.write_record("build", "b", {"sha256": store.add([b"built"])})
    for number in range(12):
        sha256 = store.add([bytes([number]) * chance.randrange(1, 30_000)])
        (root / "partial" / sha256).write_bytes(b"x" * chance.randrange(9000))
        (root / "logs" / f"20260101-000000-web-x-{number:06}.log").write_bytes(b"log")
        left = root / "tmp" / f"{chance.choice([os.getpid(), 10**9])}-abcdef{number:02}"
        left.mkdir()
        (left / "file").write_bytes(b"x" * chance.randrange(9000))
        with store.lock(f"build-{number}"):
            store.write_record(chance.choice(["build", "image"]), f"k{number}", {"value": number})
    (root / "blobs" / "ab").mkdir(exist_ok=True)
    (root / "blobs" / "ab" / ("ab" * 32)).symlink_to("nowhere")
    for path in root.glob("*/**/*"):
        if not path.is_dir() or path.parent.name == "tmp":
            aged(path, time.time_ns() - chance.randrange(60 * 24 * 3600) * 10**9)


@pytest.mark.parametrize("seed", range(8))
def test_what_would_go_is_what_goes(root: Path, seed: int) -> None:
    chance = random.Random(seed)
    random_store(root, chance)
    since = time.time_ns() - chance.randrange(60 * 24 * 3600) * 10**9
    limit = chance.choice([None, 0, 50_000, 200_000])
    before = holdings(root, ["build"])
    would = chosen(before, unused_since=since, limit=limit)
    done = Pruned()
    with Store(root).alone():
        prune(chosen(holdings(root, ["build"]), unused_since=since, limit=limit), done)
    assert {each.path for each in done.gone} == {each.path for each in would}
    left = {each.path for each in holdings(root, ["build"])}
    assert left == {each.path for each in before} - {each.path for each in would}
    Store(root).clean()
    assert {each.path for each in holdings(root, ["build"])} == left
    assert would


_RUN = """
import hashlib, json, pathlib, random, sys, time
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
    del store
    time.sleep(0.02)
print(json.dumps(told))
"""


def test_runs_never_lose_what_they_have_seen_to_a_prune(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that may go does, over and over, while runs come, use, make and go."""
    monkeypatch.setattr(inuse, "WAIT", 0.001)
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
        removed += len(prune_all(root, limit=0))
    told = [json.loads(process.communicate()[0]) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert [each["broken"] for each in told] == [0, 0]
    assert removed > 20
    assert all(each["found"] > 5 and each["made"] > 5 for each in told), told
