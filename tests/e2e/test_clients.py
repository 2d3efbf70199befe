"""Clients that others have written fetch the site over TLS 1.3 and check its certificate."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.certs import Certificate
from support.counterparts import CHROMIUM, CURL, GO, SSLSCAN, require
from support.process import run
from support.server import Server
from support.trees import HELLO

pytestmark = [pytest.mark.e2e, pytest.mark.conformance]

PAGES = {
    "/": "index.html",
    "/about/": "about/index.html",
    "/style.css": "style.css",
    "/ring.svg": "ring.svg",
}
GO_SOURCES = Path(__file__).parent / "go"


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate, hello_tar: Path
) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("clients")
    with Server(hello_tar, place=place, certificate=certificate) as running:
        yield running


@pytest.mark.parametrize("path", PAGES)
def test_curl(server: Server, certificate: Certificate, path: str) -> None:
    told = "%{stderr}%{http_code} %{http_version} %{ssl_verify_result}"
    command = [require(CURL), "-sS", "--tlsv1.3", "--cacert", certificate.cert, "-w", told]
    got = run([*command, server.url + path])
    assert got.code == 0, got.stderr
    assert got.stdout == (HELLO / PAGES[path]).read_bytes()
    status, version, verified = got.stderr.split()
    assert (status, verified) == ("200", "0")
    assert version in ("1.1", "2")


def test_curl_says_that_it_is_tls_1_3(server: Server, certificate: Certificate) -> None:
    got = run([require(CURL), "-sSv", "--cacert", certificate.cert, server.url + "/"])
    assert got.code == 0, got.stderr
    assert "SSL connection using TLSv1.3" in got.stderr
    assert "SSL certificate verify ok" in got.stderr


def test_curl_follows_redirects_resumes_and_asks_conditionally(
    server: Server, certificate: Certificate, tmp_path: Path
) -> None:
    curl = [require(CURL), "-sS", "--cacert", certificate.cert]
    followed = run([*curl, "-L", server.url + "/about"])
    assert followed.stdout == (HELLO / "about" / "index.html").read_bytes()
    whole = (HELLO / "style.css").read_bytes()
    half = tmp_path / "style.css"
    half.write_bytes(whole[: len(whole) // 2])
    assert run([*curl, "-C", "-", "-o", half, server.url + "/style.css"]).code == 0
    assert half.read_bytes() == whole
    tag, body = tmp_path / "tag", tmp_path / "body"
    for status in ("200", "304"):
        again = run(
            [
                *(*curl, "--etag-save", tag, "--etag-compare", tag, "-o", body),
                *("-w", "%{http_code}", server.url + "/style.css"),
            ]
        )
        assert again.text == status


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_older_tls_gets_an_alert(server: Server, certificate: Certificate, version: str) -> None:
    command = [require(CURL), "-sSv", "--cacert", certificate.cert, "--tls-max", version]
    # Debian's OpenSSL would not even offer 1.0 and 1.1 at its usual security level.
    got = run([*command, "--ciphers", "DEFAULT@SECLEVEL=0", server.url + "/"])
    assert got.code == 35
    assert "alert protocol version" in got.stderr


def test_python_s_ssl_gets_an_alert_for_tls_1_2(server: Server, certificate: Certificate) -> None:
    connection = http.client.HTTPSConnection(
        *server.address(), context=certificate.old_context(), timeout=30
    )
    with pytest.raises(ssl.SSLError, match="TLSV1_ALERT_PROTOCOL_VERSION"):
        connection.request("GET", "/")
    connection.close()


def test_python_http_client(server: Server, certificate: Certificate) -> None:
    connection = http.client.HTTPSConnection(
        "localhost", server.address()[1], context=certificate.context(), timeout=30
    )
    for path, file in PAGES.items():
        connection.request("GET", path)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, (HELLO / file).read_bytes())
        assert connection.sock.version() == "TLSv1.3"
    connection.close()


def test_python_urllib(server: Server, certificate: Certificate) -> None:
    with urllib.request.urlopen(
        server.url + "/about", context=certificate.context(), timeout=30
    ) as answer:
        assert answer.url == server.url + "/about/", "the redirect was followed"
        assert answer.read() == (HELLO / "about" / "index.html").read_bytes()


def test_go_net_http(server: Server, certificate: Certificate, tmp_path: Path) -> None:
    program = tmp_path / "fetch"
    env = {
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GO111MODULE": "on",
        "CGO_ENABLED": "0",
    }
    built = run([require(GO), "build", "-o", program, "."], cwd=GO_SOURCES, env=env, timeout_s=300)
    assert built.code == 0, built.stderr
    urls = [server.url + path for path in [*PAGES, "/missing"]]
    got = run([program, certificate.cert, *urls])
    assert got.code == 0, got.stderr
    answers = [json.loads(line) for line in got.text.splitlines()]
    assert len(answers) == len(urls)
    for answer, file in zip(answers, [*PAGES.values(), "404.html"], strict=True):
        assert answer["tls"] == "TLS 1.3"
        assert answer["status"] == (404 if file == "404.html" else 200)
        assert bytes.fromhex(answer["body"]) == (HELLO / file).read_bytes()
    assert [answer["reused"] for answer in answers] == [False, True, True, True, True]


def test_chromium_renders_the_page(
    server: Server, certificate: Certificate, tmp_path: Path
) -> None:
    profile = tmp_path / "profile"
    flags = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-dev-shm-usage", f"--user-data-dir={profile}", "--ssl-version-min=tls1.3"),
        f"--ignore-certificate-errors-spki-list={certificate.spki_pin}",
    )
    home = {"HOME": str(tmp_path)}
    got = run([require(CHROMIUM), *flags, "--dump-dom", server.url + "/"], env=home)
    assert got.code == 0, got.stderr
    title = re.search(r"<title>(.*?)</title>", (HELLO / "index.html").read_text())
    assert title is not None
    assert title[0] in got.text
    # The page's own resources were fetched too: the browser believed page and certificate.
    asked = re.findall(r'"GET (\S+) HTTP/\S+" 200', server.said)
    assert {"/", "/style.css"} <= set(asked)
    shutil.rmtree(profile)
    other = Certificate.make(tmp_path / "other").spki_pin
    distrusting = [each.replace(certificate.spki_pin, other) for each in flags]
    refused = run([require(CHROMIUM), *distrusting, "--dump-dom", server.url + "/"], env=home)
    assert title[0] not in refused.text, "it was this key that was trusted, and no other"


def test_sslscan_finds_tls_1_3_alone(server: Server) -> None:
    host, port = server.address()
    got = run([require(SSLSCAN), "--no-colour", f"{host}:{port}"])
    states = dict(re.findall(r"^(SSLv\d|TLSv1\.\d)\s+(enabled|disabled)$", got.text, re.MULTILINE))
    assert len(states) == 6, got.text
    assert {name for name, state in states.items() if state == "enabled"} == {"TLSv1.3"}
