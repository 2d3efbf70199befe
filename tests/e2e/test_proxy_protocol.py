"""Listeners behind a proxy: whom a connection is for is said before its first byte, by proxies that
are believed, and by nobody else.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from support.certs import Certificate
from support.client import Connection, request
from support.server import Server

pytestmark = pytest.mark.e2e

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LINE = b"PROXY TCP4 192.0.2.7 192.0.2.8 5000 443\r\n"
BINARY = SIGNATURE + bytes([0x21, 0x11, 0, 12, 192, 0, 2, 9, 192, 0, 2, 8, 0x13, 0x88, 1, 0xBB])
CHECK = SIGNATURE + bytes([0x20, 0, 0, 0])


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        (LINE, "192.0.2.7"),
        (BINARY, "192.0.2.9"),
        (CHECK, "127.0.0.1"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ],
)
def test_the_log_has_the_address_that_the_proxy_names(
    tmp_path: Path, certificate: Certificate, hello_tar: Path, header: bytes, peer: str
) -> None:
    flags = ("--addr", "127.0.0.1:0", "--enable-proxy-protocol", hello_tar)
    with Server(*flags, place=tmp_path, certificate=certificate) as server:
        with Connection.plain(server.address("http")) as plain:
            plain.send(header + request("/plain"))  # in one piece
            assert plain.read_answer().status == 404
        with socket.create_connection(server.address("https"), 30) as raw:
            for byte in header:
                raw.sendall(bytes([byte]))
            context = certificate.context()
            with Connection(context.wrap_socket(raw, server_hostname="localhost")) as secure:
                secure.send(request("/secure"))
                assert secure.read_answer().status == 404
        server.program.wait_said("/secure", 30)
        for path in ("/plain", "/secure"):
            line = next(one for one in server.said.splitlines() if path in one)
            assert line.startswith(f"{peer} "), line


@pytest.mark.parametrize("sent", [request(), b"PROXY TCP4 x y 1 2\r\n", b"\x16\x03\x01\x00\x05"])
def test_a_connection_without_a_header_is_closed_silently(
    tmp_path: Path, certificate: Certificate, hello_tar: Path, sent: bytes
) -> None:
    flags = ("--addr", "127.0.0.1:0", "--enable-https-proxy-protocol", hello_tar)
    with Server(*flags, place=tmp_path, certificate=certificate) as server:
        with Connection.plain(server.address("https")) as client:
            client.send(sent)
            assert client.read_to_end() == b""
        with server.connect_plain() as plain:  # another listener
            assert plain.ask().status == 200


def test_others_are_not_believed(tmp_path: Path, hello_tar: Path) -> None:
    flags = ("--enable-proxy-protocol", "--proxy-protocol-from", "192.0.2.0/24,10.0.0.1")
    with (
        Server("--addr", "127.0.0.1:0", *flags, hello_tar, place=tmp_path) as server,
        Connection.plain(server.address("http")) as client,
    ):
        try:
            client.send(LINE + request())
            got = client.read_to_end()
        except ConnectionError:
            got = b""
        assert got == b""
