"""A service with the API of OSV: what it is asked, and what its answers come to.

The server is ours and speaks the protocol as OSV documents it; nobody outside is asked.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from advisoryfactory import OsvServer, before
from packaging.utils import canonicalize_name

from wheelhouse.advisories.service import Service
from wheelhouse.errors import FetchError
from wheelhouse.fetch import Client, Patience

DEMO = canonicalize_name("demo")
OTHER = canonicalize_name("other")
THIRD = canonicalize_name("third")


def service(server: OsvServer) -> Service:
    return Service(server.url, Client(patience=Patience(backoff=0.01, page=20)))


def refusal(server: OsvServer) -> str:
    with pytest.raises(FetchError) as caught:
        service(server).ask([DEMO])
    assert caught.value.kind == "advisory-source"
    assert "offline copy" in str(caught.value.hint)
    return caught.value.message.removeprefix(
        f"{server.url} does not answer as a service of advisories does: "
    )


def test_it_tells_what_it_knows_from_what_it_does_not() -> None:
    with OsvServer(before("demo", "2.0", "GHSA-1"), before("Other", "1.0", "GHSA-2")) as server:
        found = service(server).ask([DEMO, OTHER, THIRD])
    assert {name: [each.id for each in all_] for name, all_ in found.projects.items()} == {
        DEMO: ["GHSA-1"],
        OTHER: ["GHSA-2"],
    }
    assert (found.kind, found.records) == ("service", 2)


def test_it_is_told_names_and_nothing_else() -> None:
    with OsvServer(before("demo", "2.0", "GHSA-1")) as server:
        service(server).ask([OTHER, DEMO])
        demo, other = ({"package": {"name": n, "ecosystem": "PyPI"}} for n in ("demo", "other"))
        assert server.asked == [
            ("/v1/querybatch", {"queries": [demo, other]}),
            ("/v1/query", demo),
        ]
        assert server.headers["Content-Type"] == "application/json"
        assert "Authorization" not in server.headers


def test_nobody_is_asked_for_nothing() -> None:
    with OsvServer() as server:
        assert not service(server).ask([]).projects
        assert not server.asked


def test_answers_in_many_pages() -> None:
    records = [before("demo", "2.0", f"GHSA-{n}") for n in range(7)]
    records += [before("other", "2.0", f"PYSEC-{n}") for n in range(3)]
    with OsvServer(*records, page=2) as server:
        found = service(server).ask([DEMO, OTHER, THIRD])
        pages = [len(q["queries"]) for path, q in server.asked if path == "/v1/querybatch"]
    assert {name: len(all_) for name, all_ in found.projects.items()} == {DEMO: 7, OTHER: 3}
    assert pages == [3, 2, 1, 1]  # only what goes on is asked for again


def test_a_page_without_advisories_may_go_on() -> None:
    """OSV gives one when it has run out of time before it has found any."""
    token = b'{"next_page_token": "0"}'
    with OsvServer(before("demo", "2.0", "GHSA-1")) as server:
        server.faults = [(200, b'{"results": [%s]}' % token)]
        assert service(server).ask([DEMO]).projects[DEMO]


def test_many_names_are_asked_in_parts() -> None:
    names = [canonicalize_name(f"project-{n}") for n in range(1001)]
    with OsvServer() as server:
        service(server).ask(names)
        assert [len(question["queries"]) for _, question in server.asked] == [1000, 1]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    with OsvServer(before("demo", "2.0", "GHSA-1")) as server:
        server.faults = [(status, b"not now")] * 2
        assert service(server).ask([DEMO]).projects[DEMO]
        assert len(server.asked) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 418])
def test_a_refusal_is_told(status: int) -> None:
    with OsvServer() as server:
        server.faults = [(status, b"{}")]
        assert str(status) in refusal(server)


def test_nothing_is_there() -> None:
    with OsvServer() as server:
        server.faults = [(404, b"{}")]
        assert refusal(server) == "it has no /v1/querybatch"


def test_nobody_is_there() -> None:
    with OsvServer() as server:
        pass
    assert "refused" in refusal(server)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "its answer is no JSON"),
        (b"<html>", "its answer is no JSON"),
        (b"[" * 100_000, "its answer is no JSON"),
        (b"[]", "its answer is no object"),
        (b"{}", "it does not answer each question"),
        (b'{"results": {}}', "it does not answer each question"),
        (b'{"results": []}', "it does not answer each question"),
        (b'{"results": [{}, {}]}', "it does not answer each question"),
        (b'{"results": [null]}', "an answer has no list of advisories"),
        (b'{"results": [{"vulns": 3}]}', "an answer has no list of advisories"),
        (b'{"results": [{"vulns": ["GHSA-1"]}]}', "an advisory has no identifier"),
        (b'{"results": [{"vulns": [{"id": 3}]}]}', "an advisory has no identifier"),
        (b'{"results": [{"next_page_token": 3}]}', "the token of its next page is no text"),
    ],
)
def test_answers_that_are_none(body: bytes, why: str) -> None:
    with OsvServer() as server:
        server.faults = [(200, body)]
        assert refusal(server) == why


BRIEF = b'{"results": [{"vulns": [{"id": "GHSA-1"}]}]}'


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({}, "it names GHSA-1 for demo, and does not give it"),
        (
            {"vulns": [before("demo", "1", "GHSA-2")]},
            "it names GHSA-1 for demo, and does not give it",
        ),
        ({"vulns": [{"modified": "2026-01-01"}]}, "it is no OSV record"),
        ({"vulns": ["GHSA-1"]}, "it is no OSV record"),
    ],
)
def test_records_that_are_none(answer: dict[str, Any], why: str) -> None:
    with OsvServer() as server:
        server.faults = [(200, BRIEF), (200, json.dumps(answer).encode())]
        assert refusal(server) == why


@pytest.mark.parametrize("first", [[], [(200, BRIEF)]])
def test_an_answer_without_end(first: list[tuple[int, bytes]]) -> None:
    endless = b'{"results": [{"next_page_token": "x"}], "next_page_token": "x"}'
    with OsvServer() as server:
        server.faults = [*first, *[(200, endless)] * 200]
        assert refusal(server).endswith("has more than 100 parts")


def test_no_password_is_told() -> None:
    client = Client(patience=Patience(backoff=0.01, page=1))
    with pytest.raises(FetchError) as caught:
        Service("http://me:secret@127.0.0.1:1", client).ask([DEMO])
    assert "secret" not in caught.value.message
