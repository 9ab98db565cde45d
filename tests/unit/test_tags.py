"""Tags from facts: the same as `packaging` finds on a machine, and the wheels that they choose."""

from __future__ import annotations

import os
import platform
import sysconfig

import packaging.tags
import pytest
from lockingfactory import index_file
from packaging import _manylinux, _musllinux

from wheelhouse.locking.candidates import TagRanks
from wheelhouse.tags import platforms_of, tags_of
from wheelhouse.targets import Libc, presets

AL2023 = Libc.parse("glibc 2.34")


def here() -> tuple[str, Libc, str]:
    """This machine, as facts."""
    threaded = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    version = ".".join(platform.python_version_tuple()[:2])
    libc = Libc.parse(os.confstr("CS_GNU_LIBC_VERSION") or "")
    return version + threaded, libc, platform.machine()


def test_this_machine_has_the_tags_that_follow_from_its_facts() -> None:
    assert tags_of(*here()) == tuple(packaging.tags.sys_tags())


LIBCS = ["glibc 2.5", "glibc 2.12", "glibc 2.17", "glibc 2.26", "glibc 2.34", "glibc 2.43"]


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "ppc64le", "riscv64"])
@pytest.mark.parametrize("text", [*LIBCS, "musl 1.1", "musl 1.2"])
def test_platforms_are_those_that_packaging_finds_there(
    text: str, arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`packaging` itself, told that it runs elsewhere."""
    libc = Libc.parse(text)
    glibc = libc.version if libc.family == "glibc" else (-1, -1)
    musl = _musllinux._MuslVersion(*libc.version) if libc.family == "musl" else None
    monkeypatch.setattr(sysconfig, "get_platform", lambda: f"linux-{arch}")
    monkeypatch.setattr(_manylinux, "_get_glibc_version", lambda: _manylinux._GLibCVersion(*glibc))
    monkeypatch.setattr(_musllinux, "_get_musl_version", lambda executable: musl)
    assert platforms_of(libc, arch) == tuple(packaging.tags._linux_platforms(is_32bit=False))


def test_there_are_no_platforms_for_another_c_library() -> None:
    with pytest.raises(ValueError, match=r"uclibc 1\.0"):
        platforms_of(Libc(family="uclibc", version=(1, 0)), "x86_64")


@pytest.mark.parametrize("python", ["3.9", "3.12", "3.13", "3.14t", "3.15", "3.15t"])
def test_tags_come_in_the_order_of_preference(python: str) -> None:
    tags = [str(tag) for tag in tags_of(python, AL2023, "x86_64")]
    number, stable = python.removesuffix("t").replace(".", ""), "abi3t" if "t" in python else "abi3"
    abi = number + ("t" if python.endswith("t") else "")
    known = [
        f"cp{number}-cp{abi}-manylinux_2_34_x86_64",
        f"cp{number}-cp{abi}-manylinux_2_17_x86_64",
        f"cp{number}-cp{abi}-manylinux2014_x86_64",
        f"cp{number}-{stable}-manylinux_2_34_x86_64",
        f"cp{number}-none-manylinux_2_34_x86_64",
        f"cp38-{stable}-manylinux_2_34_x86_64",
        "py3-none-manylinux_2_34_x86_64",
        f"cp{number}-none-any",
        "py3-none-any",
    ]
    places = [tags.index(tag) for tag in known]
    assert places == sorted(places)
    assert len(set(tags)) == len(tags)
    other = "abi3" if stable == "abi3t" else "abi3t"
    assert not [tag for tag in tags if f"-{other}-" in tag or "2_35" in tag]


def chosen(python: str, *tags: str, libc: Libc = AL2023, arch: str = "x86_64") -> str | None:
    """Which of a release's wheels a Python gets."""
    wheels = [index_file(f"demo-1.0-{tag}.whl") for tag in tags]
    best = TagRanks(tags_of(python, libc, arch)).best_first(wheels)
    return best[0].filename.removeprefix("demo-1.0-").removesuffix(".whl") if best else None


#: A release as PEP 803 foresees it: one wheel for each version before 3.15t, one for all after.
MODERN = (
    "cp39-abi3-manylinux_2_28_x86_64",
    "cp313-cp313t-manylinux_2_28_x86_64",
    "cp314-cp314t-manylinux_2_28_x86_64",
    "cp315-abi3.abi3t-manylinux_2_28_x86_64",
)


@pytest.mark.parametrize(
    ("python", "wheel"),
    [
        ("3.8", None),
        *((f"3.{minor}", MODERN[0]) for minor in range(9, 15)),
        ("3.13t", MODERN[1]),
        ("3.14t", MODERN[2]),
        ("3.15", MODERN[3]),
        ("3.15t", MODERN[3]),
        ("3.16t", MODERN[3]),
    ],
)
def test_each_python_gets_its_wheel_of_a_release(python: str, wheel: str | None) -> None:
    assert chosen(python, *MODERN) == wheel


@pytest.mark.parametrize(
    ("python", "wheels", "wheel"),
    [
        ("3.14t", ["cp39-abi3-manylinux_2_28_x86_64"], None),
        ("3.14t", ["cp314-cp314-manylinux_2_28_x86_64"], None),
        ("3.14", ["cp314-cp314t-manylinux_2_28_x86_64"], None),
        ("3.14t", ["cp315-abi3t-manylinux_2_28_x86_64"], None),
        ("3.15", ["cp315-abi3t-manylinux_2_28_x86_64"], None),
        ("3.15t", ["cp315-abi3t-manylinux_2_28_x86_64"], "cp315-abi3t-manylinux_2_28_x86_64"),
        (
            "3.15t",
            ["cp315-abi3t-manylinux_2_28_x86_64", "cp315-cp315t-manylinux_2_17_x86_64"],
            "cp315-cp315t-manylinux_2_17_x86_64",
        ),
        ("3.14t", ["py3-none-any"], "py3-none-any"),
        ("3.11", ["pp311-pypy311_pp73-manylinux_2_28_x86_64"], None),
    ],
)
def test_a_wheel_of_another_abi_is_no_choice(
    python: str, wheels: list[str], wheel: str | None
) -> None:
    assert chosen(python, *wheels) == wheel


def test_a_wheel_of_a_newer_platform_is_no_choice() -> None:
    newer = ("cp311-cp311-manylinux_2_35_x86_64", "cp311-cp311-musllinux_1_2_x86_64")
    assert chosen("3.11", *newer) is None
    assert chosen("3.11", *newer, libc=Libc.parse("musl 1.2")) == newer[1]
    assert chosen("3.11", *newer, libc=Libc.parse("glibc 2.36")) == newer[0]
    assert chosen("3.11", *newer, libc=Libc.parse("glibc 2.36"), arch="aarch64") is None


@pytest.mark.parametrize("name", presets())
def test_each_platforms_best_native_tag_is_its_policy(name: str) -> None:
    preset = presets()[name]
    kind = "musllinux" if preset.libc.family == "musl" else "manylinux"
    for arch in preset.arches:
        best = platforms_of(preset.libc, arch)[1]
        assert best == f"{kind}_{preset.libc.version[0]}_{preset.libc.version[1]}_{arch}"
