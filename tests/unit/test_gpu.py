"""What a machine has of NVIDIA's, and whether that runs a wheelhouse."""

from __future__ import annotations

import ast
import time
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from gpumachines import VERSION_FILES, Machine, driver_library, on_the_bus, plant, with_driver
from wheelfactory import compile_library
from wheelhouse.cuda import Cuda, releases
from wheelhouse.data import gpu
from wheelhouse.data.gpu import Driver, Seen, judge, look
from wheelhouse.manifest import Needs
from wheelhouse.needs import gpu_needs, gpu_wanted
from wheelhouse.wheels.gpus import runs_on

if TYPE_CHECKING:
    from wheelhouse.data.gpu import Verdict, Wanted

H200 = ("NVIDIA H200", "9.0")
#: What may be behind a compute capability.
_ONLY = ("", "a", "f")


def wanted(version: str = "13.2", *arches: str, libraries: tuple[str, ...] = ()) -> Wanted:
    needs = Needs(libc="", libraries=libraries)
    return gpu_wanted(needs, gpu_needs(Cuda(version=Version(version), arches=arches)))


def seen(
    kernel: str = "595.58.03",
    *gpus: tuple[str, str],
    given: bool = True,
    built_in: bool = True,
    contained: bool = False,
    driver: Driver | None = None,
) -> Seen:
    if driver is None:
        driver = Driver(path="/lib/libcuda.so.1", cuda=(13, 2), state=0, gpus=gpus or (H200,))
    return Seen(kernel, given, built_in, contained, driver)


def only(wanted: Wanted, seen: Seen) -> Verdict:
    (verdict,) = judge(wanted, seen)
    return verdict


NO_LIBRARY = Driver(lacking=("libcuda.so.1",), why="libcuda.so.1: No such file or directory")


# -- looking -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSION_FILES)
def test_the_kernel_says_its_driver_in_many_ways(tmp_path: Path, version: str) -> None:
    found = look((), str(plant(tmp_path, with_driver(version))))
    assert (found.kernel, found.given, found.built_in) == (version, True, True)


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"sys/module/nvidia/version": "570.26\n"}, "570.26"),
        ({"proc/driver/nvidia/version": "", "sys/module/nvidia/version": "570.26\n"}, "570.26"),
        ({"proc/driver/nvidia/version": "GCC version:  gcc version 12.2.0 (Debian)\n"}, ""),
        ({}, ""),
    ],
)
def test_or_its_module_does(tmp_path: Path, files: dict[str, str], version: str) -> None:
    assert gpu.driver_in_kernel(str(plant(tmp_path, Machine(files=files)))) == version


@pytest.mark.parametrize(
    ("machine", "there"),
    [
        (Machine(files=on_the_bus()), True),
        (Machine(files=on_the_bus(), lent=True), False),
        (
            Machine(files={**on_the_bus(), "sys/bus/pci/devices/0000:17:00.0/class": "0x040300"}),
            False,
        ),
        (Machine(), False),
    ],
    ids=["built in", "lent to a virtual machine", "its sound", "none"],
)
def test_a_gpu_on_the_bus(tmp_path: Path, machine: Machine, there: bool) -> None:
    assert gpu.is_built_in(str(plant(tmp_path / "[root]", machine))) is there


@pytest.mark.parametrize(
    ("name", "given"),
    [("nvidia0", True), ("nvidiactl", True), ("dxg", True), ("nvidia-uvm", False), ("null", False)],
)
def test_a_device_file(tmp_path: Path, name: str, given: bool) -> None:
    assert (
        gpu.is_given(str(plant(tmp_path / "[root]", Machine(files={f"dev/{name}": ""})))) is given
    )


def mounts(root: str) -> dict[str, str]:
    first = "22 1 8:1 / /boot rw - ext4 /dev/sda1 rw\n1 0 0:2 / / rw - rootfs rootfs rw\n"
    return {"proc/self/mountinfo": f"{first}30 1 0:29 / / rw,relatime {root}\n"}


@pytest.mark.parametrize(
    ("files", "contained"),
    [
        ({".dockerenv": ""}, True),
        ({"run/.containerenv": ""}, True),
        (mounts("master:1 - overlay overlay rw,lowerdir=/a"), True),
        (mounts("- fuse-overlayfs fuse-overlayfs rw"), True),
        (mounts("shared:1 - ext4 /dev/sda2 rw"), False),
        ({}, False),
    ],
)
def test_a_container(tmp_path: Path, files: dict[str, str], contained: bool) -> None:
    assert gpu.is_container(str(plant(tmp_path, Machine(files=files)))) is contained


