"""One GET over HTTP/2 (RFC 9113): most clients speak it, so what is served must reach them.

The framing is `h2`'s. A whole answer is read, flow control included; anything odd is a ValueError.
"""

from __future__ import annotations

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
from h2.settings import SettingCodes, Settings

from zsops.client.http1 import BODY_BYTES_MAX, Answer, Body, Peer

_PIECE_BYTES = 256 << 10
#: What may be on its way to us: a window of 64 KiB would be filled and waited for all the time.
_WINDOW_BYTES = 1 << 20


def ask(peer: Peer, host: str, path: str, body_bytes_max: int = BODY_BYTES_MAX) -> Answer:
    """GET `path` on a new connection. Raises ValueError for what is no answer, OSError as the
    stream does. The connection is of no use afterwards.
    """
    connection = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1"))
    own = {SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW_BYTES}
    connection.local_settings = Settings(client=True, initial_values=own)
    connection.initiate_connection()
    connection.increment_flow_control_window(_WINDOW_BYTES)
    stream = connection.get_next_available_stream_id()
    head = [
        *((":method", "GET"), (":scheme", "https"), (":authority", host), (":path", path)),
        ("accept-encoding", "identity"),
    ]
    connection.send_headers(stream, head, end_stream=True)
    answer = _Answer(stream, body_bytes_max)
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

    def __init__(self, stream: int, body_bytes_max: int) -> None:
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = Body(body_bytes_max)
        self.whole = False
        self._stream = stream

    def take(self, event: Event) -> None:
        if getattr(event, "stream_id", None) not in (None, self._stream):
            return  # not asked for
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
