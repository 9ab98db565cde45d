"""Which build requirements have what a wheel is linked with: read from their archives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelfactory import compile_library, zip_bytes
from wheelhouse.building.recipe import Supply
from wheelhouse.building.repairs import Repair
from wheelhouse.building.suppliers import suppliers

if TYPE_CHECKING:
    from pathlib import Path

DEMO = canonicalize_name("demo")


class Supplies:
    """Wheels of build requirements, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def library(self, soname: str | None, *options: str) -> bytes:
        options = (f"-Wl,-soname,{soname}", *options) if soname else options
        return compile_library(self.folder, "made.so", "int f(void) { return 1; }", *options)

    def versioned(self, soname: str, version: str) -> bytes:
        script = self.folder / f"{version}.map"
        script.write_text(f"{version} {{ global: f; }};")
        return self.library(soname, f"-Wl,--version-script={script}")

    def supply(self, name: str, *members: str, content: bytes = b"") -> Supply:
        """The wheel of *name* 1.0; its *members* are libraries of their names, or *content*."""
        path = self.folder / f"{name}-1.0-py3-none-any.whl"
        path.write_bytes(
            zip_bytes([(m, content or self.library(m.rpartition("/")[2])) for m in members])
        )
        return Supply(
            name=canonicalize_name(name),
            version=Version("1.0"),
            filename=path.name,
            sha256="",
            path=path,
        )

    def of(self, repair: Repair, *supplies: Supply, arch: str = "x86_64") -> dict[str, list[str]]:
        found = suppliers(DEMO, repair, supplies, arch, self.folder)
        return {soname: list(each) for soname, each in found.items()}


@pytest.fixture
def supplies(tmp_path: Path) -> Supplies:
    return Supplies(tmp_path)


UNLOCATED = Repair(unlocated=("libgeo.so.1",))


def test_those_that_have_it_where_others_can_reach_it(supplies: Supplies) -> None:
    known = [
        supplies.supply("torch", "torch/lib/libtorch.so", "torch/lib/libc10.so"),
        supplies.supply("other", "other-1.0.data/platlib/other/libtorch.so"),
        supplies.supply("private", "private.libs/libtorch.so"),
        supplies.supply("elsewhere", "elsewhere-1.0.data/data/lib/libpq.so.5"),
        supplies.supply("compiler", "compiler/libgomp.so.1"),
        supplies.supply("demo", "demo/libpq.so.5"),
    ]
    repair = Repair(
        grafted={"libpq.so.5": (), "libgomp.so.1": ()}, unlocated=("libtorch.so", "libnowhere.so")
    )
    assert supplies.of(repair, *known) == {"libtorch.so": ["other", "torch"]}
    assert supplies.of(Repair(excluded=("libtorch.so",)), *known) == {}
    told = suppliers(DEMO, repair, known, "x86_64", supplies.folder)
    assert told == {"libtorch.so": {"other": "1.0", "torch": "1.0"}}


def test_an_archive_that_only_installers_take_is_read_too(supplies: Supplies) -> None:
    found = supplies.supply("geo", "geo/libgeo.so.1")
    found.path.write_bytes(b"#!/bin/sh\n" + found.path.read_bytes())
    assert supplies.of(UNLOCATED, found) == {"libgeo.so.1": ["geo"]}


@pytest.mark.parametrize("soname", [None, "libgeo.so.1.2"])
def test_what_is_not_called_as_it_says_itself_is_for_nobody(
    supplies: Supplies, soname: str | None
) -> None:
    """As in the house: else what the very same version has there would be no supply."""
    found = supplies.supply("geo", "geo/libgeo.so.1", content=supplies.library(soname))
    assert supplies.of(UNLOCATED, found) == {}


def test_what_is_no_library_of_the_target_is_for_nobody(supplies: Supplies) -> None:
    found = supplies.supply("geo", "geo/libgeo.so.1")
    assert supplies.of(UNLOCATED, found, arch="aarch64") == {}
    for content in (b"INPUT(libgeo.so)", b"\x7fELF and no more"):
        found = supplies.supply("geo", "geo/libgeo.so.1", content=content)
        assert supplies.of(UNLOCATED, found) == {}


@pytest.mark.parametrize(("version", "is_supplied"), [("GEO_2", True), ("GEO_1", False)])
def test_what_lacks_the_versions_was_not_linked(
    supplies: Supplies, version: str, is_supplied: bool
) -> None:
    """A linker takes none that is not there: the distribution has another one."""
    content = supplies.versioned("libgeo.so.1", version)
    found = supplies.supply("geo", "geo/libgeo.so.1", content=content)
    repair = Repair(grafted={"libgeo.so.1": ("GEO_2",)})
    assert bool(supplies.of(repair, found)) is is_supplied
    plain = supplies.supply("plain", "plain/libgeo.so.1")
    assert "plain" not in supplies.of(repair, plain).get("libgeo.so.1", [])


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("env/lib/python3.11/site-packages/geo/libgeo.so.1", ["geo"]),
        ("env/lib/python3.11/site-packages/other/lib/libgeo.so.1", ["other"]),
        ("source/build/geo/libgeo.so.1", None),
    ],
)
def test_where_it_was_found_tells_whose_it_is(
    supplies: Supplies, place: str, names: list[str] | None
) -> None:
    known = [
        supplies.supply("geo", "geo/libgeo.so.1"),
        supplies.supply("other", "other-1.0.data/platlib/other/lib/libgeo.so.1"),
    ]
    repair = Repair(grafted={"libgeo.so.1": ()}, places={"libgeo.so.1": place})
    assert supplies.of(repair, *known).get("libgeo.so.1") == names
