"""The health check's question over HTTP/2."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable

import pytest
from support import fake_http2

from zsops.client import http2
from zsops.client.http1 import Answer

BODY = bytes(range(256)) * 200


def _asked(serve: Callable[[socket.socket], object], path: str = "/page") -> Answer:
    near, far = socket.socketpair()

    def run() -> None:
        with far, contextlib.suppress(ConnectionError):  # the other end leaves when it knows
            serve(far)

    server = threading.Thread(target=run)
    server.start()
    try:
        with near:
            near.settimeout(30)
            return http2.ask(near, "example.test", path)
    finally:
        server.join(30)


@pytest.mark.parametrize("path", ["/page", "/missing"])
def test_the_whole_answer_is_read(path: str) -> None:
    pages = {"/page": (200, BODY)}
    answer = _asked(lambda far: fake_http2.serve(far, lambda p: pages.get(p, (404, b"no"))), path)
    wanted = pages.get(path, (404, b"no"))
    assert (answer.status, answer.body) == (wanted[0], wanted[1][: 64 << 10])
    assert answer.sha256 == hashlib.sha256(wanted[1]).hexdigest()
    assert not answer.stays


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (b"", ConnectionError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ConnectionError),
        (b"\0\0\4\1\4\0\0\0\1\xff\xff\xff\xff", ValueError),  # HEADERS that no table has
        (b"\0\0\0\4\0\0\0\0\0", ConnectionError),  # SETTINGS, and then the end
        (b"\0\0\0\4\0\0\0\0\0" + b"\0\0\4\3\0\0\0\0\1\0\0\0\7", ConnectionError),  # RST_STREAM
        (b"\0\0\0\4\0\0\0\0\0" + b"\0\0\x08\7\0\0\0\0\0" + bytes(8), ConnectionError),  # GOAWAY
    ],
)
def test_what_is_no_answer_is_said(wire: bytes, error: type[Exception]) -> None:
    def serve(far: socket.socket) -> None:
        far.sendall(wire)
        far.shutdown(socket.SHUT_WR)
        while far.recv(65536):
            pass

    with pytest.raises(error):
        _asked(serve)
