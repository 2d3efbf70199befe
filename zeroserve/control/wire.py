"""Wire: just enough HTTP/1.1 for the control socket, on both of its ends.

Bounded in size and in time.

The standard library's `http` loads the `email` package, which costs the daemon more memory than
all of its own code.
"""

import socket
import time

HEAD_BYTES_MAX = 8 << 10
BODY_BYTES_MAX = 1 << 20  # /status and /metrics with every counter stay far below it


class WireError(Exception):
    """The peer does not speak the protocol, or stopped in the middle of a message.

    The text says how.
    """


class Message:
    """One request or response:

    its first line split in three, header fields in lower case, and the body.
    """

    __slots__ = ("body", "fields", "first")

    def __init__(self, first: tuple[str, str, str], fields: dict[str, str], body: bytes) -> None:
        """Hold the parts. A field that came twice is refused by `read_message`, so a dict is
        enough.
        """
        self.first = first
        self.fields = fields
        self.body = body


def read_message(peer: socket.socket, timeout_s: float) -> Message | None:
    """Read one message; None when the peer closed before its first byte.

    Raises `WireError`, `TimeoutError`, `OSError`.

    `timeout_s` is for the whole message, so a peer that sends a byte now and then cannot hold us.
    """
    deadline = time.monotonic() + timeout_s
    data = b""
    while b"\r\n\r\n" not in data:
        if len(data) > HEAD_BYTES_MAX:
            raise WireError("the head is too long")
        chunk = _receive(peer, deadline)
        if not chunk:
            if data:
                raise WireError("the message ends within its head")
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, fields = _parse_head(head)
    length = _body_length(fields)
    while len(body) < length:
        chunk = _receive(peer, deadline)
        if not chunk:
            raise WireError("the message ends within its body")
        body += chunk
    return Message(first, fields, body[:length])


def _receive(peer: socket.socket, deadline: float) -> bytes:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    peer.settimeout(left)
    return peer.recv(64 << 10)


def _parse_head(head: bytes) -> tuple[tuple[str, str, str], dict[str, str]]:
    try:
        lines = head.decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        raise WireError("the head is not ASCII") from None
    first = lines[0].split(" ", 2)
    if len(first) != 3 or not all(first):
        raise WireError("the first line has not three parts")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise WireError("a header line is malformed")
        if fields.setdefault(name.lower(), value.strip()) != value.strip():
            raise WireError(f"two different `{name}` headers")
    return (first[0], first[1], first[2]), fields


def _body_length(fields: dict[str, str]) -> int:
    if "transfer-encoding" in fields:
        raise WireError("transfer codings are not spoken here")
    text = fields.get("content-length", "0")
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise WireError("the content length is no number")
    if int(text) > BODY_BYTES_MAX:
        raise WireError("the body is too long")
    return int(text)


def request_bytes(method: str, path: str, body: bytes) -> bytes:
    """A request as the client sends it. One request a connection."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    if body:
        head += "Content-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def response_bytes(status: int, reason: str, content_type: str, body: bytes) -> bytes:
    """A response as the daemon sends it. The connection closes behind it."""
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
