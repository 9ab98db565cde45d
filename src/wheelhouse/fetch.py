"""Downloads: hash-checked, retried, into the store.

Taken over from the environment: proxies, the CA bundle (``SSL_CERT_FILE``,
``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE``, ``PIP_CERT``) or the folder of CAs (``SSL_CERT_DIR``),
and what :mod:`wheelhouse.credentials` reads. Nothing else is.
"""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wheelhouse.credentials import Credentials
from wheelhouse.errors import FetchError
from wheelhouse.fetcherrors import ca_bundle, downgraded, redacted, refused, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import requests
    from urllib3 import BaseHTTPResponse

    from wheelhouse.store import Store

#: Tries for a file whose transfer broke in the middle.
ATTEMPTS = 4

#: Seconds: to connect, between two reads, and in all for one file.
CONNECT, READ, TOTAL = 15.0, 60.0, 3600.0

CHUNK = 1 << 18

#: Bytes of an index's page, and seconds that it may take: PyPI's longest has 20 million.
PAGE, PAGE_TOTAL = 256 << 20, 300.0

#: Seconds: between two tries at first (doubled each time), and the longest that a server may ask
#: us to wait before the next one.
BACKOFF, PATIENCE = 0.5, 60.0


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
    unless: Callable[[str], bool] = staticmethod(lambda _: False)


class _SentAwayError(Exception):
    """A server redirects to where nobody wants to go."""


class Client:
    """An HTTP client with retries: `requests` with its adapters set.

    Transient answers (429, 500, 502, 503, 504) are tried again with back-off, a ``Retry-After``
    being honoured. One session per thread, as `requests` asks for.

    :param backoff: seconds between the first two tries.
    :param timeout: seconds to connect, and between two reads.
    :param credentials: for whatever asks for some; without, netrc's.
    """

    def __init__(
        self,
        *,
        backoff: float = BACKOFF,
        timeout: tuple[float, float] = (CONNECT, READ),
        credentials: Credentials | None = None,
    ) -> None:
        self.backoff = backoff
        self.credentials = credentials or Credentials()
        self._timeout = timeout
        self._local = _OfThread()

    @property
    def session(self) -> requests.Session:
        """This thread's session."""
        if self._local.session is None:
            self._local.session = self._make()
        return self._local.session

    def _make(self) -> requests.Session:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry

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

        class Patient(Retry):
            """Waits as long as a server asks it to, within reason."""

            def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
                asked = super().get_retry_after(response)
                return None if asked is None else min(asked, PATIENCE)

        retry = Patient(
            total=5,
            connect=2,  # who does not answer at all will hardly do so soon; say so instead
            backoff_factor=self.backoff,
            backoff_max=30,
            backoff_jitter=self.backoff,
            status_forcelist=(429, 500, 502, 503, 504),
            respect_retry_after_header=True,
            raise_on_status=False,
        )
        adapter = HTTPAdapter(max_retries=retry, pool_maxsize=4)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def get(self, url: str, *, byte_range: str = "") -> requests.Response:
        """GET the file at *url*, or the *byte_range* of it, which a server may overlook.

        Its body is still to be read. Raises FetchError for whatever is not an answer with status
        200, 206 or 404.
        """
        # identity: the bytes that are hashed are the bytes of the file
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        return self._good(url, headers | ({"Range": byte_range} if byte_range else {}))

    def _good(self, url: str, headers: dict[str, str]) -> requests.Response:
        answer = self._answer(url, headers)
        tried = "Authorization" in answer.request.headers
        refusal = answer.status_code in {401, 403}
        if refusal and not tried and self.credentials.after_refusal(answer.url):
            answer.close()
            answer = self._answer(url, headers)
        if answer.status_code not in {200, 206, 404}:
            answer.close()
            raise refused(url, answer.status_code, self._advice(answer))
        return answer

    def _answer(self, url: str, headers: dict[str, str]) -> requests.Response:
        import requests

        try:
            return self.session.get(url, stream=True, timeout=self._timeout, headers=headers)
        except (requests.RequestException, OSError) as error:
            raise unreachable(url, error) from error

    def _advice(self, answer: requests.Response) -> str:
        """What to do about credentials that are missing or not accepted."""
        login = self.credentials.of(answer.url)
        if login is None:
            return self.credentials.hint(answer.url)
        return f"correct the credentials of {login.source}, or what they are allowed to read"

    def page(
        self,
        url: str,
        *,
        accept: str = "*/*",
        at_most: int = PAGE,
        total: float = PAGE_TOTAL,
        unless: Callable[[str], bool] = lambda _: False,
    ) -> Page | None:
        """The whole of a small answer, decoded; None if there is nothing at *url*.

        :param at_most: bytes.
        :param total: seconds.
        :param unless: addresses that nothing is asked for: who is sent there has found nothing.
        :raises FetchError: it cannot be had, is longer than that, or takes longer.
        """
        broken = _broken()
        self._local.unless = unless
        try:
            for attempt in range(ATTEMPTS):
                try:
                    return self._page(url, accept, at_most, total)
                except broken as error:
                    if attempt == ATTEMPTS - 1:
                        raise unreachable(url, error) from error
                    time.sleep(self.backoff * 2**attempt)
            raise AssertionError("unreachable")
        except _SentAwayError:
            return None
        finally:
            del self._local.unless

    def _page(self, url: str, accept: str, at_most: int, total: float) -> Page | None:
        with self._good(url, {"Accept": accept}) as answer:
            if answer.status_code == 404:
                return None
            content = b"".join(_bounded(answer, at_most, total))
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Page(url=answer.url, kind=kind, content=content)


