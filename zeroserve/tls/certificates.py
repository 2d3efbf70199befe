"""Certificates: PEM in, findings out. Imports `cryptography`, so never in the daemon.

TLS itself is the engine's. What is judged here is what a start would refuse anyway, said earlier
and without the engine.
"""

import datetime
import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from zeroserve.errors import TlsRefused

RSA_BITS_MIN = 2048
CURVES = (ec.SECP256R1, ec.SECP384R1)


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What the first certificate of a chain says. `leaf`: SHA-256 of its DER form, hex."""

    leaf: str
    names: tuple[str, ...]
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime

    def covers(self, host: str) -> bool:
        """Whether `host` (a name, or a wildcard that stands for itself) is among its names."""
        wanted = host.lower()
        _, _, parent = wanted.partition(".")
        return wanted in self.names or (bool(parent) and f"*.{parent}" in self.names)


def read_facts(cert_pem: bytes) -> CertificateFacts:
    """The facts of a PEM chain. Raises `ValueError` when there is no certificate in it."""
    leaf = x509.load_pem_x509_certificates(cert_pem)[0]
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
        found += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    except x509.ExtensionNotFound:
        found = []
    return CertificateFacts(
        leaf=hashlib.sha256(leaf.public_bytes(serialization.Encoding.DER)).hexdigest(),
        names=tuple(found),
        issuer=leaf.issuer.rfc4514_string(),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


def judge_pair(
    *, cert_pem: bytes, key_pem: bytes, cert_name: str, key_name: str, now: datetime.datetime
) -> list[TlsRefused]:
    """Everything that is wrong with a certificate chain and its key;

    an empty list when it can serve.

    `cert_name` and `key_name` are for the text; `now` has a time zone.
    """
    faults: list[TlsRefused] = []
    leaf = _leaf(cert_pem, cert_name, faults)
    key = load_key(key_pem, key_name, faults)
    if leaf is not None:
        _judge_dates(leaf, cert_name, now, faults)
    if leaf is not None and key is not None and not _belongs(leaf, key):
        faults.append(
            TlsRefused(
                "key-mismatch",
                f"the key in `{key_name}` does not belong to the certificate in `{cert_name}`",
                hint="the first certificate in the file must be the server's own, not its issuer's",
            )
        )
    return faults


def _leaf(cert_pem: bytes, name: str, faults: list[TlsRefused]) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificates(cert_pem)[0]
    except ValueError:
        hint = None
        if b"PRIVATE KEY-----" in cert_pem:
            hint = "this is a private key: `--cert` and `--key` may be swapped"
        faults.append(
            TlsRefused(
                "certificate-bad", f"`{name}` holds no PEM certificate that can be read", hint=hint
            )
        )
        return None


def load_key(key_pem: bytes, name: str, faults: list[TlsRefused]) -> PrivateKeyTypes | None:
    """The key in a PEM text, or None and one more fault."""
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except TypeError:
        faults.append(
            TlsRefused(
                "key-bad",
                f"the key in `{name}` is encrypted with a password",
                hint=f"decrypt it: `openssl pkey -in {name} -out plain.pem`",
            )
        )
        return None
    except Exception:  # cryptography raises several unrelated kinds for unreadable keys
        hint = None
        if b"BEGIN CERTIFICATE" in key_pem:
            hint = "this is a certificate: `--cert` and `--key` may be swapped"
        text = f"`{name}` holds no PEM private key that can be read"
        faults.append(TlsRefused("key-bad", text, hint=hint))
        return None
    strong_rsa = isinstance(key, rsa.RSAPrivateKey) and key.key_size >= RSA_BITS_MIN
    known_curve = isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, CURVES)
    if not (strong_rsa or known_curve):
        faults.append(
            TlsRefused(
                "key-bad",
                f"the key in `{name}` is of a kind that cannot serve here",
                hint="use ECDSA P-256 or P-384, or RSA of at least 2048 bits",
            )
        )
        return None
    return key


def _judge_dates(
    leaf: x509.Certificate, name: str, now: datetime.datetime, faults: list[TlsRefused]
) -> None:
    if leaf.not_valid_after_utc < now:
        ended = leaf.not_valid_after_utc.isoformat()
        text = f"the certificate in `{name}` expired at {ended}"
        faults.append(TlsRefused("certificate-expired", text, hint="renew it"))
    if leaf.not_valid_before_utc > now:
        begins = leaf.not_valid_before_utc.isoformat()
        text = f"the certificate in `{name}` is valid only from {begins} on"
        faults.append(TlsRefused("certificate-not-yet-valid", text, hint="check the clock"))


def _belongs(leaf: x509.Certificate, key: PrivateKeyTypes) -> bool:
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return leaf.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)
