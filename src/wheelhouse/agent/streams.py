"""A file that may be packed, unpacked as it is read, and never more of it than bounds allow."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes that are taken from the file, or given, at once.
CHUNK = 1 << 20

#: How far anything unpacks: bytes in all, and times its packed size, looked at from some bytes on.
MAX_BYTES = 8 << 30
RATIO = 200
RATIO_FROM = 64 << 20

#: Bytes of memory for unpacking xz; its highest usual level takes 65 MiB.
XZ_MEMORY = 256 << 20


class ArchiveProblem(Exception):  # noqa: N818  (told as what is wrong with one archive)
    """The archive is broken, has two readings, or exceeds a bound; the message says how."""


def bound(unpacked: int, packed: int) -> None:
    """Whether something of *packed* bytes may unpack to *unpacked* ones.

    :raises ArchiveProblem: it may not.
    """
    if unpacked > MAX_BYTES:
        raise ArchiveProblem(f"it unpacks to more than {MAX_BYTES >> 30} GiB")
    if unpacked > RATIO_FROM and unpacked > RATIO * packed:
        raise ArchiveProblem(f"it unpacks to more than {RATIO} times its size")


class Unpacked:
    """What *file*, of *size* bytes, is once unpacked: of gzip, bzip2 or xz, or as it is.

    :ivar position: bytes given so far.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.position = 0
        self._file = file
        self._size = size
        start = file.read(6)
        file.seek(0)
        self._new = _packing(start)
        self._decoder = self._new() if self._new else None
        self._ready = b""

    def read(self, size: int) -> bytes:
        """Exactly *size* bytes, which is a small number.

        :raises ArchiveProblem: there are no more, or they cannot be had.
        """
        pieces = []
        while size:
            piece = self.some(size)
            if not piece:
                raise ArchiveProblem("it is cut short")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def some(self, at_most: int) -> bytes:
        """The next bytes: at least one, unless there are no more.

        :raises ArchiveProblem: they cannot be had.
        """
        if not self._ready:
            try:
                self._ready = self._next()
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                raise ArchiveProblem(f"its packed data is damaged: {error}") from error
        piece, self._ready = self._ready[:at_most], self._ready[at_most:]
        self.position += len(piece)
        bound(self.position, self._size)
        return piece

    def _next(self) -> bytes:
        if self._decoder is None:
            return self._file.read(CHUNK)
        while True:
            if self._decoder.eof:
                data = self._another_stream(self._decoder.unused_data)
                if not data:
                    return b""
            elif self._decoder.needs_input:
                data = self._file.read(CHUNK)
                if not data:
                    raise ArchiveProblem("its packed data is cut short")
            else:
                data = b""
            piece = self._decoder.decompress(data, CHUNK)
            if piece:
                return piece

    def _another_stream(self, data: bytes) -> bytes:
        """The beginning of a further stream, for which the decoder is new then; or nothing.

        Programs that pack in parallel write several. Of gzip, some readers see only the first.
        """
        while not (data := data.lstrip(b"\0")):
            data = self._file.read(CHUNK)
            if not data:
                return b""
        if self._new is None or self._new is _Gzip or _packing(data) is not self._new:
            raise ArchiveProblem("something follows its packed data")
        self._decoder = self._new()
        return data


class _Gzip:
    """One member of a gzip file, with the interface of the other two."""

    def __init__(self) -> None:
        self.needs_input = True
        self._decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._tail = b""

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """As :meth:`bz2.BZ2Decompressor.decompress`."""
        piece = self._decoder.decompress(self._tail + data, max_length)
        self._tail = self._decoder.unconsumed_tail
        # What has gone in as a whole may not have come out yet.
        self.needs_input = not self._tail and len(piece) < max_length
        return piece


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


_PACKINGS: dict[bytes, Callable[[], _Gzip | bz2.BZ2Decompressor | lzma.LZMADecompressor]] = {
    b"\x1f\x8b": _Gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\0": _xz,
}


def _packing(
    start: bytes,
) -> Callable[[], _Gzip | bz2.BZ2Decompressor | lzma.LZMADecompressor] | None:
    """What makes the decoder for data that begins with *start*; None if it is not packed."""
    return next((new for magic, new in _PACKINGS.items() if start.startswith(magic)), None)
