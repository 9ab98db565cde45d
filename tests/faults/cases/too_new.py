"""Group 31: wheels that ask more of the server than it has are refused before publication."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import liars
from faults.case import Case
from faults.world import refused
from projects import LocalIndex, ProjectSdist, serving

if TYPE_CHECKING:
    from pathlib import Path

    from faults.world import World

EXTENSION = "int from_afar(void); void *PyInit__native(void) { CALL return 0; }\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanting:
    """A wheel that wants too much.

    :ivar soname: of the library that it is linked to; empty for none.
    :ivar symbols: the version of the symbol that it takes of that.
    :ivar options: of the linker.
    :ivar told: what is said: file, symbol, library.
    """

    status: int
    told: tuple[str, ...]
    soname: str = ""
    symbols: str = ""
    options: tuple[str, ...] = ()


FILE = "wanting/_native.abi3.so"

WANTING = {
    "a libc of tomorrow": _Wanting(
        soname="libc.so.6",
        symbols="GLIBC_2.99",
        status=3,
        told=(f"{FILE}: needs GLIBC_2.99 of libc.so.6 (from_afar)", "has at most GLIBC_2.36"),
    ),
    "a libstdc++ of tomorrow": _Wanting(
        soname="libstdc++.so.6",
        symbols="GLIBCXX_3.4.99",
        status=3,
        told=(
            f"{FILE}: needs GLIBCXX_3.4.99 of libstdc++.so.6 (from_afar)",
            "at most GLIBCXX_3.4.",
        ),
    ),
    "a CPU of tomorrow": _Wanting(
        options=("-Wl,-z,x86-64-v4",),
        status=3,
        told=(f"{FILE}: declares that it needs a CPU of x86-64-v4", "x86-64-v2 is not taken for"),
    ),
    "a library that nobody has": _Wanting(
        soname="libnobody.so.7",
        status=5,
        told=(f"{FILE}: ", "libnobody.so.7"),
    ),
}


def _extension(folder: Path, wanting: _Wanting) -> bytes:
    linked: tuple[str, ...] = ()
    if wanting.soname:
        (folder / "library.c").write_text("int from_afar(void) { return 0; }\n")
        options = [f"-Wl,-soname,{wanting.soname}"]
        if wanting.symbols:
            (folder / "versions").write_text(f"{wanting.symbols} {{ from_afar; }};\n")
            options.append("-Wl,--version-script=versions")
        _compile(folder, "library.c", *options, "-o", "library.so")
        linked = ("-Wl,--no-as-needed", "library.so")
    call = "from_afar();" if wanting.soname else ""
    (folder / "native.c").write_text(EXTENSION.replace("CALL", call))
    _compile(folder, "native.c", *linked, *wanting.options, "-o", "native.so")
    return (folder / "native.so").read_bytes()


def _compile(folder: Path, *arguments: str) -> None:
    command = ("gcc", "-shared", "-fPIC", "-nostdlib", *arguments)
    subprocess.run(command, cwd=folder, check=True)


def _wants(name: str) -> Case:
    wanting = WANTING[name]

    def attempt(world: World) -> None:
        content = liars.wheel("wanting", "1.0", _extension(world.root, wanting))
        world.plant()
        with serving(LocalIndex()) as index:
            index.files["wanting"] = {f"wanting-1.0-{liars.TAG}.whl": content}
            world.configure("wanting\n", index=index.url)
            refused(world.build(), wanting.status, *wanting.told)

    return Case(group=31, name=f"a wheel wants {name}", attempt=attempt)


def _undeclared(world: World) -> None:
    """The proof finds it, and says what to do where it may not do so itself."""
    world.plant()
    with serving(LocalIndex()) as index:
        index.add(ProjectSdist(name="silent", module_code="import spoken_of_nowhere\n"))
        world.configure("silent\n", index=index.url)
        refused(world.build(), 5, "silent", "spoken_of_nowhere")


CASES = [
    *(_wants(name) for name in WANTING),
    Case(group=31, name="a dependency that is not declared", attempt=_undeclared),
]
