"""A service that speaks the API of OSV: https://google.github.io/osv.dev/api/.

It is asked for projects and never for versions: then its answer tells a project that it knows from
one that it does not, and which versions are affected is decided here, exactly. First one question
for all of them (``/v1/querybatch``), which gives the identifiers of the records about each; then,
for those that have any, the records themselves (``/v1/query``).
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from wheelhouse.advisories.record import ECOSYSTEM, RecordError
from wheelhouse.advisories.source import Collector
from wheelhouse.errors import FetchError
from wheelhouse.fetcherrors import redacted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from packaging.utils import NormalizedName

    from wheelhouse.advisories.source import Knowledge
    from wheelhouse.fetch import Client

#: OSV's own.
PUBLIC = "https://api.osv.dev"

#: The most that OSV lets one ask at once.
_AT_ONCE = 1000

#: How often the answer to one question may go on, and the bytes of each part.
_PARTS, _PART = 100, 128 << 20

#: Questions at one time.
_THREADS = 4

_HINT = (
    "try again later, or use an offline copy; the address is that of a service with the API of "
    "OSV, such as https://api.osv.dev"
)


class Service:
    """The service at *url*, without a slash at the end."""

    def __init__(self, url: str, client: Client) -> None:
        self._url = url
        self._client = client
        self._label = redacted(url)

    def ask(self, names: Collection[NormalizedName]) -> Knowledge:
        """What it knows of the projects of these *names*; they, and nothing else, are sent.

        :raises FetchError: it cannot be reached, or its answers are not those of such a service.
        """
        identifiers: dict[NormalizedName, set[str]] = {}
        for some in _batches(sorted(names)):
            identifiers |= self._identifiers(some)
        known = [name for name, found in identifiers.items() if found]
        collector = Collector(names)
        with ThreadPoolExecutor(_THREADS) as pool:
            for records in pool.map(self._records, known):
                for record in records:
                    self._add(collector, record)
        for name in known:
            if missing := identifiers[name] - collector.identifiers:
                raise self._bad(f"it names {min(missing)} for {name}, and does not give it")
        return collector.knowledge(self._label, "service")

    def _add(self, collector: Collector, record: object) -> None:
        try:
            collector.add(record)
        except RecordError as error:
            raise self._bad(str(error)) from None

    def _identifiers(self, names: Sequence[NormalizedName]) -> dict[NormalizedName, set[str]]:
        """By name, the identifiers of the records about each."""
        found: dict[NormalizedName, set[str]] = {name: set() for name in names}
        pages: dict[NormalizedName, str] = dict.fromkeys(names, "")
        for _ in range(_PARTS):
            asked = list(pages)
            queries = [_query(name, pages[name]) for name in asked]
            results = self._post("/v1/querybatch", {"queries": queries}).get("results")
            if not isinstance(results, list) or len(results) != len(asked):
                raise self._bad("it does not answer each question")
            pages = {}
            for name, result in zip(asked, results, strict=True):
                for each in self._vulnerabilities(result):
                    found[name].add(self._identifier(each))
                if token := self._next(result):
                    pages[name] = token
            if not pages:
                return found
        raise self._bad(f"its answer has more than {_PARTS} parts")

    def _records(self, name: NormalizedName) -> list[Any]:
        """All records about *name*."""
        found: list[Any] = []
        token = ""
        for _ in range(_PARTS):
            result = self._post("/v1/query", _query(name, token))
            found += self._vulnerabilities(result)
            token = self._next(result)
            if not token:
                return found
        raise self._bad(f"its answer about {name} has more than {_PARTS} parts")

    def _post(self, path: str, question: Mapping[str, Any]) -> dict[str, Any]:
        try:
            page = self._client.page(
                self._url + path,
                accept="application/json",
                at_most=_PART,
                document=json.dumps(question).encode(),
            )
        except FetchError as error:
            raise FetchError(error.message, hint=_HINT, kind="advisory-source") from error
        if page is None:
            raise self._bad(f"it has no {path}")
        try:
            answer = json.loads(page.content)
        except (ValueError, RecursionError):
            raise self._bad("its answer is no JSON") from None
        if not isinstance(answer, dict):
            raise self._bad("its answer is no object")
        return answer

    def _vulnerabilities(self, result: object) -> list[Any]:
        found = result.get("vulns", []) if isinstance(result, dict) else None
        if not isinstance(found, list):
            raise self._bad("an answer has no list of advisories")
        return found

    def _identifier(self, summary: object) -> str:
        found = summary.get("id") if isinstance(summary, dict) else None
        if not isinstance(found, str):
            raise self._bad("an advisory has no identifier")
        return found

    def _next(self, result: Mapping[str, Any]) -> str:
        """By what the rest of an answer is asked for; empty if there is none."""
        token = result.get("next_page_token") or ""
        if not isinstance(token, str):
            raise self._bad("the token of its next page is no text")
        return token

    def _bad(self, why: str) -> FetchError:
        return FetchError(
            f"{self._label} does not answer as a service of advisories does: {why}",
            hint=_HINT,
            kind="advisory-source",
        )


def _query(name: NormalizedName, token: str) -> dict[str, Any]:
    package = {"name": name, "ecosystem": ECOSYSTEM}
    return {"package": package, **({"page_token": token} if token else {})}


def _batches(names: Sequence[NormalizedName]) -> list[Sequence[NormalizedName]]:
    return [names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE)]