def test_the_driver_s_library_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = driver_library(tmp_path, 13020, ("NVIDIA H200", 9, 0), ("NVIDIA T4", 7, 5))
    monkeypatch.setenv("LD_LIBRARY_PATH", env["LD_LIBRARY_PATH"])
    found = gpu.ask_driver(("libcuda.so.1", "libnothing.so.1"))
    assert found._replace(why="") == Driver(
        lacking=("libnothing.so.1",),
        path=str(tmp_path / "libcuda.so.1"),
        cuda=(13, 2),
        state=0,
        gpus=(("NVIDIA H200", "9.0"), ("NVIDIA T4", "7.5")),
    )
    assert found.why.startswith("libnothing.so.1: cannot open shared object file")


def test_one_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said before is kept."""
    env = driver_library(tmp_path, 12080, ("NVIDIA H200", 9, 0), state=999)
    monkeypatch.setenv("LD_LIBRARY_PATH", env["LD_LIBRARY_PATH"])
    monkeypatch.setattr(gpu, "PATIENCE", 1.5)
    started = time.monotonic()
    found = gpu.ask_driver(())
    assert time.monotonic() - started < 60
    assert (found.cuda, found.answered) == ((12, 8), False)


def test_one_that_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library may do anything when it is loaded."""
    code = "#include <stdlib.h>\n__attribute__((constructor)) void begin(void) { abort(); }"
    compile_library(tmp_path, "libcuda.so.1", code)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    assert gpu.ask_driver(()) == Driver(answered=False)


def test_a_program_of_the_driver_s_is_asked_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu.driver_by_program() == ""
    smi.write_text("#!/bin/sh\necho 560.94\necho 560.94\n")
    smi.chmod(0o755)
    assert gpu.driver_by_program() == "560.94"
    smi.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed; it is 12.4 minutes'\nexit 9\n")
    assert gpu.driver_by_program() == ""


# -- judging: the driver -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("595.58.03", "good"),
        ("595.45.04", "good"),
        ("595.45.04-0ubuntu1", "good"),
        ("1000.2", "good"),
        ("610.43", "good"),
        ("595.45.03", "remark"),
        ("580.65.06", "remark"),
        ("580.65.05", "problem"),
        ("580.65", "problem"),
        ("99.9", "problem"),
        ("535.183.01", "problem"),
    ],
)
def test_versions_are_numbers(version: str, level: str) -> None:
    """Where the driver's library does not say what it is for, because Python cannot ask."""
    found = judge(wanted("13.2"), seen(version, driver=Driver()))[0]
    assert (found.about, found.level) == ("driver", level)
    assert version in found.said


@pytest.mark.parametrize(
    ("kernel", "able", "level", "said"),
    [
        ("595.58.03", (13, 2), "good", "595.58.03 (for CUDA 13.2), runs CUDA 13.2"),
        ("580.95.05", (13, 0), "remark", "except code that is there as PTX only"),
        ("535.183.01", (12, 2), "problem", "is too old for CUDA 13.2, which takes 580.65.06"),
        ("535.183.01", (13, 2), "remark", "forward compatibility"),
        ("535.183.01", (13, 0), "remark", "forward compatibility"),
        ("595.58.03", (12, 4), "problem", "is 595.58.03, but /lib/libcuda.so.1 is for CUDA 12.4"),
        ("", (13, 3), "good", "for CUDA 13.3, runs CUDA 13.2"),
        ("", (13, 1), "remark", "PTX only"),
        ("", (12, 9), "problem", "for CUDA 12.9, is too old for CUDA 13.2"),
        ("", (), "remark", "cannot be found out whether the NVIDIA driver here runs CUDA 13.2"),
    ],
)
def test_what_its_library_is_for_counts(
    kernel: str, able: tuple[int, ...], level: str, said: str
) -> None:
    """That of forward compatibility is newer than the kernel's part; an older one spoils it."""
    driver = Driver(path="/lib/libcuda.so.1", cuda=able, state=0, gpus=(H200,))
    found = judge(wanted("13.2"), seen(kernel, driver=driver))[0]
    assert (found.level, said in found.said) == (level, True), found
    assert bool(found.fix) is (level != "good")


