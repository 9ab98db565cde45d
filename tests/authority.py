"""Certificates of tests' own: those of an authority, and those that nobody should trust."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)


class Authority:
    """An authority that keeps its certificate, and those it gives out, in *folder*.

    :ivar bundle: the CA bundle of those who trust it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._number = 0
        self.bundle = folder / "authority.pem"
        name = _name("an authority of tests")
        made = self._made(name, self._key, x509.BasicConstraints(ca=True, path_length=0), DAY)
        self.bundle.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def server(
        self, address: str = "127.0.0.1", *, ends: timedelta = DAY, by_itself: bool = False
    ) -> ssl.SSLContext:
        """What a server shows that is at *address*.

        :param ends: from now.
        :param by_itself: whether it has signed its certificate itself.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        signer = key if by_itself else self._key
        made = self._made(_name(address), key, names, ends, signer=signer, by_itself=by_itself)
        self._number += 1
        path = self._folder / f"server-{self._number}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _made(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
        ends: timedelta,
        *,
        signer: ec.EllipticCurvePrivateKey | None = None,
        by_itself: bool = True,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if by_itself else _name("an authority of tests"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 9 * DAY)
            .not_valid_after(now + ends)
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(signer or key, hashes.SHA256())
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
