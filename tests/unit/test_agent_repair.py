"""Repairing a wheel alone, and with its neighbours, by auditwheel itself."""

from __future__ import annotations

import io
import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wheelfactory import compile_library, members, write_wheel
from wheelhouse.agent.errors import JobError
from wheelhouse.agent.repair import UNREPAIRED, repair, run
from wheelhouse.wheels import Wheel, read_wheel

if TYPE_CHECKING:
    from wheelhouse.agent.channel import Channel

TAG = f"cp311-cp311-linux_{platform.machine()}"
POLICY = f"manylinux_2_36_{platform.machine()}"
WAYS = {"libnext.so.1": "next/lib"}
MODULE = "void *PyInit__native(void) { return 0; }\n"
CALL = "extern int next(void);\nint call(void) { return next(); }\n"
MAIN = "extern int next(void);\nint main(void) { return next(); }\n"


class Sent:
    """A channel that keeps what is sent."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def file(self, name: str, path: str) -> None:
        self.files[name] = Path(path).read_bytes()


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel whose files need libnext.so.1, which is nowhere."""
    folder = tmp_path_factory.mktemp("raw")
    compile_library(
        folder, "libnext.so.1", "int next(void) { return 1; }\n", "-Wl,-soname,libnext.so.1"
    )
    next_ = "./libnext.so.1"
    (folder / "main.c").write_text(MAIN)
    subprocess.run(["gcc", "main.c", next_, "-o", "program"], check=True, cwd=folder)
    own = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/own"
    files = {
        "demo/_native.so": compile_library(folder, "_native.so", MODULE + CALL, next_, own),
        "demo-1.0.data/platlib/demo/sub/libin.so": compile_library(folder, "in.so", CALL, next_),
        "demo/libalone.so": compile_library(folder, "libalone.so", "int alone;\n"),
        "demo-1.0.data/scripts/program": (folder / "program").read_bytes(),
    }
    content = members(files, tags=[TAG], purelib=False)
    return write_wheel(folder, content, f"demo-1.0-{TAG}.whl")


def job(**more: Any) -> dict[str, Any]:
    return {
        "tools": {"python": sys.executable, "path": str(Path(sys.executable).parent)},
        "policy": POLICY,
        "exclude": [],
        "allow_pure": False,
        "env": {"SOURCE_DATE_EPOCH": "1700000000"},
        "search": [],
        **more,
    }


def repaired(raw: Path, root: Path, sent: Sent | None = None, **more: Any) -> tuple[Wheel, Any]:
    root.mkdir()
    variables = {"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": "1700000000"}
    channel: Any = sent
    path, told = repair(job(**more), str(raw), str(root), variables, channel)
    return read_wheel(Path(path)), told["repair"]


def searched(wheel: Wheel) -> dict[str, tuple[str, ...]]:
    assert not any(each.runpath for each in wheel.binaries if each.rpath)
    return {each.member: each.search for each in wheel.binaries}


def test_what_is_nowhere_is_left_and_the_wheel_is_sent_as_it_was(raw: Path, tmp_path: Path) -> None:
    sent = Sent()
    wheel, told = repaired(raw, tmp_path / "root", sent)
    assert told["unlocated"] == ["libnext.so.1"]
    assert searched(wheel)["demo/_native.so"] == ("$ORIGIN/own",)
    assert raw.read_bytes() in sent.files[UNREPAIRED]


def test_files_look_where_others_have_it(raw: Path, tmp_path: Path) -> None:
    """After where they looked already, from where they will be installed; programs move for it."""
    wheel, told = repaired(raw, tmp_path / "root", exclude=[*WAYS], ways=WAYS)
    assert searched(wheel) == {
        "demo-1.0.data/platlib/demo/sub/libin.so": ("$ORIGIN/../../next/lib",),
        "demo.scripts/program": ("$ORIGIN/../next/lib",),
        "demo/_native.so": ("$ORIGIN/own", "$ORIGIN/../next/lib"),
        "demo/libalone.so": (),
    }
    assert "demo-1.0.data/scripts/program" in wheel.files
    assert told["excluded"] == ["libnext.so.1"]
    again, _ = repaired(raw, tmp_path / "again", exclude=[*WAYS], ways=WAYS)
    assert again.path.read_bytes() == wheel.path.read_bytes()


def test_what_was_sent_is_repaired_as_it_was(raw: Path, tmp_path: Path) -> None:
    first, second = Sent(), Sent()
    repaired(raw, tmp_path / "first", first)
    expected, _ = repaired(raw, tmp_path / "expected", exclude=[*WAYS], ways=WAYS)
    root = tmp_path / "second"
    root.mkdir()
    (root / UNREPAIRED).write_bytes(first.files[UNREPAIRED])
    channel: Channel = second  # type: ignore[assignment]
    run(job(exclude=[*WAYS], ways=WAYS), str(root), channel)
    assert second.files == {expected.filename: expected.path.read_bytes()}


