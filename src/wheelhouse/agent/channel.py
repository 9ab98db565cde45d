"""The agent's side of the pipes: messages and files out, the log apart.

Frames on standard output: a four-byte big-endian length, a JSON header of that length, then as
many bytes as the header's ``size`` says. :mod:`wheelhouse.engine.session` reads them.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import threading

COPY_BLOCK = 1 << 20


class Channel:
    """Owns the real standard output; everything else that prints goes to the log.

    Its methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._out = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)  # package code that prints must not be able to break a frame by accident

    def message(self, header: dict[str, object]) -> None:
        """Send a message without a body."""
        with self._lock:
            self._header({**header, "size": 0})

    def file(self, name: str, path: str) -> None:
        """Send the regular file at *path*, never following a link.

        Raises OSError if it is anything else, so that a link or a device that package code left
        in place of its result is not read.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as source, self._lock:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(f"{path} is no regular file")
            size = found.st_size
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
