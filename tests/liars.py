"""Wheels whose tags promise more than their content keeps, and honest ones of the same form.

The extension is compiled by this machine's gcc against a C library of tomorrow: a file that has
nothing but one function and its symbol version. So it is too new for every target.
"""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

#: The symbol version and the function that a too new extension needs.
VERSION, FUNCTION = "GLIBC_2.99", "of_tomorrow"
TAG = "py3-none-manylinux2014_x86_64"
EXTENSION = "_native.abi3.so"

SOURCE = "int FUNCTION(void); void *PyInit__native(void) { CALL return 0; }\n"
IMPORTING = "import ctypes, os\nctypes.CDLL(os.path.join(os.path.dirname(__file__), {!r}))\n"


def extension(folder: Path, *, too_new: bool) -> bytes:
    """An extension module; the test is skipped where there is no gcc."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    (folder / "libc.c").write_text(f"int {FUNCTION}(void) {{ return 0; }}\n")
    (folder / "versions").write_text(f"{VERSION} {{ {FUNCTION}; }};\n")
    call = f"{FUNCTION}();" if too_new else ""
    (folder / "native.c").write_text(SOURCE.replace("FUNCTION", FUNCTION).replace("CALL", call))
    compiler = ("gcc", "-shared", "-fPIC", "-nostdlib")
    version = ("-Wl,-soname,libc.so.6", "-Wl,--version-script=versions")
    _run(folder, *compiler, "libc.c", *version, "-o", "tomorrow.so")
    _run(folder, *compiler, "native.c", "-Wl,--as-needed", "tomorrow.so", "-o", EXTENSION)
    return (folder / EXTENSION).read_bytes()


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True)


def wheel(name: str, version: str, native: bytes, *, tag: str = TAG) -> bytes:
    """The wheel of a project whose import loads the extension *native*."""
    info = f"{name}-{version}.dist-info"
    said = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n"
    files = {
        f"{name}/__init__.py": IMPORTING.format(EXTENSION).encode(),
        f"{name}/{EXTENSION}": native,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": said.encode(),
    }
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
