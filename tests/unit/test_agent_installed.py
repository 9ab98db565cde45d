"""Which packages an image has, as each package manager tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from wheelhouse.agent import installed
from wheelhouse.agent.errors import JobError

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.agent.channel import Channel


def run() -> dict[str, object]:
    return installed.run({}, "", cast("Channel", None))


@pytest.mark.parametrize(
    ("program", "lines", "packages"),
    [
        ("dpkg-query", ["installed libc6", "config-files old"], ["libc6"]),
        ("rpm", ["installed glibc", "installed libstdc++"], ["glibc", "libstdc++"]),
        ("apk", ["musl", "busybox"], ["musl", "busybox"]),
    ],
)
def test_every_manager_is_understood(
    program: str,
    lines: list[str],
    packages: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = tmp_path / program
    script.write_text("#!/bin/sh\n" + "".join(f"echo {line}\n" for line in lines))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run() == {"packages": packages}


def test_where_nothing_manages_packages_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run() == {"packages": []}


def test_a_manager_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rpm").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "rpm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JobError, match="rpm ended with status 3"):
        run()
