"""What goes into a container: the agent, a job, and its inputs, as one tar on standard input."""

from __future__ import annotations

import hashlib
import json
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from wheelhouse.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

#: The one writable folder of a container; the same in every build, so that paths in wheels are.
ROOT = "/build"

#: What process 1 executes: unpack what comes in, then leave the rest to the agent, which is a
#: process of its own (``agent/init.py``).
BOOTSTRAP = """\
import os, sys, tarfile
os.umask(0o22)
root = sys.argv[1]
safe = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}
tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall(root, **safe)
sys.path.insert(0, os.path.join(root, "agent"))
from wheelhouse_agent.main import main
main(root)
"""

#: The agent's modules that every kind of job goes through.
COMMON_MODULES = frozenset(
    [
        *(
            "__init__.py",
            "archives.py",
            "asking.py",
            "channel.py",
            "environment.py",
            "errors.py",
            "init.py",
        ),
        *("limits.py", "main.py", "network.py"),
        *("regenerate.py", "search.py", "sources.py", "steady.py", "streams.py", "stricttar.py"),
        "strictzip.py",
        "toolkit.py",
    ]
)

#: Those beside a kind's own that only some kinds go through.
MORE_MODULES = {
    "build": frozenset(["grafting.py", "repair.py"]),
    "repair": frozenset(["grafting.py"]),
}

BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A file for the container, from the disk or from memory, under a relative *name*."""

    name: str
    source: Path | bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What the agent is to do; see ``agent/main.py`` for the kinds."""

    kind: str
    parameters: Mapping[str, Any]
    inputs: Sequence[Input] = ()

    @property
    def size(self) -> int:
        """Bytes of its inputs; of one that cannot be read, none."""
        return sum(map(_size, self.inputs))


def _size(item: Input) -> int:
    if isinstance(item.source, bytes):
        return len(item.source)
    with suppress(OSError):
        return item.source.stat().st_size
    return 0


def pack(job: Job) -> Iterator[bytes]:
    """The tar that goes to standard input: the agent, ``job.json`` and the inputs."""
    description = json.dumps({"kind": job.kind, **job.parameters}).encode()
    yield _member("job.json", len(description)) + _padded(description)
    for name, data in agent_files():
        yield _member(f"agent/wheelhouse_agent/{name}", len(data)) + _padded(data)
    for item in job.inputs:
        if isinstance(item.source, bytes):
            yield _member(item.name, len(item.source)) + _padded(item.source)
        else:
            yield from _file_member(item.name, item.source)
    # Two empty blocks end an archive. A whole record more than fills up whatever block size the
    # reader reads by; anything left over is read by the watcher of the input and dropped.
    yield bytes(tarfile.RECORDSIZE * 2)


def _member(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.PAX_FORMAT)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % tarfile.BLOCKSIZE)


def _file_member(name: str, path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    with file:
        size = left = path.stat().st_size
        yield _member(name, size)
        while left:
            block = file.read(min(BLOCK, left))
            if not block:
                raise StorageError(f"{path} shrank while it was read")
            left -= len(block)
            yield block
    yield bytes(-size % tarfile.BLOCKSIZE)


@cache
def agent_files() -> tuple[tuple[str, bytes], ...]:
    """Name and content of each of the agent's modules."""
    folder = resources.files("wheelhouse").joinpath("agent")
    return tuple(
        (item.name, item.read_bytes())
        for item in sorted(folder.iterdir(), key=lambda item: item.name)
        if item.name.endswith(".py")
    )


@cache
def agent_digest(kind: str) -> str:
    """The SHA-256 of the agent's code that takes part in jobs of *kind*: part of cache keys."""
    digest = hashlib.sha256(BOOTSTRAP.encode())
    taking_part = {*COMMON_MODULES, *MORE_MODULES.get(kind, ()), f"{kind}.py"}
    for name, data in agent_files():
        if name in taking_part:
            digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()
