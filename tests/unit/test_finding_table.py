"""The table of things and packages that are known beforehand."""

from __future__ import annotations

from typing import get_args

import pytest

from wheelhouse.finding.table import entries, known_packages
from wheelhouse.imagesteps import checked_packages
from wheelhouse.missing import Kind, Missing
from wheelhouse.targets import presets

FAMILIES = {preset.family for preset in presets().values()}
KINDS = set(get_args(Kind))


@pytest.mark.parametrize("name", entries())
def test_an_entry_names_things_and_packages(name: str) -> None:
    entry = entries()[name]
    assert entry.keys() <= KINDS | FAMILIES
    assert entry.keys() & KINDS
    assert entry.keys() & FAMILIES
    for family in entry.keys() & FAMILIES:
        assert list(checked_packages(entry[family])) == sorted(entry[family])
    for kind in entry.keys() & KINDS:
        assert all(entry[kind])


@pytest.mark.parametrize(
    ("kind", "name", "family", "packages"),
    [
        ("header", "libpq-fe.h", "debian", ("libpq-dev",)),
        ("header", "libpq-fe.h", "suse", ("postgresql-devel",)),
        ("header", "openssl/evp.h", "alpine", ("openssl-dev",)),
        ("program", "mysql_config", "amazon", ("mariadb105-devel",)),
        ("cmake", "ZLIB", "redhat", ("zlib-devel",)),
        ("cmake", "openssl", "debian", ("libssl-dev",)),
        ("library", "boost_python311", "debian", ("libboost-python-dev",)),
        ("soname", "libGL.so.1", "debian", ("libgl1",)),
        ("header", "boost/python.hpp", "debian", ("libboost-python-dev", "libboost-dev")),
    ],
)
def test_what_is_known(kind: Kind, name: str, family: str, packages: tuple[str, ...]) -> None:
    assert known_packages(Missing(kind, name), family) == packages


@pytest.mark.parametrize(
    ("kind", "name", "family"),
    [
        ("header", "zlib.hpp", "debian"),
        ("header", "OpenSSL/ssl.h", "debian"),  # a header's name is that and no other
        ("library", "zlib.h", "debian"),
        ("header", "zlib.h", "plan9"),
    ],
)
def test_what_is_not_known(kind: Kind, name: str, family: str) -> None:
    assert known_packages(Missing(kind, name), family) == ()
