"""The store: whole files or none, found out when they rot, shared without harm."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wheelhouse.errors import StorageError
from wheelhouse.store import Store, default_root, digest_of, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

DATA = b"some bytes of a wheel"
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() or mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("cannot mount a file system here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def temporaries(store: Store) -> list[Path]:
    return list((store.root / "tmp").iterdir())


def blobs(root: Path) -> list[Path]:
    return [path for path in (root / "blobs").rglob("*") if path.is_file()]


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A real other process that does *code*."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    )


# --- blobs ------------------------------------------------------------------------------------


def test_an_added_file_is_there_read_only_and_leaves_no_temporary(store: Store) -> None:
    assert store.add([DATA[:5], DATA[5:]], expected=SHA) == SHA
    path = store.verified(SHA)
    assert path == store.blob(SHA)
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o444
    assert store.has(SHA)
    assert temporaries(store) == []


def test_what_has_another_hash_is_not_stored(store: Store) -> None:
    with pytest.raises(ValueError, match=hashlib.sha256(b"other").hexdigest()):
        store.add([b"other"], expected=SHA)
    assert blobs(store.root) == []
    assert temporaries(store) == []


def test_a_source_that_breaks_off_leaves_nothing(store: Store) -> None:
    def chunks() -> Iterator[bytes]:
        yield DATA
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        store.add(chunks())
    assert blobs(store.root) == []
    assert temporaries(store) == []


def test_a_flipped_bit_is_found_and_the_file_dropped(store: Store) -> None:
    store.add([DATA])
    path = store.blob(SHA)
    path.chmod(0o644)
    path.write_bytes(bytes([DATA[0] ^ 1]) + DATA[1:])
    assert store.verified(SHA) is None
    assert not store.has(SHA)
    store.add([DATA], expected=SHA)  # had anew from where it came
    assert store.verified(SHA) is not None


def test_what_is_not_there_is_not_there(store: Store) -> None:
    assert store.verified(SHA) is None
    assert not store.has(SHA)


@pytest.mark.parametrize("hostile", ["../../../precious", "..", "", "ab", SHA.upper(), "/" * 64])
def test_only_a_hash_is_a_name(store: Store, tmp_path: Path, hostile: str) -> None:
    """A hash comes from an index or a lock: it must not lead out of the store."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    with pytest.raises(ValueError, match="no SHA-256"):
        store.verified(hostile)
    assert precious.exists()


def test_adopting_moves(store: Store) -> None:
    with store.workspace() as folder:
        made = folder / "made.whl"
        made.write_bytes(DATA)
        assert store.adopt(made) == SHA
        assert not made.exists()
    assert store.verified(SHA) is not None
    assert temporaries(store) == []


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    assert sha256_of(tmp_path / "file") == SHA


# --- records ----------------------------------------------------------------------------------


def test_a_record_is_kept_and_replaced(store: Store) -> None:
    assert store.record("build", "key") is None
    store.write_record("build", "key", {"a": 1})
    store.write_record("build", "key", {"a": [2, "ü"]})
    assert store.record("build", "key") == {"a": [2, "ü"]}
    assert store.record("other", "key") is None
    assert temporaries(store) == []


@pytest.mark.parametrize(
    "damage",
    [
        *(b"", b"{", b"\xff\xfe", b"[1]", b"null", b'{"a": 1} more', b'{"value": {}}'),
        *(b'{"sha256": 7, "value": {"a": 1}}', b'{"sha256": null, "value": [1]}'),
        b"[" * 100_000,
    ],
)
def test_a_damaged_record_is_none(store: Store, damage: bytes) -> None:
    store.write_record("build", "key", {"a": 1})
    (store.root / "records/build/key.json").write_bytes(damage)
    assert store.record("build", "key") is None


def test_each_flipped_bit_of_a_record_is_found(store: Store) -> None:
    """Most leave JSON, and some leave an answer that could be believed."""
    value = {"filename": "a.whl", "count": 18, "is": True}
    store.write_record("build", "key", value)
    path = store.root / "records/build/key.json"
    content = path.read_bytes()
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            assert store.record("build", "key") in (None, value)
    path.write_bytes(content.replace(b"18", b"19"))
    assert store.record("build", "key") is None


def test_a_record_answers_no_other_question(store: Store) -> None:
    store.write_record("build", "one", {"a": 1})
    (store.root / "records/build/one.json").rename(store.root / "records/build/other.json")
    assert store.record("build", "other") is None


def test_a_record_can_be_forgotten(store: Store) -> None:
    store.write_record("build", "key", {"a": 1})
    for _ in range(2):
        store.forget("build", "key")
        assert store.record("build", "key") is None


# --- what does not belong there ---------------------------------------------------------------


