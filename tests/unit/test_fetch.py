"""Downloads from an index on loopback that breaks, lies, hangs, and sometimes works."""

from __future__ import annotations

import base64
import gzip
import socket
import ssl
import threading
import time
from dataclasses import replace
from http.client import BadStatusLine
from typing import TYPE_CHECKING

import pytest
import requests
from lockingfactory import sha
from urllib3.exceptions import ConnectTimeoutError, ProxyError

from flakyindex import QUICK, Answer, FlakyIndex
from wheelhouse.credentials import Credentials
from wheelhouse.errors import FetchError, InterruptedRunError
from wheelhouse.fetch import Client, Fetcher, Page
from wheelhouse.fetcherrors import (
    CA_FOLDERS,
    CA_VARIABLES,
    TRIES,
    redacted,
    refusal,
    trouble_of,
)
from wheelhouse.settings import IndexSettings
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DATA = b"the bytes of a wheel" * 1000
SHA = sha(DATA)
PATH = "/files/demo-1.0-py3-none-any.whl"
SECRET = "s3cr3t"
GOOD = Answer(body=DATA)


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a CA bundle of the machine's."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in (*CA_VARIABLES, CA_FOLDERS):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def index() -> Iterator[FlakyIndex]:
    with FlakyIndex() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def client(
    timeout: float = 5.0, total: float = 5.0, check: Callable[[], None] = lambda: None
) -> Client:
    patience = replace(QUICK, connect=timeout, silence=timeout, page=total, file=total)
    return Client(patience=patience, check=check)


def fetcher(
    store: Store,
    check: Callable[[], None] = lambda: None,
    *,
    total: float = 5.0,
    timeout: float = 5.0,
) -> Fetcher:
    return Fetcher(client(timeout, total, check), store, check)


def nothing_is_stored(store: Store) -> bool:
    """But for the beginning of the file."""
    partial = store.root / "partial" / SHA
    if partial.exists():
        assert 0 < partial.stat().st_size < len(DATA)
        assert DATA.startswith(partial.read_bytes())
    held = (store.root / name for name in ("blobs", "partial"))
    files = {path for folder in held for path in folder.rglob("*") if path.is_file()}
    return not files - {partial} and not list((store.root / "tmp").iterdir())


# --- files ------------------------------------------------------------------------------------


def test_a_file_comes_once_and_then_from_the_store(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, GOOD)
    fetch = fetcher(store)
    path = fetch.fetch(url, SHA)
    assert path.read_bytes() == DATA
    assert fetch.fetch(url, SHA) == path
    assert index.count(PATH) == 1


def test_a_file_that_rotted_in_the_store_comes_anew(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, GOOD)
    path = fetcher(store).fetch(url, SHA)
    path.chmod(0o644)
    path.write_bytes(b"rotten")
    assert fetcher(store).fetch(url, SHA).read_bytes() == DATA
    assert index.count(PATH) == 2


@pytest.mark.parametrize(
    "faults",
    [
        [Answer(body=DATA, cut=500)],
        [Answer(body=DATA, cut=0)],
        [Answer(body=DATA, cut=500)] * (TRIES - 1),
        [Answer(status=503)] * 2,
        [Answer(status=500), Answer(status=502), Answer(status=504)],
        [Answer(status=429)],
        [Answer(body=b"another file")],
        [Answer(status=503), Answer(body=DATA, cut=500), Answer(body=b"another file")],
    ],
)
def test_what_passes_is_tried_again(store: Store, index: FlakyIndex, faults: list[Answer]) -> None:
    url = index.on(PATH, *faults, GOOD)
    assert fetcher(store).fetch(url, SHA).read_bytes() == DATA
    assert index.count(PATH) == len(faults) + 1


@pytest.mark.parametrize(
    ("answer", "tries", "words"),
    [
        (Answer(body=DATA, cut=500), TRIES, "broke off: 500 of 20,000 bytes came; tried 6 times"),
        (Answer(body=b"another file"), 2, "has changed: its SHA-256 is"),
        (Answer(status=404), 1, r"is not there \(404\)"),
        (Answer(status=503), 6, r"status 503 \(Service Unavailable\); tried 6 times"),
        (Answer(status=503, reason="gone \x1b[1mfishing"), 6, r"503 \(gone fishing\); tried 6"),
        (Answer(status=401), 1, "answers with status 401"),
        (Answer(status=403), 1, "answers with status 403"),
        (Answer(status=418), 1, "answers with status 418"),
        (Answer(status=599), 1, "answers with status 599"),
        (Answer(status=407), 1, "the proxy answers 407 "),
        (
            Answer(body=b"<html>please log in</html>", kind="text/html"),
            *(2, "has changed: .*; a web page comes in its place"),
        ),
    ],
)
def test_what_does_not_pass_is_told(
    store: Store, index: FlakyIndex, answer: Answer, tries: int, words: str
) -> None:
    path = f"{PATH}?token={SECRET}"
    index.on(path, answer)
    with pytest.raises(FetchError, match=words) as told:
        fetcher(store).fetch(index.url(path, user=f"me:{SECRET}") + f"#{SECRET}", SHA)
    assert index.count(path) == tries
    assert told.value.hint
    assert SECRET not in told.value.message + told.value.hint
    assert nothing_is_stored(store)


