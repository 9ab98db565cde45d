"""Keys that sign and check, and everything that is wrong with others."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from signingkeys import KINDS, OTHERS, make_key
from wheelhouse.errors import ConfigError
from wheelhouse.signing import (
    PAYLOAD_TYPE,
    UnsignedError,
    load_public_key,
    load_signer,
    read_envelope,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAYLOAD = '{"_type":"https://in-toto.io/Statement/v1"}'


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_key_signs_its_public_part_confirms(tmp_path: Path, kind: str) -> None:
    private, public = make_key(tmp_path, kind=kind)
    line = read_envelope(json.loads(load_signer(private).sign(PAYLOAD)))
    assert line.payload == PAYLOAD
    load_public_key(public).check(line)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_these_kinds_sign_the_same_each_time(tmp_path: Path, kind: str) -> None:
    signer = load_signer(make_key(tmp_path, kind=kind)[0])
    assert signer.sign(PAYLOAD) == signer.sign(PAYLOAD)


def test_the_envelope_is_that_of_its_specification(tmp_path: Path) -> None:
    private, public = make_key(tmp_path, kind="p256")
    fields = json.loads(load_signer(private).sign(PAYLOAD))
    assert fields.keys() == {"payload", "payloadType", "signatures"}
    assert fields["payloadType"] == PAYLOAD_TYPE
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", public, "-outform", "DER"],
        capture_output=True,
        check=True,
    ).stdout
    assert [each["keyid"] for each in fields["signatures"]] == [hashlib.sha256(der).hexdigest()]


def test_an_encrypted_key(tmp_path: Path) -> None:
    private, public = make_key(tmp_path, passphrase="open sesame")
    line = load_signer(private, "open sesame").sign(PAYLOAD)
    load_public_key(public).check(read_envelope(json.loads(line)))


def test_a_passphrase_that_is_not_needed_does_no_harm(tmp_path: Path) -> None:
    load_signer(make_key(tmp_path)[0], "left from another key")


# -- signatures that do not count ----------------------------------------------------------------


def signed(tmp_path: Path) -> tuple[dict[str, object], Path]:
    private, public = make_key(tmp_path)
    return json.loads(load_signer(private).sign(PAYLOAD)), public


def test_another_key_has_signed(tmp_path: Path) -> None:
    fields, public = signed(tmp_path)
    other, mine = load_public_key(make_key(tmp_path / "other")[1]), load_public_key(public)
    with pytest.raises(UnsignedError, match=f"key {mine.keyid} has signed it"):
        other.check(read_envelope(fields))


def test_another_key_says_it_is_this_one(tmp_path: Path) -> None:
    fields, _ = signed(tmp_path)
    other = load_public_key(make_key(tmp_path / "other")[1])
    fields["signatures"][0]["keyid"] = other.keyid  # type: ignore[index]
    with pytest.raises(UnsignedError, match="signature is not one of"):
        other.check(read_envelope(fields))


@pytest.mark.parametrize(
    "change",
    [
        {"payload": "e30K"},
        {"signatures": []},
        {"signatures": [{"keyid": "", "sig": "AAAA"}]},
    ],
    ids=str,
)
def test_a_signature_of_something_else(tmp_path: Path, change: dict[str, object]) -> None:
    fields, public = signed(tmp_path)
    with pytest.raises(UnsignedError):
        load_public_key(public).check(read_envelope({**fields, **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "text/plain"},
        {"payload": None},
        {"payload": "?"},
        {"payload": "/w=="},
        {"signatures": None},
        {"signatures": [1]},
        {"signatures": [{"keyid": "a", "sig": "AAAA"}, {"keyid": "a", "sig": "AAAA"}]},
        {"signatures": [{"keyid": 1, "sig": "AAAA"}]},
    ],
    ids=str,
)
def test_what_is_no_envelope(tmp_path: Path, change: dict[str, object]) -> None:
    fields, public = signed(tmp_path)
    with pytest.raises(ValueError, match=r"envelope|type|signed"):
        load_public_key(public).check(read_envelope({**fields, **change}))


# -- keys that cannot be used --------------------------------------------------------------------


def refused(load: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        load()
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds(tmp_path: Path, kind: str) -> None:
    private, public = make_key(tmp_path, kind=kind)
    for told in (
        refused(lambda: load_signer(private)),
        refused(lambda: load_public_key(public)),
    ):
        assert "of 1024 bits" in told if "rsa" in kind else "a kind that is not known" in told


def test_the_wrong_part_of_a_pair(tmp_path: Path) -> None:
    private, public = make_key(tmp_path)
    assert "is a public key" in refused(lambda: load_signer(public))
    assert "is a private key" in refused(lambda: load_public_key(private))


def test_passphrases(tmp_path: Path) -> None:
    private, _ = make_key(tmp_path, passphrase="open sesame")
    for none in (None, ""):
        assert "there is no passphrase" in refused(partial(load_signer, private, none))
    told = refused(lambda: load_signer(private, "0pen sesame"))
    assert "does not open" in told
    assert "sesame" not in told


@pytest.mark.parametrize(
    "content",
    [b"", b"PLANTED\n", b"\xff\0", b"-----BEGIN PRIVATE KEY-----\n"],
    ids=["empty", "text", "bytes", "head"],
)
def test_what_is_no_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    for told in (refused(lambda: load_signer(path)), refused(lambda: load_public_key(path))):
        assert "is no p" in told or "is a private key" in told
        assert "PLANTED" not in told


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(1 << 20))
    said = {
        "nothing": "there is no private key",
        "pipe": "is not a file",
        ".": "Is a directory",
        "large": "is too large",
        "a\0b": "cannot be read",
    }
    for name, told in said.items():
        assert told in refused(partial(load_signer, tmp_path / name))


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True)])
def test_a_private_key_that_others_may_read(tmp_path: Path, mode: int, warned: bool) -> None:
    private, _ = make_key(tmp_path)
    private.chmod(mode)
    assert bool(load_signer(private).warning) is warned


def test_nothing_shows_the_key(tmp_path: Path) -> None:
    private, _ = make_key(tmp_path)
    secret = private.read_text().splitlines()[1]
    assert secret not in repr(load_signer(private))
