"""The health check's own HTTP: framing as servers may choose it, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsops.client.http1 import Answer, Reader, get


@contextmanager
def _reader(wire: bytes) -> Iterator[Reader]:
    """A reader of `wire`, after which the peer closes."""
    near, far = socket.socketpair()
    with near, far:
        far.sendall(wire)
        far.shutdown(socket.SHUT_WR)
        yield Reader(near)


def _read(wire: bytes) -> Answer:
    with _reader(wire) as reader:
        return reader.read()


@pytest.mark.parametrize(
    ("wire", "body", "stays"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", b"abc", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", b"", False),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", b"to the end", False),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: r\r\n\r\n",
            b"abc0123456789",
            True,
        ),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", True),
        (
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
            b"x",
            True,
        ),
    ],
)
def test_each_way_to_frame_a_body(wire: bytes, body: bytes, stays: bool) -> None:
    answer = _read(wire)
    assert (answer.body, answer.stays) == (body, stays)
    assert answer.sha256 == hashlib.sha256(body).hexdigest()


def test_answers_follow_one_another_and_names_are_in_lower_case() -> None:
    one = b"HTTP/1.1 200 OK\r\nX-Zs:  ok \r\nContent-Length: 2\r\n\r\nab"
    two = b"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nc"
    with _reader(one + two) as reader:
        first, second = reader.read(), reader.read()
        with pytest.raises(ConnectionError, match="without an answer"):
            reader.read()
    assert ("x-zs", "ok") in first.headers
    assert (first.status, second.status, second.body) == (200, 404, b"c")


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    ],
)
def test_what_is_odd_is_no_answer(wire: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        _read(wire)


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_one_that_is_cut_off_is_a_broken_connection(wire: bytes) -> None:
    with pytest.raises(ConnectionError):
        _read(wire)


@given(st.binary(max_size=400))
def test_no_bytes_lead_anywhere_else(tail: bytes) -> None:
    for start in (
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        with contextlib.suppress(ValueError, ConnectionError):
            _read(start + tail)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8))
def test_chunks_are_put_together(pieces: list[bytes]) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces)
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    assert _read(wire).body == b"".join(pieces)


def test_a_long_body_is_hashed_and_its_beginning_kept() -> None:
    body = bytes(range(256)) * 600
    near, far = socket.socketpair()
    with near, far:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        far.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        answer = Reader(near).read()
    assert answer.body == body[: 64 << 10]
    assert answer.sha256 == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(("host", "path"), [("a b", "/"), ("a", "/\r\nX: y"), ("a\n", "/")])
def test_a_request_is_one_request(host: str, path: str) -> None:
    with pytest.raises(ValueError, match="blank"):
        get(host, path)
