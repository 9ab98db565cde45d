"""Reaching an engine: what is said where that is not possible, and of damaged settings."""

from __future__ import annotations

import gc
import hashlib
import warnings
from typing import TYPE_CHECKING

import pytest

from faults.cases.engine_absent import ENGINES, HOSTS, PASSWORD, SETTINGS, answering, version
from wheelhouse.engine.docker_connect import connect
from wheelhouse.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _left_to_the_collector() -> Iterator[None]:
    """The SDK leaves a client that it could not make, with its sockets, to the garbage collector.

    That comes now, and not in the middle of another test.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def refused() -> EngineError:
    with pytest.raises(EngineError) as told:
        connect()
    assert told.value.hint
    assert "\n" not in told.value.message
    return told.value


@pytest.mark.parametrize("name", HOSTS)
def test_an_address_where_nothing_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address, words = HOSTS[name]
    monkeypatch.setenv("DOCKER_HOST", address)
    assert words in refused().message


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_will_not_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, words = ENGINES[name]
    with answering(answers) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        assert words in refused().message


def test_an_engine_that_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(version("1.41")) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        client = connect(timeout=7)
        client.close()
    assert (client.api_version, client.timeout) == ("1.41", 7)


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_are_damaged(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, words = SETTINGS[name]
    (tmp_path / "config.json").write_bytes(content)
    error = refused()
    assert words in error.message
    assert PASSWORD not in error.message
    if "context" not in words:
        assert str(tmp_path / "config.json") in error.message
        assert "DOCKER_CONFIG" in str(error.hint)


def test_certificates_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "none"))
    assert "DOCKER_HOST=tcp://127.0.0.1:2376" in refused().message


def test_the_engine_of_a_context_that_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "mine")
    (tmp_path / "config.json").write_text("{}")
    folder = tmp_path / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text("[1]")
    assert "the context mine of the `docker` command" in refused().message
