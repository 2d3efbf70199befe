"""Certificates: those we make are accepted by others; those we judge get every fault named."""

import datetime
import ssl
import threading
from socket import socketpair

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from zeroserve.errors import TlsRefused
from zeroserve.tls.certificates import DevCertificate, judge_pair, make_dev_certificate

NOW = datetime.datetime.now(datetime.UTC)


def judge(cert: bytes, key: bytes, now: datetime.datetime = NOW) -> list[str]:
    faults = judge_pair(cert_pem=cert, key_pem=key, cert_name="c", key_name="k", now=now)
    assert all("`c`" in fault.message or "`k`" in fault.message for fault in faults)
    return [fault.code for fault in faults]


def test_what_we_make_is_good(certificate: DevCertificate) -> None:
    assert judge(certificate.cert_pem, certificate.key_pem) == []
    der = x509.load_pem_x509_certificate(certificate.cert_pem)
    assert certificate.fingerprint == der.fingerprint(hashes.SHA256()).hex(":").upper()
    lifetime = der.not_valid_after_utc - der.not_valid_before_utc
    assert datetime.timedelta(days=90) <= lifetime < datetime.timedelta(days=91)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_strict_client_accepts_it(
    certificate: DevCertificate, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.mktemp("tls")
    (folder / "c").write_bytes(certificate.cert_pem)
    (folder / "k").write_bytes(certificate.key_pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "c", folder / "k")
    client = ssl.create_default_context(cadata=certificate.cert_pem.decode())
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    left, right = socketpair()
    answered: list[bytes] = []

    def serve() -> None:
        with server.wrap_socket(left, server_side=True) as peer:
            answered.append(peer.recv(10))

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(right, server_hostname=name) as peer:
        peer.sendall(b"hello")
        thread.join(20)
    assert answered == [b"hello"]


@pytest.mark.parametrize("names", [[], ["bad name"], ["a..b"], ["x" * 64 + ".example"]])
def test_names_that_cannot_be_in_a_certificate(names: list[str]) -> None:
    with pytest.raises(TlsRefused):
        make_dev_certificate(names)


def sign(key: object, days_from: int, days_to: int) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(1)
        .not_valid_before(NOW + datetime.timedelta(days=days_from))
        .not_valid_after(NOW + datetime.timedelta(days=days_to))
        .sign(key, algorithm)  # type: ignore[arg-type]
        .public_bytes(serialization.Encoding.PEM)
    )


def pem(key: object, password: bytes | None = None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("make", "codes"),
    [
        (lambda: ec.generate_private_key(ec.SECP256R1()), []),
        (lambda: ec.generate_private_key(ec.SECP384R1()), []),
        (lambda: rsa.generate_private_key(65537, 2048), []),
        (lambda: rsa.generate_private_key(65537, 1024), ["key-bad"]),
        (lambda: ec.generate_private_key(ec.SECP521R1()), ["key-bad"]),
        (ed25519.Ed25519PrivateKey.generate, ["key-bad"]),
    ],
)
def test_kinds_of_keys(make, codes: list[str]) -> None:  # noqa: ANN001  # a table of makers
    key = make()
    assert judge(sign(key, -1, 1), pem(key)) == codes


def test_dates() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert judge(sign(key, -3, -1), pem(key)) == ["certificate-expired"]
    assert judge(sign(key, 1, 3), pem(key)) == ["certificate-not-yet-valid"]


def test_all_faults_are_collected(certificate: DevCertificate) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    assert judge(sign(other, -3, -1), certificate.key_pem) == [
        "certificate-expired",
        "key-mismatch",
    ]
    assert judge(b"", b"") == ["certificate-bad", "key-bad"]


def test_swapped_files_are_recognized(certificate: DevCertificate) -> None:
    faults = judge_pair(
        cert_pem=certificate.key_pem,
        key_pem=certificate.cert_pem,
        cert_name="c",
        key_name="k",
        now=NOW,
    )
    assert all("swapped" in (fault.hint or "") for fault in faults)
    assert len(faults) == 2


def test_a_key_with_a_password_is_named(certificate: DevCertificate) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert judge(sign(key, -1, 1), pem(key, b"secret")) == ["key-bad"]
