"""A wheel with a program: linked to Python's own library, it can be started on the server."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from projects import LocalIndex, ProjectSdist, write_project
from wheelhouse.manifest import read_manifest
from wheelhouse.wheels import read_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Workplace

pytestmark = pytest.mark.containers

#: Links the extension and a program with libpython, as many a build does.
LINKING = """
_own = files

def compile_extension():
    import subprocess
    include = sysconfig.get_paths()["include"]
    python = ["-I" + include, "-Wl,--no-as-needed", "-lpython3.11"]
    subprocess.check_call(["cc", "-shared", "-fPIC", "native.c", *python, "-o", "_native.so"])
    subprocess.check_call(["cc", "program.c", *python, "-o", "program"])

def files():
    info, found = _own()
    found[NAME + "-" + VERSION + ".data/scripts/demo"] = open("program", "rb").read()
    return info, found

def after_build(directory, filename):
    path = os.path.join(directory, filename)
    with zipfile.ZipFile(path) as wheel:
        members = [(member, wheel.read(member)) for member in wheel.infolist()]
    with zipfile.ZipFile(path, "w") as wheel:
        for member, data in members:
            member.external_attr = 0o100755 << 16  # installers keep it
            wheel.writestr(member, data)
"""

PROGRAM = """
#include <Python.h>
#include <stdio.h>
int main(void) { Py_NoSiteFlag = 1; return puts(Py_GetVersion()) < 0; }
"""


def started(house: Path, image: str) -> subprocess.CompletedProcess[str]:
    """What the program says once *house* is installed on a machine such as *image*."""
    command = ["docker", "run", "--rm", "--network=none", f"--volume={house}:/house:ro", image]
    return subprocess.run(
        [*command, "sh", "-c", "sh /house/install.sh --venv /tmp/v >&2 && exec /tmp/v/bin/demo"],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_program_is_linked_to_libpython(workplace: Workplace, index: LocalIndex) -> None:
    index.add(ProjectSdist(name="demo", native=True, extra=LINKING, files={"program.c": PROGRAM}))
    write_project(workplace.project, index, "demo\n")
    done = workplace.run("build")
    assert done.status == 0, done.said
    assert "the server must have libpython3.11 (demo)" in done.said

    house = workplace.house()
    manifest = read_manifest(house)
    assert manifest.needs.libraries == ("libpython3.11.so.1.0",)
    (path,) = (house / "wheels").glob("demo-*.whl")
    needed = {binary.member: binary.needed for binary in read_wheel(path).binaries}
    assert "libpython3.11.so.1.0" not in needed.pop("demo/_native.so")
    assert ["libpython3.11.so.1.0" in each for each in needed.values()] == [True]

    bare = started(house, workplace.environment().get("WHEELHOUSE_TEST_RUNTIME_IMAGE", ""))
    assert "-> sudo apt-get install libpython3.11\n" in bare.stderr
    server = started(house, manifest.runtime.id)
    assert server.stdout.startswith("3.11."), server.stderr

    write_project(workplace.project, index, "demo\n", more="runtime-system = false\n")
    refused = workplace.run("build")
    assert refused.status != 0
    assert (
        "demo 1.0: bin/demo does not load: it needs the shared library libpython3.11.so.1.0, which "
        "Debian 12 (bookworm) has in its package libpython3.11; the target forbids packages of the "
        "distribution"
    ) in refused.said
