"""`wheelhouse store …`, as people and programs read it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from wheelhouse.cli.app import run  # noqa: TID251  (it is what is tested)
from wheelhouse.store import Store

DAY = 24 * 3600 * 10**9

#: What no file system stores in fewer bytes, or in many more.
BLOCK = 1 << 16


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHEELHOUSE_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


def fill(root: Path) -> None:
    """Files that were last used 0, 10, 20, 30 and 40 days and a bit ago; each takes a block."""
    store = Store(root)
    for number in range(5):
        path = store.blob(store.add([os.urandom(BLOCK)]))
        used = path.stat().st_mtime_ns - number * 10 * DAY - DAY // 2
        os.utime(path, ns=(used, used))


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["store", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_what_there_is(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(root)
    found = told(capsys, "show")
    assert found["path"] == str(root)
    assert found["kinds"]["downloads"] == {"count": 5, "size": 5 * BLOCK, "shared": 0}
    assert found["size"] == 5 * BLOCK
    assert found["free"] > 0
    assert run(["store", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [str(root), "  downloads  5  328 kB"]
    assert lines[2].startswith("328 kB in all; the disk has ")


def test_what_wheelhouses_share_is_told_apart(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(root)
    (root.parent / "wheel.whl").hardlink_to(next(root.glob("blobs/*/*")))
    found = told(capsys, "show")
    assert (found["size"], found["shared"]) == (4 * BLOCK, BLOCK)
    assert run(["store", "show"]) == 0
    assert "262 kB in all, 66 kB more shared with wheelhouses" in capsys.readouterr().out


def test_to_look_makes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "show")["size"] == 0
    assert not root.exists()


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ((), 3),
        (("--older-than", "2 weeks"), 2),
        (("--older-than", "1000 d"), 5),
        (("--older-than", "0h"), 0),
        (("--older-than", "30m"), 0),
        (("--max-size", "20GB"), 5),
        (("--max-size", str(4 * BLOCK)), 4),
        (("--max-size", "256KiB"), 4),
        (("--max-size", "0.1MB"), 1),
        (("--max-size", "256KiB", "--older-than", "15d"), 2),
    ],
)
def test_what_stays(
    root: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], left: int
) -> None:
    fill(root)
    would = told(capsys, "prune", "--dry-run", *options)
    assert len(list(root.glob("blobs/*/*"))) == 5
    found = told(capsys, "prune", *options)
    assert len(list(root.glob("blobs/*/*"))) == left
    assert found["removed"] == would["removed"]
    assert found["freed"] == would["freed"] == (5 - left) * BLOCK
    assert found["size"] == would["size"] == left * BLOCK


def test_what_went_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(root)
    assert run(["store", "prune", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(root),
        "  downloads  2  131 kB",
        "131 kB would be freed, 197 kB stay",
    ]
    assert run(["store", "prune"]) == 0
    assert capsys.readouterr().out.endswith("\n131 kB freed, 197 kB stay\n")
    assert run(["store", "prune"]) == 0
    assert capsys.readouterr().out == f"{root}\nnothing to remove, 197 kB stay\n"


def test_why_a_limit_is_not_reached_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store(root).write_record("image", "key", {"name": "wheelhouse/x"})
    assert run(["store", "prune", "--max-size", "0B"]) == 0
    assert "More than 0 B stay: the uses of images are kept for" in capsys.readouterr().out
    (root.parent / "wheel.whl").hardlink_to(Store(root).blob(Store(root).add([bytes(BLOCK)])))
    assert run(["store", "prune"]) == 0
    assert "stay, 66 kB more shared with wheelhouses" in capsys.readouterr().out


def test_what_cannot_be_removed_is_told_after_the_figures(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root)
    stuck = min(root.glob("blobs/*/*"), key=lambda path: path.stat().st_mtime_ns)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == stuck:  # as a file that may not be changed (`chattr +i`)
            raise PermissionError(1, "Operation not permitted", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert run(["store", "prune"]) == 7
    told = capsys.readouterr()
    assert told.out.splitlines()[1:] == [
        "  downloads  1  66 kB",
        "66 kB freed, 262 kB stay",
        f"kept {stuck}: Operation not permitted",
    ]
    assert "1 of 2 could not be removed" in told.err


def test_what_was_removed_before_it_was_stopped_is_told(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root)
    left, unlink = [1], Path.unlink

    def stop(path: Path, missing_ok: bool = False) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", stop)
    assert run(["store", "prune"]) == 130
    assert "66 kB freed before it was stopped, 262 kB stay" in capsys.readouterr().out
    assert len(list(root.glob("blobs/*/*"))) == 4


def test_a_folder_that_is_no_store_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "blobs").mkdir(parents=True)
    (root / "letter").write_text("mine")
    for more in ([], ["--dry-run"]):
        assert run(["store", "prune", *more]) == 7
        assert "is no store" in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in root.iterdir()) == ["blobs", "letter"]
    (root / "records").mkdir()  # one that an older wheelhouse has made
    assert run(["store", "prune"]) == 0


def test_to_prune_makes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for made in (False, True):
        if made:
            root.mkdir()
        assert run(["store", "prune"]) == 0
        assert capsys.readouterr().out == f"{root}\nnothing to remove, 0 B stay\n"
    assert not told(capsys, "prune")["dry-run"]
    assert list(root.iterdir()) == []


def test_a_full_disk_can_be_pruned(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No new file is opened or folder made, of which a full disk has none."""
    fill(root)
    opened = os.open

    def full(path: Path, flags: int, mode: int = 0o777) -> int:
        assert not flags & os.O_CREAT, path
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", full)
    monkeypatch.setattr(os, "mkdir", lambda *_: pytest.fail("a folder is made"))
    assert told(capsys, "prune")["freed"] == 2 * BLOCK


@pytest.mark.parametrize("text", ["320kB", "320K", "320 kb", "320KB"])
def test_how_sizes_are_written(root: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    fill(root)
    assert told(capsys, "prune", "--max-size", text)["freed"] == BLOCK


@pytest.mark.parametrize("text", ["321 KiB", "321Kib", "321ki", "1g", "2 GB", "0.5T"])
def test_how_larger_sizes_are_written(
    root: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    fill(root)
    assert told(capsys, "prune", "--max-size", text)["freed"] == 0


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--older-than", "soon", '"soon" is no age (write such as 30d'),
        ("--older-than", "2026-11-20", "is no age"),
        ("--max-size", "20Q", "is not a size"),
        ("--max-size", "-1", "is not a size"),
    ],
)
def test_what_is_no_age_or_size_is_told(
    root: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, words: str
) -> None:
    assert run(["store", "prune", option, value]) == 2
    assert words in capsys.readouterr().err
    assert not root.exists()


def test_a_store_that_cannot_be_written_to_is_told(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root.write_text("a file")
    assert run(["store", "prune"]) == 7
    assert "error[storage]: cannot write to" in capsys.readouterr().err
