"""Events: a small server on loopback that tells open pages about builds (server-sent events).

It speaks only to who knows its path, which is random: other sites in the same browser can reach the
port, too.
"""

from __future__ import annotations

import hmac
import json
import queue
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Seconds between comments that keep a quiet connection open, and find out that it is gone.
PULSE_SECONDS = 15.0


class EventServer:
    """Tells every open page the newest state: a build's number, or a fault."""

    def __init__(self) -> None:
        """Listen on a port that the kernel chooses."""
        self._path = f"/{secrets.token_urlsafe(24)}"
        self._lock = threading.Lock()
        self._pages: set[queue.SimpleQueue[bytes | None]] = set()
        self._state = b""
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where pages listen."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self._path}"

    def site(self, built: int) -> None:
        """A build is in service."""
        self._tell(_event("site", str(built)))

    def fault(self, text: str) -> None:
        """Something is wrong with the newest build."""
        self._tell(_event("fault", json.dumps(text)))

    def close(self) -> None:
        """End all connections and stop."""
        self._tell(None)
        self._server.shutdown()
        self._server.server_close()

    def is_asked_for(self, path: str) -> bool:
        """Whether this is the path that only our pages know."""
        return hmac.compare_digest(path.encode(), self._path.encode())

    def listen(self, write: Callable[[bytes], object]) -> None:
        """Write the newest state and each later one, until the end or until `write` fails."""
        page: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self._lock:
            self._pages.add(page)
            page.put(self._state)
        try:
            while True:
                try:
                    state = page.get(timeout=PULSE_SECONDS)
                except queue.Empty:
                    state = b":\n\n"
                if state is None:
                    return
                write(state)
        except OSError:
            return
        finally:
            with self._lock:
                self._pages.discard(page)

    def _tell(self, state: bytes | None) -> None:
        with self._lock:
            self._state = state or b""
            for page in self._pages:
                page.put(state)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, events: EventServer) -> None:
        self.events = events
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:  # the library's name
        if not self.server.events.is_asked_for(self.path):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        # The path is the secret; the page's own origin has another port.
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.server.events.listen(self._write)

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Nothing: the terminal shows the site's requests."""


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()
