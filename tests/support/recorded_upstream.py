"""A recorded upstream for relays: what each connection sends it is kept, and what it answers is
said beforehand. It stands for the server behind a public name.
"""

from __future__ import annotations

import socket
import struct
import threading
from types import TracebackType
from typing import Self

from support.polling import wait_until

RESET = struct.pack("ii", 1, 0)


class RecordedUpstream:
    """Answers every connection with the same bytes once `after` bytes have come, and records it."""

    def __init__(self, answer: bytes = b"", *, after: int = 1, reset: bool = False) -> None:
        """Listen on loopback. With `reset` the connection is cut behind the answer."""
        self._answer, self._after, self._reset = answer, after, reset
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:" + str(self._listener.getsockname()[1])
        self.received: list[bytearray] = []
        self.ended: list[bool] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def wait_ended(self, count: int = 1) -> None:
        """Wait until so many connections have said that they send nothing more."""
        wait_until(lambda: sum(self.ended) >= count, what=f"the end of {count} connections")

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            number = len(self.received)
            self.received.append(bytearray())
            self.ended.append(False)
            threading.Thread(target=self._serve, args=(peer, number), daemon=True).start()

    def _serve(self, peer: socket.socket, number: int) -> None:
        with peer:
            answered = False
            while True:
                if not answered and len(self.received[number]) >= self._after:
                    answered = True
                    peer.sendall(self._answer)
                    if self._reset:
                        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                        return
                try:
                    chunk = peer.recv(65536)
                except ConnectionResetError:
                    chunk = b""
                if not chunk:
                    self.ended[number] = True
                    return
                self.received[number] += chunk
