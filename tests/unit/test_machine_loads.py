"""What of a wheelhouse would load from where, on machines that have the same libraries."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from housefactory import Package, this_target, wheel_bytes
from wheelfactory import compile_library
from wheelhouse.machine import here
from wheelhouse.machine.here import surroundings
from wheelhouse.machine.loader import Loadable, Way
from wheelhouse.machine.loads import Installed, Load
from wheelhouse.wheels import read_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.machine.loader import Surroundings
    from wheelhouse.wheels import Wheel

NVIDIA = "nvidia/cu13/lib"
RPATH = ("-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/../nvidia/cu13/lib")
MODULE = "void *PyInit__fast(void) { return 0; }"


class Workbench:
    """A folder in which libraries and wheels of them are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def library(self, name: str, *options: str, needs: tuple[str, ...] = ()) -> bytes:
        """A library that is called *name*, and needs those that were made before."""
        paths = [str(self.folder / each) for each in needs]
        soname = f"-Wl,-soname,{name}"
        options = ("-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", *options, *paths)
        return compile_library(self.folder, name, MODULE, soname, *options)

    def wheel(self, name: str, files: dict[str, bytes]) -> Wheel:
        data = wheel_bytes(Package(name=name, files=files))
        path = self.folder / hashlib.sha256(data).hexdigest()
        path.write_bytes(data)
        return read_wheel(path, filename=f"{name}-1.0-py3-none-any.whl")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def installed(*wheels: Wheel) -> tuple[Installed, Surroundings]:
    """The wheels at a place that is not there, on a machine that has nothing by itself."""
    made = Installed(wheels, this_target(), "/not/here")
    return made, replace(surroundings({}, made.files), cache={}, default=())


def pair(bench: Workbench, *options: str) -> tuple[Wheel, Wheel]:
    """A wheel that has a library, and one whose extension module needs that."""
    files = {f"{NVIDIA}/libcudart.so.13": bench.library("libcudart.so.13")}
    provider = bench.wheel("provider", files)
    module = bench.library("_fast.so", *options, needs=("libcudart.so.13",))
    return provider, bench.wheel("consumer", {"consumer/_fast.so": module})


def only(loads: list[Load], name: str = "libcudart.so.13") -> Load:
    (load,) = [load for load in loads if load.name == name]
    return load


def test_another_wheel_s_library(bench: Workbench) -> None:
    house, around = installed(*pair(bench, *RPATH))
    load = only(house.loads(None, around))
    assert load.found is not None
    assert (load.wheels, load.is_foreign) == (("consumer",), False)
    assert (load.found.way, load.provider) == (Way.RPATH, "provider-1.0-py3-none-any.whl")
    assert load.found.path.endswith(f"/site-packages/{NVIDIA}/libcudart.so.13")


@pytest.mark.parametrize("way", [Way.CACHE, Way.DEFAULT])
def test_the_system_s_own_of_another_cuda(bench: Workbench, way: Way) -> None:
    """A wheel that relies on being loaded by Python code gets it, if it is first."""
    house, around = installed(*pair(bench))
    path = str(bench.folder / "libcudart.so.13")
    cache = {"libcudart.so.13": path} if way is Way.CACHE else {}
    around = replace(around, cache=cache, default=(str(bench.folder),))
    load = only(house.loads(None, around))
    assert load.found is not None and load.is_foreign
    assert (load.found.way, load.found.path) == (way, path)
    rivals = house.rivals(around)
    assert [(rival.way, dict(rival.names)) for rival in rivals] == (
        [(Way.CACHE, {"libcudart.so.13": path})] if way is Way.CACHE else []
    )


def test_what_the_program_s_own_path_leads_to(bench: Workbench) -> None:
    """As that of conda's Python: it wins over LD_LIBRARY_PATH, and over the cache."""
    house, around = installed(*pair(bench))
    program = Loadable(path=str(bench.folder / "bin/python"), rpath=("$ORIGIN/..",))
    load = only(house.loads(program, around))
    assert load.found is not None
    assert (load.is_foreign, load.found.way) == (True, Way.RPATH)


def test_nothing_leads_there(bench: Workbench) -> None:
    house, around = installed(*pair(bench))
    load = only(house.loads(None, around))
    assert (load.found, load.is_foreign) == (None, False)
    assert load.provider == "provider-1.0-py3-none-any.whl"
    assert house.rivals(around) == []


@pytest.mark.parametrize(
    ("asks", "meant"),
    [
        ({}, "another"),
        ({"consumer": ("provider",)}, "provider"),
        ({"consumer": ("between",), "between": ("provider",)}, "provider"),
    ],
)
def test_of_several_the_one_is_meant_that_it_requires(
    bench: Workbench, asks: dict[NormalizedName, tuple[NormalizedName, ...]], meant: str
) -> None:
    library = bench.library("libshared.so.1")
    module = bench.library("_fast.so", needs=("libshared.so.1",))
    wheels = (
        bench.wheel("another", {"another/libshared.so.1": library}),
        bench.wheel("provider", {"provider/libshared.so.1": library}),
        bench.wheel("consumer", {"consumer/_fast.so": module}),
    )
    house = Installed(wheels, this_target(), "/not/here", asks=asks)
    around = replace(surroundings({}, house.files), cache={}, default=())
    load = only(house.loads(None, around), "libshared.so.1")
    assert load.provider == f"{meant}-1.0-py3-none-any.whl"


