"""Which build requirements have what a wheel is linked with: read from their archives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelfactory import zip_bytes
from wheelhouse.building.recipe import Supply
from wheelhouse.building.repairs import Repair
from wheelhouse.building.suppliers import suppliers

if TYPE_CHECKING:
    from pathlib import Path

DEMO = canonicalize_name("demo")


def supply(folder: Path, name: str, *members: str) -> Supply:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    path.write_bytes(zip_bytes([(member, b"") for member in members]))
    return Supply(
        name=canonicalize_name(name),
        version=Version("1.0"),
        filename=path.name,
        sha256="",
        path=path,
    )


def test_those_that_have_it_where_others_can_reach_it(tmp_path: Path) -> None:
    supplies = [
        supply(tmp_path, "torch", "torch/lib/libtorch.so", "torch/lib/libc10.so"),
        supply(tmp_path, "other", "other-1.0.data/platlib/other/libtorch.so"),
        supply(tmp_path, "private", "private.libs/libtorch.so"),
        supply(tmp_path, "elsewhere", "elsewhere-1.0.data/data/lib/libpq.so.5"),
        supply(tmp_path, "compiler", "compiler/libgomp.so.1"),
        supply(tmp_path, "demo", "demo/libpq.so.5"),
    ]
    repair = Repair(
        grafted={"libpq.so.5": (), "libgomp.so.1": ()}, unlocated=("libtorch.so", "libnowhere.so")
    )
    assert suppliers(DEMO, repair, supplies) == {"libtorch.so": ("other", "torch")}
    assert suppliers(DEMO, Repair(excluded=("libtorch.so",)), supplies) == {}


def test_an_archive_that_only_installers_take_is_read_too(tmp_path: Path) -> None:
    found = supply(tmp_path, "geo", "geo/libgeo.so.1")
    found.path.write_bytes(b"#!/bin/sh\n" + found.path.read_bytes())
    repair = Repair(unlocated=("libgeo.so.1",))
    assert suppliers(DEMO, repair, [found]) == {"libgeo.so.1": ("geo",)}
