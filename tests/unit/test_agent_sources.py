"""Unpacking an sdist: inside its folder whatever its links say, and alike on every Python."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from wheelhouse.agent import sources
from wheelhouse.agent.errors import JobError

if TYPE_CHECKING:
    from pathlib import Path

#: Type, name, and the target of a link, the content of a file, or None.
Entry = tuple[bytes, str, str | None]
FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def sdist(folder: Path, *entries: Entry, mode: int = 0o644) -> str:
    path = folder / "demo-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for kind, name, more in entries:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.mtime, member.uid = kind, mode, 1_500_000_000, 4242
            content = (more or "").encode() if kind == FILE else b""
            member.size = len(content)
            member.linkname = (more or "") if kind != FILE else ""
            archive.addfile(member, io.BytesIO(content))
    return str(path)


def unpacked(tmp_path: Path, *entries: Entry, mode: int = 0o644) -> Path:
    top = sources.unpack(sdist(tmp_path, *entries, mode=mode), str(tmp_path / "there"))
    assert top == str(tmp_path / "there" / "demo-1.0")
    return tmp_path / "there" / "demo-1.0"


def test_files_and_folders_come_with_their_content_and_time(tmp_path: Path) -> None:
    top = unpacked(
        tmp_path,
        (FOLDER, "demo-1.0/", None),
        (FILE, "./demo-1.0/setup.py", "one"),
        (FILE, "demo-1.0/src/deep/demo.c", "two"),
    )
    assert (top / "setup.py").read_text() == "one"
    assert (top / "src/deep/demo.c").read_text() == "two"
    assert (top / "setup.py").stat().st_mtime == 1_500_000_000
    assert (top / "setup.py").stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    ("given", "kept"),
    [(0o777, 0o755), (0o644, 0o644), (0o6755, 0o755), (0o000, 0o600), (0o411, 0o600)],
)
def test_rights_are_tamed(tmp_path: Path, given: int, kept: int) -> None:
    top = unpacked(tmp_path, (FILE, "demo-1.0/configure", "x"), mode=given)
    assert (top / "configure").stat().st_mode & 0o7777 == kept


def test_links_within_the_sdist_are_kept(tmp_path: Path) -> None:
    top = unpacked(
        tmp_path,
        (FILE, "demo-1.0/a/real", "content"),
        (LINK, "demo-1.0/b", "a"),
        (LINK, "demo-1.0/a/up", "../b/real"),
        (HARD, "demo-1.0/twin", "demo-1.0/a/real"),
    )
    assert (top / "b").readlink().as_posix() == "a"
    assert (top / "a/up").read_text() == "content"
    assert (top / "twin").samefile(top / "a/real")


@pytest.mark.parametrize(
    "entries",
    [
        [(FILE, "demo-1.0/../../outside", "x")],
        [(LINK, "demo-1.0/a", "/etc")],
        [(LINK, "demo-1.0/a", "../../x")],
        [(LINK, "demo-1.0/a", ".."), (FILE, "demo-1.0/a/evil", "x")],
        [(LINK, "demo-1.0/a", "b"), (FILE, "demo-1.0/a/evil", "x")],
        # Where it leads to changes with what another link is replaced by.
        [(LINK, "demo-1.0/a", "b/../.."), (LINK, "demo-1.0/b", ".")],
        [(LINK, "demo-1.0/a", "b"), (HARD, "demo-1.0/c", "demo-1.0/a")],
        [(HARD, "demo-1.0/a", "/etc/hostname")],
        [(HARD, "demo-1.0/a", "../outside")],
        [(LINK, "demo-1.0", ".")],
        [(FILE, "demo-1.0/" + "a/" * 5000, "x")],
        [(tarfile.FIFOTYPE, "demo-1.0/pipe", None)],
        [(FILE, "demo-1.0/a", "x"), (FILE, "other", "x")],
        [(FILE, "demo-1.0/a", "x"), (FILE, "demo-1.0/./a", "y")],
        [(FILE, "/demo-1.0/a", "x")],
        [(LINK, "demo-1.0/a", "../demo-1.0/b")],
    ],
)
def test_what_reaches_outside_is_refused(tmp_path: Path, entries: list[Entry]) -> None:
    (tmp_path / "outside").write_text("kept")
    with pytest.raises(JobError) as refused:
        unpacked(tmp_path, *entries)
    assert refused.value.stage == "unpack"
    assert (tmp_path / "outside").read_text() == "kept"
    assert {each.name for each in tmp_path.iterdir()} == {"demo-1.0.tar.gz", "outside", "there"}


@pytest.mark.parametrize("name", ["demo-1.0.tar.gz", "demo-1.0.zip"])
def test_a_broken_archive_is_told(tmp_path: Path, name: str) -> None:
    content = bytes(range(256)) * 40
    path = tmp_path / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("demo-1.0/a", content)
    else:
        sdist(tmp_path, (FILE, "demo-1.0/a", content.decode("latin-1")))
    whole = path.read_bytes()
    for number in range(0, len(whole), 7):
        path.write_bytes(whole[:number] + bytes([whole[number] ^ 0xFF]) + whole[number + 1 :])
        with contextlib.suppress(JobError):  # no other error; some bytes do not matter
            sources.unpack(str(path), str(tmp_path / f"damaged{number}"))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(JobError, match="cannot be unpacked"):
        sources.unpack(str(path), str(tmp_path / "cut"))


def zipped(folder: Path, *names: str) -> str:
    path = folder / "demo-1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo(name, (2020, 2, 3, 4, 5, 6))
            info.external_attr = (0o755 if name.endswith("configure") else 0o644) << 16
            archive.writestr(info, "" if name.endswith("/") else "one")
    return str(path)


def test_a_zip_comes_with_rights_and_times_too(tmp_path: Path) -> None:
    path = zipped(tmp_path, "demo-1.0/", "demo-1.0/configure", "demo-1.0/setup.py")
    top = tmp_path / "there" / "demo-1.0"
    assert sources.unpack(path, str(tmp_path / "there")) == str(top)
    assert (top / "setup.py").read_text() == "one"
    assert (top / "setup.py").stat().st_mtime == datetime(
        2020, 2, 3, 4, 5, 6, tzinfo=UTC
    ).timestamp()
    assert [(top / name).stat().st_mode & 0o777 for name in ("configure", "setup.py")] == [
        0o755,
        0o644,
    ]


@pytest.mark.parametrize("name", ["demo-1.0/../../outside", "/outside", "demo-1.0\\..\\outside"])
def test_a_zip_stays_inside_too(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path, "demo-1.0/setup.py", name)
    with pytest.raises(JobError, match="cannot be unpacked"):
        sources.unpack(path, str(tmp_path / "there"))
    assert {each.name for each in tmp_path.iterdir()} <= {"demo-1.0.zip", "there"}


# --- a project below the top ------------------------------------------------------------------


def test_the_project_may_be_below_the_top(tmp_path: Path) -> None:
    path = sdist(tmp_path, (FILE, "demo-1.0/setup.py", "x"), (FILE, "demo-1.0/a/b/setup.py", "y"))
    inner = sources.unpack(path, str(tmp_path / "there"), "a/b")
    assert inner == str(tmp_path / "there/demo-1.0/a/b")
    assert (tmp_path / "there/demo-1.0/setup.py").exists(), "the whole of it is there"


@pytest.mark.parametrize("subdirectory", ["missing", "setup.py", "..", "../..", "/etc", ".", "up"])
def test_a_project_that_is_not_below_the_top_is_refused(tmp_path: Path, subdirectory: str) -> None:
    path = sdist(tmp_path, (FILE, "demo-1.0/setup.py", "x"), (LINK, "demo-1.0/up", "."))
    with pytest.raises(JobError, match=f"it has no folder {subdirectory}"):
        sources.unpack(path, str(tmp_path / "there"), subdirectory)


def test_a_tar_that_is_not_compressed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "demo.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("source/setup.py"))
    assert sources.unpack(str(tmp_path / "demo.tar"), str(tmp_path / "there")).endswith("/source")
