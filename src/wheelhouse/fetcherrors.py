"""What a server's answer, or the lack of one, means for a person; no password is in any of it."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from wheelhouse.errors import FetchError
from wheelhouse.text import clip, human_duration, sanitize, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Each may name a CA bundle; the first that is set does.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "PIP_CERT")

#: Names folders of CAs, as OpenSSL has them; the first that is there counts, if no bundle does.
CA_FOLDERS = "SSL_CERT_DIR"

#: Tries at what may pass, and at a server that does not answer at all: it will hardly do so soon.
TRIES, UNANSWERED = 6, 3

#: The most columns of what a server says of its own answer that are shown.
REASON = 100

_NETWORK = "check the network, then run the command again"
_ADDRESS = "check the network, the proxy and the index's URL"
_CLOSED = "the connection was closed"
_PROXIES = "HTTPS_PROXY, HTTP_PROXY or NO_PROXY"


def redacted(url: str) -> str:
    """*url* without what may be a password: for messages, logs and manifests."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid address"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="", fragment=""))


def ca_bundle() -> str | bool:
    """The CA bundle, or folder of CAs, that the host's environment names, else the client's own."""
    named = (os.environ[name] for name in CA_VARIABLES if os.environ.get(name))
    folders = os.environ.get(CA_FOLDERS, "").split(":")
    return next(named, None) or next((f for f in folders if f and Path(f).is_dir()), True)


class RefusedError(FetchError):
    """A server's answer that is neither the file nor "not there".

    :ivar status: its HTTP status.
    :ivar more: what else is to be told of it, after the status.
    :param told: see :class:`~wheelhouse.errors.WheelhouseError`.
    """

    def __init__(self, message: str, *, status: int = 0, more: str = "", **told: Any) -> None:
        super().__init__(message, **told)
        self.status = status
        self.more = more


class ChangedError(FetchError):
    """What is at an address is not the file with the hash that is wanted.

    :ivar url: the address, without what may be a password.
    :ivar differs: what tells it from that file, in a clause.
    :ivar is_page: whether it is a web page, such as the login of a network.
    """

    def __init__(self, url: str, differs: str, *, hint: str, is_page: bool = False) -> None:
        super().__init__(f"{redacted(url)} has changed: {differs}", hint=hint, kind="changed")
        self.url = redacted(url)
        self.differs = differs
        self.is_page = is_page


class Trouble(Exception):  # noqa: N818  (it is none yet: another try may help)
    """One try at an address has failed.

    :param subject: what the clause is about: the address, or its host.
    :param clause: what happened.
    :ivar most: tries in vain, one after the other, that it is worth.
    :ivar status: the HTTP status that was the answer.
    :ivar more: of that, what else is to be told.
    :ivar asked: seconds that the server wants to be left alone for.
    :ivar went_on: whether this try has brought something that the next one goes on from.
    """

    def __init__(
        self,
        subject: str,
        clause: str,
        hint: str,
        *,
        most: int = TRIES,
        status: int | None = None,
        more: str = "",
        asked: float | None = None,
    ) -> None:
        super().__init__(f"{subject} {clause}")
        self.subject = subject
        self.clause = clause
        self.hint = hint
        self.most = most
        self.status = status
        self.more = more
        self.asked = asked
        self.went_on = False

    def final(self, times: str = "") -> FetchError:
        """The error, if it stays with it.

        :param times: how often it was tried, as ``; tried 3 times``.
        """
        hint = self.hint
        if self.asked:
            times = f" and asks to wait {human_duration(self.asked)}{times}"
            hint = f"run the command again in {human_duration(self.asked)}"
        told = f"{self.subject} {self.clause}{times}"
        if self.status is None:
            return FetchError(told, hint=hint)
        return RefusedError(told, status=self.status, more=self.more + times, hint=hint)


