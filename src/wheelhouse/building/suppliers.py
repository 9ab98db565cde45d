"""Which build requirements have the libraries that a wheel was linked with.

An extension that is linked with what a package of its build environment has, as one of PyTorch's
is, uses that package's library when it runs, too, whatever its metadata says. The distribution may
have a library of the same soname: another one.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING
from zipfile import ZipFile

from wheelhouse.agent.strictzip import ZipProblem
from wheelhouse.wheels import policy
from wheelhouse.wheels.layout import installed_as
from wheelhouse.wheels.peek import peek
from wheelhouse.wheels.sharing import is_private

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from packaging.utils import NormalizedName

    from wheelhouse.building.recipe import Supply
    from wheelhouse.building.repairs import Repair


def suppliers(
    name: NormalizedName, repair: Repair, supplies: Iterable[Supply]
) -> dict[str, tuple[str, ...]]:
    """By soname, the projects among *supplies* that have what the wheel of *name* needs of others.

    :param repair: what was done to that wheel: it tells what was copied from the builder, and what
        is not there.
    """
    wanted = {*repair.grafted, *repair.unlocated}
    found: dict[str, list[str]] = {}
    for supply in supplies if wanted else ():
        if supply.name == name:
            continue
        for soname in _provided(_members(supply), wanted):
            found.setdefault(soname, []).append(supply.name)
    return {soname: tuple(sorted(names)) for soname, names in sorted(found.items())}


def _members(supply: Supply) -> Collection[str]:
    try:
        with peek(supply.path) as archive:
            return archive.members.keys()
    except ZipProblem:  # installers take what is no unambiguous archive
        with ZipFile(supply.path) as archive:
            return archive.namelist()


def _provided(members: Iterable[str], wanted: Collection[str]) -> set[str]:
    """Those of *wanted* that are files among *members*, where other wheels may use them."""
    return {
        soname
        for member in members
        if (soname := posixpath.basename(member)) in wanted
        and not is_private(installed_as(member))
        and not policy.is_of_compiler(soname)
    }
