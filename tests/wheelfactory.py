"""Small wheels for tests: sound ones, and ones that are wrong in exactly one way."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import struct
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from wheelhouse.targets import Interpreter, Libc, Target, presets
from wheelhouse.wheels.archive import Wheel
from wheelhouse.wheels.elf import Binary
from wheelhouse.wheels.statements import WheelMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INFO = "demo-1.0.dist-info"
NATIVE = "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
FAST = "demo/fast.cpython-311-x86_64-linux-gnu.so"

Member = tuple[str | zipfile.ZipInfo, bytes]


def record_line(path: str, data: bytes) -> str:
    """RECORD's line for a file."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}"


def members(
    files: Mapping[str, bytes] | None = None,
    *,
    tags: Sequence[str] = ("py3-none-any",),
    metadata: str = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    purelib: bool = True,
) -> dict[str, bytes]:
    """The members of a sound wheel of *files*, RECORD last."""
    contents = dict({"demo/__init__.py": b"X = 1\n"} if files is None else files)
    contents[f"{INFO}/METADATA"] = metadata.encode()
    lines = ["Wheel-Version: 1.0", "Generator: tests", f"Root-Is-Purelib: {str(purelib).lower()}"]
    contents[f"{INFO}/WHEEL"] = "\n".join([*lines, *(f"Tag: {tag}" for tag in tags), ""]).encode()
    record = [record_line(path, data) for path, data in contents.items()]
    contents[f"{INFO}/RECORD"] = "\n".join([*record, f"{INFO}/RECORD,,", ""]).encode()
    return contents


def zip_bytes(content: Sequence[Member], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of *content*, in that order; a name may come as a `ZipInfo` with odd properties."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in content:
            archive.writestr(name, data)
    return buffer.getvalue()


def write_wheel(
    folder: Path, content: Mapping[str, bytes] | bytes, name: str = "demo-1.0-py3-none-any.whl"
) -> Path:
    """Put a wheel's members, or its finished bytes, into a file of that name."""
    data = content if isinstance(content, bytes) else zip_bytes(list(content.items()))
    path = folder / name
    path.write_bytes(data)
    return path


def end_record(data: bytes) -> int:
    """Where the end-of-central-directory record of *data* begins."""
    return data.rindex(b"PK\x05\x06")


def patch(data: bytes, at: int, layout: str, value: int) -> bytes:
    """*data* with one number replaced."""
    number = struct.pack(layout, value)
    return data[:at] + number + data[at + len(number) :]


def compile_library(folder: Path, name: str, source: str, *options: str) -> bytes:
    """A shared library, by this machine's gcc; the test is skipped where there is none."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    code, library = folder / f"{name}.c", folder / name
    code.write_text(source)
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O0", "-o", str(library), str(code), *options],
        check=True,
        cwd=folder,
    )
    return library.read_bytes()


def debian12(arch: str = "x86_64") -> Target:
    """Debian 12 with Python 3.11."""
    return Target(name="web", preset=presets()["debian12"], python="3.11", arch=arch)


def cpython311(arch: str = "x86_64") -> Interpreter:
    """Debian 12's Python, as a probe of its image would tell."""
    platforms = [*(f"manylinux_2_{minor}_{arch}" for minor in range(36, 4, -1)), f"linux_{arch}"]
    tags = [
        *cpython_tags((3, 11), ["cp311"], platforms),
        *compatible_tags((3, 11), "cp311", platforms),
    ]
    return Interpreter(
        environment={
            "implementation_name": "cpython",
            "python_full_version": "3.11.2",
            "python_version": "3.11",
        },
        tags=tuple(tags),
        libc=Libc.parse("glibc 2.36"),
        pip="23.0.1",
    )


def binary(member: str = FAST, **facts: object) -> Binary:
    """What is known of an extension module, or of a library if its name says so."""
    base = Binary(
        member=member,
        machine="x86_64",
        kind="ET_DYN",
        needed=("libc.so.6",),
        versions=(("libc.so.6", "GLIBC_2.28"),),
        initializes="lib" not in member,
    )
    return replace(base, **facts)  # type: ignore[arg-type]


def wheel(*binaries: Binary, filename: str = NATIVE, **facts: object) -> Wheel:
    """What is known of a sound wheel with these *binaries*, but for *facts*."""
    name, version, build, tags = parse_wheel_filename(filename)
    base = Wheel(
        path=Path(filename),
        filename=filename,
        size=1,
        name=name,
        version=version,
        build=build,
        tags=tags,
        metadata=WheelMetadata(name=name, version=Version("1.0")),
        retagged=False,
        root_is_purelib=False,
        files=tuple(each.member for each in binaries),
        modules=("demo",),
        extensions=tuple(each.member for each in binaries if each.initializes),
        binaries=binaries,
        broken_binaries=(),
        pth=(),
    )
    return replace(base, **facts)  # type: ignore[arg-type]
