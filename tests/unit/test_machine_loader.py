"""Where the loader finds what: what is said of it is what this machine's own loader does."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from wheelfactory import compile_library
from wheelhouse.machine.here import read_loadable, surroundings
from wheelhouse.machine.loader import Loadable, Process, Surroundings, Way, locate
from wheelhouse.machine.loadercache import cached_paths

ARCH = platform.machine()

#: Prints which files a process has that opens the library that is named.
OPEN = """
import ctypes, json, sys
try:
    ctypes.CDLL(sys.argv[1])
except OSError:
    print("null")
    sys.exit()
with open("/proc/self/maps") as maps:
    print(json.dumps(sorted({line.split(None, 5)[5].rstrip() for line in maps if "/lib" in line})))
"""


def library(path: Path, *options: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    compile_library(path.parent, path.name, "", f"-Wl,-soname,{path.name}", *options)


def tagged(kind: str, *folders: str) -> list[str]:
    """What has the linker write *folders* as DT_RPATH, or as DT_RUNPATH."""
    if not kind:
        return []
    tags = "--disable-new-dtags" if kind == "rpath" else "--enable-new-dtags"
    return [f"-Wl,{tags}", *(f"-Wl,-rpath,{folder}" for folder in folders)]


def linked(*paths: Path) -> list[str]:
    """Only what is named is looked for, and nothing is left out for not being used."""
    return ["-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", *map(str, paths)]


def real(start: Path, env: dict[str, str]) -> dict[str, str] | None:
    """The files that are loaded, by name, as this machine does it; None if that fails."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", OPEN, str(start)],
        env=env,
        cwd=start.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = json.loads(done.stdout)
    return None if paths is None else {Path(path).name: path for path in paths}


def foretold(start: Path, env: dict[str, str]) -> dict[str, tuple[str, Way] | None]:
    around = surroundings(env, {})
    program = read_loadable(Path(sys.executable).resolve(), ARCH)
    begun = around.open(str(start))
    assert program is not None and begun is not None
    needs = Process(program, around).open(begun)
    return {need.name: (need.found.path, need.found.way) if need.found else None for need in needs}


def agreed(start: Path, env: dict[str, str], name: str) -> tuple[str, Way] | None:
    """What is foretold of *name*, and what the loader does as well; None if it loads nothing."""
    said = foretold(start, env)
    done = real(start, env)
    if done is None:
        assert None in said.values()
        return None
    for each, found in said.items():
        assert found is not None, each
        path = Path(start.parent, found[0])
        assert path.samefile(done.get(each) or done[path.resolve().name])
    return said[name]


@pytest.mark.parametrize(
    ("own", "others", "path"),
    list(product(["", "rpath", "runpath"], ["", "rpath", "runpath"], [0, 1])),
)
def test_one_that_needs_another_that_needs_a_third(
    tmp_path: Path, own: str, others: str, path: int
) -> None:
    """The first has a path of the kind *own* to both, the second one of *others* to the third."""
    deep, middle, start = (tmp_path / name for name in ("d/libdeep.so.1", "m/libmid.so.1", "c.so"))
    library(deep)
    library(middle, *linked(deep), *tagged(others, "$ORIGIN/../d"))
    library(start, *linked(middle), *tagged(own, "$ORIGIN/m", "$ORIGIN/d"))
    env = {}
    if path:
        for name in (deep.name, middle.name):
            library(tmp_path / "trap" / name)
        env["LD_LIBRARY_PATH"] = f"{tmp_path}/nothing:{tmp_path}/trap"
    found = agreed(start, env, middle.name)
    if own == "rpath":
        assert found == (str(middle), Way.RPATH)
    elif path:
        assert found == (str(tmp_path / "trap" / middle.name), Way.LIBRARY_PATH)
    elif own and others:
        assert found == (str(middle), Way.RUNPATH)
    else:  # nobody's DT_RUNPATH helps another
        assert found is None


def test_an_rpath_beside_a_runpath_counts_for_nothing(tmp_path: Path) -> None:
    """No linker here writes both: the one comes from another tag that has a path, too."""
    needed, start = tmp_path / "n/libneeded.so.1", tmp_path / "c.so"
    library(needed)
    library(tmp_path / "r/libneeded.so.1")
    paths = [*tagged("rpath", "$ORIGIN/r"), "-Wl,--depaudit=$ORIGIN/n"]
    library(start, *linked(needed), *paths)
    data = start.read_bytes()
    depaudit, runpath = ((number).to_bytes(8, "little") for number in (0x6FFFFEFB, 29))
    assert data.count(depaudit) == 1
    start.write_bytes(data.replace(depaudit, runpath))
    assert agreed(start, {}, needed.name) == (str(needed), Way.RUNPATH)


