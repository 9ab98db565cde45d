"""``install.sh`` of a CUDA target, on machines with GPUs and drivers of every kind.

What the kernel shows of them is planted; the driver's library is compiled here.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from gpumachines import Machine, driver_library, on_the_bus, run_on, with_driver
from housefactory import Package, make_house, this_target
from wheelhouse.cuda import Cuda

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from wheelhouse.house import House

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}
H200 = ("NVIDIA H200", 9, 0)
CUDA = Cuda(version=Version("13.2"), arches=("80", "90"))
CONTAINER = {".dockerenv": ""}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    command = SHELLS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    return command


@pytest.fixture
def house(tmp_path: Path) -> House:
    package = Package(name="one", system_libraries=("libcuda.so.1",))
    return make_house(tmp_path, [package], replace(this_target(), cuda=CUDA))


@pytest.fixture
def driver(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine whose driver is for CUDA 13.2."""
    return driver_library(tmp_path / "driver", 13020, H200)


def install(
    house: House,
    machine: Machine,
    tmp_path: Path,
    *options: str,
    shell: list[str] | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    place = tmp_path / "machine"
    place.mkdir()
    plain = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    command = [*(shell or ["sh"]), str(house.path / "install.sh"), "--python", sys.executable]
    done = run_on(machine, place, [*command, *options], cwd=work, env={**plain, **(env or {})})
    shutil.rmtree(place)
    assert "Traceback" not in done.stderr
    if done.returncode == 1:
        assert done.stdout == ""
        assert done.stderr.endswith("Nothing was changed.\n")
        assert not list(work.iterdir())
    return done


def test_a_machine_as_it_should_be(
    house: House, tmp_path: Path, shell: list[str], driver: dict[str, str]
) -> None:
    machine = with_driver("595.58.03")
    options = ("--check", "--expect-gpu")
    done = install(house, machine, tmp_path, *options, shell=shell, env=driver)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_installs_there(house: House, tmp_path: Path, driver: dict[str, str]) -> None:
    assert install(house, with_driver("595.58.03"), tmp_path, env=driver).returncode == 0
    assert (tmp_path / "work/.venv/bin/python").exists()


def test_a_driver_that_is_too_old(house: House, tmp_path: Path, shell: list[str]) -> None:
    env = driver_library(tmp_path / "driver", 12020, H200)
    done = install(house, with_driver("535.183.01"), tmp_path, shell=shell, env=env)
    assert done.returncode == 1
    _, problem, fix, _ = done.stderr.splitlines()
    assert problem == (
        "  * the NVIDIA driver here, 535.183.01 (for CUDA 12.2), is too old for CUDA 13.2, which "
        "takes 580.65.06 or later"
    )
    assert fix == (
        "    -> upgrade the driver to 580.65.06 or later, or build the wheelhouse for an older "
        "CUDA; or say --no-gpu-check"
    )
    done = install(house, with_driver("535.183.01"), tmp_path, "--check", "--no-gpu-check", env=env)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_driver_between_the_oldest_and_its_own(house: House, tmp_path: Path) -> None:
    """And a GPU that nothing was built for: each is a line, and it installs."""
    env = driver_library(tmp_path / "driver", 13000, ("NVIDIA T4", 7, 5))
    done = install(house, with_driver("580.65.06"), tmp_path, "--check", env=env)
    assert done.returncode == 0
    driver, gpu = done.stderr.splitlines()
    assert driver == (
        "install.sh: the NVIDIA driver here, 580.65.06 (for CUDA 13.0), runs CUDA 13.2, except "
        "code that is there as PTX only: upgrade the driver to 595.45.04 or later"
    )
    assert gpu == (
        "install.sh: NVIDIA T4 (compute capability 7.5): what was built for this wheelhouse has "
        'code for 80, 90: add "75" to cuda-arch, and build the wheelhouse anew'
    )


def test_no_gpu_where_an_image_is_made(house: House, tmp_path: Path, shell: list[str]) -> None:
    """It installs, though a wheel loads the driver's library; and not where one is expected."""
    done = install(house, Machine(), tmp_path, "--check", shell=shell)
    assert done.returncode == 0
    assert done.stderr == (
        "install.sh: there is no NVIDIA GPU here, so no driver was looked at; where it computes, "
        "CUDA 13.2 takes the NVIDIA driver 580.65.06 or later\n"
    )
    done = install(house, Machine(), tmp_path, "--expect-gpu", shell=shell)
    assert done.returncode == 1
    assert "    -> use a machine with a GPU\n" in done.stderr
    done = install(house, Machine(), tmp_path, "--check", "--no-gpu-check", shell=shell)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_image_that_is_made_on_a_machine_with_a_gpu(house: House, tmp_path: Path) -> None:
    """The kernel shows its driver to all containers, also to those that may not use it."""
    shown = {
        "proc/driver/nvidia/version": with_driver("535.183.01").files["proc/driver/nvidia/version"]
    }
    machine = Machine(files={**shown, **on_the_bus(), **CONTAINER})
    done = install(house, machine, tmp_path, "--check")
    assert done.returncode == 0
    assert "this container was given no NVIDIA GPU" in done.stderr
    done = install(house, machine, tmp_path, "--expect-gpu")
    assert done.returncode == 1
    assert "    -> start it with --gpus all" in done.stderr


@pytest.mark.parametrize(
    ("machine", "problem", "fix"),
    [
        (
            Machine(files=on_the_bus()),
            "its kernel no driver",
            "install the NVIDIA driver 580.65.06",
        ),
        (with_driver("595.58.03"), "not its libcuda.so.1", "install the driver's libraries"),
        (with_driver("595.58.03", **CONTAINER), "not its libcuda.so.1", "start it with --gpus all"),
    ],
    ids=["no driver", "no library", "no library in a container"],
)
def test_half_a_driver(
    house: House, tmp_path: Path, machine: Machine, problem: str, fix: str
) -> None:
    done = install(house, machine, tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("  * ") == 1
    assert problem in done.stderr
    assert f"    -> {fix}" in done.stderr


def test_what_is_left_out_by_name_is_not_asked_for(house: House, tmp_path: Path) -> None:
    machine = with_driver("595.58.03")
    done = install(house, machine, tmp_path, "--check", "--without=libcuda.so.1")
    assert done.returncode == 0


def test_all_problems_are_told_and_no_remarks(house: House, tmp_path: Path) -> None:
    (house.path / "stray").touch()
    env = driver_library(tmp_path / "driver", 12020, ("NVIDIA T4", 7, 5))
    done = install(house, with_driver("450.80.02"), tmp_path, env=env)
    assert done.stderr.count("  * ") == 2
    assert "install.sh: " not in done.stderr.partition("\n")[2]


def test_options_that_contradict_each_other(house: House, tmp_path: Path, shell: list[str]) -> None:
    done = install(house, Machine(), tmp_path, "--expect-gpu", "--no-gpu-check", shell=shell)
    assert done.returncode == 2
    plain = make_house(tmp_path, [Package(name="one")], name="plain")
    done = install(plain, Machine(), tmp_path, "--expect-gpu", shell=shell)
    assert done.returncode == 2
    assert "web is for no GPU" in done.stderr
    assert "nvidia" not in (plain.path / "install.sh").read_text()
