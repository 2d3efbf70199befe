"""A raw HTTP/2 client (RFC 9113): frames are written by hand, and those that come are taken apart.
It says what no library would let us say. Heads are literals that no table knows.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from support.client import TIMEOUT_S

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, PRIORITY_UPDATE = 6, 7, 8, 9, 0x10
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
INITIAL_WINDOW_SIZE = 0x4
NO_ERROR, PROTOCOL_ERROR, CANCEL, ENHANCE_YOUR_CALM = 0x0, 0x1, 0x8, 0xB
#: How our encoder writes `:status`, by its first byte: an index of the static table.
STATUSES = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}


@dataclass(frozen=True)
class Frame:
    """One frame."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def ends_stream(self) -> bool:
        """Whether it is the last of its stream."""
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    @property
    def status(self) -> int:
        """The status in the block of an answer's HEADERS; 0 for one that has no short form."""
        at = 0
        while self.payload[at] & 0xE0 == 0x20:  # the size of a table, before everything else
            long = self.payload[at] & 0x1F == 0x1F
            while long and self.payload[at + 1] & 0x80:
                at += 1
            at += 2 if long else 1
        return STATUSES.get(self.payload[at], 0)

    @property
    def code(self) -> int:
        """The error code of a GOAWAY or RST_STREAM."""
        return int.from_bytes(self.payload[4:8] if self.kind == GOAWAY else self.payload)


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """A frame as bytes."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(fields: Mapping[str, str]) -> bytes:
    """A header block of plain literals (RFC 7541, section 6.2.2)."""
    parts = []
    for name, value in fields.items():
        parts += [b"\0", _text(name), _text(value)]
    return b"".join(parts)


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 0x7F:
        return bytes([len(raw)]) + raw
    rest = len(raw) - 0x7F
    length = b"\x7f"
    while rest >= 0x80:
        length += bytes([rest & 0x7F | 0x80])
        rest >>= 7
    return length + bytes([rest]) + raw


def head(path: str = "/", *, method: str = "GET", **fields: str) -> bytes:
    """The header block of a request for localhost."""
    pseudo = {":method": method, ":scheme": "https", ":authority": "localhost", ":path": path}
    return block({**pseudo, **{name.replace("_", "-"): value for name, value in fields.items()}})


def get(stream: int, path: str = "/", **fields: str) -> bytes:
    """A request without a body."""
    flags = END_HEADERS | END_STREAM
    return frame(HEADERS, head(path, **fields), flags=flags, stream=stream)


def post(stream: int, path: str = "/", **fields: str) -> bytes:
    """The head of a request whose body follows."""
    return frame(HEADERS, head(path, method="POST", **fields), flags=END_HEADERS, stream=stream)


def reset(stream: int) -> bytes:
    """No longer wanted."""
    return frame(RST_STREAM, struct.pack(">I", CANCEL), stream=stream)


def settings(**values: int) -> bytes:
    """SETTINGS, by name: `initial_window_size` is all that the tests need."""
    numbers = {"initial_window_size": INITIAL_WINDOW_SIZE}
    pairs = [struct.pack(">HI", numbers[name], value) for name, value in values.items()]
    return frame(SETTINGS, b"".join(pairs))


def window_update(stream: int, count: int) -> bytes:
    """More room to send."""
    return frame(WINDOW_UPDATE, struct.pack(">I", count), stream=stream)


def priority_update(stream: int, value: str) -> bytes:
    """RFC 9218, section 7.1."""
    return frame(PRIORITY_UPDATE, struct.pack(">I", stream) + value.encode())


class Http2Client:
    """One connection; settings are exchanged when it is there."""

    def __init__(self, peer: socket.socket, opening: bytes = PREFACE + settings()) -> None:
        self.peer = peer
        self._pending = b""
        self.send(opening)

    @classmethod
    def plain(cls, address: tuple[str, int], opening: bytes = PREFACE + settings()) -> Self:
        """With prior knowledge, without TLS."""
        return cls(socket.create_connection(address, TIMEOUT_S), opening)

    @classmethod
    def tls(cls, address: tuple[str, int], context: ssl.SSLContext) -> Self:
        """Over TLS, agreed on by ALPN."""
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(address, TIMEOUT_S)
        try:
            return cls(context.wrap_socket(plain, server_hostname="localhost"))
        except BaseException:
            plain.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.peer.close()

    def send(self, *frames: bytes) -> None:
        """Send all of them."""
        self.peer.sendall(b"".join(frames))

    def frames(self) -> Iterator[Frame]:
        """Everything that comes, until the server closes. Acknowledges its SETTINGS."""
        while True:
            while (came := self._next()) is None:
                if not self._more():
                    return
            yield came

    def frames_at_hand(self) -> Iterator[Frame]:
        """What has come already; nothing is waited for."""
        while select.select([self.peer], [], [], 0)[0] and self._more():
            pass
        while (came := self._next()) is not None:
            yield came

    def _next(self) -> Frame | None:
        """The frame at the start of what came, if it is whole."""
        length = int.from_bytes(self._pending[:3])
        if len(self._pending) < 9 + length:
            return None
        kind, flags, stream = struct.unpack(">BBI", self._pending[3:9])
        came = Frame(kind, flags, stream, self._pending[9 : 9 + length])
        self._pending = self._pending[9 + length :]
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, flags=ACK))
        return came

    def until_stream_ends(self, stream: int) -> list[Frame]:
        """The frames of one stream up to its last; those of others are dropped."""
        found = []
        for each in self.frames():
            assert each.kind != GOAWAY, f"GOAWAY: {each.payload[8:]!r}"
            if each.stream == stream and each.kind in (DATA, HEADERS, RST_STREAM):
                found.append(each)
                if each.ends_stream or each.kind == RST_STREAM:
                    return found
        raise AssertionError(f"closed before stream {stream} ended: {found}")

    def until_pong(self, data: bytes = b"zs-tests") -> list[Frame]:
        """Send a PING: all that comes before its answer."""
        self.send(frame(PING, data))
        found = []
        for each in self.frames():
            if each.kind == PING and each.flags & ACK and each.payload == data:
                return found
            found.append(each)
        raise AssertionError("closed before the answer to a PING")

    def until_goodbye(self) -> Frame:
        """The GOAWAY that ends the connection, after which the server closes."""
        last = None
        for each in self.frames():
            last = each if each.kind == GOAWAY else last
        assert last is not None, "closed without GOAWAY"
        return last

    def _more(self) -> bool:
        chunk = self.peer.recv(256 << 10)
        self._pending += chunk
        return bool(chunk)