def test_nobody_there(store: Store) -> None:
    with FlakyIndex() as gone:
        url = gone.url(PATH, user=f"me:{SECRET}")
    with pytest.raises(FetchError, match="cannot be reached") as told:
        fetcher(store).fetch(url, SHA)
    assert SECRET not in told.value.message


def test_a_retry_after_is_honoured(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, Answer(status=429, headers={"Retry-After": "1"}), GOOD)
    fetcher(store).fetch(url, SHA)
    first, second = index.asked
    assert second.when - first.when >= 0.9


def test_a_retry_after_that_is_too_long_is_told(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, Answer(status=429, headers={"Retry-After": "86400"}), GOOD)
    with pytest.raises(FetchError, match=r"429 .* and asks to wait 24 h 00 min$") as told:
        fetcher(store).fetch(url, SHA)
    assert told.value.hint == "run the command again in 24 h 00 min"
    assert index.count(PATH) == 1


def test_a_server_that_says_nothing_is_given_up(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, Answer(body=DATA, hang=0.5))
    with pytest.raises(FetchError, match="does not answer in time"):
        fetcher(store, timeout=0.02).fetch(url, SHA)


def test_a_transfer_that_stalls_is_tried_again(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, Answer(body=DATA[:3], pause=0.3), GOOD)
    fetcher(store, timeout=0.05).fetch(url, SHA)
    assert index.count(PATH) == 2


def test_a_transfer_that_drips_is_ended(store: Store, index: FlakyIndex) -> None:
    """Each byte comes in time, but the file never does."""
    url = index.on(PATH, Answer(body=DATA, pause=0.01))
    started = time.monotonic()
    with pytest.raises(FetchError, match="did not arrive within"):
        fetcher(store, total=0.1).fetch(url, SHA)
    assert time.monotonic() - started < 2
    assert nothing_is_stored(store)


def test_a_transfer_that_drips_can_be_interrupted(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, Answer(body=DATA, pause=0.01))
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()

    def check() -> None:
        if stop.is_set():
            raise InterruptedRunError("stopped")

    started = time.monotonic()
    with pytest.raises(InterruptedRunError):
        fetcher(store, check).fetch(url, SHA)
    assert time.monotonic() - started < 2
    assert nothing_is_stored(store)


def test_a_file_that_is_called_an_encoding_is_taken_as_it_is(
    store: Store, index: FlakyIndex
) -> None:
    """Some servers call every .tar.gz a gzip-encoded tar."""
    data = gzip.compress(DATA)
    url = index.on(PATH, Answer(body=data, headers={"Content-Encoding": "gzip"}))
    assert fetcher(store).fetch(url, sha(data)).read_bytes() == data


def test_the_network_gives_nothing_for_what_is_no_hash(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, GOOD)
    with pytest.raises(ValueError, match="no SHA-256"):
        fetcher(store).fetch(url, "../../etc/passwd")
    assert index.asked == []


# --- small files ------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [True, False])
def test_a_file_is_fetched_only_if_it_is_small(
    store: Store, index: FlakyIndex, length: bool
) -> None:
    headers = {} if length else {"Content-Length": "unknown"}
    url = index.on(PATH, Answer(body=DATA, headers=headers))
    if length:
        assert fetcher(store).fetch_small(url, SHA, len(DATA) - 1) is None
        found = fetcher(store).fetch_small(url, SHA, len(DATA))
        assert found is not None
        assert fetcher(store).fetch_small(url, SHA, 1) == found  # as it is there already
    else:
        assert fetcher(store).fetch_small(url, SHA, 100) is None


# --- who is asked, and how --------------------------------------------------------------------


def test_a_request_says_who_asks_and_no_more(store: Store, index: FlakyIndex) -> None:
    fetcher(store).fetch(index.on(PATH, GOOD), SHA)
    (asked,) = index.asked
    assert asked.headers["User-Agent"].startswith("wheelhouse/")
    assert asked.headers["Accept-Encoding"] == "identity"
    assert "Authorization" not in asked.headers