def test_what_the_build_itself_has_is_sent_along(raw: Path, tmp_path: Path) -> None:
    """A library from its environment: it is there again when the wheel is repaired again."""
    root = tmp_path / "root"
    folder = root / "env" / "lib"
    folder.mkdir(parents=True)
    (folder / "libnext.so.1").write_bytes((raw.parent / "libnext.so.1").read_bytes())
    sent, second = Sent(), Sent()
    variables = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(folder)}
    channel: Any = sent
    _, told = repair(job(), str(raw), str(root), variables, channel)
    assert told["repair"] == {
        "grafted": {"libnext.so.1": []},
        "places": {"libnext.so.1": "env/lib/libnext.so.1"},
        "unlocated": [],
        "excluded": [],
        "search": {},
    }
    other = tmp_path / "other"
    other.mkdir()
    (other / UNREPAIRED).write_bytes(sent.files[UNREPAIRED])
    channel = second
    assert run(job(ways={}), str(other), channel)["repair"] == told["repair"]
    assert (other / "env" / "lib" / "libnext.so.1").is_file()


def test_a_library_behind_a_link_of_the_builder_is_sent_along(raw: Path, tmp_path: Path) -> None:
    """As if it had been found where it is: no name leads out of the folder."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    folder = root / "env" / "lib"
    for each in (folder, outside):
        each.mkdir(parents=True)
    (folder / "libnext.so.1.0").write_bytes((raw.parent / "libnext.so.1").read_bytes())
    (outside / "libnext.so.1").symlink_to(folder / "libnext.so.1.0")
    sent: Any = Sent()
    variables = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(outside)}
    repair(job(), str(raw), str(root), variables, sent)
    with tarfile.open(fileobj=io.BytesIO(sent.files[UNREPAIRED])) as archive:
        assert set(archive.getnames()) == {f"unrepaired/{raw.name}", "env/lib/libnext.so.1"}


@pytest.mark.parametrize("used", [False, True])
def test_the_source_makes_room_unless_a_library_in_it_is_used(
    raw: Path, tmp_path: Path, used: bool
) -> None:
    root = tmp_path / "root"
    folder, other = root / "source" / "demo" / "lib", root / "env" / "lib"
    for each in (folder, other):
        each.mkdir(parents=True)
    library = (folder if used else other) / "libnext.so.1"
    library.write_bytes((raw.parent / "libnext.so.1").read_bytes())
    sent: Any = Sent()
    variables = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(library.parent)}
    repair(job(), str(raw), str(root), variables, sent)
    assert folder.is_dir() is used
    assert library.is_file()
    assert not (root / UNREPAIRED).exists()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (tarfile.REGTYPE, "../planted"),
        (tarfile.REGTYPE, "/tmp/planted"),
        (tarfile.REGTYPE, "agent/planted.py"),
        (tarfile.REGTYPE, "job.json"),
        (tarfile.SYMTYPE, "env/planted"),
        (tarfile.LNKTYPE, "env/planted"),
        (tarfile.FIFOTYPE, "env/planted"),
        (tarfile.DIRTYPE, "env"),
    ],
)
def test_nothing_is_unpacked_but_files_where_there_is_nothing(
    kind: bytes, name: str, raw: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "agent").mkdir(parents=True)
    (root / "job.json").touch()
    with tarfile.open(root / UNREPAIRED, "w") as archive:
        archive.add(raw, f"unrepaired/{raw.name}")
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "agent" if kind == tarfile.SYMTYPE else ""
        if kind == tarfile.LNKTYPE:
            entry.linkname = f"unrepaired/{raw.name}"
        archive.addfile(entry)
    before = {*root.iterdir()}
    channel: Any = Sent()
    with pytest.raises(JobError, match="was packed with the wheel"):
        run(job(ways={}), str(root), channel)
    assert {*root.iterdir()} - before == {root / "unrepaired"}
    assert not (tmp_path / "planted").exists()
    assert list((root / "agent").iterdir()) == []
    assert channel.files == {}


def test_what_has_nothing_compiled_is_refused_unless_it_may_be(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, members(tags=[TAG], purelib=False), f"demo-1.0-{TAG}.whl")
    with pytest.raises(JobError, match="its C extension was left out"):
        repaired(path, tmp_path / "refused")
    (tmp_path / "kept").mkdir()
    kept, _ = repair(
        job(allow_pure=True), str(path), str(tmp_path / "kept"), {"PATH": os.environ["PATH"]}
    )
    assert kept == str(path)
