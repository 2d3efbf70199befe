"""Certificates: PEM in, findings out;

and certificates for development. Imports `cryptography`, so never in the daemon.

TLS itself is the engine's. What is judged here is what a start would refuse anyway, said earlier
and without the engine.
"""

import datetime
import hashlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from zeroserve.errors import TlsRefused

DEV_LIFETIME = datetime.timedelta(days=90)
DEV_CLOCK_SLACK = datetime.timedelta(hours=1)  # for a client whose clock runs behind
RSA_BITS_MIN = 2048
COMMON_NAME_MAX = 64  # RFC 5280, ub-common-name
HOST_NAME = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
CURVES = (ec.SECP256R1, ec.SECP384R1)


@dataclass(frozen=True, slots=True)
class DevCertificate:
    """A self-signed certificate and its key, both PEM."""

    cert_pem: bytes
    key_pem: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER certificate, as upper-case hex pairs with colons, as browsers show
        it.
        """
        certificate = x509.load_pem_x509_certificate(self.cert_pem)
        der = certificate.public_bytes(serialization.Encoding.DER)
        return hashlib.sha256(der).digest().hex(":").upper()


def make_dev_certificate(names: Sequence[str]) -> DevCertificate:
    """A self-signed ECDSA P-256 certificate, valid for 90 days, for these host names and IP
    addresses.

    The first name is the subject. Raises `TlsRefused` (`certificate-bad`) for no name or one that
    is neither.
    """
    if not names:
        raise TlsRefused("certificate-bad", "a development certificate needs at least one name")
    alternatives = [_general_name(name) for name in names]
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:COMMON_NAME_MAX])])
    now = datetime.datetime.now(datetime.UTC)
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    # Not a CA: who trusts this certificate trusts this server, and nothing it could sign.
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DEV_CLOCK_SLACK)
        .not_valid_after(now + DEV_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(key_id, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return DevCertificate(
        cert_pem=certificate.public_bytes(serialization.Encoding.PEM),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        host = name.encode("idna").decode()
    except UnicodeError:
        host = ""
    if not HOST_NAME.fullmatch(host):
        raise TlsRefused("certificate-bad", f"`{name}` is neither a host name nor an IP address")
    return x509.DNSName(host)


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
