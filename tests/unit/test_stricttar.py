"""Tars in order, in all the forms that they come in; the fault suite has those that are not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from typing import TYPE_CHECKING

import pytest

from faults.badsdists import entry, gz, patched, pax
from wheelhouse.agent import streams
from wheelhouse.agent.streams import ArchiveProblem, Unpacked
from wheelhouse.agent.stricttar import Member, read_tar

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "demo-1.0/" + "long/" * 30 + "caf\u00e9.txt"


def read(data: bytes) -> list[tuple[Member, bytes]]:
    stream = Unpacked(io.BytesIO(data), len(data))
    return [(member, b"".join(content)) for member, content in read_tar(stream)]


def written(form: int) -> bytes:
    """What `tarfile` writes in some format."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in (("demo-1.0/a", b"one"), (NAME, b"x" * 2_000_000), ("demo-1.0/b", b"")):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(data), 1_500_000_000.5, 0o640
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format_says_the_same(form: int) -> None:
    assert read(written(form)) == [
        (Member("demo-1.0/a", "file", 3, 0o640, 1_500_000_000), b"one"),
        (Member(NAME, "file", 2_000_000, 0o640, 1_500_000_000), b"x" * 2_000_000),
        (Member("demo-1.0/b", "file", 0, 0o640, 1_500_000_000), b""),
    ]


@pytest.mark.parametrize(
    "packed",
    [
        lambda tar: tar,
        gzip.compress,
        lambda tar: gzip.compress(tar) + bytes(700),
        bz2.compress,
        lambda tar: bz2.compress(tar[:1000]) + bz2.compress(tar[1000:]),
        lzma.compress,
        lambda tar: lzma.compress(tar[:1000]) + bytes(8) + lzma.compress(tar[1000:]),
    ],
    ids=["plain", "gzip", "padded", "bzip2", "two of bzip2", "xz", "two of xz"],
)
def test_every_packing_holds_the_same(packed: Callable[[bytes], bytes]) -> None:
    tar = written(tarfile.GNU_FORMAT)
    assert read(packed(tar)) == read(tar)


def test_content_that_nobody_wants_is_passed_over() -> None:
    data = written(tarfile.GNU_FORMAT)
    stream = Unpacked(io.BytesIO(data), len(data))
    assert [member.name for member, _ in read_tar(stream)] == ["demo-1.0/a", NAME, "demo-1.0/b"]


def test_forms_of_old_times() -> None:
    old = patched(entry("demo-1.0/folder/"), 156, b"\0")  # a folder by its name
    signed = entry("demo-1.0/caf\u00e9")
    total = int(signed[148:154], 8) - 2 * 256
    signed = signed[:148] + b"%06o" % total + signed[154:]
    wide = patched(entry("demo-1.0/a", b"one"), 124, b"\x80" + (3).to_bytes(11, "big"))
    early = patched(entry("demo-1.0/b"), 136, b"\xff" * 12)
    found = [member for member, _ in read(old + signed + wide + early + bytes(1024))]
    assert [(member.name, member.kind) for member in found] == [
        ("demo-1.0/folder/", "folder"),
        ("demo-1.0/caf\u00e9", "file"),
        ("demo-1.0/a", "file"),
        ("demo-1.0/b", "file"),
    ]
    assert found[3].mtime == -1


def test_what_pax_says_of_no_concern_is_left_alone() -> None:
    more: dict[str, str | bytes] = {
        "mtime": "-3.2",
        "atime": "1.5",
        "SCHILY.xattr.user.x": b"\xff\0",
        "uid": "9" * 30,
    }
    ((member, _),) = read(gz(pax({"comment": "x"}, tarfile.XGLTYPE), pax(more), entry("a")))
    assert (member.name, member.mtime) == ("a", -3)


def test_links_say_where_they_lead() -> None:
    long = "x/" * 200 + "y"
    found = read(
        gz(
            entry("l", kind=tarfile.SYMTYPE, target=long),
            pax({"linkpath": "h\u00e9"}),
            entry("h", kind=tarfile.LNKTYPE, target="h"),
        )
    )
    assert [(member.kind, member.target) for member, _ in found] == [
        ("link", long),
        ("hard link", "h\u00e9"),
    ]


def test_what_is_packed_far_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RATIO_FROM", 1000)
    with pytest.raises(ArchiveProblem, match="more than 200 times its size"):
        read(gzip.compress(written(tarfile.GNU_FORMAT)))
    monkeypatch.setattr(streams, "MAX_BYTES", 100)
    with pytest.raises(ArchiveProblem, match="more than 0 GiB"):
        read(written(tarfile.GNU_FORMAT))
