"""Directory: files of certificates and keys, judged as a start would judge them."""

import datetime
import re
from collections.abc import Iterable, Iterator

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from zeroserve.errors import TlsRefused
from zeroserve.tls.certificates import load_key

BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n.*?-----END \1-----", re.DOTALL)
CERTIFICATES = (b"CERTIFICATE", b"X509 CERTIFICATE")

Spki = bytes


def judge_directory(
    files: Iterable[tuple[str, bytes]], directory: str, now: datetime.datetime
) -> list[TlsRefused]:
    """Everything that is wrong with a directory's files, given as (name, content);

    an empty list when it can serve. `now` has a time zone.
    """
    faults: list[TlsRefused] = []
    certificates: dict[Spki, list[tuple[str, x509.Certificate]]] = {}
    keys: dict[Spki, str] = {}
    for name, content in files:
        for block in BLOCK.finditer(content):
            label = block[1]
            if label in CERTIFICATES:
                try:
                    one = x509.load_pem_x509_certificate(block[0])
                    public = _spki(one.public_key())
                except Exception:  # as for keys, several unrelated kinds
                    text = f"`{name}` holds a certificate that cannot be read"
                    faults.append(TlsRefused("certificate-bad", text))
                else:
                    certificates.setdefault(public, []).append((name, one))
            elif label.endswith(b"PRIVATE KEY") and label != b"ECH PRIVATE KEY":
                key = load_key(block[0], name, faults)
                if key is not None:
                    keys.setdefault(_spki(key.public_key()), name)
    if not faults:
        faults += _judge_pairs(certificates, keys, directory, now)
    return faults


def _judge_pairs(
    certificates: dict[Spki, list[tuple[str, x509.Certificate]]],
    keys: dict[Spki, str],
    directory: str,
    now: datetime.datetime,
) -> Iterator[TlsRefused]:
    if not certificates:
        text = f"no TLS certificate PEMs found in `{directory}`"
        yield TlsRefused("certificate-bad", text)
    elif not keys:
        yield TlsRefused("key-bad", f"no TLS private key PEMs found in `{directory}`")
    elif not certificates.keys() & keys.keys():
        text = f"no TLS certificate in `{directory}` matched any private key"
        yield TlsRefused("key-mismatch", text)
    else:
        served = [one for key in keys for one in certificates.get(key, [])]
        old = [name for name, one in served if one.not_valid_after_utc < now]
        if len(old) == len(served):
            text = f"all TLS certificates are expired in `{directory}`"
            yield TlsRefused("certificate-expired", text, hint="renew them")
        else:
            for name in old:
                text = f"`{name}`: the certificate has expired"
                yield TlsRefused("certificate-unused", text, hint="it is chosen last: renew it")
        for public, found in certificates.items():
            name, one = found[0]
            if public not in keys and _names_hosts(one):
                text = f"`{name}`: no private key belongs to the certificate, it is not used"
                yield TlsRefused("certificate-unused", text)
        for public, name in keys.items():
            if public not in certificates:
                text = f"`{name}`: the private key belongs to no certificate"
                yield TlsRefused("certificate-unused", text)


def _spki(key: object) -> Spki:
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(*form)  # type: ignore[attr-defined,no-any-return]


def _names_hosts(certificate: x509.Certificate) -> bool:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return bool(names.value.get_values_for_type(x509.DNSName))
