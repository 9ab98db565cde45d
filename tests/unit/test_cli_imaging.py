"""What `wheelhouse images bootstrap` is asked to make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wheelhouse.cli import imaging  # noqa: TID251  (it is what is tested)
from wheelhouse.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = """
requirements = ["requirements.txt"]

[targets.web]
platform = "amazonlinux2023"
python = "3.11"
builder = "portable"

[targets.edge]
platform = "debian12"
python = "3.11"
arch = "aarch64"
"""


def places(
    *names: str, python: str | None = None, arch: str | None = None
) -> list[tuple[str, str, str]]:
    found = imaging._places(list(names), python, arch)
    return [(place.preset.name, place.python, place.arch) for place in found]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return tmp_path


@pytest.fixture
def project(here: Path) -> None:
    (here / "wheelhouse.toml").write_text(PROJECT)
    (here / "requirements.txt").write_text("six\n")


def test_without_names_and_project_every_debian_is_made() -> None:
    pairs = [("debian11", "3.9"), ("debian12", "3.11"), ("debian13", "3.13")]
    assert places() == [(*pair, "x86_64") for pair in pairs]


def test_of_a_platform_those_pythons_that_can_be_made() -> None:
    assert [python for _, python, _ in places("amazonlinux2023")] == ["3.9", "3.11", "3.13", "3.14"]
    assert places("amazonlinux2023", python="3.12") == [("amazonlinux2023", "3.12", "x86_64")]


@pytest.mark.usefixtures("project")
def test_in_a_project_those_of_its_targets() -> None:
    own = [("amazonlinux2023", "3.11", "x86_64"), ("portable", "3.11", "x86_64")]
    assert places() == [*own, *[("debian12", "3.11", "aarch64")] * 2]
    assert places(arch="x86_64") == own


@pytest.mark.parametrize(
    ("name", "python", "arch", "message", "hint"),
    [
        ("amazonlinux2", None, None, "Amazon Linux 2 has no Python of its own", "[platforms.NAME]"),
        ("debian12", "3.12", None, 'Debian 12 (bookworm) has no Python "3.12"', "it has: 3.11"),
        (
            "debian12",
            None,
            "arm64",
            'Debian 12 (bookworm) has no architecture "arm64"',
            "it has: x86_64, aarch64",
        ),
        ("debain12", None, None, 'there is no platform "debain12"; did you mean "debian12"?', ""),
    ],
)
def test_what_a_platform_has_not_is_told(
    name: str, python: str | None, arch: str | None, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        places(name, python=python, arch=arch)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


@pytest.mark.usefixtures("project")
def test_what_no_target_of_the_project_has_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        places(python="3.11", arch="riscv64")
    assert caught.value.message == "no target here has Python 3.11 on riscv64"
