"""A raw HTTP/2 client for GET: what is sent is said frame by frame, and what comes back is taken
apart just as far as the tests look. Blocking, with the time limit of its connection.

Field blocks need no state: the server is told to keep no dynamic table, and of an answer's fields
only the status is read.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from support.client import Connection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4
CANCEL = 8
WINDOW_MAX = (1 << 31) - 1
WINDOW_FIRST = 65_535
#: Static table of RFC 7541, appendix A: `:status` with these values.
STATUSES = dict(zip(range(0x88, 0x8F), (200, 204, 206, 304, 400, 404, 500), strict=True))
#: How a server says that it has heard (section 6.3).
TABLE_OF_NOTHING = b"\x20"
GET, HTTP, HTTPS = b"\x82", b"\x86", b"\x87"
AUTHORITY, PATH, RANGE = b"\x01", b"\x04", b"\x0f\x23"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame (RFC 9113 section 4.1)."""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def _text(value: str) -> bytes:
    assert len(value) < 127
    return bytes([len(value)]) + value.encode()


@dataclass
class Answer:
    """What has come of one stream. `status` is None for one that the static table has not."""

    status: int | None = None
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: bool = False


class Http2:
    """One connection. `window` is how many bytes the server may send of a body, and of all."""

    def __init__(self, connection: Connection, *, window: int = WINDOW_MAX) -> None:
        self.connection = connection
        self.scheme = HTTPS if isinstance(connection.peer, ssl.SSLSocket) else HTTP
        self.answers: dict[int, Answer] = {}
        #: The last stream of each GOAWAY.
        self.goodbyes: list[int] = []
        self._next = 1
        settings = struct.pack("!HIHI", HEADER_TABLE_SIZE, 0, INITIAL_WINDOW_SIZE, window)
        hello = PREFACE + frame(SETTINGS, 0, 0, settings)
        if window > WINDOW_FIRST:
            hello += frame(WINDOW_UPDATE, 0, 0, struct.pack("!I", window - WINDOW_FIRST))
        connection.send(hello)

    def begin(self, *paths: str, fields: Mapping[str, str] | None = None) -> Sequence[int]:
        """Ask for paths in one write; returns their streams. `range` is the one field known."""
        wire, streams = b"", []
        for path in paths:
            block = GET + self.scheme + AUTHORITY + _text("localhost") + PATH + _text(path)
            for name, value in (fields or {}).items():
                assert name == "range"
                block += RANGE + _text(value)
            wire += frame(HEADERS, END_STREAM | END_HEADERS, self._next, block)
            self.answers[self._next] = Answer()
            streams.append(self._next)
            self._next += 2
        self.connection.send(wire)
        return streams

    def cancel(self, stream: int) -> None:
        """Tell the server that nobody wants an answer any more."""
        self.connection.send(frame(RST_STREAM, 0, stream, struct.pack("!I", CANCEL)))

    def read_frame(self) -> int:
        """Take the next frame in; returns its stream."""
        head = self.connection.read_bytes(9)
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack("!BBI", head[3:])
        payload = self.connection.read_bytes(length)
        answer = self.answers.get(stream, Answer())
        if kind == HEADERS:
            answer.status = STATUSES.get(payload.removeprefix(TABLE_OF_NOTHING)[0])
        elif kind == DATA:
            answer.body += payload
            update = struct.pack("!I", max(1, length))
            self.connection.send(frame(WINDOW_UPDATE, 0, 0, update))
        elif kind == RST_STREAM:
            answer.reset = True
        elif kind == GOAWAY:
            self.goodbyes.append(int.from_bytes(payload[:4], "big"))
        elif kind in (SETTINGS, PING) and not flags & ACK:
            self.connection.send(frame(kind, ACK, 0, payload if kind == PING else b""))
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            answer.ended = True
        return stream

    def read(self, stream: int) -> Answer:
        """Read until this answer is whole, or reset."""
        answer = self.answers[stream]
        while not (answer.ended or answer.reset):
            self.read_frame()
        return answer

    def forget(self, stream: int) -> None:
        """Keep nothing of an answer."""
        del self.answers[stream]
