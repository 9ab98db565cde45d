"""One file on its way from a server, over as many connections as it takes.

A transfer that broke off goes on from there (RFC 9110, 14). Whether the rest belongs to the
beginning, the server is asked with what it has called the file (``If-Range``); what it answers is
believed only as far as the hash of the whole will tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelhouse.durable import check_room
from wheelhouse.errors import FetchError
from wheelhouse.fetch.client import AS_IT_IS
from wheelhouse.fetcherrors import Trouble, redacted

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from wheelhouse.fetch.client import Client
    from wheelhouse.fetch.patience import Deadline
    from wheelhouse.partials import Partial

#: Bytes of the longest file that is taken from where nobody says how long it is.
LONGEST = 32 << 30

#: Bytes in one try that are worth as many tries again.
WORTH = 1 << 20

#: A name for exactly these bytes (RFC 9110, 8.8.3); a weak one is for any that mean the same.
STRONG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')

_PLACE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")

_AGAIN = "run the command again"


class TooBigError(Exception):
    """The file has more bytes than were asked for."""


class OtherFileError(Exception):
    """What the server has is another file than was asked for, by its length."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A file to be had.

    :ivar sha256: None if nobody knows; then a beginning counts only with a name for its bytes.
    :ivar size: its bytes, if the lock or its index says so.
    :ivar at_most: bytes, more than which nobody wants.
    :ivar progress: told how many bytes there are, and of how many, if that is known.
    """

    url: str
    sha256: str | None = None
    size: int | None = None
    at_most: int | None = None
    progress: Callable[[int, int | None], None] = lambda done, total: None


class Transfer:
    """Brings what is *wanted* into a partial file.

    :ivar kind: the content type of what came.
    """

    def __init__(self, client: Client, wanted: Wanted, partial: Partial) -> None:
        self._client = client
        self._wanted = wanted
        self._partial = partial
        self._name = ""
        self._in_parts = True
        self.kind = ""

    def run(self, deadline: Deadline) -> None:
        """Bring all of it. What came is not held against a hash.

        :raises FetchError: it cannot be had.
        :raises StorageError: there is no room for it.
        :raises TooBigError: it is longer than asked for.
        :raises OtherFileError: it is not as long as it should be.
        """
        self._client.persist(self._wanted.url, deadline, lambda: self._once(deadline))

    def _once(self, deadline: Deadline) -> None:
        begun = self._partial.size
        try:
            with self._client.ask(self._wanted.url, self._headers()) as answer:
                self._take(answer, deadline)
        except Trouble as trouble:
            trouble.went_on = self._partial.size >= begun + WORTH
            raise

    def _headers(self) -> dict[str, str]:
        if self._partial.size and not (self._in_parts and (self._wanted.sha256 or self._name)):
            self._partial.restart()
        if not self._partial.size:
            return AS_IT_IS
        condition = {"If-Range": self._name} if self._name else {}
        return {**AS_IT_IS, "Range": f"bytes={self._partial.size}-", **condition}

    def _take(self, answer: requests.Response, deadline: Deadline) -> None:
        total = self._total(answer)
        self._check_length(total)
        if total is not None:
            check_room(self._partial.path.parent, total - self._partial.size)
            deadline.allow(self._client.patience.file, total)
        tag = answer.headers.get("ETag", "")
        self._name = tag if STRONG.fullmatch(tag) else ""
        self.kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        # as sent: a .tar.gz that a server declares to be an encoding of something is still a file
        for piece in self._client.body(answer, deadline, decode=False):
            self._check_length(self._partial.size + len(piece), total)
            self._partial.append(piece)
            self._wanted.progress(self._partial.size, self._wanted.size or total)
        if total is not None and self._partial.size < total:
            raise self._trouble(f"broke off: {self._partial.size:,} of {total:,} bytes came")

    def _total(self, answer: requests.Response) -> int | None:
        """The bytes of the whole file, as *answer* tells, whose body the partial file lacks."""
        if answer.status_code == 404:
            raise FetchError(
                f"{redacted(self._wanted.url)} is not there (404)",
                hint="lock again: `wheelhouse lock`",
                kind="gone",
            )
        if answer.status_code == 416:
            self._partial.restart()
            raise self._trouble("has no more than came already, which is not the file")
        length = answer.headers.get("Content-Length", "")
        announced = int(length) if re.fullmatch("[0-9]{1,18}", length) else None
        if answer.status_code == 200:
            self._partial.restart()
            return announced
        return self._end(answer.headers.get("Content-Range", ""), announced)

    def _end(self, place: str, announced: int | None) -> int:
        """The same, of an answer that has the part at *place*, with *announced* bytes."""
        found = _PLACE.fullmatch(place.strip())
        first, last = (int(found[1]), int(found[2])) if found else (-1, -1)
        total = int(found[3]) if found and found[3] != "*" else last + 1
        fits = first == self._partial.size and announced in {None, last - first + 1}
        if not fits or not first <= last < total:
            self._in_parts = False
            raise self._trouble("sends another part than was asked for")
        return total

    def _check_length(self, size: int | None, announced: int | None = None) -> None:
        """Raise unless a file of *size* bytes may be the one that is wanted."""
        if size is None:
            return
        wanted = self._wanted
        if wanted.at_most is not None and size > wanted.at_most:
            raise TooBigError
        if wanted.size is not None and size > wanted.size:
            raise OtherFileError(f"it has more than {wanted.size:,} bytes")
        if size > (LONGEST if announced is None else announced):
            raise OtherFileError(f"more comes than the {announced or LONGEST:,} bytes of it")

    def _trouble(self, clause: str) -> Trouble:
        return Trouble(redacted(self._wanted.url), clause, _AGAIN)
