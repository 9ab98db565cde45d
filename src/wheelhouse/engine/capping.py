"""At most so much of a log: its beginning, and its end, where causes stand."""

from __future__ import annotations

from wheelhouse.text import exact_size, human_size

#: Bytes of the end that are kept, of a limit that is large enough.
END = 256 * 1024

#: How lines begin that are not the job's own.
OURS = "wheelhouse: "


class Capped:
    """Takes a log as it comes, and lets *limit* bytes of it through.

    What is left out lies between the beginning and the end.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._end = min(END, limit // 4)
        self._head = limit - self._end
        self._passed = 0
        self._dropped = 0
        self._tail = bytearray()

    def take(self, data: bytes) -> bytes:
        """Of *data*, what goes through at once."""
        now, rest = data[: self._head - self._passed], data[self._head - self._passed :]
        self._passed += len(now)
        self._tail += rest
        if len(self._tail) > 2 * self._end:  # not each time: moving bytes costs
            self._drop()
        return now

    def _drop(self) -> None:
        excess = max(0, len(self._tail) - self._end)
        del self._tail[:excess]
        self._dropped += excess

    def rest(self) -> bytes:
        """What goes through once it is over: the end, with a word on what is left out."""
        self._drop()
        if not self._dropped:
            return bytes(self._tail)
        told = (
            f"{OURS}{human_size(self._dropped)} of this log are left out {{}}: it has more than "
            f"`output` under [limits] in wheelhouse.toml allows, which is {exact_size(self._limit)}"
        )
        here, above = told.format("here").encode(), told.format("above").encode()
        end = bytes(self._tail).removesuffix(b"\n")
        return b"\n".join((b"", here, end, above, b""))
