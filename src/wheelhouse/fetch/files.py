"""Files from wherever they are into the store, each held against its hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from wheelhouse.errors import FetchError
from wheelhouse.fetch.lengths import Lengths
from wheelhouse.fetch.patience import PACE, Deadline
from wheelhouse.fetch.transfer import OtherFileError, TooBigError, Transfer, Wanted
from wheelhouse.fetcherrors import ChangedError, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wheelhouse.fetch.client import Client
    from wheelhouse.partials import Partial
    from wheelhouse.store import Store

SERVERS = ("https://", "http://")


class Progress(Protocol):
    """Is told how far a download is."""

    def __call__(self, done: int, total: int | None, /) -> None:
        """*done* bytes have come, of *total*, if that is known. Called often; never raises."""


class Elsewhere(Protocol):
    """Gives what is not to be had by HTTP."""

    def __call__(self, location: str) -> Iterator[bytes]:
        """The bytes of the archive at *location*: a file, or a folder or repository packed.

        :raises FetchError: it cannot be had.
        """


class Fetcher:
    """Files from wherever they are into the store.

    What has come of one stays in the store, whatever ends the run, and is gone on from. Of two runs
    that want the same file, one waits for the other.

    :param check: called now and then; raises to stop whatever is going on.
    :param elsewhere: gives what has neither an http nor an https URL.
    :ivar lengths: of files, before they are fetched.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        check: Callable[[], None],
        *,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.client = client
        self.store = store
        self.lengths = Lengths(client)
        self._check = check
        self._elsewhere = elsewhere
        self._firsts: dict[str, str] = {}

    def first(self, url: str) -> str:
        """The SHA-256 of what is at *url*, which nobody has said beforehand; the store has it then.

        What it is once, it is for this object's life.

        :raises FetchError: it cannot be had.
        """
        if url not in self._firsts:
            return self._firsts.setdefault(url, self._first(url))
        return self._firsts[url]

    def _first(self, url: str) -> str:
        if not self._by_http(url):
            assert self._elsewhere is not None
            return self.store.add(self._elsewhere(url))
        with self.store.nameless() as partial:
            transfer = Transfer(self.client, Wanted(url=url), partial)
            try:
                transfer.run(self._deadline(None))
            except OtherFileError as error:
                raise FetchError(
                    f"{redacted(url)} is no file that can be used: {error}",
                    hint="correct the address, or tell whoever runs its server",
                ) from None
            return self.store.complete(partial)

    def fetch(
        self,
        url: str,
        sha256: str,
        *,
        size: int | None = None,
        progress: Progress = lambda done, total: None,
    ) -> Path:
        """The verified file with this hash, from the store or from *url*.

        :param size: its bytes, if they are known: no more are taken.
        :raises FetchError: it cannot be had, or what comes has another hash (after one fresh try).
        """
        wanted = Wanted(url=url, sha256=sha256, size=size, progress=progress)
        found = self.store.verified(sha256) or self._had(wanted, sha256)
        assert found is not None
        return found

    def fetch_small(
        self, url: str, sha256: str, at_most: int, *, size: int | None = None
    ) -> Path | None:
        """As :meth:`fetch`, but None if the file has more than *at_most* bytes."""
        found = self.store.verified(sha256)
        if found is None and (size is None or size <= at_most):
            wanted = Wanted(url=url, sha256=sha256, size=size, at_most=at_most)
            return self._had(wanted, sha256)
        return found

    def _had(self, wanted: Wanted, sha256: str) -> Path | None:
        if not self._by_http(wanted.url):
            return self._from_elsewhere(wanted.url, sha256)
        with self.store.partial(sha256, self._check) as partial:
            # Who had the partial file before may have completed it.
            if self.store.has(sha256) and (found := self.store.verified(sha256)):
                return found
            try:
                self._fill(wanted, partial)
            except TooBigError:
                return None
            return self.store.blob(self.store.complete(partial))

    def _fill(self, wanted: Wanted, partial: Partial) -> None:
        """Bring *partial* to have the hash of what is *wanted*, with one fresh try."""
        if partial.size and partial.sha256 == wanted.sha256:
            return  # all had come when a run was killed
        told = ""
        for _ in range(2):
            transfer = Transfer(self.client, wanted, partial)
            try:
                transfer.run(self._deadline(wanted.size))
                if partial.sha256 == wanted.sha256:
                    return
                told = f"its SHA-256 is {partial.sha256[:16]}…, not {str(wanted.sha256)[:16]}…"
            except OtherFileError as error:
                told = str(error)
            partial.restart()
        raise _other_file(wanted.url, told, transfer.kind)

    def _from_elsewhere(self, url: str, sha256: str) -> Path:
        assert self._elsewhere is not None
        for _ in range(2):
            try:
                return self.store.blob(self.store.add(self._elsewhere(url), expected=sha256))
            except ValueError as error:
                found = str(error)
        told = f"its SHA-256 is {found[:16]}…, not {sha256[:16]}…"
        raise _other_file(url, told, "")

    def _by_http(self, url: str) -> bool:
        return self._elsewhere is None or url.startswith(SERVERS)

    def _deadline(self, size: int | None) -> Deadline:
        return Deadline(self.client.patience.file + (size or 0) / PACE)


def _other_file(url: str, told: str, kind: str) -> ChangedError:
    """The error for what is there in place of a file."""
    if kind.endswith("html"):
        return ChangedError(
            *(url, f"{told}; a web page comes in its place"),
            hint="open it in a browser: it may be a login page of your network",
            is_page=True,
        )
    return ChangedError(
        *(url, told), hint="find out why, then run the command again; nothing was made of it"
    )
