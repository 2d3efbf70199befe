"""A packed site's rules as clients see them: coded forms, headers, redirects, hosts, limits."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
import zstandard
from support.certs import Certificate
from support.client import Answer, ClosedError, Connection, request
from support.process import zeroserve
from support.server import Server
from support.trees import foreign_tar, pack_files, write_tree

pytestmark = pytest.mark.e2e

TEXT = b"".join(b"line %d of a text that shrinks\n" % number for number in range(4000))
HEADERS = b"""\
/*
  X-Everywhere: yes
/docs/:page
  X-Docs: one
  Cache-Control: no-cache
"""
REDIRECTS = b"""\
/old/*                 /new/:splat                 301
/news/:year/:slug      /blog/:slug?y=:year         302
/store        id=:id   /items/:id                  303
/away                  https://example.org:8443/x  307
/keep                  /note.txt                   308
/note.txt              /never                      302
/forced.txt            /note.txt                   302!
/app/*                 /app.html                   200
/gone/*                /gone.html                  404
"""
FILES = {
    "index.html": b"<!doctype html><title>root</title>",
    "404.html": b"<!doctype html><title>nothing</title>",
    "app.html": b"<!doctype html><title>app</title>",
    "gone.html": b"<!doctype html><title>gone</title>",
    "note.txt": b"a note",
    "forced.txt": b"hidden by a rule",
    "big.txt": TEXT,
    "docs/a.html": b"<!doctype html><title>a</title>",
    "assets/app.3f2a9c1b.js": b"let x = 1;\n" * 200,
    "docs/app.4f2a9c1b.js": b"let y = 1;\n",
    "_headers": HEADERS,
    "_redirects": REDIRECTS,
}


def packed(place: Path, files: dict[str, bytes], *options: str) -> Path:
    tree = write_tree(place / "tree", files)
    done = zeroserve("pack", tree, "-o", place / "site.tar", *options)
    assert done.code == 0, done.stderr
    return place / "site.tar"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("rules")
    tar = packed(place, FILES, "--precompress", "br,zstd,gzip")
    options = ("--addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0")
    with Server(*options, tar, place=place, certificate=certificate) as running:
        yield running


@pytest.fixture
def tls(server: Server) -> Iterator[Connection]:
    with server.connect() as connection:
        yield connection


def decoded(answer: Answer) -> bytes:
    coding = answer.fields.get("content-encoding")
    if coding == "br":
        return bytes(brotli.decompress(answer.body))
    if coding == "zstd":
        return zstandard.decompress(answer.body)
    if coding == "gzip":
        import gzip

        return gzip.decompress(answer.body)
    assert coding is None
    return answer.body


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "br"),
        ("br;q=0, *", "zstd"),
        ("br;q=0.2, gzip;q=0.9, zstd;q=0.5", "gzip"),
        ("br;q=0.001, identity;q=0.5", None),
        ("gzip;q=0", None),
        ("br;q=0, zstd;q=0, gzip;q=0", None),
        ("gzip;q=0.5, identity;q=0", "gzip"),
        ("lzma, gzip", "gzip"),
    ],
)
def test_negotiation(tls: Connection, accept: str | None, coding: str | None) -> None:
    fields = {} if accept is None else {"Accept-Encoding": accept}
    answer = tls.ask("/big.txt", fields=fields)
    assert answer.status == 200
    assert answer.fields.get("content-encoding") == coding
    assert answer["content-type"] == "text/plain; charset=utf-8"
    assert answer["vary"].lower() == "accept-encoding"
    assert answer["x-everywhere"] == "yes"
    assert decoded(answer) == TEXT
    head = tls.ask("/big.txt", method="HEAD", fields=fields)
    without_date = {name: value for name, value in answer.fields.items() if name != "date"}
    assert {name: value for name, value in head.fields.items() if name != "date"} == without_date


def test_each_form_has_its_tag_and_its_ranges(tls: Connection) -> None:
    whole = {
        coding: tls.ask("/big.txt", fields={"Accept-Encoding": coding})
        for coding in ("identity", "br", "zstd", "gzip")
    }
    assert len({answer["etag"] for answer in whole.values()}) == 4
    for coding, answer in whole.items():
        fields = {"Accept-Encoding": coding, "If-None-Match": answer["etag"]}
        unchanged = tls.ask("/big.txt", fields=fields)
        assert unchanged.status == 304
        assert unchanged["etag"] == answer["etag"]
        assert unchanged["vary"].lower() == "accept-encoding"
        fields = {"Accept-Encoding": coding, "Range": "bytes=10-19", "If-Range": answer["etag"]}
        part = tls.ask("/big.txt", fields=fields)
        assert part.status == 206
        assert part.body == answer.body[10:20]
        assert part["content-range"] == f"bytes 10-19/{len(answer.body)}"
        assert part.fields.get("content-encoding") == answer.fields.get("content-encoding")
    # The tag of one form is none of another: bytes of two forms must never be put together.
    other = {"Accept-Encoding": "br", "Range": "bytes=0-9", "If-Range": whole["gzip"]["etag"]}
    assert tls.ask("/big.txt", fields=other).status == 200


def test_a_form_under_its_own_name_is_a_file(tls: Connection) -> None:
    answer = tls.ask("/big.txt.gz", fields={"Accept-Encoding": "gzip, br"})
    assert answer.status == 200
    assert answer["content-type"] == "application/gzip"
    assert "content-encoding" not in answer.fields


def test_what_has_no_forms_does_not_vary(tls: Connection) -> None:
    answer = tls.ask("/note.txt", fields={"Accept-Encoding": "gzip"})
    assert "vary" not in answer.fields
    assert "content-encoding" not in answer.fields


def test_headers_of_rules(tls: Connection) -> None:
    docs = tls.ask("/docs/a.html")
    assert (docs["x-everywhere"], docs["x-docs"]) == ("yes", "one")
    assert docs["cache-control"] == "no-cache"
    assert "x-docs" not in tls.ask("/note.txt").fields
    assert tls.ask("/")["x-everywhere"] == "yes"
    unchanged = tls.ask("/docs/a.html", fields={"If-None-Match": docs["etag"]})
    assert (unchanged.status, unchanged["x-docs"]) == (304, "one")
    assert tls.ask("/missing")["x-everywhere"] == "yes"


def test_fingerprinted_names_are_kept_for_ever(tls: Connection) -> None:
    forever = "public, max-age=31536000, immutable"
    for coding in ("identity", "br"):
        answer = tls.ask("/assets/app.3f2a9c1b.js", fields={"Accept-Encoding": coding})
        assert answer["cache-control"] == forever
    assert "cache-control" not in tls.ask("/note.txt").fields
    assert tls.ask("/docs/app.4f2a9c1b.js")["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/old/a/b", 301, "/new/a/b"),
        ("/old", 301, "/new/"),
        ("/old/a%20b?q=1", 301, "/new/a%20b?q=1"),
        ("/old//evil.example", 301, "/new/evil.example"),
        ("/news/2026/x", 302, "/blog/x?y=2026"),
        ("/store?x=1&id=7", 303, "/items/7"),
        ("/away", 307, "https://example.org:8443/x"),
        ("/keep?a=b", 308, "/note.txt?a=b"),
        ("/forced.txt", 302, "/note.txt"),
    ],
)
def test_redirects(tls: Connection, path: str, status: int, location: str) -> None:
    for method in ("GET", "HEAD"):
        answer = tls.ask(path, method=method)
        assert (answer.status, answer["location"]) == (status, location)


def test_files_win_over_rules_and_rewrites_serve_files(tls: Connection) -> None:
    assert tls.ask("/note.txt").body == b"a note"
    rewritten = tls.ask("/app/any/route?x=1")
    assert (rewritten.status, rewritten.body) == (200, FILES["app.html"])
    gone = tls.ask("/gone/x")
    assert (gone.status, gone.body) == (404, FILES["gone.html"])
    missing = tls.ask("/store")
    assert (missing.status, missing.body) == (404, FILES["404.html"])


@pytest.mark.parametrize("path", ["/_headers", "/_redirects", "/.zeroserve/rules.json"])
def test_the_sources_of_rules_are_not_served(tls: Connection, path: str) -> None:
    answer = tls.ask(path)
    assert (answer.status, answer.body) == (404, FILES["404.html"])


def test_check_finds_this_site_good(server: Server, tmp_path: Path) -> None:
    tar = packed(tmp_path, FILES, "--precompress", "br,zstd,gzip")
    assert zeroserve("check", tar).code == 0


def test_metrics_and_status(server: Server) -> None:
    line = next(one for one in server.said.splitlines() if one.startswith("metrics on "))
    port = int(line.rpartition(":")[2].removesuffix("/metrics"))
    with Connection.plain(("127.0.0.1", port)) as connection:
        answer = connection.ask("/metrics")
    assert answer["content-type"].startswith("text/plain; version=0.0.4")
    samples = dict(
        one.rsplit(" ", 1) for one in answer.body.decode().splitlines() if not one.startswith("#")
    )
    assert samples["zeroserve_generation"] == "1"
    assert float(samples["zeroserve_connections_open"]) >= 0
    assert 'zeroserve_responses_total{class="2xx"}' in samples
    with Connection.plain(("127.0.0.1", port)) as connection:
        assert connection.ask("/note.txt").status == 404
    shown = zeroserve("status", "--control", server.control_path)
    assert shown.code == 0
    rows = [row.split()[0] for row in shown.text.splitlines() if row[0] != " "]
    assert {"up", "listening", "generation", "connections", "requests"} <= set(rows)
    document = json.loads(zeroserve("status", "--json", "--control", server.control_path).text)
    assert document["pid"] == server.pid


def test_each_host_has_its_root(tmp_path: Path, certificate: Certificate) -> None:
    files = {
        ".zeroserve/hosts.json": b'{"a.example":"sites/a","b.example":"sites/b"}',
        "sites/a/index.html": b"a",
        "sites/a/404.html": b"nothing in a",
        "sites/a/_headers": b"/*\n  X-Site: a\n",
        "sites/b/index.html": b"b",
        "sites/b/_redirects": b"/x /index.html 301\n",
    }
    tar = packed(tmp_path, files)
    with Server("--addr", "127.0.0.1:0", tar, place=tmp_path) as server:

        def ask(host: str, path: str = "/") -> Answer:
            with server.connect_plain() as connection:
                connection.send(request(path, host=host))
                return connection.read_answer()

        assert (ask("a.example").body, ask("A.example:80")["x-site"]) == (b"a", "a")
        assert "x-site" not in ask("b.example").fields
        assert ask("b.example", "/x").status == 301
        assert ask("a.example", "/x").body == b"nothing in a"
        for path in ("/sites/b/index.html", "/../b/index.html", "/.zeroserve/hosts.json"):
            assert ask("a.example", path).status in (400, 404)
        assert ask("c.example").status == 421


def test_a_wrong_document_is_refused_by_check_and_by_a_start(tmp_path: Path) -> None:
    wrong = {
        "rules": (".zeroserve/rules.json", b'{"v":1,"redirects":[{"from":"/a","to":"/b"}]}'),
        "header": (
            ".zeroserve/rules.json",
            b'{"v":1,"headers":[{"path":"/*","set":[["Date","x"]]}]}',
        ),
        "pattern": (".zeroserve/rules.json", b'{"v":1,"headers":[{"path":"/*.js","set":[]}]}'),
        "twice": (".zeroserve/rules.json", b'{"v":1,"v":1}'),
        "text": (".zeroserve/rules.json", b"\xff"),
        "hosts": (".zeroserve/hosts.json", b'{"*":"../x"}'),
    }
    for name, member in wrong.items():
        tar = foreign_tar(tmp_path / f"{name}.tar", [("index.html", b"x"), member])
        judged = zeroserve("check", tar)
        started = zeroserve("--addr", "127.0.0.1:0", tar)
        assert (judged.code, started.code) == (1, 1), name
        assert member[0] in judged.stderr, name
        assert member[0] in started.stderr, name


def test_only_listed_hosts_are_served(tmp_path: Path, certificate: Certificate) -> None:
    tar = pack_files({"index.html": b"x"}, tmp_path / "site.tar")
    options = ("--addr", "127.0.0.1:0", "--validate-hostnames", "Localhost,example.org")
    with Server(*options, tar, place=tmp_path, certificate=certificate) as server:
        for host, status in (
            ("example.org", 200),
            ("EXAMPLE.org:8080", 200),
            ("localhost", 200),
            ("other.example", 421),
            ("example.org.evil.example", 421),
            ("127.0.0.1", 421),
        ):
            with server.connect_plain() as connection:
                connection.send(request(host=host))
                assert connection.read_answer().status == status, host
        with server.connect() as connection:
            connection.send(request(host="example.org"))
            assert connection.read_answer().status == 421, "another name than the handshake's"


def test_plain_http_is_sent_to_https(tmp_path: Path, certificate: Certificate) -> None:
    tar = pack_files({"a/b.txt": b"x"}, tmp_path / "site.tar")
    options = ("--addr", "127.0.0.1:0", "--redirect-https")
    with Server(*options, tar, place=tmp_path / "own", certificate=certificate) as server:
        port = server.address("https")[1]
        with server.connect_plain() as connection:
            answer = connection.ask("/a/b.txt?c=d%20e")
            assert answer.status == 308
            assert answer["location"] == f"https://localhost:{port}/a/b.txt?c=d%20e"
        with server.connect() as connection:
            assert connection.ask("/a/b.txt").body == b"x"
    options += ("--https-port", "443")
    with (
        Server(*options, tar, place=tmp_path / "named", certificate=certificate) as server,
        server.connect_plain() as connection,
    ):
        assert connection.ask("/a/b.txt")["location"] == "https://localhost/a/b.txt"


def test_a_folder_keeps_its_one_slash_on_the_way_to_https(
    tmp_path: Path, certificate: Certificate
) -> None:
    tar = pack_files({"a/index.html": b"x"}, tmp_path / "site.tar")
    options = ("--addr", "127.0.0.1:0", "--redirect-https", "--https-port", "443")
    with (
        Server(*options, tar, place=tmp_path, certificate=certificate) as server,
        server.connect_plain() as connection,
    ):
        for path in ("/", "/a/", "/a/?b=c", "/a"):
            answer = connection.ask(path, method="HEAD")
            assert answer["location"] == f"https://localhost{path}"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Server]:
    """A server with limits that a test can reach."""
    place = tmp_path_factory.mktemp("limits")
    tar = pack_files({"index.html": b"x", "big.bin": bytes(64 << 20)}, place / "site.tar")
    options = (
        *("--addr", "127.0.0.1:0", "--header-timeout", "2", "--idle-timeout", "3"),
        *("--body-timeout", "2", "--handshake-timeout", "2", "--send-timeout", "2"),
        *("--keepalive-requests", "3"),
    )
    with Server(*options, tar, place=place, certificate=certificate) as running:
        yield running


def seconds_until_closed(connection: Connection) -> float:
    begun = time.monotonic()
    with contextlib.suppress(ConnectionError):
        connection.read_to_end()
    return time.monotonic() - begun


@pytest.mark.parametrize("secure", [False, True])
def test_a_slow_head_gets_408(strict: Server, secure: bool) -> None:
    with strict.connect() if secure else strict.connect_plain() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        begun = time.monotonic()
        answer = connection.read_answer()
        assert answer.status == 408
        assert answer["connection"] == "close"
        assert 1 <= time.monotonic() - begun < 10
        assert connection.is_closed()


def test_an_idle_connection_is_closed_without_a_word(strict: Server) -> None:
    with strict.connect_plain() as connection:
        assert connection.ask("/").status == 200
        begun = time.monotonic()
        assert connection.is_closed()
        assert 2 <= time.monotonic() - begun < 12


def test_a_body_that_does_not_come_is_not_waited_for(strict: Server) -> None:
    with strict.connect_plain() as connection:
        connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        assert connection.read_answer().status == 405
        assert seconds_until_closed(connection) < 10


def test_a_handshake_that_does_not_come_is_not_waited_for(strict: Server) -> None:
    with Connection.plain(strict.address("https")) as connection:
        assert 1 <= seconds_until_closed(connection) < 10


def test_a_reader_that_stops_is_cut(strict: Server) -> None:
    with strict.connect_plain() as connection:
        connection.send(request("/big.bin"))
        assert connection.read_head().length == 64 << 20
        wait_open = strict.control.status()["stats"]
        assert isinstance(wait_open, dict)
        deadline = time.monotonic() + 20
        while strict.control.status()["stats"]["timeouts"] <= wait_open["timeouts"]:  # type: ignore[index]
            assert time.monotonic() < deadline, "still sent to"
            time.sleep(0.05)
        with contextlib.suppress(ConnectionError):
            assert len(connection.read_to_end()) < 64 << 20


def test_the_last_request_of_a_connection_says_so(strict: Server) -> None:
    with strict.connect() as connection:
        assert "connection" not in connection.ask("/").fields
        assert "connection" not in connection.ask("/").fields
        assert connection.ask("/")["connection"] == "close"
        assert connection.is_closed()


@pytest.mark.parametrize("option", ["--max-connections", "--max-connections-per-address"])
def test_one_connection_too_many(tmp_path: Path, certificate: Certificate, option: str) -> None:
    tar = pack_files({"index.html": b"x"}, tmp_path / "site.tar")
    options = ("--addr", "127.0.0.1:0", option, "2")
    with Server(*options, tar, place=tmp_path, certificate=certificate) as server:
        held = [server.connect_plain(), server.connect()]
        assert [connection.ask("/").status for connection in held] == [200, 200]
        with server.connect_plain() as connection:
            answer = connection.read_answer()
            assert answer.status == 503
            assert answer["retry-after"] == "1"
            assert answer["connection"] == "close"
        with Connection.plain(server.address("https")) as connection:
            assert seconds_until_closed(connection) < 10
        held[0].close()
        deadline = time.monotonic() + 20
        while True:  # the server sees the end of a connection a moment later
            with server.connect_plain() as connection, contextlib.suppress(ClosedError, OSError):
                if connection.ask("/").status == 200:
                    break
            assert time.monotonic() < deadline, "the place was not given back"
        assert server.control.status()["stats"]["connections_refused"] >= 2  # type: ignore[index]
        held[1].close()


def test_the_probe_secret_is_in_no_log(tmp_path: Path, certificate: Certificate) -> None:
    secret = "a-secret-of-the-test-0123456789"
    (tmp_path / "probe").write_text(secret)
    (tmp_path / "probe").chmod(0o600)
    tar = pack_files({"index.html": b"x"}, tmp_path / "site.tar")
    log = tmp_path / "access.log"
    options = (
        *("--addr", "127.0.0.1:0", "--probe-file", tmp_path / "probe"),
        *("--access-log", log, "--log-format", "json"),
    )
    with Server(*options, tar, place=tmp_path / "one", certificate=certificate) as server:
        for connect in (server.connect, server.connect_plain):
            with connect() as connection:
                answer = connection.ask(f"/.zeroserve/probe/{secret}")
                assert json.loads(answer.body)["pid"] == server.pid
                assert connection.ask(f"/.zeroserve/probe/{secret}?x=1").status < 500
                assert connection.ask(f"/.zeroserve/probe/{secret}x").status == 404
                assert connection.ask("/").status == 200
        shown = zeroserve("status", "--json", "--control", server.control_path)
        arguments = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    assert "GET" in log.read_text()
    assert secret not in log.read_text() + server.said + shown.text + arguments.decode()