def downgraded(here: str, there: str) -> FetchError:
    """The error for a redirect from an address with TLS to one without."""
    return FetchError(
        f"{redacted(here)} redirects to an address without TLS ({redacted(there)})",
        hint="use an index whose files are served over https",
    )


# -- answers -------------------------------------------------------------------------------------


def refusal(
    url: str, status: int, reason: str, advice: str, *, asked: float | None = None
) -> Trouble:
    """The trouble with an answer that is neither the file nor "not there".

    :param reason: what the server says of it.
    :param advice: what to do where it is for want of credentials.
    :param asked: seconds that it asks to wait.
    """
    more = _reason(status, reason)
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return _proxy_refuses(f"answers {status}{more}")
    transient = status in {408, 425, 429, 500, 502, 503, 504}
    return Trouble(
        redacted(url),
        f"answers with status {status}{more}",
        advice if status in {401, 403} else "try again later",
        most=TRIES if transient else 1,
        status=status,
        more=more,
        asked=asked if transient else None,
    )


def _reason(status: int, said: str) -> str:
    """`` (Service Unavailable)``: the server's own words, or those of the standard."""
    said = clip(sanitize(without_credentials(said)).strip(), REASON)
    if not said:
        try:
            said = HTTPStatus(status).phrase
        except ValueError:
            return ""
    return f" ({said})"


# -- the lack of one -----------------------------------------------------------------------------


def trouble_of(url: str, error: Exception, *, connect: float, silence: float) -> Trouble:
    """What *error*, which a request for *url* ended with, means.

    :param connect: seconds that were waited for a connection.
    :param silence: seconds that were waited for a piece of the answer.
    """
    causes = list(_causes(error))
    found = (
        _of_tls(url, causes)
        or _of_proxy(url, causes)
        or _of_time(url, causes, connect, silence)
        or _of_connection(url, causes)
        or _of_address(url, causes)
        or _of_answer(url, causes)
    )
    return found or Trouble(redacted(url), f"cannot be reached: {type(error).__name__}", _ADDRESS)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """*error* and all that it comes from, however that is noted, from the outside in."""
    waiting: list[object] = [error]
    seen: list[BaseException] = []
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and not any(each is other for other in seen):
            seen.append(each)
            waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
    yield from seen