def test_a_cuda_that_nothing_is_known_of_yet() -> None:
    """Then only the driver's own word counts."""
    later = wanted("14.1")
    assert (later.driver, later.release_driver) == ("", "")
    able = Driver(cuda=(14, 1), state=0, gpus=(H200,))
    assert judge(later, seen("700.1", driver=able))[0].level == "good"
    assert judge(later, seen("700.1", driver=able._replace(cuda=(13, 3))))[0].level == "problem"
    assert judge(later, seen("700.1", driver=Driver()))[0].level == "remark"
    nothing = only(later, seen("", given=False, built_in=False, driver=NO_LIBRARY))
    assert "an NVIDIA driver for CUDA 14.1 (which ones was not known yet)" in nothing.said


def test_no_gpu_at_all() -> None:
    found = only(wanted(), seen("", given=False, built_in=False, driver=NO_LIBRARY))
    assert (found.about, found.level) == ("gpu", "absent")
    assert "there is no NVIDIA GPU here" in found.said
    assert "CUDA 13.2 takes the NVIDIA driver 580.65.06 or later" in found.said


@pytest.mark.parametrize(("kernel", "built_in"), [("535.183.01", False), ("", True)])
def test_a_container_that_was_given_none(kernel: str, built_in: bool) -> None:
    """An image is made there, on a machine that may have any driver: that is not judged."""
    machine = seen(kernel, given=False, built_in=built_in, contained=True, driver=NO_LIBRARY)
    found = only(wanted(), machine)
    assert found.level == "absent"
    assert "this container was given no NVIDIA GPU" in found.said
    assert "--gpus all" in found.fix


def test_a_gpu_without_a_driver() -> None:
    found = only(wanted("12.9"), seen("", given=False, driver=NO_LIBRARY))
    assert (found.level, found.fix) == ("problem", "install the NVIDIA driver 525.60.13 or later")


def test_a_library_is_no_driver_without_the_kernel_s_part() -> None:
    driver = Driver(path="/lib/libcuda.so.1", cuda=(13, 2), state=100)
    assert only(wanted(), seen("", given=False, driver=driver)).level == "problem"


@pytest.mark.parametrize("contained", [True, False])
def test_a_driver_without_its_library(contained: bool) -> None:
    found = only(wanted(), seen(contained=contained, driver=NO_LIBRARY))
    assert (found.level, "not its libcuda.so.1" in found.said) == ("problem", True)
    assert ("--gpus all" in found.fix) is contained
    assert "No such file" not in found.said


def test_one_that_cannot_be_loaded_is_told_with_the_loader_s_word() -> None:
    driver = Driver(lacking=("libcuda.so.1",), why="libcuda.so.1: file too short")
    assert "(libcuda.so.1: file too short)" in only(wanted(), seen(driver=driver)).said


def test_another_library_of_the_driver_s_that_wheels_load() -> None:
    driver = Driver(lacking=("libnvcuvid.so.1",), why="…: No such file", cuda=(13, 2), state=0)
    decoding = wanted(libraries=("libnvcuvid.so.1", "libGL.so.1"))
    assert decoding.libraries == ("libcuda.so.1", "libnvcuvid.so.1")
    assert "not its libnvcuvid.so.1" in only(decoding, seen(driver=driver)).said
    assert judge(wanted(), seen(driver=driver))[0].level == "good"


def test_a_gpu_that_only_its_library_knows_of() -> None:
    """As on a Jetson, or in WSL: no PCI bus, no module of that name."""
    found = judge(wanted(), seen("", given=False, built_in=False))
    assert [each.level for each in found] == ["good", "good"]


# -- judging: the GPU ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arches", "capability", "way"),
    [
        (("80", "90"), "9.0", "code"),
        (("80", "90"), "8.6", "code"),
        (("80", "90"), "12.0", "ptx"),
        (("80", "90"), "7.5", ""),
        (("86",), "8.0", ""),
        (("90a",), "9.0", "code"),
        (("90a",), "10.0", ""),
        (("90", "90a"), "10.0", ""),
        (("80", "90a"), "10.0", ""),
        (("100f",), "10.3", "code"),
        (("100f",), "12.0", ""),
        (("100a",), "10.3", ""),
        (("100", "120"), "9.0", ""),
    ],
)
def test_which_code_runs_where(arches: tuple[str, ...], capability: str, way: str) -> None:
    assert gpu.served(arches, gpu.numbers(capability)) == way


def test_the_gate_says_the_same() -> None:
    """The file that is part of `install.sh` has rules of its own."""
    known = sorted({arch for release in releases().values() for arch in release.arches}, key=int)
    assert len(known) > 20
    for arch, capability in product((f"{each}{only}" for each in known for only in _ONLY), known):
        codes = [f"sm_{arch}", *([] if arch[-1] in "af" else [f"compute_{arch}"])]
        here = int(capability) // 10, int(capability) % 10
        gate = any(runs_on(code, int(capability)) for code in codes)
        assert (gpu.served((arch,), here) != "") == gate, (arch, capability)


