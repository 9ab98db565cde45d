"""What `doctor` prints on a terminal and into a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.cli import terminal  # noqa: TID251  (it is what is tested)
from wheelhouse.cli.checks import Check, told  # noqa: TID251

if TYPE_CHECKING:
    import pytest

LONG = Check(
    name="engine",
    good=False,
    said="docker cannot be asked for anything: nobody listens at that socket",
    hint="write this where a long line\ndoes [not] = break",
)


def test_what_is_long_goes_on_under_its_beginning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "columns", lambda: 40)
    assert not told([LONG])
    assert capsys.readouterr().out.splitlines() == [
        "FAIL  engine    docker cannot be asked",
        "                for anything: nobody",
        "                listens at that socket",
        "                hint: write this where a",
        "                long line",
        "does [not] = break",
    ]


def test_a_file_has_no_edge(capsys: pytest.CaptureFixture[str]) -> None:
    assert not told([LONG])
    assert capsys.readouterr().out.splitlines()[0] == f"FAIL  engine    {LONG.said}"