def test_credentials_come_from_netrc(
    store: Store, index: FlakyIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    fetcher(store).fetch(index.on(PATH, GOOD), SHA)
    assert index.asked[0].headers["Authorization"].startswith("Basic ")


def test_a_proxy_of_the_environment_is_used(
    store: Store, index: FlakyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", index.url())
    index.on("http://index.example" + PATH, GOOD)
    assert fetcher(store).fetch("http://index.example" + PATH, SHA).read_bytes() == DATA


# --- credentials ------------------------------------------------------------------------------


def signing(index: FlakyIndex, monkeypatch: pytest.MonkeyPatch, password: str = SECRET) -> Client:
    """A client that knows a password for *index*."""
    monkeypatch.setenv("NETRC", "/no/such/netrc")
    monkeypatch.setenv("WHEELHOUSE_INDEX_CORP_USERNAME", "me")
    monkeypatch.setenv("WHEELHOUSE_INDEX_CORP_PASSWORD", password)
    corp = IndexSettings(name="corp", url=index.url("/simple"))
    return Client(patience=QUICK, credentials=Credentials([corp]))


def sent(index: FlakyIndex) -> list[str | None]:
    """As whom each request came."""
    headers = [asked.headers.get("Authorization") for asked in index.asked]
    return [base64.b64decode(each[6:]).decode() if each else None for each in headers]


@pytest.mark.parametrize("password", [SECRET, "with:colons", "Gr\u00fc\u00dfe \u4f60\u597d"])
def test_an_index_is_asked_with_its_credentials(
    store: Store, index: FlakyIndex, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    corp = signing(index, monkeypatch, password)
    Fetcher(corp, store, lambda: None).fetch(index.on(PATH, GOOD), SHA)
    assert corp.page(index.on("/simple/demo/", GOOD)) is not None
    assert sent(index) == [f"me:{password}"] * 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_credentials_follow_a_redirect(
    store: Store, index: FlakyIndex, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with FlakyIndex() as other:
        there = other.on(
            "/there", Answer(status=status, headers={"Location": index.on("/b", GOOD)})
        )
        url = index.on(PATH, Answer(status=status, headers={"Location": there}))
        Fetcher(signing(index, monkeypatch), store, lambda: None).fetch(url, SHA)
        assert sent(other) == [None]
    assert sent(index) == [f"me:{SECRET}"] * 2


def test_no_credentials_go_to_files_elsewhere(
    store: Store, index: FlakyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FlakyIndex() as files:
        url = files.on(PATH, GOOD)
        Fetcher(signing(index, monkeypatch), store, lambda: None).fetch(url, SHA)
        assert sent(files) == [None]


def test_a_keyring_is_asked_where_an_index_has_refused(
    index: FlakyIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "keyring"
    command.write_text(f"""#!/bin/sh\necho '{{"username": "me", "password": "{SECRET}"}}'\n""")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("wheelhouse.credentials.find_spec", lambda _: None)
    monkeypatch.setenv("NETRC", "/no/such/netrc")
    corp = IndexSettings(name="corp", url=index.url("/simple"))
    url = index.on(PATH, Answer(status=401), GOOD)
    asking = Client(patience=QUICK, credentials=Credentials([corp]))
    assert asking.page(url) is not None
    assert asking.page(url) is not None
    assert sent(index) == [None, f"me:{SECRET}", f"me:{SECRET}"]


def test_what_to_do_about_a_refusal_is_told(
    index: FlakyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = index.on(PATH, Answer(status=403))
    with pytest.raises(FetchError) as told:
        signing(index, monkeypatch).page(url)
    assert "of WHEELHOUSE_INDEX_CORP_PASSWORD" in str(told.value.hint)
    with pytest.raises(FetchError) as told:
        client().page(url)
    assert "`machine 127.0.0.1` in $NETRC" in str(told.value.hint)
    assert SECRET not in str(told.value.hint)


# --- pages ------------------------------------------------------------------------------------


def test_a_page_is_decoded(index: FlakyIndex) -> None:
    packed = gzip.compress(DATA)
    kind = "Text/HTML; charset=utf-8"
    answer = Answer(body=packed, kind=kind, headers={"Content-Encoding": "gzip"})
    url = index.on("/there", answer)
    index.on("/page", Answer(status=302, headers={"Location": url}))
    assert client().page(index.url("/page")) == Page(url=url, kind="text/html", content=DATA)
    assert client().page(index.url("/nothing")) is None


@pytest.mark.parametrize("packed", [False, True])
def test_a_page_that_is_too_long_is_not_read(index: FlakyIndex, packed: bool) -> None:
    data = bytes(3 << 20)
    headers = {"Content-Encoding": "gzip"} if packed else {}
    url = index.on("/page", Answer(body=gzip.compress(data) if packed else data, headers=headers))
    with pytest.raises(FetchError, match="has more than 2 MiB"):
        client().page(url, at_most=2 << 20)
    assert client().page(url, at_most=3 << 20) is not None


def test_a_page_that_drips_is_ended(index: FlakyIndex) -> None:
    url = index.on("/page", Answer(body=DATA, pause=0.01))
    with pytest.raises(FetchError, match="did not arrive within"):
        client().page(url, total=0.1)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Answer(body=DATA, cut=5), "broke off: 5 of 20,000 bytes came"),
        (Answer(body=DATA, headers={"Content-Encoding": "gzip"}), "sends what cannot be decoded"),
    ],
)
def test_a_page_that_breaks_is_tried_again_then_told(
    index: FlakyIndex, fault: Answer, words: str
) -> None:
    found = client().page(index.on("/page", *[fault] * (TRIES - 1), GOOD))
    assert found is not None
    assert found.content == DATA
    with pytest.raises(FetchError, match=f"{words}; tried 6 times"):
        client().page(index.on("/page", fault))


# --- sessions ---------------------------------------------------------------------------------


def test_each_thread_has_its_session() -> None:
    one = client()
    sessions = {id(one.session), id(one.session)}
    thread = threading.Thread(target=lambda: sessions.add(id(one.session)))
    thread.start()
    thread.join()
    assert len(sessions) == 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pw@host.example/simple/x/", "https://host.example/simple/x/"),
        ("https://token@host.example:8443/a", "https://host.example:8443/a"),
        ("https://a@b:c@host.example/a", "https://host.example/a"),
        ("https://host.example/a?X-Amz-Signature=abc#sha256=1", "https://host.example/a"),
        ("https://host.example/a", "https://host.example/a"),
        ("http://[broken/a", "an invalid address"),
    ],
)
def test_what_may_be_a_password_is_not_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "http://[broken/a",
        "file:///etc/passwd",
        "ftp://host.example/a",
        "no address",
        "",
        "http://",
        "http://host.example:port/a",
        "http://\u2603.\ud800/",
    ],
)
def test_addresses_that_are_none(store: Store, url: str) -> None:
    with pytest.raises(FetchError) as told:
        fetcher(store).fetch(url, SHA)
    assert told.value.hint
    assert nothing_is_stored(store)


