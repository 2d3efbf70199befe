"""Frames on a byte stream: one kind byte, a 4-byte length (big endian), the payload.

`J` is a JSON object, `B` raw bytes (an empty one ends an upload). The same stream runs over pipes
here and over an SSH channel's stdin and stdout.
"""

from __future__ import annotations

import json
import os
import select
import struct
from typing import Protocol

from zsops.errors import LinkLost, ProtocolMismatch

_HEAD = struct.Struct(">cI")
# A member list of 100,000 files is about 12 MB; bytes come in chunks of CHUNK_BYTES.
JSON_BYTES_MAX = 64 << 20
CHUNK_BYTES = 256 << 10

Payload = dict[str, object] | bytes


class Source(Protocol):
    """Where frames come from: at most `size` bytes a call, none at the end."""

    def read(self, size: int, /) -> bytes: ...


class Sink(Protocol):
    """Where frames go: one whole frame a call; `LinkLost` when nobody takes it."""

    def send(self, payload: Payload, /) -> None: ...


def encode(payload: Payload) -> bytes:
    """The frame of a payload."""
    if isinstance(payload, bytes):
        kind, body = b"B", payload
    else:
        kind, body = b"J", json.dumps(payload, separators=(",", ":")).encode()
    return _HEAD.pack(kind, len(body)) + body


class Descriptor:
    """A file descriptor as a `Source`; `patience_s` bounds each wait, None waits for ever."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.patience_s: float | None = None

    def read(self, size: int, /) -> bytes:
        if not select.select([self._descriptor], [], [], self.patience_s)[0]:
            raise LinkLost(f"nothing came for {self.patience_s:g} s")
        return os.read(self._descriptor, size)


class FrameReader:
    """Reads whole frames."""

    def __init__(self, stream: Source) -> None:
        self._stream = stream

    def read(self) -> Payload | None:
        """The next frame; None at a clean end. `LinkLost` when it ends inside a frame."""
        head = self._exactly(_HEAD.size, at_start=True)
        if head is None:
            return None
        kind, length = _HEAD.unpack(head)
        limit = JSON_BYTES_MAX if kind == b"J" else CHUNK_BYTES
        if kind not in (b"J", b"B") or length > limit:
            raise ProtocolMismatch(
                f"not a frame of this protocol: kind {kind!r}, {length} bytes",
                hint="something else writes to this stream; a login script that prints, perhaps",
            )
        body = self._exactly(length, at_start=False) or b""
        if kind == b"B":
            return body
        try:
            value = json.loads(body)
        except ValueError as error:
            raise ProtocolMismatch(f"a frame is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise ProtocolMismatch("a frame is not a JSON object")
        return value

    def _exactly(self, count: int, *, at_start: bool) -> bytes | None:
        parts: list[bytes] = []
        missing = count
        while missing:
            try:
                piece = self._stream.read(missing)
            except OSError as error:
                raise LinkLost(f"the link broke: {error}") from error
            if not piece:
                if at_start and missing == count:
                    return None
                raise LinkLost("the link ended in the middle of a message")
            parts.append(piece)
            missing -= len(piece)
        return b"".join(parts)


class FrameWriter:
    """Writes frames to a descriptor, waiting at most `patience_s` for a reader that is stuck.

    A host must never wait for ever for its operator: it holds its lock meanwhile.
    """

    def __init__(self, descriptor: int, patience_s: float) -> None:
        self._descriptor = descriptor
        self._patience_s = patience_s
        os.set_blocking(descriptor, False)

    def send(self, payload: Payload) -> None:
        """Write one frame; `LinkLost` when nobody reads."""
        rest = memoryview(encode(payload))
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                if not select.select([], [self._descriptor], [], self._patience_s)[1]:
                    raise LinkLost(f"nobody read for {self._patience_s:g} s") from None
            except OSError as error:
                raise LinkLost(f"the link broke: {error}") from error
