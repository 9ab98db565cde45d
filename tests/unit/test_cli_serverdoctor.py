"""`wheelhouse doctor --target`: this machine, held against a wheelhouse of real libraries."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from gpumachines import Machine, driver_library, run_on, with_driver
from housefactory import Package, make_house, this_target
from wheelfactory import compile_library
from wheelhouse.cuda import Cuda

if TYPE_CHECKING:
    from pathlib import Path

ARCH = platform.machine()
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
CUDA = Cuda(version=Version("13.2"), arches=("80", "90"))

PROJECT = f"""\

requirements = ["requirements.txt"]

[targets.gpu]
platform = "debian12"
python = "{PYTHON}"
arch = "{ARCH}"
cuda = "13.2"
cuda-arch = ["80", "90"]
"""

#: Opens a consumer's extension module, and prints which file of the library it has got.
OPEN = """
import ctypes, glob, sys
ctypes.CDLL(glob.glob(sys.argv[1] + "/consumer/_fast*.so")[0])
with open("/proc/self/maps") as maps:
    print({line.split(None, 5)[5].rstrip() for line in maps if "libshared" in line}.pop())
"""


def shared(folder: Path) -> bytes:
    folder.mkdir(parents=True, exist_ok=True)
    return compile_library(folder, "libshared.so.13", "", "-Wl,-soname,libshared.so.13")


def project(folder: Path, *options: str) -> Path:
    """A project with a wheelhouse of two wheels: what the second needs the first has.

    :param options: the linker's, for the consumer.
    """
    shared(folder / "build")
    extension = compile_library(
        folder / "build",
        "_fast.so",
        "void *PyInit__fast(void) { return 0; }",
        *("-Wl,--no-as-needed", str(folder / "build/libshared.so.13"), *options),
    )
    provided = (folder / "build/libshared.so.13").read_bytes()
    suffix = f"cpython-{PYTHON.replace('.', '')}-{ARCH}-linux-gnu.so"
    packages = [
        Package(
            name="provider",
            version="13.2.75",
            files={"nvidia/cu13/lib/libshared.so.13": provided},
        ),
        Package(name="consumer", files={f"consumer/_fast.{suffix}": extension}),
    ]
    (folder / "wheelhouse.toml").write_text(PROJECT)
    (folder / "dist").mkdir()
    make_house(folder / "dist", packages, replace(this_target(), name="gpu", cuda=CUDA), name="gpu")
    return folder


def doctor(folder: Path, **env: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "wheelhouse", "doctor", "--target", "gpu"],
        cwd=folder,
        env={**os.environ, "WHEELHOUSE_CACHE": str(folder / "no-store"), **env},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert not (folder / "no-store").exists()
    return done.returncode, done.stdout.splitlines()


def about(lines: list[str], name: str) -> list[str]:
    """The lines about *name*, each with its hint."""
    text = "\n".join(lines).replace("\n                hint: ", " -> ")
    return [line for line in text.splitlines() if line[6:].split()[0] == name]


RPATH = ("-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/../nvidia/cu13/lib")
RUNPATH = ("-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN/../nvidia/cu13/lib")


@pytest.mark.parametrize(
    ("options", "trap", "told"),
    [
        (RPATH, False, "ok    loads     libshared.so.13: provider 13.2.75, by DT_RPATH"),
        (RPATH, True, "ok    loads     libshared.so.13: provider 13.2.75, by DT_RPATH"),
        (RUNPATH, False, "ok    loads     libshared.so.13: provider 13.2.75, by DT_RUNPATH"),
        (
            RUNPATH,
            True,
            "FAIL  loads     libshared.so.13: consumer would load TRAP by LD_LIBRARY_PATH",
        ),
        ((), False, "note  loads     libshared.so.13: provider 13.2.75 has it, and nothing leads"),
        ((), True, "FAIL  loads     libshared.so.13: consumer would load TRAP by LD_LIBRARY_PATH"),
    ],
    ids=["rpath", "rpath-trap", "runpath", "runpath-trap", "none", "none-trap"],
)
def test_what_would_load_from_where(
    tmp_path: Path, options: tuple[str, ...], trap: bool, told: str
) -> None:
    """And once the wheelhouse is installed, the loader does the same."""
    folder = project(tmp_path, *options)
    env = {}
    if trap:
        shared(tmp_path / "trap")
        (tmp_path / "trap/libshared.so.13").rename(tmp_path / "trap/libshared.so.13.0.96")
        (tmp_path / "trap/libshared.so.13").symlink_to("libshared.so.13.0.96")
        env["LD_LIBRARY_PATH"] = str(tmp_path / "trap")
    status, lines = doctor(folder, **env)
    (said,) = [line for line in about(lines, "loads") if "libshared" in line]
    full = f"{tmp_path}/trap/libshared.so.13 (libshared.so.13.0.96)"
    assert said.startswith(told.replace("TRAP", full))
    foreign = "FAIL" in told
    if foreign:
        assert f"take {tmp_path}/trap off LD_LIBRARY_PATH" in said
        assert status == 1
    assert bool(about(lines, "trap")) is (trap and not foreign)
    assert loaded(folder, env) == ("trap" if foreign else "" if not options else "house")


def loaded(folder: Path, env: dict[str, str]) -> str:
    """Which of the two the loader takes, or none."""
    for wheel in (folder / "dist/gpu/wheels").iterdir():
        zipfile.ZipFile(wheel).extractall(folder / "site")
    done = subprocess.run(
        [sys.executable, "-I", "-c", OPEN, folder / "site"], env=env, capture_output=True, text=True
    )
    if done.returncode:
        assert "libshared.so.13: cannot open shared object file" in done.stderr
        return ""
    return "trap" if "/trap/" in done.stdout else "house"


# -- what else it says ---------------------------------------------------------------------------


def test_a_path_that_serves_other_programs_is_a_trap_for_what_opens_by_name(tmp_path: Path) -> None:
    folder = project(tmp_path, *RPATH)
    shared(tmp_path / "trap")
    status, lines = doctor(folder, LD_LIBRARY_PATH=f"/nothing:{tmp_path}/trap")
    (trap,) = about(lines, "trap")
    assert trap.startswith(f"note  trap      LD_LIBRARY_PATH has {tmp_path}/trap/libshared.so.13,")
    assert trap.endswith(f"take {tmp_path}/trap off LD_LIBRARY_PATH where these wheels are used")
    assert status == 0


def test_what_is_preloaded(tmp_path: Path) -> None:
    """It wins over every path; here the loader finds no fault with it."""
    folder = project(tmp_path, *RPATH)
    shared(tmp_path / "trap")
    status, lines = doctor(folder, LD_PRELOAD=f"{tmp_path}/trap/libshared.so.13")
    (load,) = [line for line in about(lines, "loads") if "libshared" in line]
    assert load.startswith("FAIL")
    assert load.endswith(
        f"take {tmp_path}/trap/libshared.so.13 off LD_PRELOAD where these wheels are used"
    )
    assert status == 1


def on_a_machine(folder: Path, machine: Machine, env: dict[str, str]) -> tuple[int, list[str]]:
    place = folder / "machine"
    place.mkdir()
    plain = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    command = [sys.executable, "-m", "wheelhouse", "doctor", "-t", "gpu"]
    done = run_on(machine, place, command, cwd=folder, env={**plain, **env})
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


#: The command, where there is no folder for temporary files, or else no other to write to.
ODD = """
import os, runpy, sys, tempfile
tempfile.tempdir, sys.argv = sys.argv[1], ["wheelhouse", "doctor", "--target", "gpu"]
if os.path.isdir(tempfile.tempdir):
    os.access = lambda path, mode, **how: mode != os.W_OK
