"""Metadata of releases, had as cheaply as the index allows, over real HTTP on loopback."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lockingfactory import (
    NoBuilder,
    index_file,
    interpreter,
    metadata,
    page,
    sha,
    tar_bytes,
    wheel_bytes,
    zip_bytes,
)
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from flakyindex import QUICK, Answer, FlakyIndex
from wheelhouse.errors import BuildError, FetchError
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.locking import metadata as module
from wheelhouse.locking.candidates import Release, releases
from wheelhouse.locking.metadata import MetadataSource
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wheelhouse.locking.candidates import Source
    from wheelhouse.locking.index import IndexFile
    from wheelhouse.locking.metadata import MetadataBuilder

DEMO = canonicalize_name("demo")
TEXT = metadata("demo", "1.0", ["click>=8"])
WHEEL = "demo-1.0-py3-none-any.whl"
SDIST = "demo-1.0.tar.gz"


class Builder:
    """Answers as a backend in a container would; remembers what it was asked."""

    def __init__(self, requires: str = "built") -> None:
        self.requires = requires
        self.asked: list[str] = []

    def metadata(self, name: NormalizedName, release: Release, sdist: Path) -> str:
        assert sdist.is_file()
        self.asked.append(f"{name} {release.version}")
        return metadata("demo", "1.0", [self.requires])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyIndex]:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with FlakyIndex() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def put(server: FlakyIndex, filename: str, data: bytes, *, beside: bool = False) -> IndexFile:
    """Serve a file; the index tells its true hash."""
    url = server.on(f"/files/{filename}", Answer(body=data, ranges=True))
    return index_file(filename, url=url, sha256=sha(data), size=len(data), metadata=beside)


def read(
    store: Store,
    *files: IndexFile,
    source: Source = "any",
    builder: MetadataBuilder | None = None,
) -> str:
    client = Client(patience=QUICK)
    found = MetadataSource(Fetcher(client, store, lambda: None), builder or NoBuilder())
    release = releases(page("demo", *files), interpreter())[Version("1.0")]
    return found.of(DEMO, release, source)


def test_what_lies_beside_the_wheel_is_enough(server: FlakyIndex, store: Store) -> None:
    wheel = put(server, WHEEL, b"never read", beside=True)
    server.on(f"/files/{WHEEL}.metadata", Answer(body=TEXT.encode()))
    assert read(store, wheel) == TEXT
    assert [asked.path for asked in server.asked] == [f"/files/{WHEEL}.metadata"]


def test_it_is_remembered(server: FlakyIndex, store: Store) -> None:
    wheel = put(server, WHEEL, wheel_bytes("demo", "1.0", TEXT))
    assert read(store, wheel) == TEXT
    assert read(store, wheel) == TEXT
    assert server.count(f"/files/{WHEEL}") == 1


@pytest.mark.parametrize("damage", [{}, {"text": 7}, {"other": "x"}])
def test_a_damaged_memory_is_none(
    server: FlakyIndex, store: Store, damage: dict[str, object]
) -> None:
    wheel = put(server, WHEEL, wheel_bytes("demo", "1.0", TEXT))
    assert wheel.sha256 is not None
    store.write_record(module.KIND, wheel.sha256, damage)
    assert read(store, wheel) == TEXT


def test_what_was_announced_but_is_not_there(server: FlakyIndex, store: Store) -> None:
    wheel = put(server, WHEEL, b"x", beside=True)
    with pytest.raises(FetchError, match="is not there, although announced"):
        read(store, wheel)


def test_metadata_in_another_encoding(server: FlakyIndex, store: Store) -> None:
    body = TEXT.encode() + b"Author: caf\xe9\n"
    wheel = put(server, WHEEL, b"x", beside=True)
    server.on(f"/files/{WHEEL}.metadata", Answer(body=body))
    assert "Requires-Dist: click>=8" in read(store, wheel)


def test_a_small_wheel_is_fetched_whole_and_checked(server: FlakyIndex, store: Store) -> None:
    data = wheel_bytes("demo", "1.0", TEXT)
    assert read(store, put(server, WHEEL, data)) == TEXT
    assert store.verified(sha(data))


@pytest.mark.parametrize("told", [True, False])
def test_of_a_big_wheel_the_end_is_read(
    server: FlakyIndex, store: Store, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """If its index does not tell that it is big, its server does."""
    monkeypatch.setattr(module, "WHOLE", 10_000)
    data = wheel_bytes("demo", "1.0", TEXT, padding=300_000)
    file = put(server, WHEEL, data)
    assert read(store, file if told else replace(file, size=None)) == TEXT
    assert not store.has(sha(data))
    ranges = [asked.headers.get("Range") for asked in server.asked]
    assert all(ranges if told else ranges[1:])


def test_a_big_wheel_is_fetched_where_no_end_can_be(
    server: FlakyIndex, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WHOLE", 10_000)
    data = wheel_bytes("demo", "1.0", TEXT, padding=300_000)
    url = server.on(f"/files/{WHEEL}", Answer(body=data))
    file = index_file(WHEEL, url=url, sha256=sha(data), size=len(data), metadata=False)
    assert read(store, file) == TEXT
    assert store.verified(sha(data))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_big_wheel_is_not_fetched_for_what_is_not_worth_it(
    server: FlakyIndex, store: Store, monkeypatch: pytest.MonkeyPatch, *, ranges: bool
) -> None:
    monkeypatch.setattr(module, "WHOLE", 10_000)
    data = wheel_bytes("demo", "1.0", TEXT, padding=300_000)
    url = server.on(f"/files/{WHEEL}", Answer(body=data, ranges=ranges))
    file = index_file(WHEEL, url=url, sha256=sha(data), size=len(data), metadata=False)
    source = MetadataSource(Fetcher(Client(patience=QUICK), store, lambda: None), NoBuilder())
    assert source.at_hand(file) == (TEXT if ranges else None)
    assert not store.has(sha(data))
    assert source.at_hand(replace(file, sha256=None)) is None
    assert read(store, file) == TEXT
    assert source.at_hand(file) == TEXT, "by now it is known"


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no zip at all" * 2000, "no valid wheel"),
        (zip_bytes({"demo/x.py": "x" * 20}), "0 METADATA"),
        (
            zip_bytes({"a-1.dist-info/METADATA": TEXT, "b-1.dist-info/METADATA": TEXT}),
            "2 METADATA",
        ),
        (
            wheel_bytes("demo", "1.0", TEXT).replace(b"METADATA", b"METAD\xffTA"),
            "no valid wheel",
        ),
        (wheel_bytes("demo", "1.0", TEXT)[:-30], "no valid wheel"),
    ],
)
def test_a_broken_wheel_is_told(
    server: FlakyIndex,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    words: str,
    whole: bool,
) -> None:
    monkeypatch.setattr(module, "WHOLE", (1 << 20) if whole else 1)
    with pytest.raises(FetchError, match=words) as told:
        read(store, put(server, WHEEL, data))
    assert told.value.message.startswith(WHEEL)


def test_metadata_that_would_fill_the_memory_is_told(
    server: FlakyIndex, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_METADATA", 1000)
    bomb = wheel_bytes("demo", "1.0", TEXT + "x" * 100_000)
    with pytest.raises(FetchError, match="has more than 1000 bytes"):
        read(store, put(server, WHEEL, bomb))


def test_a_vendored_dist_info_is_not_the_wheels(server: FlakyIndex, store: Store) -> None:
    data = zip_bytes(
        {
            "demo/_vendor/click-8.dist-info/METADATA": "Name: click\n",
            "demo-1.0.dist-info/METADATA": TEXT,
        }
    )
    assert read(store, put(server, WHEEL, data)) == TEXT


# --- sdists -----------------------------------------------------------------------------------


def sdist(level: str) -> bytes:
    return tar_bytes({"demo-1.0/PKG-INFO": metadata("demo", "1.0", ["click>=8"], level=level)})


def test_static_metadata_of_an_sdist_needs_no_backend(server: FlakyIndex, store: Store) -> None:
    found = read(store, put(server, SDIST, sdist("2.2")))
    assert "click>=8" in found


def test_dynamic_metadata_is_asked_of_the_backend_for_each_target(
    server: FlakyIndex, store: Store
) -> None:
    file = put(server, SDIST, sdist("2.1"))
    for builder in (Builder("built"), Builder("otherwise")):
        found = read(store, file, builder=builder)
        assert f"Requires-Dist: {builder.requires}" in found
        assert builder.asked == ["demo 1.0"]


def test_the_wheel_tells_for_the_sdist_that_will_be_built(server: FlakyIndex, store: Store) -> None:
    wheel = put(server, WHEEL, wheel_bytes("demo", "1.0", TEXT))
    file = put(server, SDIST, sdist("2.1"))
    assert read(store, wheel, file, source="sdist") == TEXT
    assert server.count(f"/files/{SDIST}") == 0


def test_a_broken_sdist_is_told(server: FlakyIndex, store: Store) -> None:
    with pytest.raises(BuildError, match=f"{SDIST} is no sdist"):
        read(store, put(server, SDIST, b"no tar"))
