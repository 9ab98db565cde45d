"""The smallest programs, and what is said of an engine that does not run them."""

from __future__ import annotations

import os
import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from elftools.elf.elffile import ELFFile
from fakeengine import FakeContainer, FakeEngine

from wheelhouse import emulation
from wheelhouse.cli.doctor import _runs  # noqa: TID251  (what it says is tested)
from wheelhouse.engine import Exit
from wheelhouse.engine.docker import DockerEngine
from wheelhouse.engine.local import LocalEngine
from wheelhouse.errors import ImageError
from wheelhouse.store import Store
from wheelhouse.targets import OCI_ARCHITECTURES

if TYPE_CHECKING:
    from pathlib import Path

    from wheelhouse.imagestore import ImageStore

MACHINE = os.uname().machine
FOREIGN = next(arch for arch in OCI_ARCHITECTURES if arch != MACHINE)


@pytest.mark.parametrize("arch", OCI_ARCHITECTURES)
def test_there_is_a_program_for_every_architecture(arch: str, tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(emulation.program(arch))
    with file.open("rb") as stream:
        elf = ELFFile(stream)
        assert elf.header["e_machine"] == {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}[arch]
        [segment] = elf.iter_segments()
        start = segment["p_vaddr"]
        assert (
            start
            < elf.header["e_entry"]
            < start + segment["p_filesz"]
            == start + len(file.read_bytes())
        )


def test_this_machine_runs_its_own_programs_and_none_of_unknown_kind() -> None:
    assert emulation.runs_here(MACHINE)
    assert not emulation.runs_here("vax")


def test_a_program_that_no_emulator_is_for_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    number = struct.pack("<H", 0xFEFE)
    program = emulation.program(MACHINE)
    monkeypatch.setattr(emulation, "program", lambda _: program[:18] + number + program[20:])
    assert not emulation.runs_here(MACHINE)


class Images:
    """Has no images, and takes one."""

    def find(self, name: str, platform: str) -> None:
        assert platform == f"linux/{OCI_ARCHITECTURES[FOREIGN]}"

    def import_tar(self, stream: object, name: str, **_: object) -> SimpleNamespace:
        return SimpleNamespace(id="sha256:1", name=name)


@pytest.mark.parametrize(("status", "runs"), [(0, True), (1, False), (255, False), (None, False)])
def test_an_engine_is_asked_by_running_the_program(status: int | None, runs: bool) -> None:
    engine = FakeEngine(FakeContainer([("stderr", b"exec format error")], Exit(status=status)))
    images = cast("ImageStore", Images())
    assert emulation.runs_in(engine, images, FOREIGN) == runs
    assert engine.started[0].image == "sha256:1"


def docker_engine(architecture: str) -> DockerEngine:
    client: Any = SimpleNamespace(info=lambda: {"Architecture": architecture})
    return DockerEngine(client, cast("Any", None))


@pytest.mark.parametrize(
    ("said", "arch"),
    [("x86_64", "x86_64"), ("aarch64", "aarch64"), ("amd64", "x86_64"), ("arm64", "aarch64")],
)
def test_what_is_native_is_up_to_the_engine_and_not_tried(said: str, arch: str) -> None:
    engine = docker_engine(said)
    assert engine.arch == arch
    assert _runs(engine, arch) == f"{arch}: runs natively"


def test_what_is_emulated_is_called_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelhouse.engine.docker.runs_in", lambda *_: True)
    assert _runs(docker_engine("x86_64"), "aarch64").startswith("aarch64: emulated on x86_64")


def test_what_does_not_run_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelhouse.engine.docker.runs_in", lambda *_: False)
    with pytest.raises(ImageError, match="is on x86_64 and runs no aarch64 programs") as caught:
        docker_engine("x86_64").check_runs("aarch64")
    hint = caught.value.hint or ""
    assert "apt-get install qemu-user-static binfmt-support" in hint
    assert "tonistiigi/binfmt --install arm64" in hint
    assert "DOCKER_HOST" in hint


def test_the_local_engine_is_its_machine(tmp_path: Path) -> None:
    engine = LocalEngine(Store(tmp_path))
    engine.check_runs(MACHINE)
    with pytest.raises(ImageError, match=f"this machine, which is {MACHINE}, not {FOREIGN}"):
        engine.check_runs(FOREIGN)
