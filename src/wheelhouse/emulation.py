"""Programs of another architecture: whether they run somewhere, and what to do if not.

Found out by trying. What would otherwise tell of it (the engine's kernel, its emulators and how
they are registered, or a virtual machine around it all) is on the engine's machine, which may be
far away. The smallest program there is takes half a second.
"""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.durable import storage_errors
from wheelhouse.engine import MIB, ContainerSpec, Limits
from wheelhouse.targets import OCI_ARCHITECTURES, oci_platform

if TYPE_CHECKING:
    from wheelhouse.engine import Engine
    from wheelhouse.imagestore import ImageStore

PACKAGES = ("qemu-user-static", "binfmt-support")

_NAME = "ends"

#: ELF's number of a machine, and its instructions for ``exit(0)``.
_MACHINES = {
    "x86_64": (62, bytes.fromhex("b83c000000 31ff 0f05")),
    "aarch64": (183, bytes.fromhex("000080d2 a80b80d2 010000d4")),
}

#: Where the program is in memory, and the sizes of ELF's two headers before its code.
_ADDRESS, _HEADER, _PROGRAM_HEADER = 0x400000, 64, 56


def program(arch: str) -> bytes:
    """A program that ends at once with status 0, for Linux on *arch*.

    A static executable by the System V ABI, chapters 4 and 5: both headers and the code, in one
    segment.
    """
    machine, code = _MACHINES[arch]
    start = _HEADER + _PROGRAM_HEADER
    size = start + len(code)
    identity = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)  # 64 bits, little-endian
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(identity, 2, machine, 1, _ADDRESS + start, _HEADER, 0, 0),
        *(_HEADER, _PROGRAM_HEADER, 1, 0, 0, 0),
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _ADDRESS, _ADDRESS, size, size, 0x10000)
    return header + segment + code


def runs_here(arch: str) -> bool:
    """Whether this machine runs programs of *arch*; not, if it is one that we know nothing of."""
    if arch not in _MACHINES:
        return False
    place = Path(tempfile.gettempdir())
    with storage_errors(place), tempfile.TemporaryDirectory(prefix="wheelhouse-") as folder:
        file = Path(folder) / _NAME
        file.write_bytes(program(arch))
        file.chmod(0o755)
        try:
            return subprocess.run([str(file)], capture_output=True, check=False).returncode == 0
        except OSError:
            return False


def runs_in(engine: Engine, images: ImageStore, arch: str) -> bool:
    """Whether containers of *engine* run programs of *arch*.

    :param images: those of *engine*. One of a few hundred bytes stays there.
    :raises EngineError: it is not known, as no container can be started.
    """
    platform = oci_platform(arch)
    root = _root(arch)
    name = f"wheelhouse/{_NAME}-{arch}:{hashlib.sha256(root).hexdigest()[:12]}"
    image = images.find(name, platform) or images.import_tar(
        io.BytesIO(root), name, labels={"wheelhouse.arch": arch}, platform=platform
    )
    limits = Limits(memory=64 * MIB, processes=16, cpus=1.0)
    spec = ContainerSpec(image=image.id, argv=(f"/{_NAME}",), purpose=f"try {arch}", limits=limits)
    with engine.start(spec) as container:
        for _ in container.read():
            pass
        return container.wait().status == 0


def _root(arch: str) -> bytes:
    """A root file system with nothing but the program, as a tar archive."""
    root, entry, content = io.BytesIO(), tarfile.TarInfo(_NAME), program(arch)
    entry.size, entry.mode = len(content), 0o755
    with tarfile.open(fileobj=root, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(entry, io.BytesIO(content))
    return root.getvalue()


def hint(arch: str) -> str:
    """What makes an engine run programs of *arch*."""
    return (
        f"on the engine's machine, run `apt-get install {' '.join(PACKAGES)}` (Debian, Ubuntu) or "
        f"`docker run --privileged --rm tonistiigi/binfmt --install {OCI_ARCHITECTURES[arch]}`; "
        f"or use an engine on an {arch} machine, by DOCKER_HOST or `docker context use`"
    )
