"""The agent's side of the pipes: messages and files out, the log apart, the end of input heard.

Frames on standard output: a four-byte big-endian length, a JSON header of that length, then as
many bytes as the header's ``size`` says. :mod:`wheelhouse.engine.session` reads them.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import threading

COPY_BLOCK = 1 << 20


class Channel:
    """Owns the real standard output; everything else that prints goes to the log."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)  # package code that prints must not be able to break a frame by accident

    def message(self, header: dict[str, object]) -> None:
        """Send a message without a body."""
        self._header({**header, "size": 0})

    def file(self, name: str, path: str) -> None:
        """Send the regular file at *path*, never following a link.

        Raises OSError if it is anything else, so that a link or a device that package code left
        in place of its result is not read.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as source:
            size = os.fstat(descriptor).st_size
            self._header({"type": "file", "name": name, "size": size})
            left = size
            while left:
                block = source.read(min(COPY_BLOCK, left))
                if not block:
                    raise OSError(f"{path} shrank while it was sent")
                self._write(block)
                left -= len(block)

    def _header(self, header: dict[str, object]) -> None:
        data = json.dumps(header).encode()
        self._write(struct.pack(">I", len(data)) + data)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._out.write(view) :]


def end_with_input() -> None:
    """End this process, and with it the container, once standard input closes.

    The other end closes it when it has what it wants, and the kernel does when the other end
    dies by whatever signal: no container outlives the program that started it.
    """

    def watch() -> None:
        while sys.stdin.buffer.read(COPY_BLOCK):
            pass
        # On the local engine there is no container to end: the agent leads its process group.
        if os.getpid() == 1:
            os._exit(0)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def out_of_memory_kills() -> int:
    """How often the kernel has killed a process of this container for memory.

    A compiler killed this way can be hidden behind an exit status of 0, so the count is asked
    of the control group itself (version 2, then 1). 0 where it cannot be read.
    """
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path, encoding="ascii") as lines:
                for line in lines:
                    key, _, value = line.partition(" ")
                    if key == "oom_kill":
                        return int(value)
        except (OSError, ValueError):
            continue
    return 0
