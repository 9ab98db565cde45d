"""Copies of OSV's data: archives and folders, whole, damaged and hostile."""

from __future__ import annotations

import json
import os
import random
import resource
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from advisoryfactory import affected, before, record, write_archive
from packaging.utils import canonicalize_name

from wheelhouse.advisories import offline
from wheelhouse.advisories.offline import OfflineCopy
from wheelhouse.advisories.source import Knowledge, merged
from wheelhouse.errors import ConfigError, FetchError

DEMO = canonicalize_name("demo")
OTHER = canonicalize_name("other")

RECORDS = (
    before("demo", "2.0", "GHSA-1", modified="2026-11-17T00:00:00Z"),
    before("demo", "1.0", "GHSA-2", withdrawn="2026-01-01T00:00:00Z"),
    before("third", "1.0", "GHSA-3", modified="2026-11-19T00:00:00Z"),
    record("GHSA-4", affected("other", {"introduced": "0"}, ecosystem="npm")),
)


def ask(path: Path) -> Knowledge:
    return OfflineCopy(path).ask({DEMO, OTHER})


def refusal(path: Path) -> str:
    with pytest.raises(FetchError) as caught:
        ask(path)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value.message.partition("is no usable source of advisories: ")[2]


def in_folder(path: Path, *records: object) -> Path:
    path.mkdir(exist_ok=True)
    for number, each in enumerate(records):
        (path / f"{number}.json").write_text(json.dumps(each))
    return path


def with_member(path: Path, content: bytes, name: str = "bad.json") -> Path:
    write_archive(path, *RECORDS)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_what_it_knows(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "copy"
    found = ask(in_folder(path, *RECORDS) if kind == "folder" else write_archive(path, *RECORDS))
    assert found.kind == kind
    assert found.records == 3
    assert found.newest is not None
    assert found.newest.isoformat() == "2026-11-19T00:00:00+00:00"
    assert {name: [each.id for each in all_] for name, all_ in found.projects.items()} == {
        DEMO: ["GHSA-1"]
    }


def test_a_future_date_does_not_make_a_copy_new(tmp_path: Path) -> None:
    dated = before("demo", "1", "GHSA-9", modified="2999-01-01T00:00:00Z")
    found = ask(write_archive(tmp_path / "all.zip", *RECORDS, dated))
    assert found.newest is not None
    assert found.newest.year == 2026
    assert ask(write_archive(tmp_path / "all.zip", dated)).newest is None


def test_records_that_cannot_be_understood_are_counted(tmp_path: Path) -> None:
    bad = {"id": "GHSA-9", "affected": [{"package": {"ecosystem": "PyPI", "name": 7}}]}
    assert ask(write_archive(tmp_path / "all.zip", *RECORDS, bad)).flawed == 1


def test_a_folder_is_read_below_and_through(tmp_path: Path) -> None:
    folder = in_folder(tmp_path / "copy", *RECORDS[1:])
    in_folder(folder / "2026", RECORDS[0])
    (folder / "README.md").write_text("no record")
    (folder / ".git").mkdir()
    (folder / ".git" / "bad.json").write_text("{")
    (folder / "linked.json").symlink_to(folder / "2026" / "0.json")
    (folder / "circle").symlink_to(folder)
    os.mkfifo(folder / "fifo.json")
    assert [each.id for each in ask(folder).projects[DEMO]] == ["GHSA-1"]


def test_two_sources_know_more_than_one(tmp_path: Path) -> None:
    newer = before("demo", "3.0", "GHSA-1", modified="2026-11-18T00:00:00Z", summary="newer")
    third = before("other", "1.0", "GHSA-5")
    one = ask(write_archive(tmp_path / "one.zip", *RECORDS))
    two = ask(write_archive(tmp_path / "two.zip", newer, third))
    for order in ((one, two), (two, one)):
        found = merged(order)
        assert [each.summary for each in found[DEMO]] == ["newer"]
        assert [each.id for each in found[OTHER]] == ["GHSA-5"]


# --- what cannot be relied on ----------------------------------------------------------------


def test_nothing_there(tmp_path: Path) -> None:
    for path in (tmp_path / "all.zip", Path(__file__) / "x"):
        with pytest.raises(ConfigError, match="there is no"):
            ask(path)


def test_nothing_about_pypi(tmp_path: Path) -> None:
    assert refusal(write_archive(tmp_path / "all.zip", RECORDS[3])) == (
        "none of its 1 records is about PyPI"
    )
    assert refusal(write_archive(tmp_path / "all.zip")) == "it has no records"
    assert refusal(in_folder(tmp_path / "empty")) == "it has no records"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"<html>Not found</html>", b"PK\x03\x04" + b"x" * 60]
)
def test_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(content)
    assert refusal(path) == "it is no ZIP archive"


