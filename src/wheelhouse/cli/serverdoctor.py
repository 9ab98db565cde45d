"""`wheelhouse doctor --target`: does this machine have what the target's wheels need of it?

Engine, index and room are not looked at: a server has none of them.
"""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from wheelhouse.cli.checks import Check, told
from wheelhouse.cli.options import chosen_targets, load
from wheelhouse.cli.toolkitdoctor import cuda_checks
from wheelhouse.data.gpu import judge, look
from wheelhouse.errors import WheelhouseError
from wheelhouse.house import read_house
from wheelhouse.machine.here import configured_by, program_of, surroundings, whole_name
from wheelhouse.machine.loader import Way
from wheelhouse.machine.loads import Installed
from wheelhouse.manifest import FILENAME
from wheelhouse.needs import gpu_needs, gpu_wanted, machine_needs
from wheelhouse.pins import WHEELS
from wheelhouse.text import counted
from wheelhouse.wheels import read_wheel, who_asks
from wheelhouse.wheels.policy import DRIVER_SONAMES
from wheelhouse.wording import listed, shown_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelhouse.config import Project
    from wheelhouse.data.gpu import Verdict
    from wheelhouse.house import House
    from wheelhouse.machine.loads import Load, Rival
    from wheelhouse.manifest import Needs
    from wheelhouse.targets import Target

_SHOWN_LIBRARIES = 6


def examine_server(config: Path | None, names: Sequence[str], *, as_json: bool) -> bool:
    """Look at this machine for each target of *names*; tell what there is to say.

    :return: whether nothing stands in the way of any.
    :raises ConfigError: there is no such target.
    """
    project = load(config)
    checks = (
        replace(check, target=target.name)
        for target in chosen_targets(project, names)
        for check in _checks(project, target)
    )
    return told(checks, as_json=as_json)


def _checks(project: Project, target: Target) -> Iterator[Check]:
    cuda = f", {target.cuda}" if target.cuda else ""
    yield Check(name="target", good=True, said=f"{target.name}: {target.describe()}{cuda}")
    yield from cuda_checks(target)
    house, check = _house(project.output / target.name, target)
    yield check
    needs = house.manifest.needs if house else machine_needs((), target, ())
    here = platform.machine()
    yield Check(
        name="machine",
        good=here == target.arch,
        said=f"{here}, {os.uname().sysname}",
        hint=f"the wheels are for {target.arch}: use another machine",
    )
    yield from _gpu(needs, target)
    if house and here == target.arch:
        yield from _loading(house, target)
    yield Check(
        name="rest",
        good=True,
        said="install.sh --check looks at Python, C library and packages of the system; "
        "wheelhouse doctor without --target at what a build needs",
    )


def _house(path: Path, target: Target) -> tuple[House | None, Check]:
    if not (path / FILENAME).exists():
        said = f"{shown_path(path)} is not here: what would load from where cannot be told"
        hint = "copy the finished wheelhouse there"
        return None, Check(name="house", good=True, said=said, hint=hint, noted=True)
    try:
        house = read_house(path)
    except WheelhouseError as error:
        return None, Check(name="house", good=False, said=error.message, hint=error.hint)
    said = f"{shown_path(path)}: {counted(len(house.manifest.wheels), 'wheel')}"
    gpu = gpu_needs(target.cuda) if target.cuda else None
    stale = house.manifest.needs.gpu != gpu
    if stale:
        said += ", for another CUDA, or other GPUs, than wheelhouse.toml has now"
    return house, Check(name="house", good=True, said=said, hint="build it anew", noted=stale)


# -- GPU and driver -------------------------------------------------------------------------------


def _gpu(needs: Needs, target: Target) -> Iterator[Check]:
    if needs.gpu is None:
        yield Check(name="gpu", good=True, said=f"{target.name} names no CUDA")
        return
    wanted = gpu_wanted(needs, needs.gpu)
    for verdict in judge(wanted, look(wanted.libraries)):
        yield _judged(verdict)


