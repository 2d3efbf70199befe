"""The look from outside, at a real server: what it asks, over what, and what it does not accept."""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from support.https_server import HttpsServer
from support.material import Pair, make_pair

from zsops.apply.probe import ProbeFailed, probe_from_here
from zsops.apply.target import Target
from zsops.client.link import Trust
from zsops.host import messages as m
from zsops.host.health import check_policy

NAME = "shop.example"
BOTH = ("h2", "http/1.1")
FILES = {"/a b.txt": b"first", "/b.txt": bytes(range(256)) * 900, "/check": b"<title>shop"}


@pytest.fixture(scope="module")
def authority() -> Pair:
    return make_pair("An Authority", ca=True)


@pytest.fixture(scope="module")
def pair(authority: Pair) -> Pair:
    return make_pair(NAME, issuer=authority)


def page(path: str) -> tuple[int, bytes]:
    found = FILES.get(path.replace("%20", " "))
    return (404, b"none") if found is None else (200, found)


def facts(pair: Pair) -> m.CertificateFacts:
    leaf = x509.load_pem_x509_certificate(pair.cert).fingerprint(hashes.SHA256()).hex()
    return m.CertificateFacts(leaf, (NAME,), "", "", "")


def target(
    server: HttpsServer,
    *certificates: m.CertificateFacts,
    files: tuple[str, ...] = ("a b.txt",),
    checks: tuple[m.StatusCheck, ...] = (),
    protocols: tuple[str, ...] = BOTH,
    authorities: tuple[Trust, ...] = (),
    dial: Callable[[str, int], socket.socket] | None = None,
    window_s: float = 30.0,
) -> Target:
    content = tuple(
        m.ContentCheck(each, hashlib.sha256(FILES[f"/{each}"]).hexdigest(), len(FILES[f"/{each}"]))
        for each in files
    )
    return Target(
        transport=None,  # type: ignore[arg-type]  # the look needs none
        instance="web",
        settings=m.InstanceSettings((NAME,), (server.address,)),
        health=m.HealthPolicy(checks=checks, content=content, protocols=protocols),
        url="",
        keep=5,
        confirm_window_s=window_s,
        certificates=certificates,
        authorities=authorities,
        dial=dial,
    )


def test_every_question_is_asked_over_each_protocol_and_a_new_connection(
    pair: Pair, tmp_path: Path
) -> None:
    checks = (m.StatusCheck("/check", body_contains="<title>"), m.StatusCheck("/none", (404,)))
    with HttpsServer(page, pair, tmp_path) as server:
        probe_from_here(target(server, facts(pair), files=("a b.txt", "check"), checks=checks))
    paths = ["/a%20b.txt", "/check", "/check", "/none"]
    assert server.asked == [(spoken, NAME, path) for spoken in BOTH for path in paths]
    assert server.spoken == [spoken for spoken in BOTH for _ in paths]


def test_one_file_is_compared_and_more_while_they_are_small(pair: Pair, tmp_path: Path) -> None:
    small = ("a b.txt", "check", "a b.txt", "check")
    for files, asked in ((("b.txt", "a b.txt"), 1), (("a b.txt", "b.txt", "check"), 2), (small, 3)):
        with HttpsServer(page, pair, tmp_path) as server:
            probe_from_here(target(server, facts(pair), files=files, protocols=("h2",)))
        assert len(server.asked) == asked


@pytest.mark.parametrize("protocol", BOTH)
def test_only_what_the_policy_names_is_asked(pair: Pair, tmp_path: Path, protocol: str) -> None:
    with HttpsServer(page, pair, tmp_path, protocols=(protocol,)) as server:
        probe_from_here(target(server, facts(pair), protocols=(protocol,)))
    assert server.spoken == [protocol]


@pytest.mark.parametrize(
    ("spoken", "missing"), [("h2", "over HTTP/1.1"), ("http/1.1", "over HTTP/2")]
)
def test_a_listener_that_lacks_a_protocol_fails(
    pair: Pair, tmp_path: Path, spoken: str, missing: str
) -> None:
    with (
        HttpsServer(page, pair, tmp_path, protocols=(spoken,)) as server,
        pytest.raises(ProbeFailed, match=missing),
    ):
        probe_from_here(target(server, facts(pair)))


@pytest.mark.parametrize("protocol", BOTH)
def test_other_bytes_a_status_and_a_header_are_told(
    pair: Pair, tmp_path: Path, protocol: str
) -> None:
    def asked(**wish: object) -> str:
        with pytest.raises(ProbeFailed) as failed:
            probe_from_here(target(server, facts(pair), protocols=(protocol,), **wish))  # type: ignore[arg-type]
        return failed.value.message

    def wrong(path: str) -> tuple[int, bytes]:
        return (500, b"") if path == "/check" else (200, b"other bytes")

    spoken = "HTTP/2" if protocol == "h2" else "HTTP/1.1"
    with HttpsServer(wrong, pair, tmp_path) as server:
        said = asked()
        assert said.startswith(f"`https://{server.address}/a%20b.txt` over {spoken}: the body hash")
        said = asked(files=(), checks=(m.StatusCheck("/check"),))
        assert said.endswith("status 500, expected 200")
        said = asked(files=(), checks=(m.StatusCheck("/", header=(("x-zs", "ok"),)),))
        assert said.endswith("there is no header `x-zs`, expected `ok`")
        said = asked(files=(), checks=(m.StatusCheck("/", body_contains="shop"),))
        assert said.endswith("the body lacks `shop`")


