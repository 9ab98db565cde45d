"""Which limits of its container a job has run into, as the control group itself counts.

A compiler that is killed for want of memory can hide behind an exit status of 0, and a fork that
is refused behind any message. So the kernel's own counters are asked, of version 2, then 1.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

CGROUPS = "/sys/fs/cgroup"

#: The share of its limit that a container has used at most when it was that limit that it met.
NEAR = 0.98

#: Bytes that files may take where they are on a disk, told by the host.
DISK = "WHEELHOUSE_DISK"

#: Where a job can put files besides its own folder.
FOLDERS = ("/tmp", "/dev/shm")


@dataclass(frozen=True)
class Counters:
    """How often the kernel has killed, or refused, so far.

    *kills* of processes for want of memory; *forks* that were refused.
    """

    kills: int
    forks: int

    @classmethod
    def read(cls, folder: str = CGROUPS) -> Counters:
        """As they are; 0 where nothing can be read."""
        return cls(
            kills=_count("oom_kill", f"{folder}/memory.events")
            or _count("oom_kill", f"{folder}/memory/memory.oom_control"),
            forks=_count("max", f"{folder}/pids.events")
            or _count("max", f"{folder}/pids/pids.events"),
        )


def reached(before: Counters, root: str, folder: str = CGROUPS) -> dict[str, object]:
    """What a job has run into since *before*.

    ``memory``: ``container`` where a process was killed because the container's memory was full,
    ``machine`` where the machine's was, else empty; ``processes``: whether a fork was refused;
    ``files``: bytes that its files in memory take.
    """
    now = Counters.read(folder)
    memory = ""
    if now.kills > before.kills:
        memory = "container" if _was_full(folder) else "machine"
    return {
        "memory": memory,
        "processes": now.forks > before.forks,
        "files": _in_memory(root),
    }


class Disk:
    """The folder *root* on a disk that is shared with others, and has no limit of its own.

    *allowed* is how many bytes its files may take.
    """

    def __init__(self, root: str, allowed: int) -> None:
        self._root = root
        self._allowed = allowed
        self._before = _used(root)

    def is_overfull(self) -> bool:
        """Whether the files have more. They are only counted once the disk has as much more."""
        return _used(self._root) - self._before > self._allowed and self._size() > self._allowed

    def _size(self) -> int:
        total, pending = 0, [self._root]
        while pending:
            with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(entry.path)
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        return total


def _was_full(folder: str) -> bool:
    """Whether the container's own memory was; the kernel counts kills for both reasons as one."""
    if os.path.exists(f"{folder}/memory.events"):
        return _count("oom", f"{folder}/memory.events") > 0
    limit = _number(f"{folder}/memory/memory.limit_in_bytes")
    return _number(f"{folder}/memory/memory.max_usage_in_bytes") >= limit * NEAR


def _count(key: str, path: str) -> int:
    """The number that a line of *path* has for *key*."""
    try:
        with open(path, encoding="ascii") as lines:
            for line in lines:
                name, _, value = line.partition(" ")
                if name == key:
                    return int(value)
    except (OSError, ValueError):
        pass
    return 0


def _number(path: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _in_memory(root: str) -> int:
    """Bytes that files of the container take in memory; 0 where *root* is a disk's."""
    try:
        with open("/proc/mounts", encoding="utf-8", errors="replace") as file:
            mounted = [line.split()[1:3] for line in file]
        folders = [each for each in (root, *FOLDERS) if [each, "tmpfs"] in mounted]
        return sum(map(_used, folders)) if root in folders else 0
    except OSError:
        return 0


def _used(folder: str) -> int:
    there = os.statvfs(folder)
    return (there.f_blocks - there.f_bfree) * there.f_frsize
