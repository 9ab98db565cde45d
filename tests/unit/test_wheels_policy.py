from __future__ import annotations

import pytest
from packaging.version import Version

from wheelhouse.targets import Libc, presets
from wheelhouse.wheels.policy import (
    is_libpython,
    is_loader,
    symbol_limits,
    symbol_version,
    system_sonames,
)


@pytest.mark.parametrize("version", ["2.17", "2.34", "2.36", "2.99"])
def test_glibc_whitelist(version: str) -> None:
    names = system_sonames(Libc.parse(f"glibc {version}"), "x86_64")
    assert {"libc.so.6", "libstdc++.so.6", "libz.so.1"} <= names
    assert "libssl.so.3" not in names


def test_musl_whitelist_names_its_libc() -> None:
    names = system_sonames(Libc.parse("musl 1.2"), "aarch64")
    assert names == {"libc.musl-aarch64.so.1", "libz.so.1"}


def test_the_highest_policy_not_above_the_libc_decides() -> None:
    assert "libmvec.so.1" not in system_sonames(Libc.parse("glibc 2.17"), "x86_64")
    assert "libmvec.so.1" in system_sonames(Libc.parse("glibc 2.36"), "x86_64")
    assert system_sonames(Libc.parse("glibc 2.1"), "x86_64") == frozenset()


def test_limits_of_debian_12() -> None:
    preset = presets()["debian12"]
    assert symbol_limits(preset.libc, preset.glibcxx) == {
        "GLIBC": Version("2.36"),
        "GLIBCXX": Version("3.4.30"),
        "CXXABI": Version("1.3.13"),
        "GCC": Version("12.0.0"),
    }


def test_unknown_and_musl_limits() -> None:
    assert symbol_limits(Libc.parse("musl 1.2"), Version("0")) == {}
    newest = symbol_limits(Libc.parse("glibc 2.43"), Version("3.4.99"))
    assert newest.keys() == {"GLIBC", "GLIBCXX"}


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("GLIBC_2.34", ("GLIBC", Version("2.34"))),
        ("GLIBC_ABI_DT_RELR", ("GLIBC", Version("2.36"))),
        ("GLIBC_PRIVATE", None),
        ("CXXABI_FLOAT128", None),
        ("libfoo", None),
    ],
)
def test_symbol_version(name: str, parsed: tuple[str, Version] | None) -> None:
    assert symbol_version(name) == parsed


def test_names_of_the_loader_and_of_python() -> None:
    loaders = ["ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "ld-musl-x86_64.so.1", "ld64.so.2"]
    assert all(map(is_loader, loaders))
    assert not is_loader("libld.so.2")
    assert is_libpython("libpython3.11.so.1.0")
    assert is_libpython("libpython3.13t.so.1.0")
    assert not is_libpython("libpythonic.so.1")