def _judged(verdict: Verdict) -> Check:
    return Check(
        name=verdict.about,
        good=verdict.level not in ("trouble", "problem"),
        said=verdict.said,
        hint=verdict.fix,
        noted=verdict.level != "good",
    )


# -- what loads from where ------------------------------------------------------------------------


def _loading(house: House, target: Target) -> Iterator[Check]:
    if target.preset.libc.family != "glibc":
        yield Check(name="loads", good=True, said="told for glibc only", noted=True)
        return
    # Without a name there, and gone with this process: what is temporary is in memory elsewhere.
    scratch = house.path.parent if os.access(house.path.parent, os.W_OK) else None
    try:
        wheels = [
            read_wheel(house.path / WHEELS / facts.filename, scratch=scratch)
            for facts in house.manifest.wheels
        ]
    except WheelhouseError as error:
        yield Check(name="loads", good=False, said=error.message, hint=error.hint)
        return
    asks = who_asks({canonicalize_name(e.name): e.required_by for e in house.manifest.wheels})
    installed = Installed(wheels, target, str(house.path.absolute() / "(installed)"), asks=asks)
    around = surroundings(os.environ, installed.files)
    versions = {facts.filename: f"{facts.name} {facts.version}" for facts in house.manifest.wheels}
    program = program_of(target)
    if program is None:
        said = f"no Python {target.python} is here, whose own paths count, too"
        yield Check(name="python", good=True, said=said, noted=True)
    loads = installed.loads(program, around)
    yield from (_load(load, versions) for load in loads)
    trapped = {load.found.path for load in loads if load.is_foreign and load.found}
    for rival in installed.rivals(around):
        if not trapped.issuperset(rival.names.values()):
            yield _rival(rival)


def _load(load: Load, versions: dict[str, str]) -> Check:
    consumers = listed(list(load.wheels))
    house_s = versions[load.provider] if load.provider else ""
    if load.found is None:
        return _not_found(load, consumers, house_s)
    way = f"by {load.found.way.value}"
    if not load.is_foreign:
        said = f"{load.name}: {house_s or load.found.path}, {way}, for {consumers}"
        return Check(name="loads", good=True, said=said)
    return Check(
        name="loads",
        good=False,
        said=f"{load.name}: {consumers} would load {_file(load.found.path)} {way}, in place of "
        f"that of {house_s}",
        hint=_way_out(load.found.way, load.found.folder or str(Path(load.found.path).parent)),
    )


def _not_found(load: Load, consumers: str, house_s: str) -> Check:
    if load.provider:
        said = (
            f"{load.name}: {house_s} has it, and nothing leads {consumers} there; the program has "
            "to load it first"
        )
    elif load.name in DRIVER_SONAMES:
        said = f"{load.name}: part of the GPU's driver and not here, for {consumers}"
    else:
        said = f"{load.name}: not on this machine, for {consumers}"
    return Check(name="loads", good=True, said=said, noted=True)


def _rival(rival: Rival) -> Check:
    names = sorted(rival.names)
    shown = [_file(rival.names[name]) for name in names[:_SHOWN_LIBRARIES]]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return Check(
        name="trap",
        good=True,
        noted=True,
        said=f"{rival.way.value} has {', '.join(shown)}{more}, which the wheelhouse has, too: what "
        "is opened by its name alone is taken from there",
        hint=_way_out(rival.way, rival.folder),
    )


def _file(path: str) -> str:
    """*path* and, where it is a link, what to."""
    whole = whole_name(path)
    return f"{path} ({whole})" if whole else path


def _way_out(way: Way, folder: str) -> str:
    match way:
        case Way.LIBRARY_PATH | Way.PRELOAD:
            shown = folder or "the current folder (its empty entry)"
            return f"take {shown} off {way.value} where these wheels are used"
        case Way.CACHE if file := configured_by(folder):
            return f"take {folder} out of {file} and run ldconfig"
        case Way.CACHE | Way.DEFAULT:
            return f"remove the package that has put it into {folder}, or build the wheel anew"
        case _:
            return f"it is made to look in {folder} before the wheelhouse: build it anew"
