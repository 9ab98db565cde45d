"""`wheelhouse verify` and `wheelhouse sign`, as commands."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from damage import Signed, make_signed
from signingkeys import make_key
from wheelhouse.cli import app  # noqa: TID251  (it is what is tested)
from wheelhouse.cli.options import ToldError  # noqa: TID251  (the same)
from wheelhouse.cli.verify import open_signer  # noqa: TID251  (the same)
from wheelhouse.errors import CheckError, ConfigError, StorageError
from wheelhouse.events import SilentReporter
from wheelhouse.signing import load_public_key

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def house(tmp_path: Path) -> Signed:
    return make_signed(tmp_path)


def run(*arguments: object, **variables: str) -> Result:
    return CliRunner().invoke(app.commands, [*map(str, arguments)], env=variables)


def succeeded(*arguments: object, **variables: str) -> str:
    done = run(*arguments, **variables)
    assert done.exit_code == 0, done.exception
    return done.output


def as_json(*arguments: object, status: int = 0) -> dict[str, Any]:
    done = run("verify", "--json", *arguments)
    if status:
        assert isinstance(done.exception, ToldError)
        assert done.exception.status == status
    found: dict[str, Any] = json.loads(done.output)
    return found


def test_with_the_key_and_without(house: Signed) -> None:
    keyid = load_public_key(house.public).keyid
    said = succeeded("verify", house.path, "--key", house.public)
    assert "whole and unchanged: 2 wheels" in said
    assert f"signed by key {keyid}\n" in said
    assert f"signed by key {keyid}, which was not checked" in succeeded("verify", house.path)


def test_as_json(house: Signed) -> None:
    keyid = load_public_key(house.public).keyid
    told = as_json(house.path, "--key", house.public)
    assert (told["whole"], told["problems"], told["errors"]) == (True, [], [])
    assert told["signature"] == {"key_ids": [keyid], "checked_with": keyid}


def test_problems_as_json(house: Signed) -> None:
    (house.path / "manifest.json").unlink()
    told = as_json(house.path, status=5)
    assert [(each["file"], each["kind"]) for each in told["problems"]] == [
        ("manifest.json", "missing")
    ]
    assert told["errors"][0]["hint"]


def test_no_wheelhouse_as_json(tmp_path: Path) -> None:
    told = as_json(tmp_path, status=7)
    assert "is no wheelhouse" in told["errors"][0]["message"]


def test_attestations_of_wheels_of_no_index(house: Signed) -> None:
    said = succeeded("verify", house.path, "--attestations")
    assert said.count("it came from no index") == 2
    told = as_json(house.path, "--attestations")
    assert [each["outcome"] for each in told["attestations"]] == ["none", "none"]


def test_it_has_to_be_signed_by_that_key(house: Signed, tmp_path: Path) -> None:
    _, other = make_key(tmp_path / "other")
    done = run("verify", house.path, "--key", other)
    assert isinstance(done.exception, CheckError)
    assert "provenance.intoto.jsonl is not signed as it must be" in done.exception.message


def test_signing_anew(house: Signed, tmp_path: Path) -> None:
    private, public = make_key(tmp_path / "other", passphrase="open")
    said = succeeded(*("sign", house.path, "--key", private), WHEELHOUSE_SIGN_PASSPHRASE="open")
    assert f"signed with key {load_public_key(public).keyid}: 2 wheels" in said
    succeeded("verify", house.path, "--key", public)


def test_signing_with_a_key_that_others_may_read(house: Signed) -> None:
    house.private.chmod(0o644)
    assert "warning: others than its owner" in succeeded("sign", house.path, "--key", house.private)


def test_signing_what_is_none(house: Signed, tmp_path: Path) -> None:
    done = run("sign", tmp_path, "--key", house.private)
    assert isinstance(done.exception, StorageError)
    assert not (tmp_path.parent / "wheels").exists()


# -- the key of a build --------------------------------------------------------------------------


def test_the_passphrase_leaves_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, _ = make_key(tmp_path, passphrase="open")
    for key in (private, None):
        monkeypatch.setenv("WHEELHOUSE_SIGN_PASSPHRASE", "open")
        assert bool(open_signer(key, "docker", SilentReporter())) is bool(key)
        assert "WHEELHOUSE_SIGN_PASSPHRASE" not in os.environ


def test_no_key_beside_package_code(tmp_path: Path) -> None:
    private, _ = make_key(tmp_path)
    with pytest.raises(ConfigError, match="package code runs as you"):
        open_signer(private, "local", SilentReporter())