runpy.run_module("wheelhouse", run_name="__main__")
"""


@pytest.mark.parametrize("writable", [True, False])
def test_long_libraries_pass_through_the_disk_of_the_wheelhouse(
    tmp_path: Path, writable: bool
) -> None:
    """What is temporary may be in memory; it is, where the wheelhouse cannot be written to."""
    extension = compile_library(tmp_path, "_fast.so", "char long_[3 << 20] = {1};")
    packages = [Package(name="consumer", files={"consumer/_fast.so": extension})]
    (tmp_path / "wheelhouse.toml").write_text(PROJECT)
    (tmp_path / "dist").mkdir()
    target = replace(this_target(), name="gpu", cuda=CUDA)
    make_house(tmp_path / "dist", packages, target, name="gpu")
    elsewhere = tmp_path / "elsewhere"
    if not writable:
        elsewhere.mkdir()
    before = sorted(tmp_path.rglob("*"))
    command = [sys.executable, "-c", ODD, str(elsewhere)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
    assert "ok    house     dist/gpu: 1 wheel" in done.stdout
    assert "cannot be read" not in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_a_machine_with_gpus(tmp_path: Path) -> None:
    folder = project(tmp_path, *RPATH)
    env = driver_library(tmp_path / "driver", 13020, ("NVIDIA H200", 9, 0), ("Tesla T4", 7, 5))
    status, lines = on_a_machine(folder, with_driver("595.58.03"), env)
    assert lines[0].startswith("ok    target    gpu: ")
    assert lines[0].endswith("CUDA 13.2")
    assert about(lines, "driver") == [
        "ok    driver    the NVIDIA driver here, 595.58.03 (for CUDA 13.2), runs CUDA 13.2"
    ]
    ok, note = about(lines, "gpu")
    assert ok == "ok    gpu       NVIDIA H200 (compute capability 9.0)"
    assert note.startswith("note  gpu       Tesla T4 (compute capability 7.5): ")
    assert note.endswith('-> add "75" to cuda-arch, and build the wheelhouse anew')
    assert status == 0


def test_a_machine_with_an_old_driver(tmp_path: Path) -> None:
    """Its GPU is told all the same, and what would load."""
    folder = project(tmp_path, *RPATH)
    env = driver_library(tmp_path / "driver", 12020, ("NVIDIA H200", 9, 0))
    status, lines = on_a_machine(folder, with_driver("535.183.01"), env)
    (driver,) = about(lines, "driver")
    assert driver.startswith("FAIL  driver    the NVIDIA driver here, 535.183.01")
    assert about(lines, "gpu") == ["ok    gpu       NVIDIA H200 (compute capability 9.0)"]
    assert about(lines, "loads")
    assert status == 1


def test_a_machine_without_a_gpu(tmp_path: Path) -> None:
    """That is said, and the rest is told."""
    status, lines = on_a_machine(project(tmp_path, *RPATH), Machine(), {})
    (gpu,) = about(lines, "gpu")
    assert gpu.startswith("note  gpu       there is no NVIDIA GPU here")
    assert "580.65.06" in gpu
    assert about(lines, "loads")
    assert status == 0


def test_without_a_wheelhouse(tmp_path: Path) -> None:
    """What the target says is enough to look at the driver."""
    (tmp_path / "wheelhouse.toml").write_text(PROJECT)
    env = driver_library(tmp_path / "driver", 13020, ("NVIDIA H200", 9, 0))
    status, lines = on_a_machine(tmp_path, with_driver("595.58.03"), env)
    (house,) = about(lines, "house")
    assert house.startswith("note  house     dist/gpu is not here")
    assert [line[:4] for line in about(lines, "driver")] == ["ok  "]
    assert not about(lines, "loads")
    assert status == 0


def test_a_wheelhouse_for_another_cuda(tmp_path: Path) -> None:
    """What it was made for counts, and that this is not what the project says now."""
    folder = project(tmp_path, *RPATH)
    text = PROJECT.replace('"13.2"', '"12.9"').replace('"80", "90"', '"80"')
    (folder / "wheelhouse.toml").write_text(text)
    status, lines = on_a_machine(folder, Machine(), {})
    (house,) = about(lines, "house")
    assert house.startswith("note  house     dist/gpu: 2 wheels, for another CUDA")
    assert "CUDA 13.2 takes" in about(lines, "gpu")[0]
    assert status == 0


def test_a_wheelhouse_that_is_damaged(tmp_path: Path) -> None:
    folder = project(tmp_path, *RPATH)
    (folder / "dist/gpu/wheels/provider-13.2.75-py3-none-any.whl").write_bytes(b"PK")
    status, lines = doctor(folder)
    (load,) = about(lines, "loads")
    assert load.startswith("FAIL  loads     provider-13.2.75-py3-none-any.whl")
    assert status == 1
    (folder / "dist/gpu/manifest.json").write_text("{}")
    status, lines = doctor(folder)
    assert about(lines, "house")[0].startswith("FAIL")
    assert status == 1


def test_a_target_for_other_machines_and_no_gpu(tmp_path: Path) -> None:
    other = "aarch64" if ARCH == "x86_64" else "x86_64"
    lines = [line for line in PROJECT.splitlines() if not line.startswith("cuda")]
    (tmp_path / "wheelhouse.toml").write_text("\n".join(lines).replace(ARCH, other))
    status, said = doctor(tmp_path)
    (machine,) = about(said, "machine")
    assert machine == (
        f"FAIL  machine   {ARCH}, Linux -> the wheels are for {other}: use another machine"
    )
    assert about(said, "gpu") == ["ok    gpu       gpu names no CUDA"]
    assert status == 1


def test_a_target_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "wheelhouse.toml").write_text(PROJECT)
    command = [sys.executable, "-m", "wheelhouse", "doctor", "--target", "cpu"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert 'has no target "cpu"' in done.stderr
