"""Downloads: hash-checked, gone on with where they broke off, into the store.

Taken over from the environment: proxies, the CA bundle (``SSL_CERT_FILE``,
``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE``, ``PIP_CERT``) or the folder of CAs (``SSL_CERT_DIR``),
``WHEELHOUSE_TIMEOUT``, and what :mod:`wheelhouse.credentials` reads. Nothing else is.
"""

from __future__ import annotations

from wheelhouse.fetch.client import Client, Page
from wheelhouse.fetch.files import Elsewhere, Fetcher, Progress
from wheelhouse.fetch.patience import Patience

__all__ = ["Client", "Elsewhere", "Fetcher", "Page", "Patience", "Progress"]
