"""Certificates for tests, and TLS contexts that trust exactly them."""

from __future__ import annotations

import base64
import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from zeroserve.tls.self_signed import make_dev_certificate

NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate on disk, which is its own trust anchor."""

    cert: Path
    key: Path

    @classmethod
    def make(cls, directory: Path, names: tuple[str, ...] = NAMES) -> Certificate:
        """Make a pair in a directory, which is created."""
        directory.mkdir(parents=True, exist_ok=True)
        made = make_dev_certificate(names)
        pair = cls(directory / "cert.pem", directory / "key.pem")
        pair.cert.write_bytes(made.cert_pem)
        pair.key.touch(0o600)
        pair.key.write_bytes(made.key_pem)
        return pair

    @property
    def der(self) -> bytes:
        """What a client sees as the peer's certificate."""
        return ssl.PEM_cert_to_DER_cert(self.cert.read_text())

    @property
    def spki_pin(self) -> str:
        """Base64 of the SHA-256 of the public key, as Chromium's allow-list wants it."""
        public = x509.load_der_x509_certificate(self.der).public_key()
        spki = public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(hashlib.sha256(spki).digest()).decode()

    def context(self) -> ssl.SSLContext:
        """A client's context that trusts this certificate, and checks the name."""
        return ssl.create_default_context(cafile=str(self.cert))

    def old_context(self) -> ssl.SSLContext:
        """A client that speaks TLS 1.2 at most."""
        context = self.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context
