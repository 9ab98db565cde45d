"""What comes out of a container: frames on standard output, of which nothing is trusted.

Their form is described in ``agent/channel.py``.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_HEADER = 64 << 20

MAX_NAME = 255

DeathCause = Literal[
    "memory",
    "machine-memory",
    "deadline",
    "crowded",
    "output",
    "engine",
    "killed",
    "outside",
    "protocol",
]


class JobDiedError(Exception):
    """The container ended without an answer.

    :ivar wanted: what its job had looked for on a network.
    """

    def __init__(self, cause: DeathCause, message: str, wanted: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.wanted = wanted


class ProtocolError(JobDiedError):
    """What came from the container is no frame."""

    def __init__(self, message: str) -> None:
        super().__init__("protocol", message)


@dataclass(slots=True)
class FrameReader:
    """Reassembles frames from chunks; writes the bodies of files into a folder.

    :ivar folder: where; None where no file is expected.
    :ivar answer: the final message, once it came; nothing is read after it.
    :ivar files: the files so far, by name.
    """

    folder: Path | None
    max_bytes: int
    answer: dict[str, Any] | None = None
    files: dict[str, Path] = field(default_factory=dict)
    _buffer: bytearray = field(default_factory=bytearray)
    _start: int = 0
    _body: BinaryIO | None = None
    _left: int = 0

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Take *data*; yield each message that it completes. Raises JobDiedError."""
        self._buffer += data
        while self.answer is None and self._take_body():
            header = self._header()
            if header is None:
                break
            if header["type"] == "file":
                self._open(header)
                continue
            if header["type"] in {"result", "failed"}:
                self.answer = header
            yield header
        del self._buffer[: self._start]
        self._start = 0

    def _header(self) -> dict[str, Any] | None:
        begin = self._start + 4
        if len(self._buffer) < begin:
            return None
        (length,) = struct.unpack_from(">I", self._buffer, self._start)
        if length > MAX_HEADER:
            raise ProtocolError("its answer is not in the agent's form")
        if len(self._buffer) < begin + length:
            return None
        try:
            header = json.loads(self._buffer[begin : begin + length])
        except (ValueError, RecursionError):
            raise ProtocolError("its answer is not in the agent's form") from None
        if not isinstance(header, dict) or not isinstance(header.get("type"), str):
            raise ProtocolError("its answer is not in the agent's form")
        self._start = begin + length
        return header

    def _open(self, header: Mapping[str, Any]) -> None:
        name, size = header.get("name"), header.get("size")
        if not isinstance(name, str) or type(size) is not int or size < 0:
            raise ProtocolError("its answer is not in the agent's form")
        if not _is_file_name(name) or name in self.files:
            raise ProtocolError(f"it sent a file by the name {name[:300]!r}")
        if size > self.max_bytes:
            raise JobDiedError(
                "output", f"{name} has {size:,} bytes, more than the limit of {self.max_bytes:,}"
            )
        if self.folder is None:
            raise ProtocolError(f"it sent the file {name}, which nobody asked for")
        self.max_bytes -= size
        path = self.folder / name
        self.files[name] = path
        self._body, self._left = path.open("xb"), size
        if not size:
            self.close()

    def _take_body(self) -> bool:
        """Write what has come of the present file; whether a header is next."""
        if self._body is None:
            return True
        end = self._start + self._left
        with memoryview(self._buffer) as view, view[self._start : end] as part:
            self._body.write(part)
            self._left -= len(part)
            self._start += len(part)
        if self._left:
            return False
        self.close()
        return True

    def close(self) -> None:
        """Close the file that is being written, if one is."""
        if self._body is not None:
            self._body.close()
            self._body = None


def _is_file_name(name: str) -> bool:
    """Whether *name* is a file's name on every disk, and not a path."""
    printable = name.isprintable() and "/" not in name and name not in {"", ".", ".."}
    return printable and len(name.encode()) <= MAX_NAME