def _broken() -> tuple[type[Exception], ...]:
    """What a transfer that breaks off raises."""
    import requests
    from urllib3.exceptions import HTTPError

    return requests.RequestException, HTTPError, OSError


def _bounded(answer: requests.Response, at_most: int, total: float) -> Iterator[bytes]:
    """The body of *answer*, decoded: neither a slow server nor a wordy one is waited for."""
    deadline = time.monotonic() + total
    received = 0
    while chunk := answer.raw.read1(CHUNK, decode_content=True):
        received += len(chunk)
        if received > at_most:
            raise FetchError(
                f"{redacted(answer.url)} has more than {at_most >> 20} MiB",
                hint="find out what is served there: no page of an index is as long",
            )
        if time.monotonic() > deadline:
            raise FetchError(
                f"{redacted(answer.url)} did not arrive within {total:.0f} s",
                hint="check the network, then run the command again",
            )
        yield chunk


def _has_tls(url: str) -> bool:
    return url.lower().startswith("https:")


def _sign(request: requests.PreparedRequest, credentials: Credentials) -> requests.PreparedRequest:
    """Give *request* the credentials of its own address, if there are any."""
    login = credentials.of(str(request.url))
    if login is not None:
        pair = base64.b64encode(f"{login.username}:{login.password}".encode())
        request.headers["Authorization"] = f"Basic {pair.decode()}"
    return request


class Elsewhere(Protocol):
    """Gives what is not to be had by HTTP."""

    def __call__(self, location: str) -> Iterator[bytes]:
        """The bytes of the archive at *location*: a file, or a folder or repository packed.

        :raises FetchError: it cannot be had.
        """