def _plant(kind: str, path: Path) -> None:
    """Something that is no file, or one that is not ours."""
    if path.exists():
        path.unlink()
    match kind:
        case "folder":
            path.mkdir()
            (path / "file").touch()
        case "FIFO":
            os.mkfifo(path)
        case "link to it":
            (path.parent / "elsewhere").write_bytes(DATA)
            path.symlink_to("elsewhere")
        case "broken link":
            path.symlink_to("nowhere")
        case "endless link":
            path.symlink_to("/dev/zero")
        case "empty file":
            path.touch()


PLANTS = ["folder", "FIFO", "link to it", "broken link", "endless link", "empty file"]


@pytest.mark.parametrize("kind", PLANTS)
def test_what_stands_in_a_file_s_place_is_dropped(store: Store, kind: str) -> None:
    store.add([DATA])
    _plant(kind, store.blob(SHA))
    assert store.verified(SHA) is None
    assert not os.path.lexists(store.blob(SHA))
    store.add([DATA], expected=SHA)
    assert store.verified(SHA) is not None


@pytest.mark.parametrize("kind", PLANTS)
def test_what_stands_in_a_file_s_place_is_replaced(store: Store, kind: str) -> None:
    store.add([DATA])
    _plant(kind, store.blob(SHA))
    store.add([DATA], expected=SHA)
    assert store.verified(SHA) is not None


@pytest.mark.parametrize("kind", PLANTS)
def test_what_stands_in_a_record_s_place_is_replaced(store: Store, kind: str) -> None:
    store.write_record("build", "key", {"a": 1})
    _plant(kind, store.root / "records/build/key.json")
    assert store.record("build", "key") is None
    store.write_record("build", "key", {"a": 2})
    assert store.record("build", "key") == {"a": 2}


@pytest.mark.parametrize("kind", [kind for kind in PLANTS if kind != "folder"])
def test_what_stands_in_a_folder_s_place_is_replaced(store: Store, kind: str) -> None:
    _plant(kind, store.blob(SHA).parent)
    assert store.verified(SHA) is None
    store.add([DATA])
    assert store.verified(SHA) is not None


