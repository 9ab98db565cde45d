"""How long files are that nobody has fetched yet, as their servers say.

It is asked for what a person wants to know beforehand, and nothing depends on it: who does not
answer, and soon, is not asked again, and the length is not known.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wheelhouse.errors import FetchError
from wheelhouse.fetch.client import AS_IT_IS
from wheelhouse.fetch.patience import Deadline
from wheelhouse.fetcherrors import Trouble
from wheelhouse.scheduler import gather

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests

    from wheelhouse.fetch.client import Client
    from wheelhouse.scheduler import Scheduler

#: Seconds that a server has to say how long a file is.
SOON = 10.0

#: Questions that a server may leave without an answer before it is asked no more.
IN_VAIN = 2

_SERVERS = ("https://", "http://")


class Lengths:
    """Asks servers; one object for each run, which remembers who does not answer."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._in_vain: Counter[str] = Counter()
        self._lock = threading.Lock()

    def of(self, urls: Iterable[str], scheduler: Scheduler) -> dict[str, int]:
        """The bytes of the files at *urls*, as far as their servers tell.

        :raises InterruptedRunError: the run is being stopped.
        """
        wanted = list(dict.fromkeys(url for url in urls if url.startswith(_SERVERS)))
        futures = [scheduler.submit("downloads", partial(self._one, url)) for url in wanted]
        found = zip(wanted, gather(futures), strict=True)
        return {url: size for url, size in found if size is not None}

    def _one(self, url: str) -> int | None:
        host = urlsplit(url).netloc
        if self._in_vain[host] >= IN_VAIN:
            return None
        size = length(self._client, url)
        with self._lock:
            self._in_vain[host] = 0 if size is not None else self._in_vain[host] + 1
        return size


def length(client: Client, url: str, soon: float = SOON) -> int | None:
    """The bytes of the file at *url*; None if its server does not tell within *soon* seconds.

    Who refuses HEAD (RFC 9110, 9.3.2), as for an address that is signed for GET, or does not know
    by itself how long a file is, is asked for its first byte.

    :raises InterruptedRunError: the run is being stopped.
    """
    try:
        return client.persist(url, Deadline(soon), partial(_asked, client, url))
    except FetchError:
        return None


def _asked(client: Client, url: str) -> int | None:
    try:
        return _by_head(client, url) or _by_first_byte(client, url)
    except Trouble as trouble:
        raise trouble.final() from None  # one try


def _by_head(client: Client, url: str) -> int | None:
    try:
        with client.ask(url, AS_IT_IS, method="HEAD") as answer:
            return _announced(answer) if answer.status_code == 200 else None
    except FetchError:
        return None
    except Trouble as trouble:
        if trouble.status is None:
            raise
        return None


def _by_first_byte(client: Client, url: str) -> int | None:
    with client.ask(url, {**AS_IT_IS, "Range": "bytes=0-0"}) as answer:
        if answer.status_code == 206:
            place = answer.headers.get("Content-Range", "")
            return _number(place.rpartition("/")[2])
        return _announced(answer) if answer.status_code == 200 else None


def _announced(answer: requests.Response) -> int | None:
    return _number(answer.headers.get("Content-Length", ""))


def _number(text: str) -> int | None:
    """A length of a file: no file that anybody wants has none."""
    return int(text) or None if re.fullmatch("[0-9]{1,18}", text.strip()) else None