def test_what_is_loaded_already_is_not_looked_for(tmp_path: Path) -> None:
    """By the name that it says itself, whatever its file is called."""
    inner, outer, start = (tmp_path / name for name in ("a/libin.so.1", "b/libout.so.1", "c.so"))
    library(inner)
    library(tmp_path / "b/libin.so.1")
    library(outer, *linked(inner), *tagged("rpath", "$ORIGIN"))
    library(start, *linked(inner, outer), *tagged("rpath", "$ORIGIN/a", "$ORIGIN/b"))
    assert agreed(start, {}, inner.name) == (str(inner), Way.RPATH)


def test_what_is_preloaded_comes_first(tmp_path: Path) -> None:
    needed, start, trap = (
        tmp_path / name for name in ("n/libneeded.so.1", "c.so", "t/libneeded.so.1")
    )
    library(needed)
    library(trap)
    library(start, *linked(needed), *tagged("rpath", "$ORIGIN/n"))
    assert agreed(start, {"LD_PRELOAD": str(trap)}, needed.name) == (str(trap), Way.PRELOAD)


def test_a_file_for_another_machine_is_passed_over(tmp_path: Path) -> None:
    needed, start, trap = (
        tmp_path / name for name in ("n/libneeded.so.1", "c.so", "t/libneeded.so.1")
    )
    library(needed)
    library(trap)
    data = bytearray(trap.read_bytes())
    data[18:20] = (0x2B).to_bytes(2, "little")  # SPARC
    trap.write_bytes(bytes(data))
    library(start, *linked(needed), *tagged("runpath", "$ORIGIN/n"))
    env = {"LD_LIBRARY_PATH": str(trap.parent)}
    assert agreed(start, env, needed.name) == (str(needed), Way.RUNPATH)


def test_an_empty_folder_is_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed, start = tmp_path / "libneeded.so.1", tmp_path / "c.so"
    library(needed)
    library(start, *linked(needed))
    monkeypatch.chdir(tmp_path)
    found = agreed(start, {"LD_LIBRARY_PATH": "/nothing:"}, needed.name)
    assert found == (needed.name, Way.LIBRARY_PATH)


def test_a_name_that_is_a_path(tmp_path: Path) -> None:
    needed, start = tmp_path / "n/libneeded.so.1", tmp_path / "c.so"
    library(needed)
    compile_library(needed.parent, "plain.so", "")
    library(start, *linked(needed.parent / "plain.so"))
    assert foretold(start, {})[str(needed.parent / "plain.so")] == (
        str(needed.parent / "plain.so"),
        Way.PATH,
    )


def test_the_system_s_own_come_from_the_cache(tmp_path: Path) -> None:
    start = tmp_path / "c.so"
    library(start, "-Wl,--no-as-needed", "-lm")
    found = agreed(start, {}, "libc.so.6")
    assert found is not None and found[1] is Way.CACHE


def test_a_token_that_we_know_nothing_of_is_left_out() -> None:
    """A folder that would be another elsewhere is not guessed."""
    start = Loadable(path="/x/c.so", rpath=("$LIB/n", "/y/${ORIGIN}", "${ORIGIN}/n"))
    around = Surroundings(open=lambda path: Loadable(path=path) if path.startswith("/x/") else None)
    found = locate("libn.so", [start], around)
    assert found is not None and found.path == "/x/n/libn.so"


def test_the_cache_is_read_as_ldconfig_reads_it() -> None:
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin")
    kind = {"x86_64": "x86-64", "aarch64": "AArch64"}[ARCH]
    if ldconfig is None:
        pytest.skip("there is no ldconfig here")
    said = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout
    listed: dict[str, str] = {}
    for name, what, path in re.findall(r"^\s+(\S+) \((.*)\) => (/.+)$", said, re.MULTILINE):
        if kind in what and "hwcap" not in what:
            listed.setdefault(name, path)
    assert cached_paths(Path("/etc/ld.so.cache").read_bytes(), ARCH) == listed != {}


@pytest.mark.parametrize("keep", [0, 10, 48, 60, 500, 2000])
def test_a_cache_that_is_cut_off_is_none(keep: int) -> None:
    data = Path("/etc/ld.so.cache").read_bytes()
    assert cached_paths(data[:keep], ARCH) == {}
    assert cached_paths(data, "s390x") == {}
