"""Just enough HTTP/1.1 to ask a server for a page: what a health check needs.

The standard library's `http` loads the `email` package: 20 ms of every session that checks health.
Framing is by RFC 9112, section 6; anything odd is a ValueError, since an odd answer is unhealthy.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from zsops.frozen import frozen

_HEAD_BYTES_MAX = 64 << 10
_LINE_BYTES_MAX = 8 << 10
_BODY_BYTES_KEPT = 64 << 10
#: More than any site's file that is worth fetching for a health check.
BODY_BYTES_MAX = 1 << 30
_PIECE_BYTES = 256 << 10


class Peer(Protocol):
    """The stream to a server; a socket is one."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...


@frozen
class Answer:
    """`headers` in lower case, in order; `body` its first 64 KiB, `sha256` over all of it.

    `stays`: another question may follow on the connection.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    sha256: str
    stays: bool


def get(host: str, path: str) -> bytes:
    """The request. `path` has no blanks; `host` is the name that is asked for."""
    if any(each in host + path for each in "\r\n "):
        raise ValueError("a blank in a name or a path")
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\n\r\n".encode()


class Reader:
    """Reads answers to GET from a connection, one after the other."""

    def __init__(self, peer: Peer, body_bytes_max: int = BODY_BYTES_MAX) -> None:
        self._peer = peer
        self._ahead = b""
        self._body_bytes_max = body_bytes_max

    def read(self) -> Answer:
        """The next answer. Raises ValueError for what is none, OSError as the socket does."""
        status, headers = self._head()
        while 100 <= status < 200:
            status, headers = self._head()
        fields: dict[str, str] = {}
        for name, value in headers:
            if fields.setdefault(name, value) != value and name in _FRAMING:
                raise ValueError(f"two different `{name}`")
        body = Body(self._body_bytes_max)
        stays = "close" not in fields.get("connection", "").lower()
        if status in (204, 304):
            pass
        elif "transfer-encoding" in fields:
            if fields["transfer-encoding"].lower() != "chunked":
                raise ValueError(f"transfer coding `{fields['transfer-encoding']}`")
            self._chunks(body)
        elif "content-length" in fields:
            self._exactly(_number(fields["content-length"], 10), body)
        else:
            stays = False
            while piece := self._some():
                body.add(piece)
        return Answer(status, headers, body.kept, body.total.hexdigest(), stays)

    def _head(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        data = self._ahead
        while b"\r\n\r\n" not in data:
            if len(data) > _HEAD_BYTES_MAX:
                raise ValueError("the head does not end")
            piece = self._peer.recv(_PIECE_BYTES)
            if not piece:
                raise ConnectionError("it closed the connection without an answer")
            data += piece
        head, _, self._ahead = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not rest[:3].isdecimal():
            raise ValueError(f"no HTTP answer: `{lines[0][:60]}`")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise ValueError("a malformed header")
            headers.append((name.lower(), value.strip()))
        return int(rest[:3]), tuple(headers)

    def _chunks(self, body: Body) -> None:
        while size := _number(self._line().partition(";")[0].strip(), 16):
            self._exactly(size, body)
            if self._line():
                raise ValueError("a chunk is longer than it says")
        while self._line():
            pass  # trailers

    def _line(self) -> str:
        while b"\r\n" not in self._ahead:
            if len(self._ahead) > _LINE_BYTES_MAX:
                raise ValueError("a line does not end")
            piece = self._peer.recv(_PIECE_BYTES)
            if not piece:
                raise ConnectionError("it closed the connection within an answer")
            self._ahead += piece
        line, _, self._ahead = self._ahead.partition(b"\r\n")
        return line.decode("latin-1")

    def _exactly(self, count: int, body: Body) -> None:
        while count:
            piece = self._some()
            if not piece:
                raise ConnectionError("it closed the connection within an answer")
            piece, self._ahead = piece[:count], piece[count:]
            count -= len(piece)
            body.add(piece)

    def _some(self) -> bytes:
        if self._ahead:
            piece, self._ahead = self._ahead, b""
            return piece
        return self._peer.recv(_PIECE_BYTES)


_FRAMING = frozenset({"content-length", "transfer-encoding"})


class Body:
    """What has come of a body: all of it hashed, its beginning kept."""

    def __init__(self, bytes_max: int) -> None:
        self.total = hashlib.sha256()
        self.kept = b""
        self._size = 0
        self._bytes_max = bytes_max

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._bytes_max:
            raise ValueError(f"the body is longer than {self._bytes_max} bytes")
        self.total.update(piece)
        if len(self.kept) < _BODY_BYTES_KEPT:
            self.kept += piece[: _BODY_BYTES_KEPT - len(self.kept)]


def _number(text: str, base: int) -> int:
    """A length: digits only, which `int` alone would not ask for."""
    digits = "0123456789abcdefABCDEF" if base == 16 else "0123456789"
    if not text or len(text) > 12 or any(each not in digits for each in text):
        raise ValueError(f"`{text[:20]}` is no length")
    return int(text, base)
