"""Whom a server has to be, by its certificate, to be believed."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from lockingfactory import sha

from authority import DAY, Authority
from flakyindex import QUICK, Answer, FlakyIndex
from wheelhouse.errors import FetchError
from wheelhouse.fetch import Client, Fetcher
from wheelhouse.fetcherrors import CA_FOLDERS, CA_VARIABLES, ca_bundle
from wheelhouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = b"the bytes of a wheel" * 1000
SHA = sha(DATA)
PATH = "/files/demo-1.0-py3-none-any.whl"
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


def fetcher(store: Store) -> Fetcher:
    return Fetcher(Client(patience=QUICK), store, lambda: None)


def nothing_is_stored(store: Store) -> bool:
    held = (store.root / name for name in ("blobs", "partial", "tmp"))
    return not any(path.is_file() for folder in held for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom nobody trusts unless told to."""
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def certificate(authority: Authority) -> Path:
    """The CA bundle with its certificate."""
    return authority.bundle


@pytest.fixture
def secure(authority: Authority) -> Iterator[FlakyIndex]:
    with FlakyIndex(authority.server()) as running:
        yield running


def test_a_certificate_that_is_not_trusted(store: Store, secure: FlakyIndex) -> None:
    url = secure.on(PATH, GOOD)
    with pytest.raises(FetchError, match="certificate that is not trusted") as told:
        fetcher(store).fetch(url, SHA)
    assert "SSL_CERT_FILE" in str(told.value.hint)


@pytest.mark.parametrize(
    ("more", "words", "hint"),
    [
        ({"ends": -DAY}, "certificate has expired", "clock"),
        ({"address": "127.0.0.2"}, "certificate is not valid for '127.0.0.1'", "name"),
        ({"by_itself": True}, "self-signed certificate", "SSL_CERT_FILE"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told(
    store: Store,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    more: dict[str, Any],
    words: str,
    hint: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    with FlakyIndex(authority.server(**more)) as index:
        url = index.on(PATH, GOOD)
        with pytest.raises(FetchError, match=f"certificate that is not trusted: .*{words}") as told:
            fetcher(store).fetch(url, SHA)
        assert index.asked == []
    assert hint in str(told.value.hint)


def test_a_server_that_does_not_speak_tls(store: Store, index: FlakyIndex) -> None:
    url = index.on(PATH, GOOD).replace("http:", "https:")
    with pytest.raises(FetchError, match="does not speak TLS as it should: ") as told:
        fetcher(store).fetch(url, SHA)
    assert "scheme" in str(told.value.hint)


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_the_ca_bundle_of_the_environment_is_trusted(
    store: Store,
    secure: FlakyIndex,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    assert ca_bundle() == str(certificate)
    assert fetcher(store).fetch(secure.on(PATH, GOOD), SHA).read_bytes() == DATA


def test_a_ca_bundle_that_is_not_there(
    store: Store, secure: FlakyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/bundle.pem")
    with pytest.raises(FetchError, match=r"the CA bundle /no/such/bundle\.pem is not there"):
        fetcher(store).fetch(secure.on(PATH, GOOD), SHA)


def test_a_folder_of_cas_is_trusted(
    store: Store,
    secure: FlakyIndex,
    certificate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copy(certificate, tmp_path / "cert.pem")
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    monkeypatch.setenv(CA_FOLDERS, f":/no/such/folder:{tmp_path}")
    assert fetcher(store).fetch(secure.on(PATH, GOOD), SHA).read_bytes() == DATA
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/own.pem")
    assert ca_bundle() == "/etc/own.pem"


def test_without_any_the_clients_own_bundle_serves() -> None:
    assert ca_bundle() is True


@pytest.mark.parametrize("back", [False, True])
def test_a_redirect_to_an_address_without_tls_is_refused(
    store: Store,
    secure: FlakyIndex,
    index: FlakyIndex,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    back: bool,
) -> None:
    """Even if it leads back: on its way anybody could have changed it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    final = Answer(status=302, headers={"Location": secure.on("/back", GOOD)}) if back else GOOD
    plain = index.on(PATH, final)
    url = secure.on(PATH, Answer(status=302, headers={"Location": plain}))
    with pytest.raises(FetchError, match="redirects to an address without TLS"):
        fetcher(store).fetch(url, SHA)
    assert nothing_is_stored(store)
    assert index.asked == []
