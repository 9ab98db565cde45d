"""What a build sees of a CUDA toolkit, and of the parts of CUDA in its own environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse.agent.toolkit import gather, variables

if TYPE_CHECKING:
    from pathlib import Path

HOME = "/usr/local/cuda"
PRESENT = {"PATH": "/build/env/bin:/usr/bin"}


def part(site_packages: Path, name: str, *libraries: str) -> Path:
    folder = site_packages / "nvidia" / name
    (folder / "include").mkdir(parents=True)
    (folder / "lib").mkdir()
    for library in libraries:
        (folder / "lib" / library).touch()
    return folder


def test_without_a_toolkit_nothing_changes(tmp_path: Path) -> None:
    part(tmp_path, "cu13", "libcublas.so.13")
    assert variables("", tmp_path.as_posix(), PRESENT) == {}
    assert not (tmp_path / "nvidia/cu13/lib/libcublas.so").exists()


def test_its_programs_are_found(tmp_path: Path) -> None:
    found = variables(HOME, str(tmp_path), PRESENT)
    assert found == {"PATH": "/usr/local/cuda/bin:/build/env/bin:/usr/bin"}


def test_parts_in_the_environment_are_found_behind_what_is_there(tmp_path: Path) -> None:
    cu13 = part(tmp_path, "cu13", "libcublas.so.13", "libcublasLt.so.13")
    cudnn = part(tmp_path, "cudnn", "libcudnn.so.9")
    found = variables(HOME, str(tmp_path), {**PRESENT, "CPATH": "/usr/include/hdf5/serial"})
    assert found["CPATH"] == f"/usr/include/hdf5/serial:{cu13}/include:{cudnn}/include"
    assert found["CMAKE_INCLUDE_PATH"] == f"{cu13}/include:{cudnn}/include"
    assert found["LIBRARY_PATH"] == found["CMAKE_LIBRARY_PATH"] == f"{cu13}/lib:{cudnn}/lib"


def test_their_libraries_get_the_names_that_linkers_ask_for(tmp_path: Path) -> None:
    folder = part(tmp_path, "cu13", "libcublas.so.13", "libnvrtc-builtins.so.13.2", "notes.so.1")
    (folder / "lib" / "libnvrtc.so").touch()
    (folder / "lib" / "libnvrtc.so.13").touch()
    variables(HOME, str(tmp_path), PRESENT)
    links = {each.name: str(each.readlink()) for each in folder.glob("lib/*") if each.is_symlink()}
    assert links == {
        "libcublas.so": "libcublas.so.13",
        "libnvrtc-builtins.so": "libnvrtc-builtins.so.13.2",
    }


def test_parts_are_gathered_where_a_build_was_told_that_they_will_be(tmp_path: Path) -> None:
    cublas = part(tmp_path, "cublas", "libcublas.so.12")
    runtime = part(tmp_path, "cuda_runtime", "libcudart.so.12")
    (cublas / "include" / "cublas.h").touch()
    for folder in (cublas, runtime):
        (folder / "include" / "crt").mkdir()
        (folder / "include" / "crt" / "both.h").write_text(folder.name)
    (runtime / "include" / "crt" / "host.h").touch()
    into = tmp_path / "into"
    gather(str(tmp_path), str(into))
    headers = into / "include"
    assert {str(each.relative_to(headers)) for each in headers.rglob("*.h")} == {
        "cublas.h", "crt/both.h", "crt/host.h"
    }  # fmt: skip
    assert (headers / "crt" / "both.h").read_text() == "cublas"
    for name in ("libcublas.so", "libcudart.so"):
        assert (into / "lib" / name).resolve().name == f"{name}.12"


def test_where_there_are_no_parts_nothing_is_gathered(tmp_path: Path) -> None:
    gather(str(tmp_path), str(tmp_path / "into"))
    assert not (tmp_path / "into").exists()
