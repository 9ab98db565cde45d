"""Group 25: whatever the clocks of this machine and of the index say, archives are valid.

And the same, byte for byte: another day, another folder and another user change nothing.
"""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import tarfile
import time
import zipfile
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from faults.case import Case
from faults.world import TARGET, digests, succeeded
from projects import LocalIndex, ProjectSdist, serving
from wheelhouse.agent.otherwise import LIBRARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from faults.world import World

DAY = 24 * 3600

#: A backend that takes over the times of its files, as simple ones do.
OWN_TIMES = """
def after_build(directory, filename):
    path = os.path.join(directory, filename)
    os.rename(path, path + ".old")
    with zipfile.ZipFile(path + ".old") as old, zipfile.ZipFile(path, "w") as wheel:
        for info in old.infolist():
            if info.filename == MODULE + "/__init__.py":
                wheel.write("module.py", info.filename)
            else:
                wheel.writestr(info, old.read(info))
    os.unlink(path + ".old")
"""


class DatedIndex(LocalIndex):
    """An index that says *uploaded* of all its files, or nothing."""

    def __init__(self, uploaded: str | None) -> None:
        super().__init__()
        self.uploaded = uploaded

    def answer(self, path: str) -> bytes | None:
        told = super().answer(path)
        if told is None or "/simple/" not in path:
            return told
        page = json.loads(told)
        for file in page["files"]:
            del file["upload-time"]
            if self.uploaded is not None:
                file["upload-time"] = self.uploaded
        return json.dumps(page).encode()


def dated(sdist: ProjectSdist, moment: int) -> bytes:
    """*sdist*, whose files are all of *moment*."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(sdist.content())) as old,
        tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in old:
            member.mtime = moment
            new.addfile(member, old.extractfile(member))
    return out.getvalue()


def clock(folder: Path, moment: float) -> str:
    """A library; a command that has it as LD_PRELOAD takes it to be *moment*."""
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(LIBRARY)
    ahead = int(moment - time.time())
    options = [f"-DAHEAD={ahead}L", "-o", str(library), str(source), "-ldl"]
    subprocess.run(["cc", "-shared", "-fPIC", *options], check=True)
    return str(library)


def _works_at(name: str, moment: float) -> Case:
    def attempt(world: World) -> None:
        world.own_store()
        with serving(LocalIndex()) as index:
            index.add(ProjectSdist(name="native", native=True), ProjectSdist(name="plain"))
            world.configure("native==1.0\nplain==1.0\n", index=index.url)
            succeeded(world.build(LD_PRELOAD=clock(world.root, moment)))
            succeeded(world.build())
        _valid(world, (2026, 1, 2, 3, 4, 4))

    return Case(group=25, name=f"this machine's clock says {name}", attempt=attempt)


def _valid(world: World, repaired: tuple[int, ...]) -> None:
    """Every archive can be read, and what auditwheel wrote is of the sdist's own time."""
    wheels = sorted((world.house / "wheels").iterdir())
    assert wheels
    for path in wheels:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            times = {info.date_time for info in archive.infolist()}
        assert "native" not in path.name or times == {repaired}, f"{path.name}: {times}"


def _uploaded(name: str, uploaded: str | None, expected: tuple[int, ...]) -> Case:
    def attempt(world: World) -> None:
        with serving(DatedIndex(uploaded)) as index:
            index.add(ProjectSdist(name="native", native=True))
            world.configure("native==1.0\n", index=index.url)
            succeeded(world.build())
        _valid(world, expected)

    return Case(group=25, name=f"the index says an sdist was uploaded {name}", attempt=attempt)


def _files_of(name: str, moment: int) -> Case:
    def attempt(world: World) -> None:
        sdist = ProjectSdist(name="aged", extra=OWN_TIMES)
        with serving(LocalIndex()) as index:
            index.files["aged"] = {sdist.filename: dated(sdist, moment)}
            world.configure("aged==1.0\n", index=index.url)
            succeeded(world.build())
        _valid(world, ())

    return Case(group=25, name=f"files of an sdist are {name}", attempt=attempt)


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


#: What another user's shell may have in it. None of it is for builds.
ANOTHER_USER = {
    "TZ": "XXX-11:30",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "C",
    "PYTHONHASHSEED": "7",
    "SOURCE_DATE_EPOCH": "1",
    "CFLAGS": "-O0 -DSURPRISE",
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "UV_INDEX_URL": "http://127.0.0.1:9/simple",
    "COLUMNS": "40",
}


def _another_day(world: World) -> None:
    projects = (
        ProjectSdist(name="native", native=True, requires=("plain",)),
        ProjectSdist(name="plain"),
    )
    with serving(LocalIndex()) as index:
        index.add(*projects)
        world.configure("native==1.0\n", index=index.url)
        world.own_store()
        succeeded(world.build())
        lock = f"pylock.{TARGET}.toml"
        with world.shop.world() as other, _umask(0o077):
            other.own_store()
            other.project = other.root / "another folder" / "with the same project"
            files = {lock: (world.project / lock).read_text()}
            other.configure("native==1.0\n", index=index.url, files=files)
            later = clock(other.root, time.time() + 400 * DAY)
            variables = {**ANOTHER_USER, "LD_PRELOAD": later}
            succeeded(other.build("--locked", "--jobs", "1", timeout=300, **variables))
            assert (other.project / lock).read_text() == files[lock]
            different = _whole(world.house).items() ^ _whole(other.house).items()
    world.figures.add("files of a wheelhouse compared", len(digests(world.house)))
    assert not different, sorted(different)


def _whole(house: Path) -> dict[str, tuple[str, int]]:
    """What *house* holds, with the modes of files and folders."""
    hashes = digests(house)
    return {
        str(path.relative_to(house)): (
            hashes.get(str(path.relative_to(house)), "folder"),
            stat.S_IMODE(path.stat().st_mode),
        )
        for path in (house, *house.rglob("*"))
    }


CASES = [
    _works_at("a day ago", time.time() - DAY),
    _works_at("2107", datetime(2107, 11, 12, tzinfo=UTC).timestamp()),
    _works_at("1970", 60),
    _uploaded("in 1975", "1975-01-02T03:04:05Z", (1980, 1, 1, 0, 0, 0)),
    _uploaded("in 2200", "2200-01-02T03:04:05Z", (2107, 12, 31, 23, 59, 58)),
    _uploaded("at no time", None, (1980, 1, 1, 0, 0, 0)),
    _files_of("of 1970", 0),
    _files_of("of 1912", -(58 * 365 * DAY)),
    _files_of("of 2200", 230 * 365 * DAY),
    Case(group=25, name="another day, folder and user: the same bytes", attempt=_another_day),
]
