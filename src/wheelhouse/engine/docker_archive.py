"""An image as a file that engines load: what ``docker save`` writes, of one layer. Pure.

An image that is loaded is for the platform that its configuration names. One that is imported as
a root file system is, before Docker 23, for the engine's own, whatever was asked for.

The format is that of the `image specification v1.2
<https://github.com/moby/docker-image-spec/blob/main/v1.2.md>`_, which Podman reads as well.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelhouse.imagestore import Reader

LAYER, CONFIGURATION, MANIFEST = "layer.tar", "config.json", "manifest.json"

#: Of every image alike: when it was made is no part of what it is.
CREATED = "1970-01-01T00:00:00Z"

_CHUNK = 1 << 20


def write_archive(
    root: Reader, archive: IO[bytes], *, name: str, platform: str, labels: Mapping[str, str]
) -> None:
    """Write the image *name*, to be loaded, to the empty file *archive*; its position is 0 again.

    The same input gives the same bytes. Whatever *root*'s ``read`` raises comes through.

    :param root: a tar archive of the image's root file system.
    :param platform: such as ``linux/arm64``.
    """
    archive.write(_header(LAYER, 0))  # until its size is known
    size, digest = _copy(root, archive)
    archive.write(_padding(size))
    configuration = _json(_configuration(digest, platform, labels))
    manifest = _json([{"Config": CONFIGURATION, "RepoTags": [name], "Layers": [LAYER]}])
    for member, content in ((CONFIGURATION, configuration), (MANIFEST, manifest)):
        archive.write(_header(member, len(content)) + content + _padding(len(content)))
    archive.write(bytes(2 * tarfile.BLOCKSIZE))
    archive.seek(0)
    archive.write(_header(LAYER, size))
    archive.seek(0)


def _copy(root: Reader, archive: IO[bytes]) -> tuple[int, str]:
    """The number of bytes that *root* had, and their SHA-256."""
    size, sha256 = 0, hashlib.sha256()
    while data := root.read(_CHUNK):
        archive.write(data)
        sha256.update(data)
        size += len(data)
    return size, sha256.hexdigest()


def _configuration(layer: str, platform: str, labels: Mapping[str, str]) -> dict[str, object]:
    system, _, architecture = platform.partition("/")
    return {
        "architecture": architecture,
        "os": system,
        "created": CREATED,
        "config": {"Cmd": ["bash"], "Labels": dict(labels)},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": CREATED, "created_by": "wheelhouse"}],
    }


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)  # one block, however large the file is


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
