"""A raw HTTP/1.1 client: what is sent is said byte by byte, and what comes back is taken apart
strictly. Over TLS or plain sockets, blocking, with a time limit on every call.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

TIMEOUT_S = 30.0
READ_BYTES = 256 << 10


class ClosedError(AssertionError):
    """The server closed the connection before the answer was whole."""


@dataclass(frozen=True)
class Answer:
    """One response. Field names in lower case."""

    status: int
    reason: str
    fields: Mapping[str, str]
    body: bytes

    def __getitem__(self, name: str) -> str:
        """A field's value."""
        return self.fields[name]


@dataclass(frozen=True)
class Head:
    """The first line and the fields of a response."""

    status: int
    reason: str
    fields: Mapping[str, str]

    @property
    def length(self) -> int:
        """Bytes of the body that follows a GET's head."""
        return int(self.fields.get("content-length", "0"))


def request(
    path: str = "/",
    *,
    method: str = "GET",
    host: str = "localhost",
    fields: Mapping[str, str] | None = None,
) -> bytes:
    """A well-formed request without a body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Connection:
    """One connection. Bytes that came and were not asked for stay in `pending`."""

    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        self.pending = b""

    @classmethod
    def tls(
        cls, address: tuple[str, int], context: ssl.SSLContext, *, name: str | None = "localhost"
    ) -> Self:
        """Connect and shake hands."""
        plain = socket.create_connection(address, TIMEOUT_S)
        try:
            return cls(context.wrap_socket(plain, server_hostname=name))
        except BaseException:
            plain.close()
            raise

    @classmethod
    def plain(cls, address: tuple[str, int]) -> Self:
        """Connect without TLS."""
        return cls(socket.create_connection(address, TIMEOUT_S))

    @classmethod
    def unix(cls, path: str) -> Self:
        """Connect to a unix socket."""
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(TIMEOUT_S)
        peer.connect(path)
        return cls(peer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self.peer.close()

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.peer.sendall(data)

    def _more(self) -> None:
        try:
            chunk = self.peer.recv(READ_BYTES)
        except ssl.SSLEOFError:
            chunk = b""
        except TimeoutError:
            raise AssertionError(f"no answer within {TIMEOUT_S} s; {self.pending!r}") from None
        if not chunk:
            raise ClosedError(f"closed in the middle of an answer, behind {self.pending[-200:]!r}")
        self.pending += chunk

    def read_head(self) -> Head:
        """Read a head, strictly: one line end, one colon, no field twice."""
        while b"\r\n\r\n" not in self.pending:
            self._more()
        raw, _, self.pending = self.pending.partition(b"\r\n\r\n")
        first, *lines = raw.decode("ascii").split("\r\n")
        version, status, reason = first.split(" ", 2)
        assert version == "HTTP/1.1", first
        fields: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(": ")
            assert colon, f"malformed field {line!r}"
            assert name.lower() not in fields, f"{name} came twice"
            fields[name.lower()] = value
        return Head(int(status), reason, fields)

    def read_bytes(self, count: int) -> bytes:
        """Read exactly `count` bytes."""
        parts, got = [self.pending], len(self.pending)
        self.pending = b""
        while got < count:
            self._more()
            parts.append(self.pending)
            got += len(self.pending)
            self.pending = b""
        data = b"".join(parts)
        self.pending = data[count:]
        return data[:count]

    def read_answer(self, method: str = "GET") -> Answer:
        """Read one whole response to a request with this method."""
        head = self.read_head()
        bodiless = method == "HEAD" or head.status in (204, 304)
        assert bodiless or "content-length" in head.fields, head
        body = b"" if bodiless else self.read_bytes(head.length)
        return Answer(head.status, head.reason, head.fields, body)

    def ask(
        self, path: str = "/", *, method: str = "GET", fields: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request and read its answer."""
        self.send(request(path, method=method, fields=fields))
        return self.read_answer(method)

    def read_to_end(self) -> bytes:
        """Everything until the server closes. A reset counts as an error."""
        parts = [self.pending]
        self.pending = b""
        while True:
            try:
                chunk = self.peer.recv(READ_BYTES)
            except TimeoutError:
                raise AssertionError("the server keeps the connection open") from None
            if not chunk:
                return b"".join(parts)
            parts.append(chunk)

    def is_closed(self) -> bool:
        """Wait until the server closes; True when it did so without another byte."""
        return self.read_to_end() == b""
