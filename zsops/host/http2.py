"""One GET over HTTP/2 (RFC 9113): most clients speak it, so what is served must reach them.

The framing is `h2`'s. A whole answer is read, flow control included; anything odd is a ValueError.
"""

from __future__ import annotations

import socket

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error

from zsops.host.http1 import Answer, Body

ALPN = "h2"
_PIECE_BYTES = 256 << 10


def ask(peer: socket.socket, host: str, path: str) -> Answer:
    """GET `path` on a new connection. Raises ValueError for what is no answer, OSError as the
    socket does. The connection is of no use afterwards.
    """
    connection = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1"))
    connection.initiate_connection()
    stream = connection.get_next_available_stream_id()
    head = [
        *((":method", "GET"), (":scheme", "https"), (":authority", host), (":path", path)),
        ("accept-encoding", "identity"),
    ]
    connection.send_headers(stream, head, end_stream=True)
    answer = _Answer()
    try:
        while not answer.whole:
            peer.sendall(connection.data_to_send())
            data = peer.recv(_PIECE_BYTES)
            if not data:
                raise ConnectionError("it closed the connection without an answer")
            for event in connection.receive_data(data):
                answer.take(event)
                if isinstance(event, DataReceived) and event.flow_controlled_length:
                    length = event.flow_controlled_length
                    connection.acknowledge_received_data(length, stream)
    except H2Error as error:
        raise ValueError(f"no HTTP/2: {error}") from error
    return Answer(
        answer.status, answer.headers, answer.body.kept, answer.body.total.hexdigest(), stays=False
    )


class _Answer:
    """What has come of it."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = Body()
        self.whole = False

    def take(self, event: Event) -> None:
        match event:
            case ResponseReceived():
                fields = [(str(name), str(value)) for name, value in event.headers or ()]
                status = dict(fields).get(":status", "")
                if not status.isdecimal():
                    raise ValueError("an answer without a status")
                self.status = int(status)
                self.headers = tuple(each for each in fields if not each[0].startswith(":"))
            case DataReceived():
                self.body.add(event.data or b"")
            case StreamEnded():
                self.whole = True
            case StreamReset():
                raise ConnectionError(f"it reset the stream (error {event.error_code})")
            case ConnectionTerminated():
                raise ConnectionError(f"it went away (error {event.error_code})")
