"""Bytes on the wire: what a client may send, whole, cut or malformed, and what it gets for it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
from support.certs import Certificate
from support.client import ClosedError, Connection, request
from support.polling import wait_until
from support.server import Server
from support.trees import pack_files, pattern

pytestmark = pytest.mark.e2e

LARGE = pattern("large", 3_000_000)
FILES = {
    "index.html": b"<!doctype html><title>root</title>",
    "docs/index.html": b"<!doctype html><title>docs</title>",
    "docs/page.html": b"<!doctype html><title>page</title>",
    "note.txt": b"a note",
    "empty.txt": b"",
    "umlaut-\N{LATIN SMALL LETTER U WITH DIAERESIS}.txt": b"utf-8",
    "large.bin": LARGE,
    ".well-known/security.txt": b"contact",
    ".zeroserve/data.json": b'{"private": true}',
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("wire")
    tar = pack_files(FILES, place / "site.tar")
    with Server("--addr", "127.0.0.1:0", tar, place=place, certificate=certificate) as running:
        yield running


@pytest.fixture
def tls(server: Server) -> Iterator[Connection]:
    with server.connect() as connection:
        yield connection


@pytest.fixture
def plain(server: Server) -> Iterator[Connection]:
    with server.connect_plain() as connection:
        yield connection


def test_many_requests_in_one_write_are_answered_in_order(tls: Connection) -> None:
    paths = ["/note.txt", "/missing", "/docs", "/", "/docs/page.html", "/empty.txt"] * 40
    tls.send(b"".join(request(path) for path in paths))
    wanted = {
        "/note.txt": (200, b"a note"),
        "/missing": (404, b"Not Found"),
        "/": (200, FILES["index.html"]),
        "/docs/page.html": (200, FILES["docs/page.html"]),
        "/empty.txt": (200, b""),
    }
    for path in paths:
        answer = tls.read_answer()
        if path == "/docs":
            assert answer.status == 308
        else:
            assert (answer.status, answer.body.rstrip()) == wanted[path], path


def test_pipelined_large_bodies_stay_in_step(tls: Connection) -> None:
    tls.send((request("/large.bin") + request("/note.txt")) * 4)
    for _ in range(4):
        assert tls.read_answer().body == LARGE
        assert tls.read_answer().body == b"a note"


def test_a_request_may_be_cut_at_every_byte(tls: Connection) -> None:
    whole = request("/note.txt", fields={"Accept": "*/*", "If-None-Match": '"nothing"'})
    for at in range(1, len(whole)):
        tls.send(whole[:at])
        tls.send(whole[at:])
        answer = tls.read_answer()
        assert (answer.status, answer.body) == (200, b"a note"), at


def test_a_request_may_come_byte_by_byte(plain: Connection) -> None:
    plain.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in request("/docs/page.html"):
        plain.send(bytes([byte]))
    assert plain.read_answer().body == FILES["docs/page.html"]


def test_a_client_that_closes_its_half_still_gets_every_answer(plain: Connection) -> None:
    plain.send(request("/note.txt") + request("/large.bin"))
    plain.peer.shutdown(socket.SHUT_WR)
    assert plain.read_answer().body == b"a note"
    assert plain.read_answer().body == LARGE
    assert plain.is_closed()


def test_a_tls_client_that_says_goodbye_gets_every_answer(
    server: Server, certificate: Certificate
) -> None:
    # `ssl` cannot close one half of a session and go on reading, so the records are ours to carry.
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = certificate.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(server.address("https"), 30) as peer:

        def carry(step: object) -> None:
            while True:
                try:
                    step()  # type: ignore[operator]
                except ssl.SSLWantReadError:
                    peer.sendall(outgoing.read())
                    incoming.write(peer.recv(65536))
                else:
                    peer.sendall(outgoing.read())
                    return

        carry(session.do_handshake)
        session.write(request("/note.txt"))
        with contextlib.suppress(ssl.SSLWantReadError):
            session.unwrap()  # close_notify behind the request, in the same flight
        peer.sendall(outgoing.read())
        peer.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := peer.recv(65536):
            received += chunk
        # The answer is sealed: records of application data that hold a head and six bytes.
        assert received.count(b"\x17\x03\x03") >= 1
        assert len(received) > 200


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_connection_close_is_honoured(tls: Connection, version: str) -> None:
    tls.send(f"GET /note.txt {version}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = tls.read_answer()
    assert answer.body == b"a note"
    assert answer["connection"] == "close"
    assert tls.is_closed()


def test_http_1_0_closes_unless_told_otherwise(server: Server) -> None:
    # Without TLS there is no name to compare with, and 1.0 needs no Host.
    with server.connect_plain() as one:
        one.send(b"GET /note.txt HTTP/1.0\r\n\r\n")
        assert one.read_answer().body == b"a note"
        assert one.is_closed()
    with server.connect() as other:
        for _ in range(2):
            other.send(
                b"GET /note.txt HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
            )
            answer = other.read_answer()
            assert answer.body == b"a note"
            assert answer["connection"].lower() == "keep-alive"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /note.txt HTTP/1.1\r\nHost: other.example\r\n\r\n",
        b"GET /note.txt HTTP/1.1\r\nHost: localhost.example\r\n\r\n",
        b"GET /note.txt HTTP/1.0\r\n\r\n",
        b"GET https://other.example/note.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_a_host_that_the_handshake_did_not_name_is_misdirected(server: Server, sent: bytes) -> None:
    with server.connect() as connection:
        connection.send(sent)
        answer = connection.read_answer()
        assert answer.status == 421
        assert b"a note" not in answer.body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost:8443"])
def test_the_name_of_the_handshake_is_served_in_every_spelling(tls: Connection, host: str) -> None:
    tls.send(request("/note.txt", host=host))
    assert tls.read_answer().body == b"a note"


@pytest.mark.parametrize(
    "path", ["/", "/note.txt", "/large.bin", "/missing", "/docs", "/empty.txt"]
)
def test_head_is_get_without_a_body(tls: Connection, path: str) -> None:
    got = tls.ask(path)
    head = tls.ask(path, method="HEAD")
    assert head.status == got.status
    assert {**head.fields, "date": ""} == {**got.fields, "date": ""}
    assert head.body == b""
    assert tls.ask("/note.txt").body == b"a note", "nothing was left on the connection"


def test_every_answer_names_server_date_and_length(tls: Connection) -> None:
    for path in ("/", "/missing", "/docs"):
        answer = tls.ask(path)
        assert answer["server"] == "zeroserve"
        assert answer["date"].endswith(" GMT")
        assert int(answer["content-length"]) == len(answer.body)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_other_methods_are_refused_where_there_is_a_file(tls: Connection, method: str) -> None:
    answer = tls.ask("/note.txt", method=method)
    assert answer.status == 405
    assert {each.strip() for each in answer["allow"].split(",")} >= {"GET", "HEAD"}
    assert tls.ask("/missing", method=method).status == 404
    assert tls.ask("/note.txt").status == 200


def test_a_folder_without_its_slash_is_redirected_and_keeps_its_query(tls: Connection) -> None:
    answer = tls.ask("/docs?a=1&b=%20")
    assert answer.status == 308
    assert answer["location"] == "/docs/?a=1&b=%20"
    assert tls.ask("/docs/").body == FILES["docs/index.html"]


def test_a_redirect_never_leads_to_another_host(tls: Connection) -> None:
    for path in ("//docs", "///docs", "/%2e/docs", "//evil.example/../docs"):
        answer = tls.ask(path)
        assert answer.status in (308, 404), path
        location = answer.fields.get("location", "/")
        assert location.startswith("/"), path
        assert not location.startswith(("//", "/\\")), path


@pytest.mark.parametrize("path", ["/note.txt/", "/missing", "/docs/missing/", "/note.txt/x"])
def test_what_is_not_there_is_404(tls: Connection, path: str) -> None:
    assert tls.ask(path).status == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/umlaut-%C3%BC.txt", b"utf-8"),
        ("/n%6fte.txt", b"a note"),
        ("/./note.txt", b"a note"),
        ("/docs/../note.txt", b"a note"),
        ("/docs/%2e%2e/note.txt", b"a note"),
        ("//note.txt", b"a note"),
        ("/.well-known/security.txt", b"contact"),
        ("/note.txt?x=../..", b"a note"),
        ("https://localhost/note.txt", b"a note"),
    ],
)
def test_spellings_of_one_path(tls: Connection, path: str, body: bytes) -> None:
    answer = tls.ask(path)
    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/../note.txt",
        "/%2e%2e/note.txt",
        "/.%2E/.%2e/etc/passwd",
        "/docs/../../note.txt",
        "/docs%2Fpage.html",
        "/docs%2fpage.html",
        "/note.txt%00",
        "/%",
        "/%zz",
        "/%c3",
        "/%ff",
        "/%c0%ae%c0%ae/note.txt",
    ],
)
def test_paths_that_read_in_more_than_one_way_are_refused(server: Server, path: str) -> None:
    with server.connect() as connection:
        assert connection.ask(path).status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/.zeroserve/data.json",
        "/.zeroserve/members.bin",
        "/.zeroserve/",
        "/.zeroserve",
        "/%2ezeroserve/data.json",
        "/.zero%73erve/members.bin",
        "/docs/../.zeroserve/data.json",
        "/docs/%2e%2e/.zeroserve/data.json",
        "//.zeroserve//data.json",
        "/./.zeroserve/./data.json",
        "/.zeroserve/probe/",
        "/.zeroserve/probe/0123456789abcdef",
        "/.zeroserve%2fdata.json",
        "/.zeroserve/data.json/",
    ],
)
def test_private_members_are_never_served(server: Server, path: str) -> None:
    with server.connect() as connection:
        answer = connection.ask(path)
    assert answer.status in (400, 404)
    assert b"private" not in answer.body
    assert "location" not in answer.fields


@pytest.mark.parametrize("chunked", [False, True])
def test_a_small_upload_is_read_away_and_the_connection_goes_on(
    tls: Connection, chunked: bool
) -> None:
    body = b"x" * 5000
    if chunked:
        framing, sent = "Transfer-Encoding: chunked", b"1388\r\n" + body + b"\r\n0\r\n\r\n"
    else:
        framing, sent = "Content-Length: 5000", body
    for _ in range(3):
        tls.send(f"POST /note.txt HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n".encode() + sent)
        assert tls.read_answer().status == 405
    assert tls.ask("/note.txt").body == b"a note"


@pytest.mark.parametrize("secure", [False, True])
def test_the_answer_to_a_large_upload_is_not_lost(server: Server, secure: bool) -> None:
    size = 6_000_000
    with server.connect() if secure else server.connect_plain() as connection:
        head = (
            f"PUT /note.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        connection.send(head)
        sent = 0
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while sent < size:
                connection.send(b"u" * 65536)
                sent += 65536
        answer = connection.read_answer()
        assert answer.status in (405, 413)
        if sent < size or answer.fields.get("connection") == "close":
            return
        assert connection.ask("/note.txt").body == b"a note"


def test_expect_continue_gets_an_answer_before_the_body(tls: Connection) -> None:
    tls.send(
        b"PUT /note.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    assert tls.read_answer().status in (405, 417)


SMUGGLING = {
    "both lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "differing lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
    b"Content-Length: 6\r\n\r\nhello",
    "list of lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 6\r\n\r\nhello",
    "signed length": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nhello",
    "hex length": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x5\r\n\r\nhello",
    "huge length": b"POST / HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 99999999999999999999\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\nhello",
    "folded line": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "unknown coding": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "chunked not last": b"POST / HTTP/1.1\r\nHost: localhost\r\n"
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked in 1.0": b"POST / HTTP/1.0\r\nHost: localhost\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: b\r\n\r\n",
    "host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
    "NUL in a field": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tab between": b"GET\t/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "fragment": b"GET /#x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "relative target": b"GET note.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_ambiguous_framing_is_refused_and_closed(server: Server, name: str) -> None:
    behind = request("/note.txt")
    with server.connect() as connection:
        connection.send(SMUGGLING[name] + behind)
        answer = connection.read_answer()
        assert answer.status in (400, 411, 413, 501), answer
        assert answer["connection"] == "close"
        assert connection.is_closed(), "what follows must not be read as a request"


@pytest.mark.parametrize(
    "body",
    [
        b"5\nhello\r\n0\r\n\r\n",
        b"5;a\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"-1\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_a_malformed_chunk_ends_the_connection(server: Server, body: bytes) -> None:
    head = b"POST /note.txt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with server.connect() as connection:
        connection.send(head + body + request("/note.txt"))
        assert connection.read_answer().status in (400, 405)
        assert connection.is_closed(), "what follows must not be read as a request"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 12_000 + b"\r\n", 431),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (b"GET / HTTP/3.1\r\nHost: localhost\r\n\r\n", 505),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not HTTP at all \r\n\r\n", 400),
    ],
)
@pytest.mark.parametrize("secure", [False, True])
def test_too_much_is_refused_by_name(
    server: Server, sent: bytes, status: int, secure: bool
) -> None:
    with server.connect() if secure else server.connect_plain() as connection:
        connection.send(sent)
        answer = connection.read_answer()
        assert answer.status == status
        assert answer["connection"] == "close"
        assert connection.is_closed()


def test_empty_lines_before_a_request_are_forgiven(tls: Connection) -> None:
    tls.send(b"\r\n" + request("/note.txt"))
    assert tls.read_answer().body == b"a note"


def test_many_clients_that_vanish_leave_nothing_behind(server: Server) -> None:
    for number in range(60):
        connection = server.connect()
        connection.send(request("/large.bin"))
        if number % 2:
            connection.read_bytes(20_000)
        # A reset instead of a goodbye.
        linger = b"\1\0\0\0\0\0\0\0"
        connection.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.close()
    open_now = "connections_open"
    wait_until(
        lambda: server.control.status()["stats"][open_now] == 0,  # type: ignore[index]
        what="the last connection's end",
    )
    with server.connect() as connection:
        assert connection.ask("/large.bin").body == LARGE


def test_garbage_instead_of_a_handshake_is_answered_by_an_alert(server: Server) -> None:
    with Connection.plain(server.address("https")) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = connection.read_to_end()
    assert received[:1] in (b"\x15", b""), received
    with server.connect() as connection:
        assert connection.ask("/note.txt").status == 200


def test_a_head_that_never_ends_is_cut_off_in_time(server: Server) -> None:
    """A byte a second keeps nobody's connection open: 10 s from the first byte are all there is."""
    with server.connect_plain() as connection:
        begun = time.monotonic()
        connection.peer.settimeout(1.0)
        closed_after = None
        connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        while closed_after is None and time.monotonic() - begun < 25:
            try:
                connection.send(b"s")
                if not connection.peer.recv(1):
                    closed_after = time.monotonic() - begun
            except TimeoutError:
                continue
            except (ConnectionError, ClosedError):
                closed_after = time.monotonic() - begun
    assert closed_after is not None, "still open after 25 s"
    assert 8 < closed_after < 15
