"""A DNS over HTTPS server on loopback (RFC 8484) that knows one host: its address, and the HTTPS
record that publishes an ECH config. Browsers take such records from encrypted DNS alone.
"""

from __future__ import annotations

import base64
import http.server
import ssl
import struct
import threading
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from support.certs import Certificate

A, HTTPS = 1, 65
PATH = "/dns-query"
ALPN, PORT, ECH = 1, 3, 5


def _name(name: str) -> bytes:
    labels = [label.encode() for label in name.strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _parameter(key: int, value: bytes) -> bytes:
    return struct.pack("!HH", key, len(value)) + value


class DohStub:
    """Answers for one host on one port. `asked` has every (name, type) that came."""

    def __init__(self, certificate: Certificate, host: str, port: int, ech: str) -> None:
        """Listen on loopback, with a certificate for `localhost`."""
        self.asked: list[tuple[str, int]] = []
        record = struct.pack("!H", 1) + _name(host)
        record += _parameter(ALPN, b"\x08http/1.1") + _parameter(PORT, struct.pack("!H", port))
        record += _parameter(ECH, base64.b64decode(ech))
        self._answers = {
            (host, A): b"\x7f\0\0\1",
            (host, HTTPS): record,
            (f"_{port}._https.{host}", HTTPS): record,
        }
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                encoded = parse_qs(urlsplit(self.path).query)["dns"][0]
                self._answer(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, question: bytes) -> None:
                body = stub._reply(question)
                self.send_response(200)
                self.send_header("Content-Type", "application/dns-message")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_address[1]}{PATH}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _reply(self, question: bytes) -> bytes:
        at, labels = 12, []
        while length := question[at]:
            labels.append(question[at + 1 : at + 1 + length].decode().lower())
            at += 1 + length
        name = ".".join(labels)
        (kind,) = struct.unpack_from("!H", question, at + 1)
        self.asked.append((name, kind))
        content = self._answers.get((name, kind))
        answers = b""
        if content is not None:
            answers = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(content)) + content
        head = question[:2] + struct.pack("!HHHHH", 0x8180, 1, bool(answers), 0, 0)
        return head + question[12 : at + 5] + answers
