"""An HTTP client: who asks, how often, with which credentials."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

from wheelhouse.credentials import Credentials
from wheelhouse.errors import FetchError
from wheelhouse.fetch.patience import Deadline, Patience, Tries, asked_wait
from wheelhouse.fetcherrors import (
    UNANSWERED,
    Trouble,
    ca_bundle,
    downgraded,
    redacted,
    refusal,
    trouble_of,
)
from wheelhouse.text import human_duration, human_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import requests

    from wheelhouse.fetch.connections import Wire

T = TypeVar("T")

CHUNK = 1 << 18

#: Bytes of an index's page: PyPI's longest has 20 million.
PAGE = 256 << 20

#: Bytes in a second, below which a transfer is not waited for.
CRAWL = 100

#: The answers that are not a server's refusal: all of it, nothing; a part, no such part.
_USABLE, _OF_PARTS = (200, 404), (206, 416)

#: What the bytes of a file are asked for with: as it is, for that is what is hashed.
AS_IT_IS = {"Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A small answer, read.

    :ivar url: where it came from in the end, after redirects.
    :ivar kind: its content type, without parameters, in lower case; may be empty.
    """

    url: str
    kind: str
    content: bytes


class _OfThread(threading.local):
    """What a thread has for itself.

    :ivar unless: whether its present request is not to be redirected to an address.
    """

    session: requests.Session | None = None
    wire: Wire
    unless: Callable[[str], bool] = staticmethod(lambda _: False)


class _SentAwayError(Exception):
    """A server redirects to where nobody wants to go."""


