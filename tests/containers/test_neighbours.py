"""Wheels that use each other's libraries: left where they are, found there, and required."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from projects import NATIVE, LocalIndex, ProjectSdist, write_project
from wheelhouse.manifest import BuiltStory, SharedLibrary, read_manifest
from wheelhouse.wheels import Wheel, read_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Workplace

pytestmark = pytest.mark.containers

#: Makes a library beside the extension, for other wheels.
PROVIDING = """
_own = files

def files():
    import subprocess
    subprocess.check_call(
        ["cc", "-shared", "-fPIC", "-Wl,-soname,{soname}", "lib.c", "-o", "library.so"])
    info, found = _own()
    found["{folder}/{soname}"] = open("library.so", "rb").read()
    return info, found
"""

#: Links the extension with what an installed package has.
LINKING = """
def compile_extension():
    import subprocess, vector
    folder = os.path.join(os.path.dirname(vector.__file__), "lib")
    include = sysconfig.get_paths()["include"]
    subprocess.check_call(
        ["cc", "-shared", "-fPIC", "-I" + include, "native.c", "-L" + folder,
         "-l:libvector.so.1", "-o", "_native.so", *{more}])
"""

#: Links it with what the distribution has, which a wheel of the house has, too.
LINKING_SYSTEM = """
def compile_extension():
    import subprocess
    include = sysconfig.get_paths()["include"]
    subprocess.check_call(
        ["cc", "-shared", "-fPIC", "-I" + include, "native.c", "-lmaxminddb", "-o", "_native.so",
         *{more}])
"""

#: Links it with what a build requirement has, which the distribution has, too.
LINKING_TOOL = """
def compile_extension():
    import subprocess, geo
    include = sysconfig.get_paths()["include"]
    subprocess.check_call(
        ["cc", "-shared", "-fPIC", "-I" + include, "native.c", "-L" + os.path.dirname(geo.__file__),
         "-l:libmaxminddb.so.0", "-o", "_native.so"])
"""

#: Links it with something that only looks like that.
LINKING_STUB = """
def compile_extension():
    import subprocess
    include = sysconfig.get_paths()["include"]
    shared = ["cc", "-shared", "-fPIC", "-I" + include]
    subprocess.check_call(
        [*shared, "-Wl,-soname,libmaxminddb.so.0", "stub.c", "-o", "libmaxminddb.so"])
    subprocess.check_call([*shared, "native.c", "-L.", "-lmaxminddb", "-o", "_native.so"])
"""

#: Links it with something that is nowhere else.
LINKING_NOWHERE = """
def compile_extension():
    import subprocess
    include = sysconfig.get_paths()["include"]
    shared = ["cc", "-shared", "-fPIC", "-I" + include]
    subprocess.check_call([*shared, "-Wl,-soname,libvector.so.1", "stub.c", "-o", "libvector.so"])
    subprocess.check_call([*shared, "native.c", "-L.", "-lvector", "-o", "_native.so"])
"""

#: Links it with nothing.
ALONE = """
def compile_extension():
    import subprocess
    include = sysconfig.get_paths()["include"]
    subprocess.check_call(
        ["cc", "-shared", "-fPIC", "-I" + include, "native.c", "-o", "_native.so",
         "-Wl,-rpath,/opt/planted"])
