"""How long servers are waited for: by their own wish, by a deadline, until somebody stops it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from authority import Authority
from flakyindex import QUICK, Answer, FlakyIndex
from wheelhouse.engine.cancellation import Cancellation
from wheelhouse.errors import ConfigError, FetchError, InterruptedRunError
from wheelhouse.fetch import Client, Patience
from wheelhouse.fetch.patience import PACE, VARIABLE, Deadline, Tries, asked_wait
from wheelhouse.fetcherrors import CA_VARIABLES, RefusedError, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Longer than any of these tests takes.
HANG = 60.0

#: What no patience of a test's is up to: a deadline has to end it.
SLOW = replace(QUICK, page=0.3, connect=HANG, silence=HANG)


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a CA bundle of the machine's."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def index() -> Iterator[FlakyIndex]:
    with FlakyIndex() as running:
        yield running


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """The port of somebody who takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextlib.contextmanager
def full() -> Iterator[int]:
    """The port of somebody who takes no more connections, nor refuses any."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as server,
        contextlib.ExitStack() as queue,
    ):
        port = server.getsockname()[1]
        for _ in range(4):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


# --- what a server asks for ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": " 7 "}, 7),
        ({"Retry-After": "1000000000"}, 1e9),
        ({"Retry-After": "9" * 10_000}, 1e9),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "\u0663"}, None),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 1e9),
        ({"Retry-After": "Fri, 32 Dec 2026 23:59:59 GMT"}, None),
        (
            {
                "Retry-After": "Tue, 01 Jan 2002 00:01:30 GMT",
                "Date": "Tue, 01 Jan 2002 00:00:00 GMT",
            },
            90,
        ),
        ({"Retry-After": "Tue, 01 Jan 2002 00:01:30 -0000", "Date": "nonsense"}, 0),
    ],
)
def test_what_a_server_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers) == seconds


def test_a_date_without_a_clock_beside_it_is_held_against_ours() -> None:
    assert 9e8 < (asked_wait({"Retry-After": "Wed, 01 Jan 2070 00:00:00 GMT"}) or 0) <= 1e9


@pytest.mark.parametrize("asked", ["1000000000", "301"])
def test_a_wish_that_is_too_long_is_told(index: FlakyIndex, asked: str) -> None:
    url = index.on("/page", Answer(status=429, headers={"Retry-After": asked}))
    with pytest.raises(RefusedError, match=r"429 .Too Many Requests. and asks to wait") as told:
        Client(patience=QUICK).page(url)
    assert "run the command again in" in str(told.value.hint)
    assert index.count("/page") == 1


def test_a_wish_that_the_deadline_does_not_allow_is_told(index: FlakyIndex) -> None:
    url = index.on("/page", Answer(status=503, headers={"Retry-After": "2"}))
    with pytest.raises(RefusedError, match=r"503 .* and asks to wait 2\.0 s$"):
        Client(patience=QUICK).page(url, total=1)


@pytest.mark.parametrize("asked", ["-5", "soon", ""])
def test_a_wish_that_says_nothing_is_none(index: FlakyIndex, asked: str) -> None:
    again = Answer(status=503, headers={"Retry-After": asked})
    assert Client(patience=QUICK).page(index.on("/page", again, again, Answer(body=b"x")))


# --- tries --------------------------------------------------------------------------------------


def tried(trouble: Trouble, times: int, patience: Patience = QUICK) -> Tries:
    tries = Tries("https://x.example/a", patience, Deadline(patience.page), lambda: None)
    for _ in range(times):
        tries.after(trouble)
    return tries


def test_tries_are_counted() -> None:
    trouble = Trouble("it", "does not work", "mend it", most=3)
    with pytest.raises(FetchError, match=r"^it does not work; tried 3 times$"):
        tried(trouble, 2).after(trouble)
    trouble.most = 1
    with pytest.raises(FetchError, match=r"^it does not work$"):
        tried(trouble, 1)


def test_a_try_that_goes_on_gives_all_of_them_back() -> None:
    trouble = Trouble("it", "does not work", "mend it", most=3)
    going = Trouble("it", "broke off", "mend it", most=3)
    going.went_on = True
    tries = tried(trouble, 2)
    for _ in range(10):
        tries.after(going)
    tries.after(trouble)
    with pytest.raises(FetchError, match="tried 14 times"):
        tries.after(trouble)


def test_pauses_grow_until_the_deadline() -> None:
    trouble = Trouble("it", "broke", "mend it", most=100)
    patience = replace(QUICK, backoff=0.02, page=0.3)
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"a did not arrive within 0\.3 s; tried \d times, the"):
        tried(trouble, 100, patience)
    assert time.monotonic() - started < 2


def test_a_long_file_may_take_longer() -> None:
    deadline = Deadline(10)
    deadline.allow(10, 0)
    assert deadline.total == 10
    deadline.allow(10, 20 * PACE)
    assert deadline.total == 30
    assert not deadline.passed
    assert Deadline(0).passed


# --- settings -----------------------------------------------------------------------------------


def test_the_environment_may_ask_for_more_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Client().patience == Patience()
    monkeypatch.setenv(VARIABLE, "120")
    assert Client().patience == Patience(connect=30, silence=120, page=600, file=7200)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf", "nan", "1e9", "60s"])
def test_patience_that_is_no_number(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ConfigError, match=VARIABLE) as told:
        Client()
    assert told.value.hint


# --- a deadline ends whatever it is ---------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 1000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000,
    ],
)
def test_a_page_that_drips_is_ended(index: FlakyIndex, raw: bytes) -> None:
    """Be it in its headers, in its body, or between two pieces of that."""
    url = index.on("/page", Answer(raw=raw, pause=0.02))
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"did not arrive within 0\.3 s"):
        Client(patience=SLOW).page(url)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(("scheme", "who"), [("http", silent), ("https", silent)])
def test_a_server_that_says_nothing_is_ended(
    scheme: str, who: Callable[[], contextlib.AbstractContextManager[int]]
) -> None:
    with who() as port, pytest.raises(FetchError, match=r"did not arrive within 0\.3 s"):
        Client(patience=SLOW).page(f"{scheme}://127.0.0.1:{port}/page")


def test_a_server_that_takes_no_connection_is_told() -> None:
    patience = replace(QUICK, connect=0.1)
    with full() as port, pytest.raises(FetchError, match=r"no connection within 0.1 s.*; tried 3"):
        Client(patience=patience).page(f"http://127.0.0.1:{port}/page")


def test_a_transfer_that_crawls_is_given_up(index: FlakyIndex) -> None:
    patience = replace(QUICK, silence=0.2)
    url = index.on("/page", Answer(body=b"x" * 1000, pause=0.03))
    with pytest.raises(FetchError, match=r"sends \d+ B in a second, for .*; tried 3 times"):
        Client(patience=patience).page(url)


# --- who stops a run waits for none of it -------------------------------------------------------


def stopped(where: Callable[[Client], object]) -> None:
    """Have a run stopped that is at *where*, which would last for a minute."""
    cancellation = Cancellation()
    patience = Patience(connect=HANG, silence=HANG)
    client = Client(patience=patience, check=cancellation.check)
    cancellation.also(client.stop)
    threading.Timer(0.2, cancellation.cancel).start()
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool, pytest.raises(InterruptedRunError):
        pool.submit(where, client).result()
    assert time.monotonic() - started < HANG / 4


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("who", [silent, full])
def test_nobody_waits_for_a_connection(
    scheme: str, who: Callable[[], contextlib.AbstractContextManager[int]]
) -> None:
    with who() as port:
        stopped(lambda client: client.page(f"{scheme}://127.0.0.1:{port}/page"))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"x", hang=HANG),
        Answer(body=b"x" * 1000, pause=0.1),
        Answer(body=b"x" * 1000, pause=HANG),
        Answer(raw=b"HTTP/1.0 200 OK\r\n\r\nx", pause=HANG),
        Answer(status=429, headers={"Retry-After": "50"}),
    ],
)
def test_nobody_waits_for_an_answer(index: FlakyIndex, answer: Answer) -> None:
    url = index.on("/page", answer)
    stopped(lambda client: client.page(url))


def test_nobody_waits_for_an_answer_with_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    with FlakyIndex(authority.server()) as secure:
        url = secure.on("/page", Answer(body=b"x" * 1000, pause=HANG))
        stopped(lambda client: client.page(url))
