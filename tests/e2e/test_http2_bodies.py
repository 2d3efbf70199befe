"""Requests with bodies that nobody asked for, over HTTP/2: the answer is never lost, and it does
not wait for a body that does not come.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.certs import Certificate
from support.counterparts import CURL, require
from support.http2 import (
    DATA,
    END_STREAM,
    HEADERS,
    NO_ERROR,
    RST_STREAM,
    Frame,
    Http2Client,
    frame,
    get,
    post,
)
from support.process import run
from support.server import Server
from support.trees import pattern

pytestmark = [pytest.mark.e2e]

#: What is read before the answer, and what is read at all.
WAITED_FOR = 1 << 20
READ_AWAY = 16 << 20
WINDOW = 65_535
PIECE = bytes(16_384)


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate, hello_tar: Path
) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("bodies")
    with Server(
        *("--addr", "127.0.0.1:0", "--body-timeout", "2", "--log-format", "off"),
        hello_tar,
        place=place,
        certificate=certificate,
    ) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Http2Client]:
    with Http2Client.plain(server.address("http")) as client:
        yield client


@pytest.mark.parametrize("size", [0, 1, 100 << 10, 5 << 20])
@pytest.mark.parametrize("announced", [True, False])
def test_curl_uploads_and_gets_its_answer(
    server: Server, certificate: Certificate, tmp_path: Path, size: int, announced: bool
) -> None:
    body = tmp_path / "body"
    body.write_bytes(pattern("upload", size))
    chunked = [] if announced else ["-H", "Transfer-Encoding: chunked"]
    command = [require(CURL), "-sS", "--http2", "--cacert", certificate.cert, *chunked]
    told = "\n%{http_code} %{http_version} %{size_upload}"
    for _ in range(5):
        got = run([*command, "-w", told, "--data-binary", f"@{body}", server.url + "/"])
        assert got.code == 0, got.stderr
        assert got.text.splitlines()[-1].startswith("405 2 "), got.text


def until_answered(client: Http2Client, stream: int) -> list[Frame]:
    """The frames of an answer; those before it are of other kinds."""
    return client.until_stream_ends(stream)


def test_an_answer_waits_for_the_end_of_a_short_body(client: Http2Client) -> None:
    client.send(post(1), frame(DATA, b"x", stream=1))
    assert HEADERS not in {each.kind for each in client.until_pong()}
    client.send(frame(DATA, b"y", flags=END_STREAM, stream=1))
    assert until_answered(client, 1)[0].kind == HEADERS


def test_trailers_end_a_body_too(client: Http2Client) -> None:
    trailers = b"\0\x01x\x011"
    client.send(post(1), frame(DATA, b"x", stream=1))
    client.send(frame(HEADERS, trailers, flags=0x4 | END_STREAM, stream=1))
    assert until_answered(client, 1)[0].kind == HEADERS


def test_other_requests_do_not_wait(client: Http2Client) -> None:
    client.send(post(1), get(3))
    assert until_answered(client, 3)[0].status == 200
    client.send(frame(DATA, flags=END_STREAM, stream=1))
    until_answered(client, 1)


def test_a_body_announced_as_long_is_answered_at_once_and_read_away(client: Http2Client) -> None:
    client.send(post(1, content_length=str(WAITED_FOR + 1)))
    until_answered(client, 1)
    left = WAITED_FOR + 1
    while left:
        part = PIECE[:left]
        left -= len(part)
        client.send(frame(DATA, part, flags=0 if left else END_STREAM, stream=1))
    assert RST_STREAM not in {each.kind for each in client.until_pong()}


def test_a_client_that_waits_to_be_told_is_answered_at_once(client: Http2Client) -> None:
    client.send(post(1, content_length="5", expect="100-continue"))
    until_answered(client, 1)


def test_a_body_without_end_is_answered_and_then_stopped(client: Http2Client) -> None:
    client.send(post(1))
    sent = 0
    while sent <= READ_AWAY + WAITED_FOR + len(PIECE):
        client.send(frame(DATA, PIECE, stream=1))
        sent += len(PIECE)
    answer, stop = until_answered(client, 1), None
    assert answer[0].kind == HEADERS
    for each in client.until_pong():
        stop = each if each.kind == RST_STREAM else stop
    assert stop is not None
    assert stop.code == NO_ERROR


def test_a_body_that_does_not_come_is_not_waited_for(client: Http2Client) -> None:
    client.send(post(1), frame(DATA, b"x", stream=1))
    until_answered(client, 1)
    client.send(get(3))
    assert until_answered(client, 3)[0].status == 200
