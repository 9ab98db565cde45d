"""`wheelhouse store …`, as people and programs read it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from wheelhouse.cli.app import run  # noqa: TID251  (it is what is tested)
from wheelhouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

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


def test_a_limit_that_a_run_keeps_from_being_reached_is_told(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at_work = Store(root)
    at_work.add([bytes(BLOCK)])
    assert run(["store", "prune", "--max-size", "0B"]) == 0
    assert "More than 0 B stay: runs that are at work have used them" in capsys.readouterr().out
    assert list(root.glob("blobs/*/*"))


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--older-than", "soon", '"soon" is no age (write such as 30d'),
        ("--older-than", "2026-11-20", "is no age"),
        ("--max-size", "20G", 'is not a size; did you mean "20GiB"?'),
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
