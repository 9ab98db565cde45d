"""Keys, and the envelopes that they sign: DSSE around in-toto statements.

A key is a PEM file that the user names: Ed25519, ECDSA on P-256, P-384 or P-521, or RSA. It is read
once, into memory, and no part of it is ever written, logged or told; what is told is the *key ID*,
the SHA-256 of the public key (its DER form), which anybody can compute with `openssl`.

https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wheelhouse.errors import ConfigError
from wheelhouse.wording import printable, shown_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner, SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"

#: Whoever may read the private key can sign in its owner's name; whoever may write it, too.
OTHERS = stat.S_IRWXG | stat.S_IRWXO

#: Bytes of a key's file: the longest keys in use have a twentieth of it.
LARGEST = 64 << 10

#: Bits of an RSA key, below which signatures of it are worth little.
FEWEST_BITS = 2048

HOW = "make one: openssl genpkey -algorithm ed25519 -out wheelhouse.key"
HOW_PUBLIC = "openssl pkey -in wheelhouse.key -pubout -out wheelhouse.pub"


class UnsignedError(ValueError):
    """A line is not what the key in question has signed; the message says what it is instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """A private key, ready to sign. Safe to use from several threads.

    :ivar keyid: of its public key.
    :ivar warning: what is wrong with how it is kept; empty if nothing.
    """

    keyid: str
    warning: str = ""
    _key: CryptoSigner = field(repr=False)

    def sign(self, payload: str) -> str:
        """The envelope of *payload*, as one line of JSON without its end."""
        from securesystemslib.dsse import Envelope

        envelope = Envelope(payload.encode(), PAYLOAD_TYPE, {})
        envelope.sign(self._key)
        return json.dumps(envelope.to_dict(), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicKey:
    """What signatures are checked with."""

    keyid: str
    _key: SSlibKey = field(repr=False)

    def check(self, line: SignedLine) -> None:
        """Raise UnsignedError unless this key has signed *line*."""
        from securesystemslib.exceptions import Error

        if self.keyid not in line.keyids:
            who = f"key {line.keyids[0]} has" if line.keyids else "nobody has"
            raise UnsignedError(f"{who} signed it, and not {self.keyid}")
        try:
            line.envelope.verify([self._key], threshold=1)
        except (Error, ValueError) as error:
            raise UnsignedError(f"its signature is not one of key {self.keyid}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedLine:
    """An envelope, read and not yet checked.

    :ivar payload: the text that was signed.
    :ivar keyids: of the keys that are said to have signed it.
    """

    payload: str
    keyids: tuple[str, ...]
    envelope: Envelope


def read_envelope(fields: dict[str, Any]) -> SignedLine:
    """The envelope that the JSON object *fields* is.

    :raises ValueError: it is none of a statement.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import Error

    try:
        envelope = Envelope.from_dict(fields)
        payload = envelope.payload.decode()
        keyids = tuple(printable(keyid)[:100] for keyid in envelope.signatures)
    except (Error, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"no DSSE envelope: {error}") from error
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ValueError(f"its payload is not of the type {PAYLOAD_TYPE}")
    return SignedLine(payload=payload, keyids=keyids, envelope=envelope)


# -- keys ----------------------------------------------------------------------------------------


def load_signer(path: Path, passphrase: str | None = None) -> Signer:
    """The private key in the file *path*.

    :param passphrase: of an encrypted one.
    :raises ConfigError: it cannot be used; the message says why, and never what is in the file.
    """
    from securesystemslib.signer import CryptoSigner

    data, mode = _read(path, "private key", HOW)
    private = _private(path, data, passphrase)
    public = _known(path, private.public_key(), HOW)
    return Signer(
        keyid=public.keyid,
        warning=_exposure(path, mode),
        _key=CryptoSigner(private, public),
    )


def load_public_key(path: Path) -> PublicKey:
    """The public key in the file *path*.

    :raises ConfigError: it cannot be used.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data, _ = _read(path, "public key", HOW_PUBLIC)
    if b" PRIVATE KEY-----" in data:
        raise ConfigError(
            f"{shown_path(path)} is a private key: checking takes the public one",
            hint=f"keep it where it is; {HOW_PUBLIC}",
        )
    try:
        public = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(
            f"{shown_path(path)} is no public key in PEM form", hint=HOW_PUBLIC
        ) from None
    key = _known(path, public, HOW_PUBLIC)
    return PublicKey(keyid=key.keyid, _key=key)


def _read(path: Path, what: str, how: str) -> tuple[bytes, int]:
    """The bytes and the mode of the file of a key."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(
                    f"the {what} {shown_path(path)} is not a file", hint="name the file of a key"
                )
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no {what} {shown_path(path)}", hint=f"name the file of a key, or {how}"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else "its name is none"
        raise ConfigError(
            f"the {what} {shown_path(path)} cannot be read: {reason}",
            hint="name a file that you may read",
        ) from None
    if len(data) > LARGEST:
        raise ConfigError(f"{shown_path(path)} is too large to be a {what}", hint=how)
    return data, status.st_mode


def _private(path: Path, data: bytes, passphrase: str | None) -> PrivateKeyTypes:
    """The key in *data*, a file's, which no message may show."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    shown = shown_path(path)
    if b" PUBLIC KEY-----" in data and b" PRIVATE KEY-----" not in data:
        raise ConfigError(
            f"{shown} is a public key: signing takes the private one",
            hint="name the file that the public key was made from",
        )
    if _is_encrypted(data) and not passphrase:
        raise ConfigError(
            f"the private key {shown} is encrypted, and there is no passphrase",
            hint="put it into the environment variable WHEELHOUSE_SIGN_PASSPHRASE",
        )
    secret = passphrase.encode() if passphrase and _is_encrypted(data) else None
    try:
        return load_pem_private_key(data, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if secret:
            raise ConfigError(
                f"the passphrase does not open the private key {shown}, or that is damaged",
                hint="correct the environment variable WHEELHOUSE_SIGN_PASSPHRASE",
            ) from None
        raise ConfigError(
            f"{shown} is no private key in PEM form", hint=f"name another file, or {HOW}"
        ) from None


def _is_encrypted(data: bytes) -> bool:
    return b"ENCRYPTED" in data


def _known(path: Path, public: PublicKeyTypes, how: str) -> SSlibKey:
    """*public* with its key ID, if signatures of its kind are known here."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from securesystemslib.signer import SSlibKey

    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    scheme = None
    if isinstance(public, RSAPublicKey):
        scheme = "rsa-pkcs1v15-sha256"  # the same signature each time, which PSS does not give
        if public.key_size < FEWEST_BITS:
            raise ConfigError(
                f"{shown_path(path)} is an RSA key of {public.key_size} bits, which is too few",
                hint=how,
            )
    try:
        key = SSlibKey.from_crypto(public, hashlib.sha256(der).hexdigest(), scheme)
    except ValueError:
        key = None
    if key is None or key.scheme not in SCHEMES:
        raise ConfigError(
            f"{shown_path(path)} is of a kind that is not known here: it must be an Ed25519, an "
            "ECDSA (P-256, P-384, P-521) or an RSA key",
            hint=how,
        )
    return key


#: As securesystemslib calls them.
SCHEMES = {
    "ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-pkcs1v15-sha256",
}


def _exposure(path: Path, mode: int) -> str:
    if not mode & OTHERS:
        return ""
    return (
        f"others than its owner have rights on the private key {shown_path(path)}: "
        f"chmod 600 {shown_path(path)}"
    )


def keyids(lines: Iterable[SignedLine]) -> list[str]:
    """Of the keys that are said to have signed *lines*, each once."""
    return sorted({keyid for line in lines for keyid in line.keyids})
