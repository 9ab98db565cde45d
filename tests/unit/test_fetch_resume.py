"""Downloads go on from where they broke off, whoever began them, and believe nobody."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from lockingfactory import sha

from flakyindex import QUICK, Answer, FlakyIndex
from wheelhouse.errors import FetchError, InterruptedRunError
from wheelhouse.fetch import Client, Fetcher, transfer
from wheelhouse.fetch.transfer import WORTH
from wheelhouse.fetcherrors import TRIES
from wheelhouse.leftovers import LIVES
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = bytes(range(256)) * 100
SHA = sha(DATA)
PATH = "/files/demo-1.0-py3-none-any.whl"
TAGGED = {"ETag": '"one"'}
WHOLE = Answer(body=DATA, ranges=True, headers=TAGGED)
BROKEN = Answer(body=DATA, ranges=True, headers=TAGGED, cut=500)


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine's."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def index() -> Iterator[FlakyIndex]:
    with FlakyIndex() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def fetcher(store: Store) -> Fetcher:
    return Fetcher(Client(patience=QUICK), store, lambda: None)


def parts(index: FlakyIndex) -> list[tuple[str | None, str | None]]:
    """What each request said of the part that it wanted: ``Range`` and ``If-Range``."""
    return [(asked.headers.get("Range"), asked.headers.get("If-Range")) for asked in index.asked]


def partial(store: Store) -> Path:
    return store.root / "partial" / SHA


def leave(store: Store, content: bytes) -> Path:
    """As a run that was killed leaves what has come."""
    partial(store).write_bytes(content)
    return partial(store)


# --- going on -----------------------------------------------------------------------------------


def test_a_transfer_goes_on_where_it_broke_off(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, BROKEN, BROKEN, WHOLE)
    path = fetcher(store).fetch(url, SHA)
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o444
    assert parts(index) == [
        (None, None),
        ("bytes=500-", '"one"'),
        ("bytes=1000-", '"one"'),
    ]
    assert not partial(store).exists()


def test_the_next_run_goes_on_too(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, BROKEN)
    with pytest.raises(FetchError, match="broke off"):
        fetcher(store).fetch(url, SHA)
    came = TRIES * 500
    assert partial(store).read_bytes() == DATA[:came]
    index.on(PATH, WHOLE)
    assert fetcher(store).fetch(url, SHA).read_bytes() == DATA
    assert parts(index)[-1] == (f"bytes={came}-", None)
    assert not partial(store).exists()


def test_tries_that_bring_something_do_not_count(store: Store, index: FlakyIndex) -> None:
    data = os.urandom(WORTH) * (TRIES + 2)
    url = index.on(PATH, Answer(body=data, ranges=True, cut=WORTH))
    assert fetcher(store).fetch(url, sha(data)).read_bytes() == data
    assert index.count(PATH) == TRIES + 2


def test_what_had_come_whole_is_not_asked_for(store: Store, index: FlakyIndex) -> None:
    leave(store, DATA)
    assert fetcher(store).fetch(index.url(PATH), SHA).read_bytes() == DATA
    assert index.asked == []


def test_one_of_two_runs_waits_for_the_other(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, Answer(body=DATA, hang=0.3))
    found: list[Path] = []
    runs = [
        threading.Thread(target=lambda: found.append(fetcher(Store(store.root)).fetch(url, SHA)))
        for _ in range(4)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [path.read_bytes() for path in found] == [DATA] * 4
    assert index.count(PATH) == 1
    assert not list((store.root / "partial").iterdir())


def test_who_waits_for_another_run_can_be_stopped(store: Store, index: FlakyIndex) -> None:
    def stopped() -> None:
        raise InterruptedRunError("stopped")

    with store.partial(SHA) as mine:
        mine.append(b"x")
        with pytest.raises(InterruptedRunError):
            Fetcher(Client(patience=QUICK), store, stopped).fetch(index.url(PATH), SHA)
    assert index.asked == []


@pytest.mark.parametrize(("tag", "again"), [('"one"', "bytes=500-"), ('W/"one"', None)])
def test_without_a_hash_only_a_servers_own_name_for_the_bytes_counts(
    store: Store, index: FlakyIndex, tag: str, again: str | None
) -> None:
    broken = Answer(body=DATA, ranges=True, headers={"ETag": tag}, cut=500)
    whole = Answer(body=DATA, ranges=True, headers={"ETag": tag})
    assert fetcher(store).first(index.on(PATH, broken, whole)) == SHA
    assert [part for part, _ in parts(index)] == [None, again]
    assert not list((store.root / "tmp").iterdir())


# --- believing nobody ---------------------------------------------------------------------------


@pytest.mark.parametrize("rotten", [b"x" * 500, DATA + b"more", bytes(500) + DATA[500:]])
def test_what_is_left_is_hashed_anew(store: Store, index: FlakyIndex, rotten: bytes) -> None:
    leave(store, rotten)
    url = index.on(PATH, WHOLE)
    assert fetcher(store).fetch(url, SHA, size=len(DATA)).read_bytes() == DATA
    assert parts(index)[-1] == (None, None)
    assert index.count(PATH) == 2


def test_a_server_may_overlook_the_range(store: Store, index: FlakyIndex) -> None:
    leave(store, DATA[:500])
    assert fetcher(store).fetch(index.on(PATH, Answer(body=DATA)), SHA).read_bytes() == DATA
    assert parts(index) == [("bytes=500-", None)]


def test_a_file_that_was_replaced_meanwhile_comes_from_its_beginning(
    store: Store, index: FlakyIndex
) -> None:
    other = Answer(body=b"another" * 1000, ranges=True, headers={"ETag": '"two"'}, cut=500)
    assert fetcher(store).fetch(index.on(PATH, other, WHOLE), SHA).read_bytes() == DATA
    assert parts(index) == [(None, None), ("bytes=500-", '"two"')]


@pytest.mark.parametrize(
    "place",
    [
        "bytes 0-25599/25600",
        "bytes 501-25599/25600",
        "bytes 500-25599/99",
        "bytes 500-99999999999999999999999/*",
        "bytes 25599-500/25600",
        "bytes 500-30000/*",
        "bytes */25600",
        "lines 500-25599/25600",
        "nonsense",
        "",
    ],
)
def test_another_part_than_was_asked_for_is_not_taken(
    store: Store, index: FlakyIndex, place: str
) -> None:
    leave(store, DATA[:500])
    liar = Answer(body=DATA[500:], status=206, headers={"Content-Range": place})
    assert fetcher(store).fetch(index.on(PATH, liar, WHOLE), SHA).read_bytes() == DATA
    assert parts(index) == [("bytes=500-", None), (None, None)]


def test_a_part_that_does_not_reach_the_end_is_gone_on_from(
    store: Store, index: FlakyIndex
) -> None:
    leave(store, DATA[:500])
    short = Answer(
        body=DATA[500:700], status=206, headers={"Content-Range": f"bytes 500-699/{len(DATA)}"}
    )
    assert fetcher(store).fetch(index.on(PATH, short, WHOLE), SHA).read_bytes() == DATA
    assert parts(index) == [("bytes=500-", None), ("bytes=700-", None)]


def test_a_server_without_that_part_is_asked_for_all(store: Store, index: FlakyIndex) -> None:
    leave(store, DATA[:500])
    no_such = Answer(status=416, headers={"Content-Range": "bytes */400"})
    assert fetcher(store).fetch(index.on(PATH, no_such, WHOLE), SHA).read_bytes() == DATA
    assert parts(index) == [("bytes=500-", None), (None, None)]


@pytest.mark.parametrize("status", [206, 416])
def test_an_answer_to_a_question_that_nobody_asked_is_refused(
    store: Store, index: FlakyIndex, status: int
) -> None:
    with pytest.raises(FetchError, match=f"answers with status {status}"):
        fetcher(store).fetch(index.on(PATH, Answer(body=DATA, status=status)), SHA)


# --- lengths ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=DATA + b"more"),
        Answer(body=DATA, endless=True),
        Answer(body=DATA, headers={"Content-Length": "99999999999999999"}),
    ],
)
def test_no_more_is_taken_than_the_lock_says(
    store: Store, index: FlakyIndex, answer: Answer
) -> None:
    url = index.on(PATH, answer)
    with pytest.raises(FetchError, match="has changed: it has more than 25,600 bytes") as told:
        fetcher(store).fetch(url, SHA, size=len(DATA))
    assert told.value.kind == "changed"
    assert index.count(PATH) == 2
    assert not partial(store).exists()


def test_a_file_of_unknown_length_is_bounded(
    store: Store, index: FlakyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "LONGEST", 1 << 20)
    url = index.on(PATH, Answer(body=DATA, endless=True))
    with pytest.raises(FetchError, match="more comes than the 1,048,576 bytes"):
        fetcher(store).fetch(url, SHA)
    with pytest.raises(FetchError, match="is no file that can be used"):
        fetcher(store).first(url)
    assert not partial(store).exists()


def test_a_shorter_file_is_another_one(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, Answer(body=DATA[:-1]))
    with pytest.raises(FetchError, match="has changed: its SHA-256 is"):
        fetcher(store).fetch(url, SHA, size=len(DATA))
    assert not partial(store).exists()


@pytest.mark.parametrize("size", [len(DATA), None])
def test_what_is_known_to_be_too_big_is_not_asked_for(
    store: Store, index: FlakyIndex, size: int | None
) -> None:
    url = index.on(PATH, WHOLE)
    assert fetcher(store).fetch_small(url, SHA, 100, size=size) is None
    assert index.count(PATH) == (0 if size else 1)


def test_how_far_it_is_is_told(store: Store, index: FlakyIndex) -> None:
    told: list[tuple[int, int | None]] = []
    url = index.on(PATH, BROKEN, WHOLE)
    fetcher(store).fetch(url, SHA, progress=lambda done, total: told.append((done, total)))
    assert told[0] == (500, len(DATA))
    assert told[-1] == (len(DATA), len(DATA))
    assert told == sorted(told)


# --- what is in the store -----------------------------------------------------------------------


def test_what_nobody_wants_the_rest_of_goes(store: Store) -> None:
    path = leave(store, DATA[:500])
    store.clean()
    assert path.exists()
    old = path.stat().st_mtime - LIVES["partial"] - 1
    os.utime(path, (old, old))
    store.clean()
    assert not path.exists()


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_is_no_file_makes_way(
    store: Store, index: FlakyIndex, tmp_path: Path, kind: str
) -> None:
    path, mine = partial(store), tmp_path / "mine"
    mine.write_text("mine")
    if kind == "folder":
        (path / "inner").mkdir(parents=True)
    elif kind == "link":
        path.symlink_to(mine)
    else:
        os.mkfifo(path)
    assert fetcher(store).fetch(index.on(PATH, WHOLE), SHA).read_bytes() == DATA
    assert mine.read_text() == "mine"


def test_a_partial_file_is_not_trusted_to_be_whole(store: Store) -> None:
    leave(store, DATA)
    assert not store.has(SHA)
    assert store.verified(SHA) is None