@pytest.mark.parametrize(
    ("arches", "name", "level", "said", "fix"),
    [
        (("80", "90"), H200, "good", "NVIDIA H200 (compute capability 9.0)", ""),
        ((), H200, "good", "NVIDIA H200 (compute capability 9.0)", ""),
        (("80",), H200, "good", "makes code of PTX", ""),
        (("80",), ("T4", "7.5"), "remark", "has code for 80", 'add "75" to cuda-arch'),
        (("90a",), ("RTX PRO 6000", "12.0"), "remark", "has code for 90a", 'add "120"'),
        (("80",), ("V100", "7.0"), "remark", "CUDA 13.2 makes no code for it", "another GPU"),
        ((), ("V100", "7.0"), "remark", "CUDA 13.2 makes no code for it", "another GPU"),
    ],
)
def test_the_gpu_against_what_was_built(
    arches: tuple[str, ...], name: tuple[str, str], level: str, said: str, fix: str
) -> None:
    _, found = judge(wanted("13.2", *arches), seen("595.58.03", name))
    assert (found.about, found.level) == ("gpu", level)
    assert said in found.said
    assert fix in found.fix


def test_ptx_takes_the_driver_of_its_cuda() -> None:
    driver = Driver(cuda=(13, 0), state=0, gpus=(("B200", "10.0"),))
    for kernel in ("580.95.05", ""):
        first, second = judge(wanted("13.2", "90"), seen(kernel, driver=driver))
        assert (first.level, second.level) == ("remark", "remark")
        assert "for which the driver is too old" in second.said
        assert second.fix == "upgrade the driver to 595.45.04 or later"


def test_gpus_of_one_kind_are_told_once() -> None:
    assert len(judge(wanted(), seen("595.58.03", H200, H200))) == 2


@pytest.mark.parametrize(
    ("state", "said", "fix"),
    [
        (34, "stub", "LD_LIBRARY_PATH"),
        (100, "shows no GPU", "CUDA_VISIBLE_DEVICES"),
        (802, "not ready", "fabricmanager"),
        (803, "another version", "anew"),
        (804, "forward compatibility", "upgrade the driver"),
        (12345, "does not start (12345)", "log"),
    ],
)
def test_a_driver_that_does_not_start(state: int, said: str, fix: str) -> None:
    driver = Driver(cuda=(13, 2), state=state)
    _, found = judge(wanted(), seen(driver=driver))
    assert (found.about, found.level) == ("gpu", "trouble")
    assert said in found.said
    assert fix in found.fix


def test_a_driver_that_did_not_answer() -> None:
    _, found = judge(wanted(), seen(driver=Driver(cuda=(13, 2), answered=False)))
    assert (found.level, "did not answer" in found.said) == ("trouble", True)


def test_a_python_that_cannot_ask() -> None:
    first, second = judge(wanted(), seen(driver=Driver()))
    assert (first.level, second.level) == ("good", "remark")


# -- install.sh ----------------------------------------------------------------------------------


def test_what_install_sh_reads(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A problem has a fix on the next line, a remark a hyphen; what is good is not told."""
    machine = seen("", given=False, built_in=False, driver=NO_LIBRARY)
    monkeypatch.setattr(gpu, "look", lambda libraries: machine)
    arguments = ("13.2", "580.65.06", "595.45.04", "80", "75 80", "libcuda.so.1", "")
    gpu.main(*arguments, "")
    said, mark = capsys.readouterr().out.splitlines()
    assert (said[:27], mark) == ("there is no NVIDIA GPU here", "-")
    gpu.main(*arguments, "yes")
    assert capsys.readouterr().out.splitlines()[1] == "use a machine with a GPU"
    machine = seen("580.65.06", ("T4", "7.5"))
    gpu.main(*arguments, "")
    said, mark = capsys.readouterr().out.splitlines()
    assert (said.startswith("T4"), mark) == (True, "-")
    machine = seen(driver=NO_LIBRARY)
    gpu.main(*arguments, "")
    assert "not its libcuda.so.1" in capsys.readouterr().out
    gpu.main(*arguments[:-1], "libother.so.1 libcuda.so.1", "")
    assert "not its libcuda.so.1" not in capsys.readouterr().out


def test_every_python_that_wheels_are_for_reads_it() -> None:
    text = Path(gpu.__file__).read_text("utf-8")
    ast.parse(text, feature_version=(3, 6))
    assert "\nEND\n" not in text  # which ends it within install.sh
