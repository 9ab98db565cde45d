"""Downloads: hash-checked, retried, into the store.

Taken over from the environment: proxies, and the CA bundle (``SSL_CERT_FILE``,
``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE``, ``PIP_CERT``). Nothing else is.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit, urlunsplit

from wheelhouse.errors import FetchError

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

#: Each may name a CA bundle; the first that is set does.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "PIP_CERT")

#: Seconds: between two tries at first (doubled each time), and the longest that a server may ask
#: us to wait before the next one.
BACKOFF, PATIENCE = 0.5, 60.0


def redacted(url: str) -> str:
    """*url* without what may be a password: for messages, logs and manifests."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid address"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="", fragment=""))


def ca_bundle() -> str | bool:
    """The CA bundle that the host's environment names, else the client's own."""
    return next((os.environ[name] for name in CA_VARIABLES if os.environ.get(name)), True)


class Client:
    """An HTTP client with retries: `requests` with its adapters set.

    Transient answers (429, 500, 502, 503, 504) are tried again with back-off, a ``Retry-After``
    being honoured. One session per thread, as `requests` asks for.

    :param backoff: seconds between the first two tries.
    :param timeout: seconds to connect, and between two reads.
    """

    def __init__(
        self, *, backoff: float = BACKOFF, timeout: tuple[float, float] = (CONNECT, READ)
    ) -> None:
        self.backoff = backoff
        self._timeout = timeout
        self._local = threading.local()

    @property
    def session(self) -> requests.Session:
        """This thread's session."""
        if not hasattr(self._local, "session"):
            self._local.session = self._make()
        session: requests.Session = self._local.session
        return session

    def _make(self) -> requests.Session:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry

        from wheelhouse import __version__

        session = requests.Session()
        session.verify = ca_bundle()
        session.headers["User-Agent"] = f"wheelhouse/{__version__}"

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

    def get(
        self, url: str, *, stream: bool = False, accept: str = "*/*", byte_range: str = ""
    ) -> requests.Response:
        """GET *url*, or the *byte_range* of it, which a server may overlook.

        Raises FetchError for whatever is not an answer with status 200, 206 or 404.
        """
        import requests

        # identity: the bytes that are hashed are the bytes of the file
        headers = {"Accept": accept} | ({"Accept-Encoding": "identity"} if stream else {})
        headers |= {"Range": byte_range} if byte_range else {}
        for attempt in range(ATTEMPTS):
            try:
                answer = self.session.get(
                    url, stream=stream, timeout=self._timeout, headers=headers
                )
                break
            except requests.exceptions.ChunkedEncodingError as error:  # it broke off
                if attempt == ATTEMPTS - 1:
                    raise unreachable(url, error) from error
                time.sleep(self.backoff * 2**attempt)
            except (requests.RequestException, OSError) as error:
                raise unreachable(url, error) from error
        objection = _objection(url, answer)
        if objection is not None:
            answer.close()
            raise objection
        return answer


def _objection(url: str, answer: requests.Response) -> FetchError | None:
    """What is wrong with how *url* was answered, if anything is."""
    for step in (*answer.history[1:], answer):
        if url.lower().startswith("https:") and not step.url.lower().startswith("https:"):
            return FetchError(
                f"{redacted(url)} redirects to an address without TLS ({redacted(step.url)})",
                hint="use an index whose files are served over https",
            )
    return None if answer.status_code in {200, 206, 404} else refused(url, answer.status_code)


def unreachable(url: str, error: Exception) -> FetchError:
    """The error for an address from which no answer came."""
    text = str(error)
    host = urlsplit(redacted(url)).hostname
    if "CA certificate bundle" in text:
        return FetchError(
            f"the CA bundle that the environment names is not there: {ca_bundle()}",
            hint="correct " + " or ".join(CA_VARIABLES),
        )
    if "CERTIFICATE_VERIFY_FAILED" in text or "SSLError" in text:
        return FetchError(
            f"{host} shows a certificate that is not trusted",
            hint="set SSL_CERT_FILE to the CA bundle of your network",
        )
    if "NameResolutionError" in text or "Name or service not known" in text:
        return FetchError(
            f"{host} cannot be resolved", hint="check the network, the proxy and the index's URL"
        )
    if "timed out" in text or "Timeout" in text:
        return FetchError(f"{host} does not answer in time ({redacted(url)})", hint="try again")
    why = "connection refused" if "Connection refused" in text else type(error).__name__
    return FetchError(
        f"{redacted(url)} cannot be reached: {why}",
        hint="check the network, the proxy and the index's URL",
    )


def refused(url: str, status: int) -> FetchError:
    """The error for an answer that is neither the file nor "not there"."""
    hints = {
        401: "the index wants credentials: put them into ~/.netrc",
        403: "the index does not let you in: check your credentials in ~/.netrc",
    }
    return FetchError(
        f"{redacted(url)} answers with status {status}", hint=hints.get(status, "try again later")
    )


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

    def first(self, url: str) -> str:
        """The SHA-256 of what is at *url*, which nobody has said beforehand; the store has it then.

        :raises FetchError: it cannot be had.
        """
        return self._retried(url, lambda: self.store.add(self._chunks(url, None)))

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
        )

    def _chunks(self, url: str, at_most: int | None) -> Iterator[bytes]:
        import requests
        from urllib3.exceptions import HTTPError

        if self._elsewhere is not None and not url.startswith(("https://", "http://")):
            yield from self._elsewhere(url)
            return
        answer = self.client.get(url, stream=True)
        with answer:
            if answer.status_code == 404:
                raise FetchError(
                    f"{redacted(url)} is no longer there", hint="lock again: `wheelhouse lock`"
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
