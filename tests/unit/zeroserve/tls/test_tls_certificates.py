"""Certificates: those we make are accepted by others; those we judge get every fault named."""

import datetime
import ipaddress
import ssl
import threading
from socket import socketpair

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from zeroserve.errors import TlsRefused
from zeroserve.tls import self_signed
from zeroserve.tls.certificates import CertificateFacts, judge_pair, read_facts
from zeroserve.tls.self_signed import DevCertificate, make_dev_certificate

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


@pytest.mark.parametrize(
    "names",
    [
        ["localhost", "127.0.0.1", "::1"],
        ["*.Shop.example", "shop.example"],
        ["bücher.example"],
        ["a" * 63 + "." + "b" * 63 + ".example"],
        [f"n{number}.example" for number in range(300)],
    ],
)
def test_it_says_what_the_library_would_have_it_say(names: list[str]) -> None:
    made = make_dev_certificate(names)
    found = x509.load_pem_x509_certificate(made.cert_pem)
    key = serialization.load_pem_private_key(made.key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    public = key.public_key()
    assert found.public_key() == public
    found.verify_directly_issued_by(found)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    key_id = x509.SubjectKeyIdentifier.from_public_key(public)
    usage = [False] * 9
    usage[0] = True
    wanted = (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(*usage), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName(_general(names)), False),
        (key_id, False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), False),
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(found.serial_number)
        .not_valid_before(made.not_before)
        .not_valid_after(made.not_after)
    )
    for extension, critical in wanted:
        builder = builder.add_extension(extension, critical=critical)
    like = builder.sign(key, hashes.SHA256())
    # The very same bytes, but for the signature, which is another each time.
    assert found.tbs_certificate_bytes == like.tbs_certificate_bytes
    assert made.key_pem == pem(key)


def _general(names: list[str]) -> list[x509.GeneralName]:
    """As a certificate lists them: host names, then addresses."""
    hosts: list[x509.GeneralName] = []
    addresses: list[x509.GeneralName] = []
    for name in names:
        try:
            addresses.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            hosts.append(x509.DNSName(name.encode("idna").decode()))
    return hosts + addresses


@given(st.dates(datetime.date(2026, 1, 1), datetime.date(2080, 1, 1)))
def test_times_are_written_as_their_year_wants(day: datetime.date) -> None:
    at = datetime.datetime(day.year, day.month, day.day, 1, 2, 3, tzinfo=datetime.UTC)
    kind = self_signed._time(at)[0]
    assert kind == (23 if at.year < 2050 else 24)


@given(st.binary(max_size=70_000))
def test_lengths_are_written_as_der_wants(content: bytes) -> None:
    written = self_signed._der(4, content)
    size = written[1]
    ahead = 2 + (size & 0x7F if size & 0x80 else 0)
    stated = int.from_bytes(written[2:ahead], "big") if size & 0x80 else size
    assert (stated, written[ahead:]) == (len(content), content)
    assert size < 0x80 or stated >= 1 << (8 * (ahead - 3))
    assert size < 0x80 or stated >= 0x80


def test_two_are_never_alike() -> None:
    made = [make_dev_certificate(["localhost"]) for _ in range(4)]
    serials = {x509.load_pem_x509_certificate(each.cert_pem).serial_number for each in made}
    assert len(serials) == len({each.key_pem for each in made}) == 4
    assert all(number.bit_length() == 151 for number in serials)


def test_the_facts_are_those_of_the_certificate() -> None:
    made = make_dev_certificate(["*.Shop.example", "::1", "127.0.0.1", "bücher.example"])
    assert read_facts(made.cert_pem) == CertificateFacts(
        made.leaf, made.names, made.issuer, made.not_before, made.not_after
    )


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