@pytest.mark.parametrize("protocol", BOTH)
def test_another_certificate_than_the_release_has_is_told(
    pair: Pair, authority: Pair, tmp_path: Path, protocol: str
) -> None:
    other = make_pair(NAME, issuer=authority)
    with (
        HttpsServer(page, other, tmp_path) as server,
        pytest.raises(ProbeFailed, match="shows certificate"),
    ):
        probe_from_here(target(server, facts(pair), protocols=(protocol,)))
    assert server.asked == []


def _authority(tmp_path: Path, authority: Pair) -> Trust:
    (tmp_path / "ca.pem").write_bytes(authority.cert)
    return Trust((tmp_path / "ca.pem",))


@pytest.mark.parametrize("protocol", BOTH)
def test_the_chain_is_verified_where_the_file_names_an_authority(
    pair: Pair, authority: Pair, tmp_path: Path, protocol: str
) -> None:
    trust = _authority(tmp_path, authority)
    wish = {"protocols": (protocol,), "authorities": (trust,)}
    with HttpsServer(page, pair, tmp_path / "a") as server:
        probe_from_here(target(server, facts(pair), **wish))  # type: ignore[arg-type]
        probe_from_here(target(server, **wish))  # type: ignore[arg-type]
    alone = make_pair(NAME)
    with (
        HttpsServer(page, alone, tmp_path / "b") as server,
        pytest.raises(ProbeFailed, match=f"does not verify for `{NAME}`: self-signed"),
    ):
        probe_from_here(target(server, facts(alone), **wish))  # type: ignore[arg-type]
    foreign = make_pair("other.example", issuer=authority)
    with (
        HttpsServer(page, foreign, tmp_path / "c") as server,
        pytest.raises(ProbeFailed, match="Hostname mismatch"),
    ):
        probe_from_here(target(server, facts(foreign), **wish))  # type: ignore[arg-type]


def test_a_chain_without_its_intermediate_does_not_verify(authority: Pair, tmp_path: Path) -> None:
    between = make_pair("Between", issuer=authority, ca=True)
    whole = make_pair(NAME, issuer=between)
    leaf = whole.cert.split(b"-----END CERTIFICATE-----\n")[0] + b"-----END CERTIFICATE-----\n"
    wish = {"authorities": (_authority(tmp_path, authority),)}
    with HttpsServer(page, whole, tmp_path / "whole") as server:
        probe_from_here(target(server, facts(whole), **wish))  # type: ignore[arg-type]
    with (
        HttpsServer(page, Pair(leaf, whole.key), tmp_path / "short") as server,
        pytest.raises(ProbeFailed, match="unable to get local issuer"),
    ):
        probe_from_here(target(server, facts(whole), **wish))  # type: ignore[arg-type]


def _drip(peer: ssl.SSLSocket, head: bytes) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        peer.sendall(b"x")
        time.sleep(0.01)


def test_an_answer_that_never_ends_does_not_outlast_the_host_s_patience(
    pair: Pair, tmp_path: Path
) -> None:
    with (
        HttpsServer(page, pair, tmp_path, http1=_drip) as server,
        pytest.raises(ProbeFailed, match=r"over HTTP/1\.1: the answer is not whole after 0\.\d+ s"),
    ):
        probe_from_here(target(server, facts(pair), protocols=("http/1.1",), window_s=0.5))


def test_a_body_without_end_is_refused(pair: Pair, tmp_path: Path) -> None:
    def flood(peer: ssl.SSLSocket, head: bytes) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.sendall(bytes(1 << 20))

    with (
        HttpsServer(page, pair, tmp_path, http1=flood) as server,
        pytest.raises(ProbeFailed, match="longer than 67108864 bytes"),
    ):
        probe_from_here(target(server, facts(pair), protocols=("http/1.1",)))


def test_who_listens_nowhere_and_who_speaks_no_tls_is_told(pair: Pair, tmp_path: Path) -> None:
    with HttpsServer(page, pair, tmp_path) as server:
        pass
    with pytest.raises(ProbeFailed, match=r"over HTTP/2: .*Connection refused"):
        probe_from_here(target(server))


def test_the_way_is_the_one_that_was_given(pair: Pair, tmp_path: Path) -> None:
    dialled: list[tuple[str, int]] = []

    def dial(host: str, port: int) -> socket.socket:
        dialled.append((host, port))
        return socket.create_connection((host, port), 10)

    with HttpsServer(page, pair, tmp_path) as server:
        probe_from_here(target(server, facts(pair), dial=dial))
    host, _, port = server.address.partition(":")
    assert dialled == [(host, int(port))] * 2


@pytest.mark.parametrize("protocols", [(), ("h3",)])
def test_a_policy_names_protocols_there_are(protocols: tuple[str, ...]) -> None:
    with pytest.raises(Exception, match=r"asks over h2 and http/1\.1, or one of them"):
        check_policy(m.HealthPolicy(protocols=protocols))
