"""Groups 1 to 4: sdists that are wrong in one way each: none is taken, none writes elsewhere."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from faults.badsdists import FILENAME, GOOD, STATED, TOP, bad_sdists, entry, gz, large_sdists
from faults.case import Case
from faults.world import refused
from projects import LocalIndex, ProjectSdist, serving
from wheelhouse.agent.errors import JobError
from wheelhouse.agent.sources import unpack
from wheelhouse.errors import BuildError
from wheelhouse.locking.sdist import read_sdist

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faults.badsdists import BadSdist
    from faults.world import World

REFUSED = "bad sdists refused"
OURS = "wheelhouse"

GROUPS = {
    1: "that reach outside their folder",
    2: "that are bombs, or have two readings",
    3: "that are not what their names say",
    4: "whose pyproject.toml is broken",
}


def reading(path: Path, bad: BadSdist) -> str | None:
    """What the host says of an sdist, or None if it takes it. There is always a next step."""
    try:
        read_sdist(path, bad.filename)
    except BuildError as error:
        assert error.hint
        assert "\n" not in error.message.strip() or bad.group == 4
        return error.message
    return None


def unpacking(path: Path, there: Path) -> str | None:
    """What the agent says of it, or None if it unpacks it."""
    try:
        unpack(str(path), str(there / "source"))
    except JobError as error:
        return error.message
    finally:
        assert _is_tame(there)
        shutil.rmtree(there, ignore_errors=True)
    return None


def _is_tame(folder: Path) -> bool:
    """Whether *folder* has but files and folders, and links to what is in it."""
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = f"{root}/{name}"
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                if not os.path.realpath(path).startswith(f"{os.path.realpath(folder)}/source/"):
                    return False
            elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or mode & 0o7000:
                return False
    return True


def _group(group: int) -> Case:
    def attempt(world: World) -> None:
        _try(world, bad_sdists(group, str(world.root / "outside")))

    return Case(
        group=group, name=f"sdists {GROUPS[group]}", attempt=attempt, engine=False, everyday=True
    )


def _try(world: World, sdists: Iterable[BadSdist], *, unpacks: bool = True) -> None:
    path, there = world.root / "sdist", world.root / "there"
    path.touch()
    before = {each.name for each in world.root.iterdir()}
    wrong = []
    for bad in sdists:
        path.write_bytes(bad.content)
        said = [reading(path, bad)]
        if unpacks and not bad.unpacks:
            said.append(unpacking(path, there))
        world.figures.judge(REFUSED, OURS, good=None not in said)
        wrong += [(bad.name, each) for each in said if each is None or bad.words not in each]
        left = {each.name for each in world.root.iterdir()} - before
        world.figures.add("escaped files", len(left))
        assert not left, (bad.name, left)
    assert not wrong, wrong


def _large(world: World) -> None:
    """The host refuses them first, so the agent is not given them."""
    _try(world, large_sdists(), unpacks=False)


def _stripped(world: World) -> None:
    """Rights beyond those of an owner do not come along."""
    path, there = world.root / "sdist", world.root / "there"
    members = [
        entry(f"{TOP}/f{mode:o}", b"x", mode=mode) for mode in (0o4755, 0o2755, 0o7777, 0o666)
    ]
    path.write_bytes(gz(GOOD, *members))
    top = unpack(str(path), str(there))
    modes = {each.name: stat.S_IMODE(each.lstat().st_mode) for each in Path(top).iterdir()}
    assert {modes[f"f{mode:o}"] for mode in (0o4755, 0o2755, 0o7777)} == {0o755}
    assert modes["f666"] == 0o644


def _in_order(world: World) -> None:
    """What looks odd and is not wrong."""
    path = world.root / "sdist"
    link = entry(f"{TOP}/docs/l", kind=tarfile.SYMTYPE, target="../backend.py")
    hard = entry(f"{TOP}/h", kind=tarfile.LNKTYPE, target=f"{TOP}/backend.py")
    for number, members in enumerate(
        (
            [GOOD, link, hard],
            [entry(f"./{TOP}/", kind=tarfile.DIRTYPE), GOOD, entry("./", kind=tarfile.DIRTYPE)],
            [entry("pax_global_header", b"52 comment=" + b"a" * 40 + b"\n", tarfile.XGLTYPE), GOOD],
            [GOOD, entry(f"{TOP}/" + "long/" * 60 + "x"), entry(f"{TOP}/\u00e9\udcff")],
        )
    ):
        path.write_bytes(gz(*members))
        assert read_sdist(path, FILENAME).requires == ()
        unpack(str(path), str(world.root / f"there{number}"))


def _on_the_index(world: World) -> None:
    """The first of group 1, as a run meets it."""
    with serving(LocalIndex()) as index:
        index.files["demo"] = {FILENAME: gz(GOOD, entry("../evil", b"x"))}
        world.configure("demo==1.0\n", index=index.url)
        world.plant()
        done = world.build()
    refused(done, 4, f"{FILENAME} is no sdist that can be read", "../evil is outside its folder")


def _unknown_backend(world: World) -> None:
    for backend, words in {
        "no_such_backend": "Cannot find module 'no_such_backend'",
        "module:no_such_object": "no_such_object",
    }.items():
        text = f'[build-system]\nrequires = []\nbuild-backend = "{backend}"\nbackend-path = ["."]\n'
        with serving(LocalIndex()) as index:
            index.add(ProjectSdist(name="evil", files={"pyproject.toml": text}))
            world.configure("evil==1.0\n", index=index.url)
            done = world.build()
        refused(done, 4, "its build backend ", words)


def _no_pkg_info(world: World) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo(f"{TOP}/setup.py"))
    with serving(LocalIndex()) as index:
        index.files["demo"] = {FILENAME: out.getvalue()}
        world.configure("demo==1.0\n", index=index.url)
        refused(world.run("lock"), 4, "is not what its name says: its PKG-INFO is missing")


def _broken_pyproject(world: World) -> None:
    with serving(LocalIndex()) as index:
        index.files["demo"] = {FILENAME: gz(STATED, entry(f"{TOP}/pyproject.toml", b"[build"))}
        world.configure("demo==1.0\n", index=index.url)
        refused(world.run("lock"), 4, "its pyproject.toml cannot be read")


CASES = [
    *map(_group, GROUPS),
    Case(group=2, name="sdists of too many files", attempt=_large, engine=False),
    Case(group=1, name="setuid is stripped", attempt=_stripped, engine=False, everyday=True),
    Case(
        group=1,
        name="sdists that only look odd are taken",
        attempt=_in_order,
        engine=False,
        everyday=True,
    ),
    Case(group=1, name="a bad sdist on the index", attempt=_on_the_index),
    Case(group=3, name="an sdist without PKG-INFO on the index", attempt=_no_pkg_info),
    Case(group=4, name="a broken pyproject.toml on the index", attempt=_broken_pyproject),
    Case(group=4, name="an unknown build backend", attempt=_unknown_backend),
]
