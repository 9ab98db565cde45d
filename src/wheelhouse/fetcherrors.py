"""What a server's answer, or the lack of one, means for a person; no password is in any of it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from wheelhouse.errors import FetchError

#: Each may name a CA bundle; the first that is set does.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "PIP_CERT")

#: Names folders of CAs, as OpenSSL has them; the first that is there counts, if no bundle does.
CA_FOLDERS = "SSL_CERT_DIR"


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
    """

    def __init__(self, message: str, *, status: int, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.status = status


def downgraded(here: str, there: str) -> FetchError:
    """The error for a redirect from an address with TLS to one without."""
    return FetchError(
        f"{redacted(here)} redirects to an address without TLS ({redacted(there)})",
        hint="use an index whose files are served over https",
    )


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


def refused(url: str, status: int, advice: str) -> RefusedError:
    """The error for an answer that is neither the file nor "not there".

    :param advice: what to do where it is for want of credentials.
    """
    hint = advice if status in {401, 403} else "try again later"
    return RefusedError(f"{redacted(url)} answers with status {status}", status=status, hint=hint)
