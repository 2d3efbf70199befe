"""A self-signed certificate for development, and for hosts that make one for themselves.

Written out in DER, since `cryptography.x509` takes longer to load (0.06 s) than all the rest of a
host's first deployment; key and signature are `cryptography`'s. RFC 5280 (certificate), RFC 5480
and RFC 5915 (key), RFC 5958 (its frame). The tests hold it against what `x509` makes.
"""

import base64
import datetime
import hashlib
import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from zeroserve.errors import TlsRefused

DEV_LIFETIME = datetime.timedelta(days=90)
DEV_CLOCK_SLACK = datetime.timedelta(hours=1)  # for a client whose clock runs behind
COMMON_NAME_MAX = 64  # RFC 5280, ub-common-name
HOST_NAME = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_LABEL_MAX, _NAME_MAX = 63, 253
_COORDINATE_BYTES = 32

_INTEGER, _BITS, _OCTETS, _OID, _UTF8, _TIME, _SEQUENCE, _SET = 2, 3, 4, 6, 12, 23, 48, 49
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_ECDSA_SHA256, _EC_KEY, _P256 = "2a8648ce3d040302", "2a8648ce3d0201", "2a8648ce3d030107"
_COMMON_NAME, _SERVER_AUTH = "550403", "2b06010505070301"
_KEY_ID, _KEY_USAGE, _NAMES, _BASIC, _ISSUER_KEY, _USAGES = (
    f"551d{number:02x}" for number in (14, 15, 17, 19, 35, 37)
)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class DevCertificate:
    """A self-signed certificate and its key, both PEM. Times have a zone, and whole seconds.

    `names`: host names in lower case, then addresses. `issuer`: as RFC 4514 writes it.
    """

    cert_pem: bytes
    key_pem: bytes
    names: tuple[str, ...]
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime

    @property
    def leaf(self) -> str:
        """SHA-256 of the DER certificate, hex."""
        der = base64.b64decode(b"".join(self.cert_pem.splitlines()[1:-1]))
        return hashlib.sha256(der).hexdigest()

    @property
    def fingerprint(self) -> str:
        """The same as upper-case hex pairs with colons, as browsers show it."""
        return bytes.fromhex(self.leaf).hex(":").upper()


def make_dev_certificate(names: Sequence[str]) -> DevCertificate:
    """A self-signed ECDSA P-256 certificate, valid for 90 days, for these host names and IP
    addresses.

    The first name is the subject. Raises `TlsRefused` (`certificate-bad`) for no name or one that
    is neither.
    """
    if not names:
        raise TlsRefused("certificate-bad", "a development certificate needs at least one name")
    hosts, addresses = _sorted(names)
    alternatives = [_der(_DNS_NAME, each.encode()) for each in hosts]
    alternatives += [_der(_IP_ADDRESS, each.packed) for each in addresses]
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.private_numbers()
    point = b"\4" + b"".join(
        each.to_bytes(_COORDINATE_BYTES, "big")
        for each in (numbers.public_numbers.x, numbers.public_numbers.y)
    )
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    start, end = now - DEV_CLOCK_SLACK, now + DEV_LIFETIME
    signed_by = _der(_SEQUENCE, _oid(_ECDSA_SHA256))
    algorithm = _der(_SEQUENCE, _oid(_EC_KEY), _oid(_P256))
    common = names[0][:COMMON_NAME_MAX]
    written = _der(_SEQUENCE, _oid(_COMMON_NAME), _der(_UTF8, common.encode()))
    name = _der(_SEQUENCE, _der(_SET, written))
    key_id = hashlib.sha1(point, usedforsecurity=False).digest()
    # Not a CA: who trusts this certificate trusts this server, and nothing it could sign.
    extensions = (
        _extension(_BASIC, _der(_SEQUENCE), critical=True),
        _extension(_KEY_USAGE, _der(_BITS, b"\x07\x80"), critical=True),  # digital signature
        _extension(_USAGES, _der(_SEQUENCE, _oid(_SERVER_AUTH))),
        _extension(_NAMES, _der(_SEQUENCE, *alternatives)),
        _extension(_KEY_ID, _der(_OCTETS, key_id)),
        _extension(_ISSUER_KEY, _der(_SEQUENCE, _der(0x80, key_id))),
    )
    body = _der(
        _SEQUENCE,
        _der(0xA0, _der(_INTEGER, b"\2")),  # version 3
        _der(_INTEGER, _serial()),
        signed_by,
        name,
        _der(_SEQUENCE, _time(start), _time(end)),
        name,
        _der(_SEQUENCE, algorithm, _der(_BITS, b"\0", point)),
        _der(0xA3, _der(_SEQUENCE, *extensions)),
    )
    signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
    scalar = _der(_OCTETS, numbers.private_value.to_bytes(_COORDINATE_BYTES, "big"))
    public = _der(0xA1, _der(_BITS, b"\0", point))
    private = _der(_SEQUENCE, _der(_INTEGER, b"\1"), scalar, public)
    whole = _der(_SEQUENCE, body, signed_by, _der(_BITS, b"\0", signature))
    framed = _der(_SEQUENCE, _der(_INTEGER, b"\0"), algorithm, _der(_OCTETS, private))
    return DevCertificate(
        cert_pem=_pem("CERTIFICATE", whole),
        key_pem=_pem("PRIVATE KEY", framed),
        names=(*(each.lower() for each in hosts), *(str(each) for each in addresses)),
        issuer=f"CN={common}",
        not_before=start,
        not_after=end,
    )


def _der(tag: int, *content: bytes) -> bytes:
    """One value: tag, length in as few bytes as there can be, content."""
    inner = b"".join(content)
    size = len(inner)
    if size < 0x80:
        return bytes((tag, size)) + inner
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + inner


def _oid(encoded: str) -> bytes:
    return _der(_OID, bytes.fromhex(encoded))


def _extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = _der(1, b"\xff") if critical else b""
    return _der(_SEQUENCE, _oid(oid), flag, _der(_OCTETS, value))


def _serial() -> bytes:
    """At least 64 random bits, positive and never zero (RFC 5280, section 4.1.2.2)."""
    drawn = os.urandom(19)
    return bytes((drawn[0] & 0x3F | 0x40,)) + drawn[1:]


def _time(at: datetime.datetime) -> bytes:
    # UTCTime is for years up to 2049 (section 4.1.2.5).
    if at.year >= 2050:
        return _der(24, f"{at:%Y%m%d%H%M%S}Z".encode())
    return _der(_TIME, f"{at:%y%m%d%H%M%S}Z".encode())


def _sorted(names: Sequence[str]) -> tuple[list[str], list[_Address]]:
    """Host names as they are in a certificate, and addresses. Raises `TlsRefused`."""
    hosts: list[str] = []
    addresses: list[_Address] = []
    for name in names:
        try:
            addresses.append(ipaddress.ip_address(name))
        except ValueError:
            hosts.append(_host(name))
    return hosts, addresses


def _host(name: str) -> str:
    try:
        host = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        host = ""
    labels = host.split(".")
    fits = len(host) <= _NAME_MAX and all(len(each) <= _LABEL_MAX for each in labels)
    if not fits or not HOST_NAME.fullmatch(host):
        raise TlsRefused("certificate-bad", f"`{name}` is neither a host name nor an IP address")
    return host


def _pem(label: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()