def test_a_corrupt_file_that_another_run_has_replaced_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the removal, that run has fetched it anew."""
    store.add([DATA])
    path = store.blob(SHA)
    path.chmod(0o644)
    path.write_bytes(b"rotten")
    settling = Store.settling

    def meanwhile(self: Store) -> AbstractContextManager[None]:
        monkeypatch.setattr(Store, "settling", settling)
        Store(store.root).add([DATA])
        return settling(self)

    monkeypatch.setattr(Store, "settling", meanwhile)
    assert store.verified(SHA) is None
    assert path.read_bytes() == DATA


def test_whether_it_can_be_written_to(store: Store) -> None:
    store.check(1)
    with pytest.raises(StorageError, match="disk is full"):
        store.check(1 << 60)
    assert temporaries(store) == []


def test_a_key_is_the_same_whatever_the_order_and_differs_by_type() -> None:
    assert digest_of({"a": 1, "b": "ü"}) == digest_of({"b": "ü", "a": 1})
    assert len({digest_of(value) for value in (1, "1", [1], ["1"], None, {"1": 1}, True)}) == 7
    assert digest_of(("a", "b")) != digest_of(("ab",))


# --- what killed runs leave -------------------------------------------------------------------


def test_cleaning_removes_what_the_dead_left_and_nothing_else(store: Store) -> None:
    gone = run_python("")
    gone.wait()
    assert gone.stdout is not None
    gone.stdout.close()
    dead = store.root / "tmp" / f"{gone.pid}-deadbeef"
    not_ours = store.root / "tmp" / "2024-Holidays"
    huge = store.root / "tmp" / f"{10**30}-enormous"
    for folder in (dead, not_ours, huge):
        folder.mkdir()
        (folder / "file").write_bytes(DATA)
    os.mkfifo(store.root / "tmp" / f"{gone.pid}-fifofifo")
    mine_once = store.root / "tmp" / f"{os.getpid()}-left_abc"
    mine_once.mkdir()
    os.utime(mine_once, (1, 1))  # by another process, that had this one's number
    with store.workspace() as mine:
        store.clean()
        assert sorted(temporaries(store)) == sorted([mine, not_ours])


def test_cleaning_removes_old_logs_only(store: Store) -> None:
    old, new = (store.logs / f"2026{day}-120000-web-probe-012345.log" for day in (1001, 1120))
    fault = store.logs / "20261001-120000-internal-abc_12de.log"
    notes = store.logs / "notes.log"
    for path in (old, new, fault, notes):
        path.touch()
    for path in (old, fault, notes):
        os.utime(path, (1, 1))
    store.clean()
    assert sorted(store.logs.iterdir()) == sorted([new, notes])


def test_cleaning_follows_no_link_and_no_build_fails_of_it(store: Store) -> None:
    elsewhere = store.root.parent / "elsewhere"
    elsewhere.mkdir()
    left = elsewhere / ("a" * 64)
    left.write_bytes(DATA)
    os.utime(left, (1, 1))
    (store.root / "partial").rmdir()
    (store.root / "partial").symlink_to(elsewhere)
    shutil.rmtree(store.logs)
    store.clean()
    assert left.read_bytes() == DATA


def test_a_root_that_is_made_says_that_it_is_a_cache(tmp_path: Path) -> None:
    Store(tmp_path / "new")
    tag = (tmp_path / "new" / "CACHEDIR.TAG").read_text()
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "letter").touch()
    Store(tmp_path / "theirs")
    assert not (tmp_path / "theirs" / "CACHEDIR.TAG").exists()


def test_cleaning_spares_those_of_a_process_that_lives_elsewhere(store: Store) -> None:
    """A shared store on one machine, seen from two containers: their process IDs mean nothing to
    each other."""
    code = (
        "import os, sys, pathlib; from wheelhouse.store import Store\n"
        "os.getpid = lambda: 4194304 + 7\n"  # above the highest that Linux gives
        "with Store(pathlib.Path(sys.argv[1])).workspace() as folder:\n"
        "    print(folder, flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        folder = Path(process.stdout.readline().strip())
        store.clean()
        alive = folder.is_dir()
        process.kill()
    assert alive
    store.clean()
    assert not folder.exists()


# --- locks ------------------------------------------------------------------------------------

HOLD = """
import sys, pathlib, time
from wheelhouse.store import Store
with Store(pathlib.Path(sys.argv[1])).lock("thing"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_excludes_another_process_until_that_is_killed(store: Store) -> None:
    entered: list[float] = []

    def wait_for_it() -> None:
        with store.lock("thing"):
            entered.append(time.monotonic())

    with run_python(HOLD, str(store.root)) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        with store.lock("another"):
            pass
        time.sleep(0.15)
        assert entered == []
        holder.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        waiting.join(5)
    assert entered
    assert entered[0] >= killed


def test_a_lock_excludes_another_thread(store: Store) -> None:
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        with store.lock("thing"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_who_waits_for_a_lock_can_be_stopped(store: Store) -> None:
    class StoppedError(Exception):
        pass

    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise StoppedError

    with store.lock("thing"), pytest.raises(StoppedError), store.lock("thing", check=check):
        pytest.fail("it was held")


# --- several writers --------------------------------------------------------------------------

SAME_BLOB = """
import sys, pathlib
from wheelhouse.store import Store
store = Store(pathlib.Path(sys.argv[1]))
input()
for number in range(50):
    data = bytes([number]) * 20_000
    store.add([data])
"""


def test_two_processes_add_the_same_files_at_once(store: Store) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SAME_BLOB, str(store.root)], stdin=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        with process:
            pass
        assert process.returncode == 0
    found = blobs(store.root)
    assert len(found) == 50
    assert all(sha256_of(path) == path.name for path in found)
    assert temporaries(store) == []


WRITER = """
import os, sys, pathlib
from wheelhouse.store import Store
store = Store(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
while True:
    block = os.urandom(1 << 12) * 64
    sha = store.add([block[:100_000], block[100_000:]])
    store.write_record("kind", "key", {"sha": sha, "more": "x" * 100_000})
"""


def test_killed_at_any_moment_nothing_is_corrupt(store: Store) -> None:
    for number in range(16):
        with run_python(WRITER, str(store.root)) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(0.004 + 0.0037 * number)
            writer.kill()
        found = store.record("kind", "key")
        if found is None:
            assert not (store.root / "records/kind/key.json").exists()
        else:
            assert store.verified(found["sha"]) is not None
    found_blobs = blobs(store.root)
    assert found_blobs
    assert [path for path in found_blobs if sha256_of(path) != path.name] == []
    store.clean()
    assert temporaries(store) == []


# --- a bad disk -------------------------------------------------------------------------------


def test_a_full_disk_is_named(small_disk: Path) -> None:
    store = Store(small_disk)
    with pytest.raises(StorageError, match=f"disk is full: {re.escape(str(small_disk))}") as told:
        store.add(bytes(1 << 18) for _ in range(8))
    assert told.value.hint
    assert blobs(small_disk) == []
    assert temporaries(store) == []
    store.add([DATA])  # and with room again, it works


def test_a_place_where_nothing_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write to .*file/store"):
        Store(tmp_path / "file" / "store")


def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHEELHOUSE_CACHE", str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.delenv("WHEELHOUSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "wheelhouse"
