"""Which extension modules each Python imports: its own, and those of a stable ABI that it has."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from wheelfactory import binary, debian12, wheel
from wheelhouse.tags import tags_of
from wheelhouse.targets import Interpreter
from wheelhouse.wheels.check import check_wheel

#: What stands between a module's name and ``.so`` where each Python finds it, and may load it:
#: `importlib.machinery.EXTENSION_SUFFIXES` as these Pythons have it, but for ``abi3`` where it is
#: of no use: in free-threaded ones.
FOUND = {
    "3.9": {"cpython-39-x86_64-linux-gnu", "abi3"},
    "3.11": {"cpython-311-x86_64-linux-gnu", "abi3"},
    "3.13": {"cpython-313-x86_64-linux-gnu", "abi3", "abi3-x86_64-linux-gnu"},
    "3.13t": {"cpython-313t-x86_64-linux-gnu"},
    "3.14t": {"cpython-314t-x86_64-linux-gnu"},
    "3.15": {
        "cpython-315-x86_64-linux-gnu",
        *("abi3", "abi3-x86_64-linux-gnu", "abi3t", "abi3t-x86_64-linux-gnu"),
    },
    "3.15t": {"cpython-315t-x86_64-linux-gnu", "abi3t", "abi3t-x86_64-linux-gnu"},
}

#: Since when CPython finds it is the distribution's choice.
STABLE_WITH_PLATFORM = "abi3-x86_64-linux-gnu"


def interpreter(python: str) -> Interpreter:
    number = python.removesuffix("t")
    target = debian12()
    return Interpreter(
        environment={
            "implementation_name": "cpython",
            "python_full_version": f"{number}.1",
            "python_version": number,
        },
        tags=tags_of(python, target.preset.libc, target.arch),
        libc=target.preset.libc,
        pip=None,
    )


def is_found(python: str, flavour: str) -> bool:
    """Whether a wheel with an extension module of that name alone passes the check."""
    member = f"demo/fast.{flavour}.so" if flavour else "demo/fast.so"
    found = wheel(
        binary(member, versions=(), initializes=True),
        filename="demo-1.0-py3-none-manylinux_2_28_x86_64.whl",
    )
    target = replace(debian12(), python=python)
    rules = [each.rule for each in check_wheel(found, target, interpreter(python), {})]
    assert rules in ([], ["extension-abi"])
    return not rules


@pytest.mark.parametrize("python", FOUND)
def test_each_python_finds_its_own_and_its_stable_abi(python: str) -> None:
    flavours = {flavour for known in FOUND.values() for flavour in known}
    found = {flavour for flavour in flavours if is_found(python, flavour)}
    assert found - {STABLE_WITH_PLATFORM} == FOUND[python] - {STABLE_WITH_PLATFORM}
    assert FOUND[python] <= found
    assert is_found(python, "")


@pytest.mark.parametrize(
    "flavour",
    ["cpython-311-aarch64-linux-gnu", "abi3-aarch64-linux-gnu", "cpython-3110", "311", "cp311"],
)
def test_what_only_looks_like_its_own_is_not_found(flavour: str) -> None:
    assert not is_found("3.11", flavour)


def test_this_python_finds_all_that_it_says() -> None:
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.abiflags or platform.machine() != "x86_64":
        pytest.skip("an ordinary Python on x86_64 is meant")
    for suffix in EXTENSION_SUFFIXES:
        assert is_found(own, suffix.removesuffix(".so").lstrip("."))


def test_the_version_of_a_free_threaded_python_tells_that_it_is() -> None:
    assert interpreter("3.14t").short_version == "3.14t"
    assert interpreter("3.14").short_version == "3.14"
