"""Which build requirements have the libraries that a wheel was linked with.

An extension that is linked with what a package of its build environment has, as one of PyTorch's
is, uses that package's library when it runs, too, whatever its metadata says. The distribution may
have a library of the same soname: another one. What repair finds is no proof: where no RPATH leads
to the package, it finds the distribution's.
"""

from __future__ import annotations

import posixpath
import tempfile
from typing import TYPE_CHECKING
from zipfile import ZipFile

from wheelhouse.agent.strictzip import ZipProblem
from wheelhouse.wheels.elf import MAGIC, read_binary
from wheelhouse.wheels.elfimage import BrokenElfError
from wheelhouse.wheels.layout import installed_as
from wheelhouse.wheels.modules import extension_stem
from wheelhouse.wheels.peek import peek
from wheelhouse.wheels.sharing import is_private, is_provided

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from packaging.utils import NormalizedName

    from wheelhouse.building.recipe import Supply
    from wheelhouse.building.repairs import Repair
    from wheelhouse.wheels.elf import Binary

#: What is found is kept with what was built; a change of how it is found is a change of this.
VERSION = "2"

_IN_MEMORY = 8 << 20
_PIECE = 1 << 20


def suppliers(
    name: NormalizedName, repair: Repair, supplies: Iterable[Supply], arch: str, scratch: Path
) -> dict[str, dict[str, str]]:
    """By soname, the projects among *supplies* that have what the wheel of *name* needs of others.

    Each with its version. What they have for nobody but themselves does not count: see
    :func:`wheelhouse.wheels.sharing.is_provided`.

    :param repair: what was done to that wheel: it tells what was copied from the builder, and what
        is not there.
    :param arch: whose libraries these are.
    :param scratch: a folder for large members.
    """
    wanted = {*repair.grafted, *repair.unlocated}
    found: dict[str, dict[str, str]] = {}
    for supply in sorted(supplies, key=lambda each: each.name) if wanted else ():
        if supply.name == name:
            continue
        for binary in _libraries(supply, wanted, scratch):
            soname = posixpath.basename(binary.member)
            if binary.machine == arch and is_provided(binary) and _is_linked(binary, repair):
                found.setdefault(soname, {})[supply.name] = str(supply.version)
    return dict(sorted(found.items()))


def _is_linked(library: Binary, repair: Repair) -> bool:
    """Whether *library* can be what the wheel was linked with.

    It is, if repair has found that very file by an RPATH, and is not, if that led elsewhere in the
    build. Else a linker would have taken no symbol version that *library* has not.
    """
    soname = posixpath.basename(library.member)
    if place := repair.places.get(soname):
        return place.endswith(f"/site-packages/{installed_as(library.member)}")
    return {*repair.grafted.get(soname, ())} <= {*library.defines}


def _libraries(supply: Supply, wanted: set[str], scratch: Path) -> list[Binary]:
    """The ELF files in *supply* that are called as one of the *wanted*, where others can reach."""
    try:
        with peek(supply.path) as archive:
            reach = [each for each in archive.members if _is_reachable(each, wanted)]
            return [*_binaries(((each, archive.stream(each)) for each in reach), scratch)]
    except ZipProblem:  # installers take what is no unambiguous archive
        with ZipFile(supply.path) as lax:
            reach = [each for each in lax.namelist() if _is_reachable(each, wanted)]
            return [*_binaries(((each, _pieces(lax, each)) for each in reach), scratch)]


def _is_reachable(member: str, wanted: set[str]) -> bool:
    return posixpath.basename(member) in wanted and not is_private(installed_as(member))


def _pieces(archive: ZipFile, member: str) -> Iterator[bytes]:
    with archive.open(member) as file:
        while piece := file.read(_PIECE):
            yield piece


def _binaries(members: Iterable[tuple[str, Iterable[bytes]]], scratch: Path) -> Iterator[Binary]:
    """Those of *members*, names with contents, that are sound ELF files."""
    for member, content in members:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(scratch)) as file:
            file.writelines(content)
            file.seek(0)
            if file.read(len(MAGIC)) != MAGIC:
                continue
            try:
                yield read_binary(file, member, module=extension_stem(member))
            except BrokenElfError:
                continue  # nothing can be linked with it
