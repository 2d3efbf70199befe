"""HTTP/2 for a stand-in server: one question after the other, answered whole."""

from __future__ import annotations

import socket
from collections.abc import Callable

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

Page = Callable[[str], tuple[int, bytes]]


def serve(peer: socket.socket, page: Page) -> None:
    """Until the client closes. `page` tells status and body of a path, of at most 64 KiB."""
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
    connection.initiate_connection()
    peer.sendall(connection.data_to_send())
    while data := peer.recv(65536):
        for event in connection.receive_data(data):
            if isinstance(event, RequestReceived):
                asked = {str(name): str(value) for name, value in event.headers or ()}
                status, body = page(asked[":path"])
                stream = event.stream_id or 0
                connection.send_headers(stream, [(":status", str(status))])
                frames = range(0, len(body), 16384)
                for at in frames:
                    connection.send_data(stream, body[at : at + 16384])
                connection.end_stream(stream)
        peer.sendall(connection.data_to_send())