def test_neither_a_file_nor_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "all.zip")
    assert refusal(tmp_path / "all.zip") == "it is neither a file nor a folder"


def test_a_changed_bit_loses_no_record(tmp_path: Path) -> None:
    path, chance = tmp_path / "all.zip", random.Random(6)
    content = bytearray(write_archive(path, *RECORDS[:2]).read_bytes())
    expected, refused = ask(path), 0
    directory = content.index(b"PK\x01\x02")
    places = [(place, 1 << chance.randrange(8)) for place in range(directory)]
    places += [(place, 1 << bit) for place in range(directory, len(content)) for bit in range(8)]
    for place, bit in places:
        content[place] ^= bit
        path.write_bytes(content)
        content[place] ^= bit
        try:
            assert ask(path) == expected
        except FetchError:
            refused += 1
    assert refused > len(content) // 2


def test_an_archive_of_very_many_records(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(66_000):
            archive.writestr(f"{number}.json", "")
    with path.open("rb") as file:
        assert offline._entries(file) == 66_000


def test_an_archive_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "all.zip", *RECORDS)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        assert refusal(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "bad.json is no JSON"),
        (b"", "bad.json is no JSON"),
        (b"\xff\xfe\x00", "bad.json is no JSON"),
        (b"[" * 200_000, "bad.json is nested too deeply"),
        (b'{"a":' * 200_000, "bad.json is nested too deeply"),
        (b"9" * 5000, "bad.json is no JSON"),
        (b"[]", "bad.json: it is no OSV record"),
        (b"{}", "bad.json: it is no OSV record"),
    ],
)
def test_damaged_records(tmp_path: Path, content: bytes, why: str) -> None:
    assert refusal(with_member(tmp_path / "all.zip", content)) == why
    folder = in_folder(tmp_path / "copy", *RECORDS)
    (folder / "bad.json").write_bytes(content)
    assert refusal(folder) == why


def test_names_of_members_are_harmless(tmp_path: Path) -> None:
    path = with_member(tmp_path / "all.zip", b"{", name="\x1b[2J\n.json")
    assert refusal(path) == "\\x1b[2J\\n.json is no JSON"


def test_packed_or_encrypted_in_another_way(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "all.zip", *RECORDS)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 99)):  # general purpose flags; the method
        changed = bytearray(content)
        for start, shift in ((entry, 0), (0, -2)):
            struct.pack_into("<H", changed, start + offset + shift, value)
        path.write_bytes(changed)
        assert refusal(path).startswith("it is damaged (")


def test_a_record_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "RECORD", 1 << 20)
    assert refusal(with_member(tmp_path / "all.zip", b" " * (2 << 20))) == (
        "bad.json has more than 1 MiB"
    )


def test_too_much_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_archive(tmp_path / "all.zip", *RECORDS)
    monkeypatch.setattr(offline, "TOTAL", 600)
    assert refusal(path) == "it has more than 0 GiB of records"


def test_a_table_of_contents_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_archive(tmp_path / "all.zip", *RECORDS)
    monkeypatch.setattr(offline, "DIRECTORY", 100)
    assert refusal(path).startswith("it is damaged (its table of contents has more than")


BOMB = """\
import resource, sys
from pathlib import Path
from wheelhouse.advisories.offline import OfflineCopy
from wheelhouse.errors import FetchError
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
try:
    found = OfflineCopy(Path(sys.argv[1])).ask({"project-7"})
    print(found.records, len(found.projects))
except FetchError as error:
    print(error.message)
"""


def in_little_memory(path: Path) -> str:
    """What asking the copy at *path* comes to, in a process of 600 MiB of addresses."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", BOMB, str(path)], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


def test_a_bomb_is_read_as_far_as_a_record_may_go(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("GHSA-1.json", "w", force_zip64=True) as member,
    ):
        for _ in range(1 << 7):
            member.write(b" " * (1 << 23))  # 1 GiB
    assert path.stat().st_size < 8 << 20
    assert in_little_memory(path).endswith("GHSA-1.json has more than 8 MiB")


def test_a_whole_export_is_read_in_little_memory(tmp_path: Path) -> None:
    more = {"details": "Something leaks. " * 100, "aliases": ["CVE-2026-1"]}
    records = (
        before(f"Project_{n}", "2.0", f"GHSA-{n}", versions=[f"1.{k}" for k in range(50)], **more)
        for n in range(12_000)
    )
    path = write_archive(tmp_path / "all.zip", *records)
    assert in_little_memory(path) == "12000 1"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 600 << 10