class Fetcher:
    """Files from wherever they are into the store.

    :param check: called now and then during a transfer; raises to stop it.
    :param total: seconds that one file may take.
    :param elsewhere: gives what has neither an http nor an https URL.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        check: Callable[[], None],
        *,
        total: float = TOTAL,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.client = client
        self.store = store
        self._check = check
        self._total = total
        self._elsewhere = elsewhere
        self._firsts: dict[str, str] = {}

    def first(self, url: str) -> str:
        """The SHA-256 of what is at *url*, which nobody has said beforehand; the store has it then.

        What it is once, it is for this object's life.

        :raises FetchError: it cannot be had.
        """
        if url not in self._firsts:
            found = self._retried(url, lambda: self.store.add(self._chunks(url, None)))
            return self._firsts.setdefault(url, found)
        return self._firsts[url]

    def fetch(self, url: str, sha256: str) -> Path:
        """The verified file with this hash, from the store or from *url*.

        :raises FetchError: it cannot be had, or what comes has another hash (after one fresh try).
        """
        found = self.store.verified(sha256) or self._download(url, sha256, None)
        assert found is not None
        return found

    def fetch_small(self, url: str, sha256: str, at_most: int) -> Path | None:
        """As :meth:`fetch`, but None if the file has more than *at_most* bytes."""
        return self.store.verified(sha256) or self._download(url, sha256, at_most)

    def _download(self, url: str, sha256: str, at_most: int | None) -> Path | None:
        def once() -> str:
            return self.store.add(self._chunks(url, at_most), expected=sha256)

        try:
            try:
                self._retried(url, once)
            except ValueError:
                self._retried(url, once)
        except _TooBigError:
            return None
        except ValueError as error:
            raise self._other_hash(url, sha256, str(error)) from None
        return self.store.blob(sha256)

    def _retried(self, url: str, transfer: Callable[[], str]) -> str:
        for attempt in range(ATTEMPTS):
            try:
                return transfer()
            except _BrokenTransferError as error:
                if attempt == ATTEMPTS - 1:
                    raise FetchError(
                        f"the download of {redacted(url)} broke {ATTEMPTS} times: {error}",
                        hint="check the network, then run the command again",
                    ) from error
                time.sleep(self.client.backoff * 2**attempt)
        raise AssertionError("unreachable")

    @staticmethod
    def _other_hash(url: str, expected: str, found: str) -> FetchError:
        return FetchError(
            f"{redacted(url)} has changed: its SHA-256 is {found[:16]}…, not {expected[:16]}…",
            hint="find out why; only if the change is right, lock again: `wheelhouse lock`",
            kind="changed",
        )

    def _chunks(self, url: str, at_most: int | None) -> Iterator[bytes]:
        import requests
        from urllib3.exceptions import HTTPError

        if self._elsewhere is not None and not url.startswith(("https://", "http://")):
            yield from self._elsewhere(url)
            return
        answer = self.client.get(url)
        with answer:
            if answer.status_code == 404:
                raise FetchError(
                    f"{redacted(url)} is not there (404)",
                    hint="lock again: `wheelhouse lock`",
                    kind="gone",
                )
            try:
                yield from self._body(answer, at_most)
            except (requests.RequestException, HTTPError, OSError) as error:
                raise _BrokenTransferError(type(error).__name__) from error

    def _body(self, answer: requests.Response, at_most: int | None) -> Iterator[bytes]:
        """The file's bytes as they come: neither a slow server nor a wordy one is waited for."""
        length = answer.headers.get("Content-Length", "")
        expected = int(length) if length.isdecimal() else None
        if at_most is not None and expected is not None and expected > at_most:
            raise _TooBigError
        deadline = time.monotonic() + self._total
        received = 0
        # as sent: a .tar.gz that a server declares to be an encoding of something is still a file
        while chunk := answer.raw.read1(CHUNK, decode_content=False):
            self._check()
            received += len(chunk)
            if at_most is not None and received > at_most:
                raise _TooBigError
            yield chunk
            if time.monotonic() > deadline:
                raise FetchError(
                    f"{redacted(answer.url)} did not arrive within {self._total:.0f} s",
                    hint="check the network, then run the command again",
                )
        if expected is not None and received != expected:
            raise _BrokenTransferError(f"{received:,} of {expected:,} bytes came")


class _TooBigError(Exception):
    """The file has more bytes than were asked for."""


class _BrokenTransferError(Exception):
    """The transfer ended early; worth another try."""
