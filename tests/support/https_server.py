"""A web server for clients' tests: TLS, HTTP/1.1 and HTTP/2, pages as the test wants them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from support import fake_http2
from support.material import Pair

Page = Callable[[str], tuple[int, bytes]]


class HttpsServer:
    """On loopback. `spoken`: what each connection agreed to; `asked`: protocol, SNI and path."""

    def __init__(
        self,
        page: Page,
        pair: Pair,
        home: Path,
        *,
        protocols: Sequence[str] = ("h2", "http/1.1"),
        http1: Callable[[ssl.SSLSocket, bytes], None] | None = None,
    ) -> None:
        """`home`: where the pair is put. `http1`: answers a request (its head) in its own way."""
        self._page = page
        self._protocols = tuple(protocols)
        self._http1 = http1 or self._plain
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*_written(pair, home))
        self._tls.set_alpn_protocols(list(protocols))
        self._tls.sni_callback = self._take_name
        self._names: dict[int, str | None] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.spoken: list[str | None] = []
        self.asked: list[tuple[str, str | None, str]] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._threads:
            each.join(30)

    def _take_name(self, peer: object, name: str | None, _: object) -> None:
        self._names[id(peer)] = name

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(peer,)))
                self._threads[-1].start()

    def _serve(self, peer: socket.socket) -> None:
        peer.settimeout(30)
        with peer, contextlib.suppress(OSError):
            secured = self._tls.wrap_socket(peer, server_side=True)
            with secured:
                self.spoken.append(secured.selected_alpn_protocol())
                name = self._names.get(id(secured))
                if (secured.selected_alpn_protocol() or "http/1.1") not in self._protocols:
                    return
                if secured.selected_alpn_protocol() == "h2":
                    fake_http2.serve(secured, lambda path: self._take("h2", name, path))
                else:
                    self._serve_http1(secured, name)

    def _serve_http1(self, peer: ssl.SSLSocket, name: str | None) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = peer.recv(65536)
            if not piece:
                return
            head += piece
        self.asked.append(("http/1.1", name, head.split(b" ")[1].decode()))
        self._http1(peer, head)

    def _plain(self, peer: ssl.SSLSocket, head: bytes) -> None:
        status, body = self._page(head.split(b" ")[1].decode())
        fields = b"HTTP/1.1 %d Fine\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        peer.sendall(fields + body)

    def _take(self, protocol: str, name: str | None, path: str) -> tuple[int, bytes]:
        self.asked.append((protocol, name, path))
        return self._page(path)


def _written(pair: Pair, home: Path) -> tuple[Path, Path]:
    home.mkdir(parents=True, exist_ok=True)
    (home / "cert.pem").write_bytes(pair.cert)
    (home / "key.pem").touch(0o600)
    (home / "key.pem").write_bytes(pair.key)
    return home / "cert.pem", home / "key.pem"
