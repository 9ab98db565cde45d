"""An image that brings CUDA 12, made here: no registry is asked.

Its compiler is that of Debian's non-free package, its headers and its run time are NVIDIA's wheels.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.fetch import Client, Fetcher
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent / "data" / "cuda12"

#: The release that it has.
VERSION = "12.4"

#: NVIDIA's wheels: where each is, and its hash.
WHEELS = {
    "https://files.pythonhosted.org/packages/ea/27/"
    "1795d86fe88ef397885f2e580ac37628ed058a92ed2c39dc8eac3adf0619/"
    "nvidia_cuda_runtime_cu12-12.4.127-py3-none-manylinux2014_x86_64.whl": (
        "64403288fa2136ee8e467cdc9c9427e0434110899d07c779f25b5c068934faa5"
    ),
    "https://files.pythonhosted.org/packages/54/5c/"
    "c2f2592f3a5a041d546501cdcfab0f19ccbd31714de238f381a6e302a783/"
    "nvidia_cuda_nvcc_cu12-12.4.131-py3-none-manylinux2014_x86_64.whl": (
        "e4c9a35435c3b0e36c6397c5696334c9ea6650e524736cbd1c5d345ea099bb04"
    ),
}


def cuda_image(store: Path) -> str:
    """The name of the image, which is made where the engine has it not; that fetches 110 MB.

    :param store: where its wheels go.
    """
    base = _docker("images", "--no-trunc", "--quiet", "wheelhouse/debian12-toolchain").split()[0]
    files = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    made_of = [base.encode(), *map(str.encode, WHEELS.values())]
    made_of += [files[name] for name in sorted(files)]
    digest = hashlib.sha256(b"\n".join(made_of)).hexdigest()[:12]
    name = f"wheelhouse-test/cuda{VERSION}:{digest}"
    if not _docker("images", "--quiet", name):
        context = _context(files | _fetched(store))
        mirror = os.environ.get("WHEELHOUSE_DEBIAN_MIRROR")
        more = [f"--build-arg=DEBIAN_MIRROR={mirror}"] if mirror else []
        _docker("build", f"--tag={name}", f"--build-arg=BASE={base}", *more, "-", given=context)
    return name


def _fetched(store: Path) -> dict[str, bytes]:
    fetcher = Fetcher(Client(), Store(store), lambda: None)
    return {
        f"wheels/{url.rpartition('/')[2]}": fetcher.fetch(url, sha256).read_bytes()
        for url, sha256 in WHEELS.items()
    }


def _context(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def _docker(*arguments: str, given: bytes = b"") -> str:
    done = subprocess.run(["docker", *arguments], input=given, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode().strip()
