"""What the dynamic loader says of programs, with this machine's own."""

from __future__ import annotations

import _ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wheelhouse.agent.programs import faults, find, interpreter, read_answer

MUSL_LACKS = "Error loading shared library libown.so.1: No such file or directory (needed by /p)"

PYTHON = os.path.realpath(sys.executable)


def compiled(folder: Path, code: str, *more: str) -> str:
    """The path of a program that is made of *code*."""
    path = folder / "demo"
    subprocess.run(
        ["cc", "-xc", "-", *more, "-o", str(path)], input=code.encode(), check=True, cwd=folder
    )
    return str(path)


def library(folder: Path, code: str, *more: str) -> None:
    """Make ``libown.so.1`` of *code*, and the name that it is linked by."""
    command = ["cc", "-xc", "-", "-shared", "-fPIC", "-Wl,-soname,libown.so.1", *more]
    command += ["-o", str(folder / "libown.so")]
    subprocess.run(command, input=code.encode(), check=True)


def test_what_installers_put_into_bin_is_found(tmp_path: Path) -> None:
    site, scripts = tmp_path / "lib/site-packages", tmp_path / "bin"
    places = [scripts / "one", site / "demo.scripts/two", site / "demo/three", site / "a/b.scripts"]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(PYTHON)
    (scripts / "text").write_text("#!/bin/sh\n")
    (scripts / "extension").symlink_to(_ctypes.__file__)
    more = [scripts / "text", scripts / "extension", scripts / "gone"]
    files = [f"{site}/../../bin/{each.name}" for each in more] + list(map(str, places))
    assert find(str(site), str(scripts), files) == {
        str(scripts / "one"): "bin/one",
        str(site / "demo.scripts/two"): "bin/two",
    }


def test_programs_of_other_machines_are_none_here(tmp_path: Path) -> None:
    """Nor is what is cut short."""
    assert interpreter(PYTHON) is not None
    with Path(PYTHON).open("rb") as file:
        content = bytearray(file.read(4096))
    path = tmp_path / "program"
    path.write_bytes(content[:66])
    assert interpreter(str(path)) is None
    content[18] ^= 0xFF
    path.write_bytes(content)
    assert interpreter(str(path)) is None


def test_a_program_that_can_be_loaded(tmp_path: Path) -> None:
    """Also one that nobody has a weak symbol for; and it is not started."""
    code = """
    #include <stdio.h>
    extern void gone(void) __attribute__((weak));
    __attribute__((constructor)) static void begin(void) { fclose(fopen("started", "w")); }
    int main(void) { if (gone) gone(); return 1; }
    """
    assert faults(compiled(tmp_path, code), {}) == []
    assert not (tmp_path / "started").exists()
    assert faults(PYTHON, {}) == []


def test_a_program_that_needs_no_loader_is_left_out(tmp_path: Path) -> None:
    assert interpreter(compiled(tmp_path, "int main(void) { return 0; }", "-static")) is None


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    library(tmp_path, "int own(void) { return 0; }")
    path = compiled(tmp_path, "int own(void); int main(void) { return own(); }", "-L.", "-lown")
    assert faults(path, {}) == ["libown.so.1: cannot open shared object file"]
    (tmp_path / "libown.so").rename(tmp_path / "libown.so.1")
    assert faults(path, {"LD_LIBRARY_PATH": str(tmp_path)}) == []


def test_symbols_that_nobody_has(tmp_path: Path) -> None:
    """As where a program is no more linked to what it takes them from."""
    library(tmp_path, "int gone(void) { return 0; } int lost(void) { return 0; }")
    code = "int gone(void), lost(void); int main(void) { return gone() + lost(); }"
    path = compiled(tmp_path, code, "-L.", "-lown")
    library(tmp_path, "")
    (tmp_path / "libown.so").rename(tmp_path / "libown.so.1")
    (fault,) = faults(path, {"LD_LIBRARY_PATH": str(tmp_path)})
    assert fault in {"undefined symbol: gone and 1 more", "undefined symbol: lost and 1 more"}


def test_symbols_that_a_library_lacks_are_its_own_business(tmp_path: Path) -> None:
    library(tmp_path, "int gone(void); int own(void) { return 0; } int call(void) { gone(); }")
    code = "int own(void); int main(void) { return own(); }"
    path = compiled(tmp_path, code, "-L.", "-lown", "-Wl,--allow-shlib-undefined")
    (tmp_path / "libown.so").rename(tmp_path / "libown.so.1")
    assert faults(path, {"LD_LIBRARY_PATH": str(tmp_path)}) == []


def test_a_loader_that_is_not_here(tmp_path: Path) -> None:
    code = "int main(void) { return 0; }"
    path = compiled(tmp_path, code, "-Wl,--dynamic-linker=/lib/ld-gone.so.1")
    assert faults(path, {}) == ["its loader is /lib/ld-gone.so.1, which is not here"]


@pytest.mark.parametrize(
    ("said", "causes"),
    [
        (
            f"{MUSL_LACKS}\nError relocating /p: own: symbol not found\n",
            [MUSL_LACKS],
        ),
        ("Error relocating /p: own: symbol not found\n", ["own: symbol not found"]),
        ("Error relocating /usr/lib/l.so: own: symbol not found\n", []),
        (
            "/p: /lib/libc.so.6: version `GLIBC_2.99' not found (required by /p)\n",
            ["/p: /lib/libc.so.6: version `GLIBC_2.99' not found (required by /p)"],
        ),
        ("", ["its loader ended with status 127"]),
    ],
)
def test_what_loaders_say(said: str, causes: list[str]) -> None:
    """musl's in its own words."""
    assert read_answer("/p", 127, "", said) == causes
