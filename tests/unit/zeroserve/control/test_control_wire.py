"""The control socket's HTTP: messages cut anywhere, too long, too slow, or malformed."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroserve.control import wire


def read(data: bytes, *, cut: int | None = None, close: bool = True) -> wire.Message | None:
    left, right = socket.socketpair()
    with left, right:
        right.sendall(data[:cut])
        if cut is not None:
            right.sendall(data[cut:])
        if close:
            right.shutdown(socket.SHUT_WR)
        return wire.read_message(left, 0.2)


@given(
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/status", "/reload"]),
    st.binary(max_size=200),
)
def test_a_request_survives_any_cut(method: str, path: str, body: bytes) -> None:
    data = wire.request_bytes(method, path, body)
    for cut in {1, len(data) // 2, len(data) - 1}:
        message = read(data, cut=cut)
        assert message is not None
        assert (message.first, message.body) == ((method, path, "HTTP/1.1"), body)


def test_a_response_is_read() -> None:
    message = read(wire.response_bytes(409, "Conflict", "application/json", b"{}"))
    assert message is not None
    assert message.first == ("HTTP/1.1", "409", "Conflict")
    assert message.fields["content-type"] == "application/json"


def malformed() -> Iterator[bytes]:
    yield b"GET\r\n\r\n"
    yield b"GET /status\r\n\r\n"
    yield b" / HTTP/1.1\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nno colon\r\n\r\n"
    yield b"GET / HTTP/1.1\r\n: x\r\n\r\n"
    yield b"GET / HTTP/1.1\r\na : x\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"
    yield b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc"
    yield b"GET / HTTP/1.1\r\nA: \xff\r\n\r\n"
    yield b"GET / HT"
    yield b"x" * 10_000


@pytest.mark.parametrize("data", list(malformed()))
def test_malformed_messages_are_refused(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        read(data)


def test_nothing_at_all_is_no_message() -> None:
    assert read(b"") is None


def test_a_slow_peer_is_given_up() -> None:
    with pytest.raises(TimeoutError):
        read(b"GET / HTTP/1.1\r\n", close=False)