def _of_tls(url: str, causes: Sequence[BaseException]) -> Trouble | None:
    host = _host(url)
    if any("CA certificate bundle" in str(each) for each in causes):
        clause = f"cannot be asked: the CA bundle {ca_bundle()} is not there"
        return Trouble(host, clause, f"correct {' or '.join(CA_VARIABLES)}", most=1)
    for each in causes:
        if isinstance(each, ssl.SSLCertVerificationError):
            message = getattr(each, "verify_message", "")
            clause = "shows a certificate that is not trusted" + (message and f": {message}")
            hint = _about_certificate(getattr(each, "verify_code", 0))
            return Trouble(host, clause, hint, most=1)
    found = next((each for each in causes if isinstance(each, ssl.SSLError)), None)
    if found is None or isinstance(found, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None
    told = (getattr(found, "reason", "") or type(found).__name__).lower().replace("_", " ")
    hint = "check the URL's scheme and port, and whether a proxy is on the way"
    return Trouble(host, f"does not speak TLS as it should: {told}", hint, most=UNANSWERED)


def _about_certificate(code: int) -> str:
    """What to do about a certificate, by OpenSSL's number for what is wrong with it."""
    if code in {9, 10}:
        return "check this machine's clock; if it is right, tell whoever runs the server"
    if code in {62, 64}:
        return "use the name of the server that its certificate is for, or see who answers there"
    return "set SSL_CERT_FILE to the CA bundle of your network"


def _of_proxy(url: str, causes: Sequence[BaseException]) -> Trouble | None:
    from urllib3.exceptions import ProxyError

    if not any(isinstance(each, ProxyError) for each in causes):
        return None
    tunnel = next((str(each) for each in causes if "Tunnel connection failed" in str(each)), "")
    if tunnel:
        said = tunnel.rpartition("Tunnel connection failed:")[2].strip(" '\")")
        status, _, reason = said.partition(" ")
        return _proxy_refuses(f"answers {status}{_reason(0, reason)} for {_host(url)}")
    why = next(filter(None, map(_network_error, causes)), "it does not answer")
    clause = f"cannot be reached: {why}"
    return Trouble("the proxy", clause, f"correct {_PROXIES}", most=UNANSWERED)


def _proxy_refuses(clause: str) -> Trouble:
    hint = f"give what it wants in {_PROXIES}, as http://USER:PASSWORD@HOST:PORT"
    return Trouble("the proxy", clause, hint, most=1)


def _of_time(
    url: str, causes: Sequence[BaseException], connect: float, silence: float
) -> Trouble | None:
    from urllib3.exceptions import ConnectTimeoutError, ReadTimeoutError

    late = None
    if any(type(each) is ConnectTimeoutError for each in causes):
        late = f"no connection within {human_duration(connect)}"
    elif any(isinstance(each, ReadTimeoutError | TimeoutError) for each in causes):
        late = f"nothing came for {human_duration(silence)}"
    if late is None:
        return None
    clause = f"does not answer in time: {late} ({redacted(url)})"
    return Trouble(_host(url), clause, _NETWORK, most=UNANSWERED)


def _of_connection(url: str, causes: Sequence[BaseException]) -> Trouble | None:
    from urllib3.exceptions import NameResolutionError

    if any(isinstance(each, NameResolutionError | socket.gaierror) for each in causes):
        return Trouble(_host(url), "cannot be resolved", _ADDRESS, most=UNANSWERED)
    why = next(filter(None, map(_network_error, causes)), "")
    if not why:
        return None
    most = TRIES if why == _CLOSED else UNANSWERED
    return Trouble(redacted(url), f"cannot be reached: {why}", _ADDRESS, most=most)


def _network_error(error: BaseException) -> str:
    """What the system says of a connection; nothing if *error* is none of the system's."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionError | ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _CLOSED
    if isinstance(error, OSError) and error.errno in {
        *(errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)
    }:
        return (error.strerror or "no way there").lower()
    return ""


def _of_address(url: str, causes: Sequence[BaseException]) -> Trouble | None:
    from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, TooManyRedirects

    if any(isinstance(each, TooManyRedirects) for each in causes):
        clause = "redirects from address to address without end"
        return Trouble(redacted(url), clause, "check the index's URL", most=1)
    for each in causes:
        if isinstance(each, InvalidSchema | InvalidURL | MissingSchema):
            clause = "is, or redirects to, no address of a server"
            return Trouble(redacted(url), clause, "check the index's URL", most=1)
    return None


def _of_answer(url: str, causes: Sequence[BaseException]) -> Trouble | None:
    from http.client import HTTPException, IncompleteRead

    from requests.exceptions import InvalidHeader
    from urllib3.exceptions import DecodeError, InvalidChunkLength

    for each in causes:
        if isinstance(each, IncompleteRead) and not isinstance(each, InvalidChunkLength):
            return Trouble(redacted(url), _incomplete(each), _NETWORK)
    for each in causes:
        if isinstance(each, DecodeError):
            return Trouble(redacted(url), "sends what cannot be decoded", "try again later")
        if isinstance(each, HTTPException | InvalidHeader):
            clause = f"does not answer as HTTP has it ({type(each).__name__})"
            return Trouble(redacted(url), clause, _ADDRESS, most=UNANSWERED)
    return None


def _incomplete(error: object) -> str:
    came, missing = getattr(error, "partial", None), getattr(error, "expected", None)
    if isinstance(came, int) and isinstance(missing, int):
        return f"broke off: {came:,} of {came + missing:,} bytes came"
    return "broke off in the middle"


def _host(url: str) -> str:
    return urlsplit(redacted(url)).hostname or redacted(url)
