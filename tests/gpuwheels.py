"""Small extensions with kernels, and what is in the wheels that come of such."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from projects import ProjectSdist

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNEL = r"""
#include <Python.h>
__global__ void nothing() {}
static PyObject *launch(PyObject *, PyObject *) {
  nothing<<<1, 1>>>();
  return PyLong_FromLong(cudaGetLastError());
}
static PyMethodDef methods[] = {{"launch", launch, METH_NOARGS, nullptr}, {}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", nullptr, -1, methods};
PyMODINIT_FUNC PyInit__native() { return PyModule_Create(&definition); }
"""

#: A backend that is as short as can be; *link* are further options of nvcc.
NVCC = """
def compile_extension():
    import subprocess
    include = sysconfig.get_paths()["include"]
    subprocess.check_call(
        [os.environ["CUDACXX"], "-shared", "-cudart=shared", "-Xcompiler=-fPIC", "-I" + include,
         "kernel.cu", "-o", "_native.so", *{link!r}])
"""


def project(name: str, *link: str, requires: tuple[str, ...] = ()) -> ProjectSdist:
    """An extension with a kernel, linked with the shared run time."""
    return ProjectSdist(
        name=name,
        native=True,
        requires=requires,
        extra=NVCC.format(link=link),
        module_code=f"from {name} import _native\n",
        files={"kernel.cu": KERNEL},
    )


class Wheel(NamedTuple):
    """A wheel of a house; *extension* is the path of its one extension module, unpacked."""

    path: Path
    members: list[str]
    extension: Path


def wheel_of(house: Path, name: str, folder: Path) -> Wheel:
    """The wheel of the project *name*, its extension unpacked into *folder*."""
    (path,) = house.glob(f"wheels/{name}-*.whl")
    with zipfile.ZipFile(path) as archive:
        (extension,) = [each for each in archive.namelist() if each.endswith(".so")]
        return Wheel(path, archive.namelist(), Path(archive.extract(extension, folder)))


def manifest(house: Path) -> dict[str, Any]:
    """What its manifest says."""
    found: dict[str, Any] = json.loads((house / "manifest.json").read_text())
    return found


def dynamic(extension: Path) -> dict[str, list[str]]:
    """What binutils read in the dynamic section: they share no code with us."""
    command = ["readelf", "--wide", "--dynamic", str(extension)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, list[str]] = {}
    for kind, value in re.findall(r"\((\w+)\)\s+(?:Library|Shared) [^[]*\[(.*)\]", said):
        found.setdefault(kind, []).append(value)
    return found


def code_in(extension: Path) -> Iterator[tuple[str, int]]:
    """What nvcc has left for GPUs: ("sm", 90) is code for 9.0, ("compute", 90) PTX."""
    data = extension.read_bytes()
    for start in re.finditer(struct.pack("<IH", 0xBA55ED50, 1), data):
        header, size = struct.unpack_from("<HQ", data, start.start() + 6)
        at = start.start() + header
        end = at + size
        while at < end:
            kind, _, entry, payload = struct.unpack_from("<HHIQ", data, at)
            yield ("sm" if kind == 2 else "compute"), struct.unpack_from("<I", data, at + 28)[0]
            at += entry + payload
