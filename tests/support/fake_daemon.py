"""A stand-in for the server: the same flags, control socket, probe path and HTTPS, in Python.

Run as a program by `zsops-host supervise`. Loads the release that `--release` leads to in one go,
answers from that until a reload, and ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import json
import os
import signal
import socket
import socketserver
import ssl
import sys
import tarfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import fake_http2


class Generation:
    """One release, read whole."""

    def __init__(self, link: Path, number: int) -> None:
        home = link.resolve(strict=True)
        manifest = json.loads((home / "manifest.json").read_text())
        tar = (home / "site.tar").read_bytes()
        self.number = number
        self.release = manifest["release"]
        self.release_digest = f"sha256:{hashlib.sha256(tar).hexdigest()}"
        self.site_digest = manifest["site_digest"]
        self.files: dict[str, bytes] = {}
        with tarfile.open(home / "site.tar") as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    self.files[member.name] = file.read()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.set_alpn_protocols(["h2", "http/1.1"])
        self.tls.load_cert_chain(home / "tls" / "cert.pem", home / "tls" / "key.pem")


class Daemon:
    """What all connections share."""

    def __init__(self, wish: argparse.Namespace) -> None:
        self.wish = wish
        self.generation = Generation(wish.release, 1)
        self.secret = wish.probe_file.read_text().strip()
        self.reloads = 0
        self.listeners: list[dict[str, str]] = []
        self.lock = threading.Lock()

    def digests(self) -> dict[str, object]:
        now = self.generation
        return {
            "v": 1,
            "pid": os.getpid(),
            "generation": now.number,
            "release_digest": now.release_digest,
            "site_digest": now.site_digest,
        }

    def status(self) -> dict[str, object]:
        more = {"version": "fake", "release": self.generation.release, "started_at": "now"}
        return {
            **self.digests(),
            **more,
            "listeners": self.listeners,
            "last_reload": None,
            "stats": {},
        }

    def reload(self, expect: str | None) -> tuple[int, dict[str, object]]:
        with self.lock:
            self.reloads += 1
            try:
                fresh = Generation(self.wish.release, self.generation.number + 1)
            except (OSError, ValueError, KeyError, tarfile.TarError) as error:
                return 409, {"ok": False, "id": self.reloads, "error": str(error)}
            if expect is not None and fresh.release_digest != expect:
                problem = f"loaded {fresh.release_digest}, expected {expect}"
                return 409, {"ok": False, "id": self.reloads, "error": problem}
            self.generation = fresh
            return 200, {**self.digests(), "ok": True, "id": self.reloads}


class Site(http.server.BaseHTTPRequestHandler):
    """Visitors."""

    daemon: Daemon

    @classmethod
    def page(cls, path: str) -> tuple[int, bytes]:
        now = cls.daemon.generation
        if path == f"/.zeroserve/probe/{cls.daemon.secret}":
            return 200, json.dumps(cls.daemon.digests()).encode()
        name = path.lstrip("/") or "index.html"
        if name in now.files:
            return 200, now.files[name]
        return 404, now.files.get("404.html", b"not found")

    def do_GET(self) -> None:
        self._answer(*self.page(self.path))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Control(Site):
    """The control socket."""

    def do_GET(self) -> None:
        self._answer(200, json.dumps(self.daemon.status()).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/drain":
            self._answer(202, b"{}")
            os.kill(os.getpid(), signal.SIGTERM)
            return
        status, answer = self.daemon.reload(json.loads(body or b"{}").get("expect"))
        self._answer(status, json.dumps(answer).encode())

    def address_string(self) -> str:
        return "control"


class TlsServer(http.server.ThreadingHTTPServer):
    """Each connection is wrapped with the certificate of the generation that is current then."""

    daemon_threads = True

    def finish_request(self, request: object, client_address: object) -> None:
        try:
            wrapped = Site.daemon.generation.tls.wrap_socket(request, server_side=True)
        except OSError:
            return
        with wrapped:
            if wrapped.selected_alpn_protocol() == "h2":
                fake_http2.serve(wrapped, Site.page)
            else:
                self.RequestHandlerClass(wrapped, client_address, self)


class DoorServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The same over a unix socket."""

    daemon_threads = True
    finish_request = TlsServer.finish_request


class ControlServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def listen(address: str) -> tuple[socketserver.BaseServer, str]:
    """A server on an inherited socket, or at the door of its own."""
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        path.unlink(missing_ok=True)
        return DoorServer(str(path), Site), address
    number = int(address.removeprefix("fd:"))
    server = TlsServer(("", 0), Site, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=number)
    # Others may accept from it as well: one that finds nothing must not wait.
    server.socket.setblocking(False)
    return server, "{}:{}".format(*server.socket.getsockname()[:2])


def main() -> None:
    parser = argparse.ArgumentParser()
    for flag in ("--release", "--control", "--probe-file", "--access-log"):
        parser.add_argument(flag, type=Path)
    parser.add_argument("--tls-addr", action="append", default=[])
    parser.add_argument("--log-format")
    parser.add_argument("--grace")
    parser.add_argument("--deaf", action="store_true", help="never end by itself")
    wish = parser.parse_args()
    daemon = Daemon(wish)
    Site.daemon = daemon
    for address in wish.tls_addr:
        server, real = listen(address)
        daemon.listeners.append({"scheme": "https", "address": real})
        threading.Thread(target=server.serve_forever, daemon=True).start()
    wish.control.unlink(missing_ok=True)
    control = ControlServer(str(wish.control), Control)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    while wish.deaf:
        signal.pause()


if __name__ == "__main__":
    socket.setdefaulttimeout(10)
    # Blocked before any thread starts, so that `sigwait` is the one that gets them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
