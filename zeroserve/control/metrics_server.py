"""Metrics server: `GET /metrics` over plain HTTP on `--metrics-addr`, and nothing else.

A listener of its own, so that the numbers are never on the site's ports. Whoever reaches it may
read: loopback, or a network of the operator's, is the place for it.
"""

import sys

from zeroserve.control import wire
from zeroserve.control.acceptor import Acceptor
from zeroserve.control.metrics import CONTENT_TYPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

REQUEST_SECONDS = 10.0  # to send the whole request; as much again to take the answer
TEXT_TYPE = "text/plain; charset=utf-8"
REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
}


class MetricsServer:
    """Answers from `open` to `close`. `render` makes the page."""

    def __init__(self, render: "Callable[[], str]") -> None:
        """Nothing is opened yet."""
        self._render = render
        self._acceptor = Acceptor("metrics", self._serve)

    def open(self, listener: "socket.socket") -> None:
        """Answer on a listening socket, in threads of our own."""
        self._acceptor.open(listener)

    def close(self, timeout_s: float) -> bool:
        """Accept nothing more. Returns whether every answer was sent."""
        self._acceptor.close()
        return self._acceptor.wait_quiet(timeout_s)

    def _serve(self, peer: "socket.socket") -> None:
        try:
            message = wire.read_message(peer, REQUEST_SECONDS)
            answer = None if message is None else self._answer(message)
        except wire.WireError as error:
            answer = 400, TEXT_TYPE, f"{error}\n"
        if answer is not None:
            status, content_type, body = answer
            peer.settimeout(REQUEST_SECONDS)
            peer.sendall(wire.response_bytes(status, REASONS[status], content_type, body.encode()))

    def _answer(self, message: wire.Message) -> tuple[int, str, str]:
        method, target, version = message.first
        if not version.startswith("HTTP/1."):
            return 400, TEXT_TYPE, "only HTTP/1.1 is spoken here\n"
        if target.partition("?")[0] != "/metrics":
            return 404, TEXT_TYPE, "there is /metrics\n"
        if method != "GET":
            return 405, TEXT_TYPE, "/metrics wants GET\n"
        try:
            return 200, CONTENT_TYPE, self._render()
        except Exception as error:  # the listener must outlive a bug in one answer
            sys.stderr.write(f"error[engine-bug]: metrics: {error!r}\n")
            return 500, TEXT_TYPE, "a bug in zeroserve\n"
