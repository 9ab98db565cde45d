"""What auditwheel is told beyond what it knows, with the tool itself."""

from __future__ import annotations

import _ctypes
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from wheelhouse.agent import grafting
from wheelhouse.agent.grafting import Repair, installed_in, leads_inside

SHOWN = """
from auditwheel import policy
from auditwheel.architecture import Architecture
from auditwheel.libc import Libc
from wheelhouse.agent.grafting import graft_more

graft_more()
every = policy.WheelPolicies(libc=Libc.GLIBC, arch=Architecture.x86_64)
print(*every.get_policy_by_name("manylinux_2_36_x86_64").whitelist)
"""


def run(*arguments: str) -> str:
    command = [sys.executable, "-I", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_auditwheel_runs_as_it_does_by_itself() -> None:
    assert "auditwheel" in run(grafting.__file__, "--version")


def test_libraries_that_small_servers_lack_are_grafted() -> None:
    kept = set(run("-c", SHOWN).split())
    assert {"libc.so.6", "libstdc++.so.6", "libz.so.1", "libGL.so.1"} <= kept
    assert not kept & {"libX11.so.6", "libXrender.so.1", "libglib-2.0.so.0", "libatomic.so.1"}


@pytest.mark.parametrize(
    ("member", "folder"),
    [
        ("demo/_native.so", "demo"),
        ("_native.so", ""),
        ("demo-1.0.data/platlib/demo/lib/_native.so", "demo/lib"),
        ("demo-1.0.data/purelib/_native.so", ""),
        ("demo-1.0.data/scripts/program", None),
        ("demo-1.0.data/data/lib/libdemo.so", None),
    ],
)
def test_where_a_member_gets(member: str, folder: str | None) -> None:
    assert installed_in(member) == folder


@pytest.mark.parametrize(
    ("entry", "inside"),
    [
        ("$ORIGIN/../nvidia/cu13/lib", True),
        ("${ORIGIN}", True),
        ("$ORIGIN/../../lib", False),
        ("$ORIGINAL/lib", False),
        ("/opt/lib", False),
        ("lib", False),
    ],
)
def test_what_stays_in_site_packages(entry: str, inside: bool) -> None:
    assert leads_inside(entry, "demo") is inside


def needing(*files: dict[str, Path | None]) -> SimpleNamespace:
    """What auditwheel knows of a wheel with *files*, each of which needs libraries."""
    references = {f"f{number}": {"p": SimpleNamespace(libs=f)} for number, f in enumerate(files)}
    versions = {"libpq.so.5": {"RHPG_9.6", "RHPG_10"}}
    return SimpleNamespace(full_external_refs=references, versioned_symbols=versions)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "demo-1.0-cp311-cp311-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo/libown.so", b"")
        archive.write(_ctypes.__file__, "f1")
    return path


def test_what_is_nowhere_is_left_to_other_wheels(wheel: Path, tmp_path: Path) -> None:
    """But not what the wheel has itself and does not find, nor libpython, which is left out."""
    first: dict[str, Path | None] = {"libpq.so.5": tmp_path / "libpq.so.5.17", "libtorch.so": None}
    second: dict[str, Path | None] = {"libown.so": None, "libpython3.11.so.1.0": None}
    work = Repair({})
    work.begin(wheel, needing(first, second), "p")
    assert list(first) == ["libpq.so.5"]
    assert list(second) == ["libown.so", "libpython3.11.so.1.0"]
    told = work.told()
    assert told["unlocated"] == ["libtorch.so"]
    assert told["grafted"] == {"libpq.so.5": str(tmp_path / "libpq.so.5.17")}
    assert told["versions"] == {"libpq.so.5": ["RHPG_10", "RHPG_9.6"]}


def test_a_program_stays_linked_to_libpython(tmp_path: Path) -> None:
    """Nothing else brings Python's symbols along for it; an extension module is unlinked."""
    wheel, extension = tmp_path / "demo-1.0-cp311-cp311-linux_x86_64.whl", _ctypes.__file__
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(extension, "f0")
        archive.write(os.path.realpath(sys.executable), "f1")
    first: dict[str, Path | None] = {"libpython3.11.so.1.0": None}
    second: dict[str, Path | None] = {"libpython3.11.so.1.0": None, "libpq.so.5": tmp_path / "pq"}
    Repair({}).begin(wheel, needing(first, second), "p")
    assert list(first) == ["libpython3.11.so.1.0"]
    assert list(second) == ["libpq.so.5"]


def test_what_is_taken_out_of_an_rpath_is_told_unless_it_has_served(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    served = tmp_path / "served"
    served.mkdir()
    (served / "libpq.so.5").touch()
    work = Repair({})
    work.begin(wheel, needing({"libpq.so.5": served / "libpq.so.5"}), "p")
    before = f"{served}:$ORIGIN/../lib:/opt/planted:lib:$ORIGIN/own"
    work.note_dropped(tmp_path / "demo" / "_a.so", before, "$ORIGIN/own:$ORIGIN/../demo.libs")
    work.note_dropped(tmp_path / "demo" / "_b.so", str(served), "$ORIGIN/../demo.libs")
    assert work.told()["search"] == {"demo/_a.so": ["/opt/planted", "lib"]}


class Patcher:
    """Has one file's RPATH, as auditwheel's patcher."""

    def __init__(self, *entries: str) -> None:
        self.entries = entries

    def get_rpath_direct(self, path: Path) -> str:
        return ":".join(self.entries)

    def set_rpath(self, path: Path, rpath: str) -> None:
        self.entries = tuple(rpath.split(":"))


@pytest.mark.parametrize(
    ("entry", "stays"),
    [
        ("/build/env/lib/python3.11/site-packages/vector/lib", False),
        ("/build/env/lib/python3.11/site-packages/./vector/lib/", False),
        ("{build}/site-packages/vector/lib64", False),
        ("{build}/site-packages/other", True),
        ("/build/env/lib/python3.11/site-packages/other/vector/lib/more", True),
        ("/opt/planted", True),
        ("{build}/usr/local/cuda/lib64", True),
        ("site-packages/vector/lib", True),
    ],
)
def test_where_the_build_had_what_another_wheel_has_is_looked_in_no_more(
    entry: str, stays: bool, tmp_path: Path
) -> None:
    """The toolkit has CUDA's libraries as well, and is no other wheel's."""
    for folder in ("site-packages/vector/lib64", "site-packages/other", "usr/local/cuda/lib64"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("site-packages/vector/lib64", "usr/local/cuda/lib64"):
        (tmp_path / folder / "libvector.so.1").touch()
    entry = entry.format(build=tmp_path)
    way = "$ORIGIN/../vector/lib"
    work, patcher = Repair({"libvector.so.1": "vector/lib"}), Patcher("$ORIGIN/own", entry)
    work._lead(Path("demo/_native.so"), ["vector/lib"], patcher)
    assert patcher.entries == ("$ORIGIN/own", *([entry] if stays else []), way)
    work.note_dropped(tmp_path / "demo" / "_native.so", entry, "$ORIGIN/../demo.libs")
    assert bool(work.told()["search"]) is stays