def test_why_nobody_answers() -> None:
    url = f"https://me:{SECRET}@host.example/x"
    told: dict[Exception, str] = {
        socket.gaierror(-2, "Name or service not known"): "host.example cannot be resolved",
        ssl.SSLCertVerificationError(1, "x"): "shows a certificate that is not trusted",
        ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] x"): "does not speak TLS as it should",
        ConnectTimeoutError("x"): "in time: no connection within 7.0 s (https://host.example/x)",
        TimeoutError("x"): "in time: nothing came for 9.0 s (https://host.example/x)",
        ConnectionRefusedError(111, "x"): "cannot be reached: connection refused",
        ConnectionResetError(104, "x"): "cannot be reached: the connection was closed",
        OSError(113, "No route to host"): "cannot be reached: no route to host",
        BadStatusLine("x"): "does not answer as HTTP has it (BadStatusLine)",
        ProxyError("x", OSError(f"Tunnel connection failed: 407 {SECRET}@no")): "the proxy answers",
        ProxyError("x", ConnectionRefusedError(111, "x")): "the proxy cannot be reached: conn",
        ValueError(f"something about {SECRET}"): "cannot be reached: ConnectionError",
    }
    for error, words in told.items():
        found = trouble_of(url, requests.ConnectionError(error), connect=7, silence=9).final()
        assert words in found.message
        assert found.hint
    assert refusal(url, 401, "", "sign in").final().hint == "sign in"
    assert refusal(url, 500, "", "sign in").final().hint == "try again later"
    assert SECRET not in refusal(url, 500, f"https://me:{SECRET}@x", "").final().message


# --- redirects --------------------------------------------------------------------------------


def test_other_redirects_are_followed(store: Store, index: FlakyIndex) -> None:
    there = index.on("/there", GOOD)
    url = index.on(PATH, Answer(status=307, headers={"Location": there}))
    assert fetcher(store).fetch(url, SHA).read_bytes() == DATA


def test_a_redirect_in_a_circle_ends(store: Store, index: FlakyIndex) -> None:
    url = index.url(PATH)
    index.on(PATH, Answer(status=302, headers={"Location": url}))
    with pytest.raises(FetchError, match="redirects from address to address without end"):
        fetcher(store).fetch(url, SHA)