def test_what_another_file_of_the_wheel_has_loaded_is_no_matter(bench: Workbench) -> None:
    """A library that has no path of its own is found by that of the module which loads it."""
    bench.library("libdeep.so.1")
    bench.library("libnear.so.1", needs=("libdeep.so.1",))
    module = bench.library(
        "_fast.so", "-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/lib", needs=("libnear.so.1",)
    )
    files = {
        f"one/lib/{name}": (bench.folder / name).read_bytes()
        for name in ("libnear.so.1", "libdeep.so.1")
    }
    house, around = installed(bench.wheel("one", {"one/_fast.so": module, **files}))
    assert house.loads(None, around) == []


def test_its_own_library_from_elsewhere(bench: Workbench) -> None:
    """A wheel that has a RUNPATH to its own library is caught, too."""
    bench.library("libown.so.1")
    module = bench.library(
        "_fast.so", "-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN", needs=("libown.so.1",)
    )
    files = {"one/_fast.so": module, "one/libown.so.1": (bench.folder / "libown.so.1").read_bytes()}
    house, around = installed(bench.wheel("one", files))
    assert house.loads(None, around) == []
    caught = only(
        house.loads(None, replace(around, library_path=(str(bench.folder),))), "libown.so.1"
    )
    assert caught.is_foreign


def test_a_private_copy_is_nobody_s_but_its_wheel_s(bench: Workbench) -> None:
    copy = {"one.libs/libcudart.so.13": bench.library("libcudart.so.13")}
    module = bench.library("_fast.so", needs=("libcudart.so.13",))
    wheels = bench.wheel("one", copy), bench.wheel("two", {"two/_fast.so": module})
    house, around = installed(*wheels)
    assert only(house.loads(None, around)).provider is None
    assert house.rivals(replace(around, library_path=(str(bench.folder),))) == []


def test_what_is_installed_beside_site_packages(bench: Workbench) -> None:
    """As Intel's libraries are: from their modules' folder up to the environment's own."""
    library = {"one-1.0.data/data/lib/libmkl.so.2": bench.library("libmkl.so.2")}
    module = bench.library("_fast.so", "-Wl,-rpath,$ORIGIN/../../..", needs=("libmkl.so.2",))
    wheels = bench.wheel("one", library), bench.wheel("two", {"two/_fast.so": module})
    house, around = installed(*wheels)
    load = only(house.loads(None, around), "libmkl.so.2")
    assert load.found is not None
    assert load.found.path == "/not/here/lib/libmkl.so.2"
    assert load.provider == "one-1.0-py3-none-any.whl"


def test_what_every_linux_has_is_not_told(bench: Workbench) -> None:
    module = bench.library("_fast.so", "-lm", "-lpthread")
    house, around = installed(bench.wheel("one", {"one/_fast.so": module}))
    assert house.loads(None, around) == []


def test_files_for_another_machine_are_data(bench: Workbench) -> None:
    data = bytearray(bench.library("libcudart.so.13"))
    other = "aarch64" if platform.machine() == "x86_64" else "x86_64"
    data[18:20] = {"aarch64": 183, "x86_64": 62}[other].to_bytes(2, "little")
    house, _ = installed(bench.wheel("one", {f"{NVIDIA}/libcudart.so.13": bytes(data)}))
    assert house.files == {}


def test_who_put_a_folder_into_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "_CONF", tmp_path)
    (tmp_path / "000_cuda.conf").write_text("# CUDA\n/usr/local/cuda-13.0/lib/\n")
    assert here.configured_by("/usr/local/cuda-13.0/lib") == str(tmp_path / "000_cuda.conf")
    assert here.configured_by("/usr/local/cuda-13.0") == ""


def test_a_name_says_more_than_a_link(tmp_path: Path) -> None:
    (tmp_path / "cuda-13.0").mkdir()
    (tmp_path / "cuda-13.0/libcudart.so.13.0.96").touch()
    (tmp_path / "cuda-13.0/libcudart.so.13").symlink_to("libcudart.so.13.0.96")
    (tmp_path / "cuda").symlink_to("cuda-13.0")
    versioned = str(tmp_path / "cuda-13.0/libcudart.so.13.0.96")
    assert here.whole_name(str(tmp_path / "cuda-13.0/libcudart.so.13")) == "libcudart.so.13.0.96"
    assert here.whole_name(str(tmp_path / "cuda/libcudart.so.13")) == versioned
    assert here.whole_name(versioned) == ""
