"""Certificates, keys and age identities for tests, as a project keeps them."""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from zsops.host import messages as m

NAME = "shop.example"
Identity = pyrage.x25519.Identity


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    cert: bytes
    key: bytes

    @property
    def der(self) -> bytes:
        """The key in DER form, PKCS #8."""
        return _loaded(self.key).private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def scalar(self) -> bytes:
        """The secret number itself, which any form of the key holds."""
        return _loaded(self.key).private_numbers().private_value.to_bytes(32, "big")


def _loaded(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def make_pair(
    *names: str, days: float = 90.0, issuer: Pair | None = None, ca: bool = False
) -> Pair:
    """A certificate for `names`, self-signed or by `issuer`; a negative `days` is expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    signer, issuer_name = key, subject
    if issuer is not None:
        signer = _loaded(issuer.key)
        issuer_name = x509.load_pem_x509_certificate(issuer.cert).subject
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=100))
        .not_valid_after(now + datetime.timedelta(days=days, minutes=5))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    chain = made.public_bytes(pem) + (issuer.cert if issuer else b"")
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(chain, secret)


def keep(directory: Path, pair: Pair, *recipients: str, name: str = "shop") -> None:
    """Put the pair into the project, the key encrypted to `recipients`."""
    folder = directory / "secrets"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.crt").write_bytes(pair.cert)
    to = [_recipient(each) for each in recipients]
    (folder / f"{name}.key.age").write_bytes(pyrage.encrypt(pair.key, to))


def _recipient(text: str) -> object:
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    return kind.Recipient.from_str(text)


def sealed_to(
    recipients: tuple[str, ...], pair: Pair, *ech: bytes, further: Mapping[str, Pair] | None = None
) -> m.Material:
    """The pair, further ones by name, and ECH keys as an operator sends them to a host."""
    files = {"tls/cert.pem": pair.cert, "tls/key.pem": pair.key}
    for number, (name, other) in enumerate((further or {}).items(), 1):
        files[f"tls/more-{number:02}-{name}.cert.pem"] = other.cert
        files[f"tls/more-{number:02}-{name}.key.pem"] = other.key
    files |= {f"ech/{at:02}.pem": bundle for at, bundle in enumerate(ech)}
    total = hashlib.sha256(b"".join(files.values())).hexdigest()
    to = [_recipient(each) for each in recipients[:1]]
    return m.Material(
        f"sha256:{total}",
        tuple(
            m.SealedFile(path, base64.b64encode(pyrage.encrypt(plain, to)).decode())
            for path, plain in files.items()
        ),
    )


@dataclass
class OperatorKey:
    """The operator's age identity, found through the environment."""

    identity: Identity
    file: Path

    @classmethod
    def make(cls, place: Path) -> OperatorKey:
        """Written to a file of its own."""
        identity = Identity.generate()
        place.write_text(f"{identity}\n")
        place.chmod(0o600)
        return cls(identity, place)

    @property
    def recipient(self) -> str:
        """Its public half."""
        return str(self.identity.to_public())

    @property
    def env(self) -> Mapping[str, str]:
        """What lets `zsops` find it."""
        return {"ZSOPS_AGE_IDENTITY": str(self.file)}

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For `zsops` in this very process."""
        for name, value in self.env.items():
            monkeypatch.setenv(name, value)
