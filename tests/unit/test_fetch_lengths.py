"""How long a file is: servers that tell, that refuse to, and that say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flakyindex import QUICK, Answer, FlakyIndex
from wheelhouse.credentials import Credentials
from wheelhouse.errors import InterruptedRunError
from wheelhouse.fetch import Client
from wheelhouse.fetch.lengths import IN_VAIN, Lengths, length
from wheelhouse.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = b"x" * 1234
PATH = "/files/demo-1.0-py3-none-any.whl"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyIndex]:
    monkeypatch.setenv("NO_PROXY", "*")
    with FlakyIndex() as running:
        yield running


def client() -> Client:
    return Client(patience=QUICK, credentials=Credentials())


def methods(index: FlakyIndex) -> list[str]:
    return [each.method for each in index.asked]


def test_a_server_tells_by_head(index: FlakyIndex) -> None:
    assert length(client(), index.on(PATH, Answer(body=BODY))) == 1234
    assert methods(index) == ["HEAD"]


@pytest.mark.parametrize("status", [403, 405, 501])
@pytest.mark.parametrize("ranges", [True, False], ids=["in parts", "as a whole"])
def test_one_that_refuses_head_is_asked_for_the_first_byte(
    index: FlakyIndex, status: int, ranges: bool
) -> None:
    url = index.on(PATH, Answer(body=BODY, on_head=status, ranges=ranges))
    assert length(client(), url) == 1234
    assert methods(index) == ["HEAD", "GET"]
    assert index.asked[1].headers["Range"] == "bytes=0-0"


def test_a_redirect_is_followed(index: FlakyIndex) -> None:
    there = index.on("/elsewhere/demo.whl?signed=1", Answer(body=BODY))
    url = index.on(PATH, Answer(status=302, headers={"Location": there}))
    assert length(client(), url) == 1234


def test_credentials_are_those_of_the_index(
    index: FlakyIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert length(client(), index.on(PATH, Answer(body=BODY))) == 1234
    assert index.asked[0].headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=404),
        Answer(status=403),
        Answer(body=BODY, headers={"Content-Length": "many"}, on_head=200),
        Answer(body=b""),
        Answer(raw=b"no HTTP at all"),
    ],
    ids=["gone", "refused", "no number", "empty", "no HTTP"],
)
def test_who_does_not_tell_is_no_error(index: FlakyIndex, answer: Answer) -> None:
    assert length(client(), index.on(PATH, answer)) is None


def test_who_says_nothing_is_not_waited_for(index: FlakyIndex) -> None:
    url = index.on(PATH, Answer(body=BODY, hang=60))
    assert length(client(), url, soon=0.2) is None
    assert methods(index) == ["HEAD"]


def test_a_host_that_does_not_tell_is_asked_no_more(index: FlakyIndex) -> None:
    urls = [index.on(f"/files/{number}.whl", Answer(status=403)) for number in range(9)]
    with Scheduler(1, downloads=1) as scheduler:
        assert Lengths(client()).of(urls, scheduler) == {}
    assert methods(index) == ["HEAD", "GET"] * IN_VAIN


def test_only_servers_are_asked_each_for_a_file_once(index: FlakyIndex) -> None:
    url = index.on(PATH, Answer(body=BODY))
    with Scheduler(1) as scheduler:
        told = Lengths(client()).of([url, "file:vendor/demo.whl", "dir:app", url], scheduler)
    assert told == {url: 1234}
    assert methods(index) == ["HEAD"]


def test_a_stopped_run_asks_nobody(index: FlakyIndex) -> None:
    def stop() -> None:
        raise InterruptedRunError("stopped")

    url = index.on(PATH, Answer(body=BODY))
    with pytest.raises(InterruptedRunError):
        length(Client(patience=QUICK, check=stop), url)
    assert index.asked == []