class Client:
    """Asks servers; one session per thread, as `requests` asks for.

    What may pass is tried again, with growing pauses in between, or after the time that the server
    asks for, until a deadline. See :mod:`wheelhouse.fetch.patience`.

    :param patience: how long servers are waited for; else as the environment says.
    :param credentials: for whatever asks for some; without, netrc's.
    :param check: called now and then; raises to stop whatever is going on.
    """

    def __init__(
        self,
        *,
        patience: Patience | None = None,
        credentials: Credentials | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.patience = patience or Patience.of_environment()
        self.credentials = credentials or Credentials()
        self.check = check
        self._local = _OfThread()
        self._wires: WeakSet[Wire] = WeakSet()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End whatever is waited for, in every thread; *check* has to raise from now on."""
        with self._lock:
            wires = list(self._wires)
        for wire in wires:
            wire.end()

    # -- one request ---------------------------------------------------------------------------

    @property
    def session(self) -> requests.Session:
        """This thread's session."""
        if self._local.session is None:
            from wheelhouse.fetch.connections import Wire

            wire = Wire(self.check)
            with self._lock:
                self._wires.add(wire)
            self._local.wire, self._local.session = wire, self._make(wire)
        return self._local.session

    def _make(self, wire: Wire) -> requests.Session:
        import requests

        from wheelhouse import __version__

        credentials, local = self.credentials, self._local

        class Careful(requests.Session):
            """Looks at each address that a server redirects to before it is asked for anything."""

            def rebuild_auth(
                self, prepared_request: requests.PreparedRequest, response: requests.Response
            ) -> None:
                there, here = str(prepared_request.url), response.url
                if _has_tls(here) and not _has_tls(there):
                    raise downgraded(here, there)
                if local.unless(there):
                    raise _SentAwayError
                prepared_request.headers.pop("Authorization", None)
                _sign(prepared_request, credentials)

        session = Careful()
        session.verify = ca_bundle()
        session.headers["User-Agent"] = f"wheelhouse/{__version__}"
        session.auth = lambda request: _sign(request, credentials)
        adapter = wire.adapter()
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def ask(
        self,
        url: str,
        headers: Mapping[str, str],
        document: bytes | None = None,
        *,
        method: str = "GET",
    ) -> requests.Response:
        """One request for *url*; the body of its answer is still to be read.

        :param document: a question in JSON, which is posted, whatever the *method*.
        :returns: an answer with status 200 or 404; where a ``Range`` is asked for, 206 or 416 too.
        :raises Trouble: this try has failed.
        :raises FetchError: others need not be made.
        """
        answer = self._answer(url, headers, document, method)
        tried = "Authorization" in answer.request.headers
        unwelcome = answer.status_code in {401, 403}
        if unwelcome and not tried and self.credentials.after_refusal(answer.url):
            answer.close()
            answer = self._answer(url, headers, document, method)
        if answer.status_code not in ((*_USABLE, *_OF_PARTS) if "Range" in headers else _USABLE):
            answer.close()
            raise refusal(
                *(url, answer.status_code, answer.reason or "", self._advice(answer)),
                asked=asked_wait(answer.headers),
            )
        return answer

    def _answer(
        self, url: str, headers: Mapping[str, str], document: bytes | None, method: str
    ) -> requests.Response:
        import requests

        times = (self.patience.connect, self.patience.silence)
        try:
            if document is None:
                return self.session.request(
                    method, url, stream=True, timeout=times, headers=headers
                )
            headers = {**headers, "Content-Type": "application/json"}
            return self.session.post(
                url, data=document, stream=True, timeout=times, headers=headers
            )
        except (requests.RequestException, OSError) as error:
            raise self.trouble(url, error) from error

    def trouble(self, url: str, error: Exception) -> Trouble:
        """What *error* of a request for *url* means."""
        patience = self.patience
        return trouble_of(url, error, connect=patience.connect, silence=patience.silence)

    def _advice(self, answer: requests.Response) -> str:
        """What to do about credentials that are missing or not accepted."""
        login = self.credentials.of(answer.url)
        if login is None:
            return self.credentials.hint(answer.url)
        return f"correct the credentials of {login.source}, or what they are allowed to read"

    def body(
        self, answer: requests.Response, deadline: Deadline, *, decode: bool
    ) -> Iterator[bytes]:
        """The body of *answer* in pieces as they come, waiting for no server that crawls.

        :param decode: whether to undo its encoding.
        :raises Trouble: it broke off.
        """
        import requests
        from urllib3.exceptions import HTTPError

        pace = _Pace(answer.url, self.patience.window)
        while True:
            try:
                piece = answer.raw.read1(CHUNK, decode_content=decode)
            except (requests.RequestException, HTTPError, OSError) as error:
                raise self.trouble(answer.url, error) from error
            self.check()
            if deadline.passed:  # its end may be that of the connection, which was cut
                raise Trouble(redacted(answer.url), "was still sending", "")
            if not piece:
                return
            yield piece
            pace.came(len(piece))

    # -- as many as it takes ---------------------------------------------------------------------

    def persist(self, url: str, deadline: Deadline, once: Callable[[], T]) -> T:
        """The result of *once*, which asks *url*, in the first try that succeeds.

        :raises FetchError: none has, and what the last one has met with.
        """
        tries = Tries(url, self.patience, deadline, self.check)
        _ = self.session
        with self._local.wire.until(deadline):
            while True:
                self.check()
                try:
                    return once()
                except Trouble as trouble:
                    tries.after(trouble)

    def page(
        self,
        url: str,
        *,
        accept: str = "*/*",
        at_most: int = PAGE,
        total: float | None = None,
        unless: Callable[[str], bool] = lambda _: False,
        document: bytes | None = None,
    ) -> Page | None:
        """The whole of a small answer, decoded; None if there is nothing at *url*.

        :param at_most: bytes.
        :param total: seconds, if not as many as this client's patience has for a page.
        :param unless: addresses that nothing is asked for: who is sent there has found nothing.
        :param document: a question in JSON, which is posted.
        :raises FetchError: it cannot be had, is longer than that, or takes longer.
        """
        deadline = Deadline(self.patience.page if total is None else total)
        self._local.unless = unless

        def once() -> Page | None:
            return self._page(url, accept, at_most, deadline, document)

        try:
            return self.persist(url, deadline, once)
        except _SentAwayError:
            return None
        finally:
            del self._local.unless

    def _page(
        self, url: str, accept: str, at_most: int, deadline: Deadline, document: bytes | None
    ) -> Page | None:
        with self.ask(url, {"Accept": accept}, document) as answer:
            if answer.status_code == 404:
                return None
            content = self._content(answer, deadline, at_most, decode=True)
        if content is None:
            raise FetchError(
                f"{redacted(answer.url)} has more than {at_most >> 20} MiB",
                hint="find out what is served there: no page of an index is as long",
            )
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Page(url=answer.url, kind=kind, content=content)

    def part(self, url: str, byte_range: str, *, at_most: int = PAGE) -> tuple[bytes, str] | None:
        """The *byte_range* of the file at *url*, and its ``Content-Range``.

        :returns: None if there are no parts of it to be had, or none of *at_most* bytes.
        :raises FetchError: it cannot be had at all.
        """
        deadline = Deadline(self.patience.page)
        return self.persist(url, deadline, lambda: self._part(url, byte_range, at_most, deadline))

    def _part(
        self, url: str, byte_range: str, at_most: int, deadline: Deadline
    ) -> tuple[bytes, str] | None:
        with self.ask(url, {**AS_IT_IS, "Range": byte_range}) as answer:
            place = answer.headers.get("Content-Range")
            if answer.status_code != 206 or place is None:
                return None
            content = self._content(answer, deadline, at_most, decode=False)
        return None if content is None else (content, place)

    def _content(
        self, answer: requests.Response, deadline: Deadline, at_most: int, *, decode: bool
    ) -> bytes | None:
        """The body of *answer*; None if it has more than *at_most* bytes."""
        content = bytearray()
        for piece in self.body(answer, deadline, decode=decode):
            content += piece
            if len(content) > at_most:
                return None
        return bytes(content)


class _Pace:
    """Watches the speed of a transfer from *url*, over *window* seconds at a time."""

    def __init__(self, url: str, window: float) -> None:
        self._url = url
        self._window = window
        self._since = time.monotonic()
        self._bytes = 0

    def came(self, size: int) -> None:
        """Take note of *size* bytes. Raises Trouble if they are too few for the time."""
        self._bytes += size
        seconds = time.monotonic() - self._since
        if seconds < self._window:
            return
        speed = self._bytes / seconds
        if speed < CRAWL:
            clause = f"sends {human_size(round(speed))} in a second, for {human_duration(seconds)}"
            hint = "check the network, then run the command again"
            raise Trouble(redacted(self._url), clause, hint, most=UNANSWERED)
        self._since, self._bytes = time.monotonic(), 0


def _has_tls(url: str) -> bool:
    return url.lower().startswith("https:")


def _sign(request: requests.PreparedRequest, credentials: Credentials) -> requests.PreparedRequest:
    """Give *request* the credentials of its own address, if there are any."""
    login = credentials.of(str(request.url))
    if login is not None:
        pair = base64.b64encode(f"{login.username}:{login.password}".encode())
        request.headers["Authorization"] = f"Basic {pair.decode()}"
    return request