"""

CALLING = """
#include <Python.h>
extern {type} {function}(void);
static PyObject *call(PyObject *self, PyObject *none) {{ return Py_BuildValue("{code}", {function}()); }}
static PyMethodDef methods[] = {{ {{ "call", call, METH_NOARGS, NULL }}, {{ NULL }} }};
static struct PyModuleDef definition = {{ PyModuleDef_HEAD_INIT, "_native", 0, -1, methods }};
PyMODINIT_FUNC PyInit__native(void) {{ return PyModule_Create(&definition); }}
"""


def vector(version: str = "1.0", folder: str = "vector/lib") -> ProjectSdist:
    """Has libvector.so.1."""
    return ProjectSdist(
        name="vector",
        version=version,
        native=True,
        extra=PROVIDING.format(soname="libvector.so.1", folder=folder),
        files={"lib.c": "int vector_size(void) { return 3; }\n", "native.c": NATIVE},
    )


def geo(version: str = "1.0", folder: str = "geo") -> ProjectSdist:
    """Has a libmaxminddb.so.0 that says so."""
    code = 'const char *MMDB_lib_version(void) { return "of geo"; }\n'
    return ProjectSdist(
        name="geo",
        version=version,
        native=True,
        extra=PROVIDING.format(soname="libmaxminddb.so.0", folder=folder),
        files={"lib.c": code, "native.c": NATIVE},
    )


def consumer(*, requires: tuple[str, ...] = ("vector",), linked: str = "[]") -> ProjectSdist:
    """Uses libvector.so.1."""
    code = CALLING.format(type="int", function="vector_size", code="i")
    return ProjectSdist(
        name="consumer",
        requires=requires,
        native=True,
        extra=LINKING.format(more=linked),
        module_code="from ._native import call\nassert call() == 3\n",
        files={"native.c": code},
    )


def lookup(*, linked: str = "[]", linking: str = LINKING_SYSTEM) -> ProjectSdist:
    """Uses libmaxminddb.so.0, and requires nothing."""
    code = CALLING.format(type="const char *", function="MMDB_lib_version", code="s")
    return ProjectSdist(
        name="lookup",
        native=True,
        extra=linking.format(more=linked),
        module_code="from ._native import call\nassert call() == 'of geo', call()\n",
        files={"native.c": code},
    )


def stubbed() -> ProjectSdist:
    """Uses libmaxminddb.so.0, which it does not take to be linked with."""
    stub = 'const char *MMDB_lib_version(void) { return ""; }\n'
    code = CALLING.format(type="const char *", function="MMDB_lib_version", code="s")
    return ProjectSdist(
        name="stubbed",
        native=True,
        extra=LINKING_STUB,
        module_code="from ._native import call\nassert call()\n",
        files={"native.c": code, "stub.c": stub},
    )


AGAINST = '[packages.consumer]\nbuild-against = ["vector"]\n'
SYSTEM = '[packages.lookup]\nsystem = ["libmaxminddb-dev"]\n'


def wheel(house: Path, name: str) -> Wheel:
    (path,) = house.glob(f"wheels/{name}-*.whl")
    return read_wheel(path)


def rpath(house: Path, name: str) -> tuple[str, ...]:
    """Where the extension of *name* looks first."""
    (extension,) = [each for each in wheel(house, name).binaries if each.initializes]
    assert extension.runpath == ()
    return extension.rpath


def shared(house: Path) -> dict[str, tuple[SharedLibrary, ...]]:
    stories = {each.name: each.story for each in read_manifest(house).wheels}
    return {
        name: story.shared
        for name, story in stories.items()
        if isinstance(story, BuiltStory) and story.shared
    }


def records(workplace: Workplace, kind: str) -> int:
    return len(list((workplace.store / "records" / kind).iterdir()))


def supplied(workplace: Workplace) -> list[dict[str, Any]]:
    """What was found to be of build requirements, where there was something."""
    kept = (workplace.store / "records" / "build").iterdir()
    found = [
        json.loads(each.read_bytes())["value"]["facts"]["repair"]["suppliers"] for each in kept
    ]
    return [each for each in found if each]


def added(project: Path) -> list[dict[str, Any]]:
    lock = tomllib.loads((project / "pylock.d12.toml").read_text())
    found: list[dict[str, Any]] = lock["tool"]["wheelhouse"].get("added", [])
    return found


def test_what_a_neighbour_has_is_used_there(workplace: Workplace, index: LocalIndex) -> None:
    importing = ProjectSdist(name="importing", extra="import consumer")
    index.add(vector(), consumer(), geo(), lookup(), importing)
    more = AGAINST + SYSTEM + '[packages.importing]\nbuild-against = ["consumer"]\n'
    write_project(workplace.project, index, "consumer\nlookup\ngeo\nimporting\n", more=more)
    done = workplace.run("build")
    assert done.status == 0, done.said
    house = workplace.house()
    assert rpath(house, "consumer") == ("$ORIGIN/../vector/lib",)
    assert rpath(house, "lookup") == ("$ORIGIN/../geo",)
    for name in ("consumer", "lookup"):
        assert not any(".libs/" in file for file in wheel(house, name).files)
    assert shared(house) == {
        "consumer": (
            SharedLibrary(soname="libvector.so.1", provider="vector", folder="vector/lib"),
        ),
        "lookup": (SharedLibrary(soname="libmaxminddb.so.0", provider="geo", folder="geo"),),
    }
    assert (
        "lookup uses libmaxminddb.so.0 and declares nothing that has it: geo is added"
    ) in done.said
    assert added(workplace.project) == [
        {"package": "lookup", "requirement": "geo", "library": "libmaxminddb.so.0"}
    ]
    required = {each.name: each.required_by for each in read_manifest(house).wheels}
    assert set(required["geo"]) == {"requirements.txt:3", "lookup"}

    assert "nothing changed" in workplace.run("build").said
    same = workplace.run("rebuild", "--check", "--plain")
    assert same.status == 0, same.said
    assert "7 of 7 identical" in same.said

    # Where geo has it now is another folder: lookup is repaired for that, and not built again.
    before = records(workplace, "build"), records(workplace, "repair")
    index.add(geo("2.0", "geo/moved"))
    (workplace.project / "requirements.txt").write_text("consumer\nlookup\ngeo==2.0\nimporting\n")
    done = workplace.run("build")
    assert done.status == 0, done.said
    assert rpath(house, "lookup") == ("$ORIGIN/../geo/moved",)
    assert (records(workplace, "build"), records(workplace, "repair")) == (
        before[0] + 1,
        before[1] + 1,
    )


def test_what_is_not_declared_is_an_error_where_that_is_asked_for(
    workplace: Workplace, index: LocalIndex
) -> None:
    """Also where a lock must stay as it is; and the provider may be a wheel of the index.

    That the extension was told to look where its build had the library is nothing against it.
    """
    index.add(vector())
    write_project(workplace.project, index, "vector\n")
    assert workplace.run("build").status == 0
    (path,) = workplace.house().glob("wheels/vector-*.whl")
    index.files["vector"] = {path.name: path.read_bytes()}

    index.add(consumer(requires=(), linked='["-Wl,-rpath," + folder]'))
    strict = 'undeclared-libraries = "error"\n'
    write_project(workplace.project, index, "consumer\nvector\n", more=AGAINST)
    config = workplace.project / "wheelhouse.toml"
    lenient = config.read_text()
    config.write_text(strict + lenient)
    done = workplace.run("build")
    assert done.status == 5, done.said
    assert "consumer uses libvector.so.1, and does not require what has it" in done.said
    fix = '[packages.consumer]\n      requires = ["vector"]'
    assert fix in done.said

    config.write_text(lenient)
    assert workplace.run("lock").status == 0
    done = workplace.run("build", "--locked")
    assert done.status == 3, done.said
    assert "without --locked" in done.said
    assert added(workplace.project) == []

    config.write_text(strict + lenient.replace(AGAINST, AGAINST + 'requires = ["vector"]\n'))
    done = workplace.run("build")
    assert done.status == 0, done.said
    assert rpath(workplace.house(), "consumer") == ("$ORIGIN/../vector/lib",)
    assert added(workplace.project) == []
    assert supplied(workplace) == [{"libvector.so.1": {"vector": "1.0"}}]


def test_what_a_build_requirement_has_is_not_taken_from_the_distribution(
    workplace: Workplace, index: LocalIndex
) -> None:
    """As of an extension of PyTorch's that names it for its build alone."""
    index.add(geo(), lookup(linking=LINKING_TOOL))
    needs = '[packages.lookup]\nbuild-requires = ["geo"]\nsystem = ["libmaxminddb-dev"]\n'
    write_project(workplace.project, index, "lookup\n", more=needs)
    config = workplace.project / "wheelhouse.toml"
    lenient = config.read_text()
    config.write_text('undeclared-libraries = "error"\n' + lenient)
    done = workplace.run("build")
    assert done.status == 5, done.said
    assert "lookup uses libmaxminddb.so.0, and does not require what has it" in done.said

    config.write_text(lenient)
    done = workplace.run("build")
    assert done.status == 0, done.said
    house = workplace.house()
    assert rpath(house, "lookup") == ("$ORIGIN/../geo",)
    assert not any(".libs/" in file for file in wheel(house, "lookup").files)
    assert added(workplace.project) == [
        {"package": "lookup", "requirement": "geo", "library": "libmaxminddb.so.0"}
    ]

    # Unless that is said to be meant. The module itself is of another opinion here.
    before = records(workplace, "build")
    meant = 'system-libraries = ["libmaxminddb.so.0"]\nskip-imports = ["*"]\n'
    config.write_text(lenient.replace(needs, needs + meant))
    done = workplace.run("build")
    assert done.status == 0, done.said
    assert any(".libs/libmaxminddb" in file for file in wheel(workplace.house(), "lookup").files)
    assert added(workplace.project) == []
    assert records(workplace, "build") == before


