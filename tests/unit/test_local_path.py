"""Where builds of the `local` engine look for programs."""

from __future__ import annotations

import sys

import pytest

from wheelhouse.engine.local_machine import PROGRAMS, fingerprint, programs

TOOLSET = "/opt/rh/gcc-toolset-14/root/usr/bin"


def test_a_compiler_of_the_distribution_beside_its_folders_is_found_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in containers of manylinux, which have no other."""
    monkeypatch.setenv("PATH", f"/opt/python/cp311-cp311/bin:{TOOLSET}:/usr/bin:{TOOLSET}/")
    assert programs() == f"{TOOLSET}:{PROGRAMS}"


@pytest.mark.parametrize(
    "folder",
    [
        "/home/someone/bin",
        "/opt/venv/bin",
        "/opt/rh/../venv/bin",
        "/opt/rhino/bin",
        "/opt/rh",
        "opt/rh/x/bin",
        ".",
        "",
    ],
)
def test_nothing_of_the_users_own_is(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", folder)
    assert programs() == PROGRAMS
    monkeypatch.delenv("PATH")
    assert programs() == PROGRAMS


def test_a_build_with_another_compiler_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    plain = fingerprint(sys.executable)
    monkeypatch.setenv("PATH", "/home/someone/bin:/usr/bin")
    assert fingerprint(sys.executable) == plain
    monkeypatch.setenv("PATH", f"{TOOLSET}:/usr/bin")
    assert fingerprint(sys.executable) != plain
