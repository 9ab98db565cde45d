"""The portable platform: a CPython built from a source package, on the oldest libc we have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.containers

#: Debian 12 has the same, so that what is built here can be tried there.
VERSION = "3.11"
PYTHON = f"/opt/python/{VERSION}/bin/python{VERSION}"
CHECK = (Path(__file__).parents[2] / "images" / "portable-check.py").read_text()

#: Each function used here has a newer version in a later glibc, which a later linker would take.
EXTENSION = """\
#include <Python.h>
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
static void *nothing(void *argument) { return argument; }
static PyObject *work(PyObject *module, PyObject *argument) {
    pthread_t thread;
    pthread_create(&thread, NULL, nothing, NULL);
    pthread_join(thread, NULL);
    return PyFloat_FromDouble(fmod(PyFloat_AsDouble(argument), 3) + (dlopen(NULL, RTLD_NOW) != 0));
}
static PyMethodDef methods[] = {{"work", work, METH_O, NULL}, {NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "newest", NULL, -1, methods};
PyMODINIT_FUNC PyInit_newest(void) { return PyModule_Create(&definition); }
"""

#: Compiles and links with nothing but what sysconfig says, as build backends do.
COMPILE = """\
import os, shlex, subprocess, sys, sysconfig

def run(variables, *arguments):
    words = [word for name in variables for word in shlex.split(sysconfig.get_config_var(name))]
    subprocess.run([*words, *arguments], check=True)

os.chdir("/tmp")
with open("newest.c", "w") as file:
    file.write(sys.stdin.read())
run(["CC", "CFLAGS", "CCSHARED"], "-I" + sysconfig.get_path("include"), "-c", "newest.c")
module = "/shared/newest" + sysconfig.get_config_var("EXT_SUFFIX")
run(["LDSHARED"], "newest.o", "-o", module, "-lpthread", "-ldl", "-lm")
subprocess.run(["readelf", "--wide", "--dynamic", "--version-info", module], check=True)
"""


@dataclass(frozen=True)
class Portable:
    """The names of its images."""

    runtime: str
    builder: str


@pytest.fixture(scope="module")
def portable() -> Portable:
    """The images, made here if the engine does not have them; that takes minutes, once."""
    command = ["images", "bootstrap", "portable", "--python", VERSION]
    done = subprocess.run(
        [sys.executable, "-m", "wheelhouse", *command], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    names = re.findall(r"^wheelhouse/portable-\S+", done.stdout, re.MULTILINE)
    runtime, builder = sorted(names, key=lambda name: "builder" in name)
    return Portable(runtime=runtime, builder=builder)


def run(
    image: str, *command: str, stdin: str = "", share: Path | None = None, status: int = 0
) -> str:
    """What *command* prints in a container as strict as a build's.

    :param share: this folder is ``/shared`` in there.
    """
    argv = ["docker", "run", "--rm", "-i", "--network=none", "--read-only", "--cap-drop=ALL"]
    argv += ["--security-opt=no-new-privileges", "--user=65534:65534", "--tmpfs=/tmp:exec"]
    argv += ["--env=HOME=/tmp", *([f"--volume={share}:/shared"] if share else [])]
    done = subprocess.run([*argv, image, *command], input=stdin, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_whole_standard_library_works_with_the_libraries_of_the_runtime(
    portable: Portable,
) -> None:
    assert not run(portable.runtime, PYTHON, "-I", "-", stdin=CHECK)


def test_the_check_of_the_standard_library_names_what_is_missing(portable: Portable) -> None:
    without_ssl = "import sys\nsys.modules['_ssl'] = None\n" + CHECK
    said = run(portable.runtime, PYTHON, "-I", "-", stdin=without_ssl, status=1)
    assert "no module ssl: " in said
    assert "no module lzma: " not in said


def test_the_runtime_makes_environments_with_pip_and_has_nothing_to_write_to(
    portable: Portable,
) -> None:
    script = f"""
        {PYTHON} -m venv /tmp/venv
        /tmp/venv/bin/pip --version
        find /opt/python -perm /022 ! -type l
        ! command -v gcc cc make
    """
    said = run(portable.runtime, "sh", "-euc", script).splitlines()
    assert len(said) == 1
    assert said[0].startswith("pip ")


def test_what_is_compiled_for_it_runs_there_and_with_a_newer_libc(
    portable: Portable, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    elf = run(portable.builder, PYTHON, "-c", COMPILE, stdin=EXTENSION, share=tmp_path)
    versions = {tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([\d.]+)", elf)}
    assert (2, 2, 5) <= max(versions) <= (2, 31)
    assert "RPATH" not in elf
    assert "RUNPATH" not in elf
    newer = os.environ["WHEELHOUSE_TEST_RUNTIME_IMAGE"]
    for image, python in ((portable.runtime, PYTHON), (newer, "/usr/bin/python3.11")):
        script = "import newest; print(newest.work(7.0))"
        said = run(image, "env", "PYTHONPATH=/shared", python, "-c", script, share=tmp_path)
        assert said == "2.0\n"
