"""A wheelhouse is whole, or each file of it that is not as it was is named."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from housefactory import Package, make_house
from wheelhouse.errors import CheckError, StorageError
from wheelhouse.wholeness import HouseProblem, read_text, refuse_problems, verify_house

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = (Package(name="zebra"), Package(name="a-demo", version="1.0+cpu", requires=["zebra"]))


def problems_after(tmp_path: Path, change: str) -> list[HouseProblem]:
    house = make_house(tmp_path, PACKAGES).path
    subprocess.run(["sh", "-c", change], cwd=house, check=True)
    return verify_house(house)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("rm wheels/zebra*", "wheels/zebra-1.0-py3-none-any.whl is missing"),
        (
            "for file in wheels/zebra*; do echo >> $file; done",
            "wheels/zebra-1.0-py3-none-any.whl was changed",
        ),
        ("echo x > wheels/x.whl", "wheels/x.whl does not belong here"),
        ("mkdir -p a/b; echo x > a/b/c", "a/b/c does not belong here"),
        ("ln -s / link", "link does not belong here"),
        ("mv install.sh ..; ln -s ../install.sh", "install.sh cannot be read"),
        ("echo ../x > SHA256SUMS", "SHA256SUMS cannot be read"),
        (": > SHA256SUMS", "SHA256SUMS cannot be read"),
        (f"echo '{'0' * 64}  ../../etc/passwd' >> SHA256SUMS", "SHA256SUMS cannot be read"),
    ],
)
def test_each_difference_is_told(tmp_path: Path, change: str, told: str) -> None:
    (problem,) = problems_after(tmp_path, change)
    assert str(problem).startswith(told)


def test_all_differences_are_told(tmp_path: Path) -> None:
    found = problems_after(tmp_path, "rm wheels/*; echo >> pylock.toml; echo > new")
    assert [problem.kind for problem in found] == ["changed", "missing", "missing", "added"]


def test_what_is_no_wheelhouse_is_not_verified(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is no wheelhouse"):
        verify_house(tmp_path)


def test_many_differences_are_told_in_short(tmp_path: Path) -> None:
    found = problems_after(tmp_path, "for n in $(seq 50); do echo > $n; done")
    assert len(found) == 50
    with pytest.raises(CheckError, match=r"and 20 more$"):
        refuse_problems(tmp_path, found)


def test_only_small_regular_texts_are_read(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("é")
    (tmp_path / "bytes").write_bytes(b"\xff")
    (tmp_path / "link").symlink_to("text")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    assert read_text(tmp_path / "text") == "é"
    for name in ("bytes", "link", "pipe", "large", "none", "."):
        assert read_text(tmp_path / name) is None