def test_what_no_wheel_has_is_looked_for_in_the_distribution(
    workplace: Workplace, index: LocalIndex
) -> None:
    """It has one of them; the other is told."""
    code = CALLING.format(type="int", function="vector_size", code="i")
    files = {"native.c": code, "stub.c": "int vector_size(void) { return 0; }\n"}
    lost = ProjectSdist(name="lost", native=True, extra=LINKING_NOWHERE, files=files)
    index.add(lost, stubbed())
    write_project(workplace.project, index, "lost\nstubbed\n")
    done = workplace.run("build")
    assert done.status == 4, done.said
    assert "its wheel needs the library libvector.so.1, which is not in the builder" in done.said
    assert (
        "stubbed 1.0 lacks the shared library libmaxminddb.so.0: libmaxminddb0 is put" in done.said
    )

    write_project(workplace.project, index, "stubbed\n")
    done = workplace.run("build")
    assert done.status == 0, done.said
    assert any(".libs/libmaxminddb" in file for file in wheel(workplace.house(), "stubbed").files)


def test_what_a_tool_lacks_is_looked_for_as_for_any_build(
    workplace: Workplace, index: LocalIndex
) -> None:
    index.add(stubbed(), ProjectSdist(name="user", extra="import stubbed"))
    needs = '[packages.user]\nbuild-requires = ["stubbed"]\n'
    write_project(workplace.project, index, "user\n", more=needs)
    done = workplace.run("lock")
    assert done.status == 0, done.said
    told = "stubbed 1.0 lacks the shared library libmaxminddb.so.0: libmaxminddb0 is put"
    assert told in " ".join(done.said.split())
    assert "user 1.0 is tried" not in done.said


def test_an_rpath_to_the_builder_is_refused(workplace: Workplace, index: LocalIndex) -> None:
    """Whether repair has the file look elsewhere, or copies something for it, or does nothing."""
    planted = '["-Wl,-rpath,/opt/planted"]'
    index.add(
        vector(),
        consumer(linked=planted),
        lookup(linked=planted),
        ProjectSdist(name="alone", native=True, extra=ALONE),
    )
    lines = "consumer\nlookup\nalone\n"
    write_project(workplace.project, index, lines, more=AGAINST + SYSTEM)
    done = workplace.run("build")
    assert done.status == 5, done.said
    for name in ("consumer", "lookup", "alone"):
        told = f"{name}/_native.so: looks for libraries in /opt/planted, which leads to the machine"
        assert told in " ".join(done.said.split()), done.said
