"""What the server says of its answers: log, statistics and metrics tell what has really left."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from support.certs import Certificate
from support.client import Connection, request
from support.http2_get import Http2
from support.polling import wait_until
from support.server import Server
from support.trees import pack_files, pattern

pytestmark = pytest.mark.e2e

LARGE = pattern("accounts", 24_000_000)
SMALL = b"small"
#: What a client reads before it hangs up, and what may be in buffers of both kernels by then.
READ_BYTES = 1_000_000
BUFFERED_BYTES_MAX = 16_000_000
RECEIVE_BYTES = 64 << 10


@pytest.fixture(scope="module")
def tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {"index.html": SMALL, "large.bin": LARGE}
    return pack_files(files, tmp_path_factory.mktemp("accounts") / "site.tar")


def stats(server: Server) -> dict[str, Any]:
    found = server.control.status()["stats"]
    assert isinstance(found, dict)
    return found


def lines(log: Path, count: int) -> list[dict[str, Any]]:
    wait_until(lambda: log.read_text().count("\n") >= count, what=f"{count} lines")
    return [json.loads(line) for line in log.read_text().splitlines()]


def narrow(address: tuple[str, int]) -> socket.socket:
    """A connection whose receive buffer is small."""
    peer = socket.socket()
    peer.settimeout(30)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    peer.connect(address)
    return peer


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_download_that_the_client_cuts_is_logged_with_what_has_left(
    tar: Path, tmp_path: Path, certificate: Certificate, scheme: str
) -> None:
    log = tmp_path / "access.log"
    options = ("--addr", "127.0.0.1:0", "--access-log", log, "--log-format", "json", tar)
    with Server(*options, place=tmp_path / "run", certificate=certificate) as server:
        peer = narrow(server.address(scheme))
        if scheme == "https":
            peer = certificate.context().wrap_socket(peer, server_hostname="localhost")
        with Connection(peer) as connection:
            connection.send(request("/large.bin"))
            assert connection.read_head().status == 200
            connection.read_bytes(READ_BYTES)
        (line,) = lines(log, 1)
        assert line["status"] == 200
        assert READ_BYTES <= line["bytes"] <= READ_BYTES + BUFFERED_BYTES_MAX
        assert stats(server)["bytes_sent"] == line["bytes"]


def test_a_body_that_an_http2_client_cancels_or_cuts_is_logged_with_what_has_left(
    tar: Path, tmp_path: Path
) -> None:
    log, window = tmp_path / "access.log", 50_000
    options = ("--addr", "127.0.0.1:0", "--access-log", log, "--log-format", "json", tar)
    with Server(*options, place=tmp_path / "run") as server:
        with server.connect_plain() as connection:
            client = Http2(connection, window=window)
            (cancelled,) = client.begin("/large.bin")
            while len(client.answers[cancelled].body) < window:
                client.read_frame()
            client.cancel(cancelled)
            (line,) = lines(log, 1)
            assert (line["version"], line["status"], line["bytes"]) == ("HTTP/2.0", 200, window)
            (cut,) = client.begin("/large.bin")
            while len(client.answers[cut].body) < window:
                client.read_frame()
        line = lines(log, 2)[1]
        assert (line["version"], line["status"], line["bytes"]) == ("HTTP/2.0", 200, window)
        assert stats(server)["bytes_sent"] == 2 * window


def test_what_takes_long_is_counted_as_long(tar: Path, tmp_path: Path) -> None:
    options = ("--addr", "127.0.0.1:0", "--disable-request-logging", tar)
    with Server(*options, place=tmp_path) as server:
        with server.connect_plain() as connection:
            for _ in range(20):
                assert connection.ask("/").body == SMALL
            with Connection(narrow(server.address("http"))) as slow:
                begun = time.monotonic()
                slow.send(request("/large.bin"))
                head = slow.read_head()
                wait_until(lambda: time.monotonic() > begun + 1.5, what="a slow reader")
                assert slow.read_bytes(head.length) == LARGE
        wait_until(lambda: stats(server)["requests"] == 21, what="the end of the download")
        latency = stats(server)["latency"]
        pairs = list(zip([*latency["bounds_seconds"], 1e9], latency["counts"], strict=True))
        assert sum(count for bound, count in pairs if bound > 1) == 1, pairs
        assert sum(count for bound, count in pairs) == 21
        assert 1.4 <= latency["sum_seconds"] <= 60
        assert "zeroserve_request_duration_seconds_count 21" in server.control.metrics()


def test_protocols_bodies_and_cache_are_told_apart(tar: Path, tmp_path: Path) -> None:
    options = ("--addr", "127.0.0.1:0", "--disable-request-logging", tar)
    with Server(*options, place=tmp_path) as server:
        with server.connect_plain() as connection, server.connect_plain() as other:
            assert connection.ask("/", method="HEAD").status == 200
            assert connection.ask("/").body == SMALL
            client = Http2(other)
            for stream in client.begin("/", "/", "/missing"):
                client.read(stream)
        wait_until(lambda: stats(server)["requests"] == 5, what="all answers")
        found = stats(server)
        assert (found["requests_http1"], found["requests_http2"]) == (2, 3)
        assert (found["cache_hits"], found["cache_misses"]) == (2, 1)
        assert (found["responses_2xx"], found["responses_4xx"]) == (4, 1)
        assert found["cache_bytes"] == len(SMALL)
        assert server.control.reload(None).ok
        wait_until(lambda: stats(server)["cache_bytes"] == 0, what="an empty cache")


def test_a_log_that_takes_nothing_loses_lines_and_says_so(tar: Path, tmp_path: Path) -> None:
    options = ("--addr", "127.0.0.1:0", "--access-log", "/dev/full", tar)
    with Server(*options, place=tmp_path) as server:
        with server.connect_plain() as connection:
            for _ in range(10):
                connection.ask("/")
        wait_until(lambda: stats(server)["log_lines_dropped"] == 10, what="ten lost lines")


def test_http2_connections_have_their_share_of_requests(tar: Path, tmp_path: Path) -> None:
    options = ("--addr", "127.0.0.1:0", "--keepalive-requests", "3", tar)
    with Server(*options, place=tmp_path) as server, server.connect_plain() as connection:
        client = Http2(connection)
        first, second = client.begin("/", "/")
        assert client.read(first).body == client.read(second).body == SMALL
        assert client.goodbyes == []
        (third,) = client.begin("/")
        assert client.read(third).body == SMALL
        while len(client.goodbyes) < 2:  # a warning, then the last stream
            client.read_frame()
        assert client.goodbyes[-1] == third
        assert connection.is_closed()
