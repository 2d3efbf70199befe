"""TLS records on the wire: when they come, and what a part of one is worth."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from support.certs import Certificate
from support.client import request
from support.server import Server

pytestmark = pytest.mark.e2e

READ_BYTES = 64 << 10
APPLICATION_DATA = 23


class Client:
    """A TLS client that sees its own records."""

    def __init__(self, address: tuple[str, int], certificate: Certificate) -> None:
        self.peer = socket.create_connection(address, 30)
        self.arrived, self.leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = certificate.context()
        self.tls = context.wrap_bio(self.arrived, self.leaving, server_hostname="localhost")
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.peer.sendall(self.leaving.read())
                self.arrived.write(self.peer.recv(READ_BYTES))
            else:
                break

    def records(self, plaintext: bytes) -> bytes:
        """Ready to be sent."""
        self.tls.write(plaintext)
        return self.leaving.read()

    def read(self) -> bytes:
        """The next plaintext."""
        while True:
            try:
                return self.tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                chunk = self.peer.recv(READ_BYTES)
                assert chunk, "closed without a word"
                self.arrived.write(chunk)


def test_tickets_wait_for_no_request(
    hello_tar: Path, tmp_path: Path, certificate: Certificate
) -> None:
    with Server(hello_tar, place=tmp_path, certificate=certificate) as server:
        client = Client(server.address("https"), certificate)
        with client.peer:
            client.peer.sendall(client.leaving.read())  # the last flight
            # A client with Nagle's algorithm may send its request only when that is acknowledged,
            # which bytes do at once, and nothing else does for 40 ms.
            tickets = client.peer.recv(READ_BYTES)
            assert tickets[0] == APPLICATION_DATA
            client.arrived.write(tickets)
            client.peer.sendall(client.records(request("/")))
            assert client.read().startswith(b"HTTP/1.1 200")


def test_a_part_of_a_record_is_the_beginning_of_a_request(
    hello_tar: Path, tmp_path: Path, certificate: Certificate
) -> None:
    limits = ("--header-timeout", "1", "--idle-timeout", "600")
    with Server(*limits, hello_tar, place=tmp_path, certificate=certificate) as server:
        client = Client(server.address("https"), certificate)
        with client.peer:
            client.peer.sendall(client.leaving.read() + client.records(request("/")))
            assert client.read().startswith(b"HTTP/1.1 200")
            client.peer.sendall(client.records(request("/"))[:-1])
            answer = client.read()
            while b"\r\n\r\n" not in answer:
                answer += client.read()
            assert b"HTTP/1.1 408" in answer
