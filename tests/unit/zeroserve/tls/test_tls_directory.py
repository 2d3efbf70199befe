"""A directory of certificates: every fault that a start would find, without the engine."""

import datetime

from zeroserve.tls.directory import judge_directory
from zeroserve.tls.self_signed import DevCertificate, make_dev_certificate

NOW = datetime.datetime.now(datetime.UTC)
LATER = NOW + datetime.timedelta(days=400)
BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
LOCKED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"


def judge(*contents: bytes, now: datetime.datetime = NOW) -> list[str]:
    files = [(f"{number}.pem", content) for number, content in enumerate(contents)]
    return [fault.code for fault in judge_directory(files, "certs", now)]


def test_what_can_serve_is_good_however_it_is_spread(certificate: DevCertificate) -> None:
    cert, key = certificate.cert_pem, certificate.key_pem
    other = make_dev_certificate(["other.example"])
    assert judge(cert + key) == []
    assert judge(key, b"a note", other.key_pem + other.cert_pem, cert) == []


def test_faults_are_named_by_kind(certificate: DevCertificate) -> None:
    cert, key = certificate.cert_pem, certificate.key_pem
    other = make_dev_certificate(["other.example"])
    assert judge() == ["certificate-bad"]
    assert judge(key) == ["certificate-bad"]
    assert judge(cert) == ["key-bad"]
    assert judge(cert, other.key_pem) == ["key-mismatch"]
    assert judge(cert + key, BROKEN) == ["certificate-bad"]
    assert judge(cert + key, LOCKED) == ["key-bad"]
    assert judge(cert + key, now=LATER) == ["certificate-expired"]


def test_what_is_left_over_is_a_warning(certificate: DevCertificate) -> None:
    cert, key = certificate.cert_pem, certificate.key_pem
    other = make_dev_certificate(["other.example"])
    assert judge(cert + key, other.cert_pem) == ["certificate-unused"]
    assert judge(cert + key, other.key_pem) == ["certificate-unused"]
