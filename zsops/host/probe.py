"""GETs over connections that are made for them: TLS verified against the release's own
certificate, bodies hashed.

A connection never outlives the round of a health check that made it, since an older one would be
answered by the old generation. The server name is sent, since a server that only works without it
is broken for visitors.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from zsops.host import http1
from zsops.host.world import Fetched, Target


def split_address(address: str) -> tuple[str, int]:
    """Host and port to connect to; a listener on every address is reached over loopback."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if host in ("", "::"):
        host = "::1"
    elif host == "0.0.0.0":  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return host, int(port)


class Prober:
    """Asks listeners; keeps the connections of the round that is under way."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Link] = {}

    def fetch(
        self, target: Target, anchors: Sequence[Path], path: str, timeout_s: float
    ) -> Fetched:
        """GET `path`; every failure is in `error`, in words. Each wait is at most `timeout_s`."""
        try:
            return self._fetch(target, anchors, path, timeout_s)
        except ssl.SSLCertVerificationError as error:
            return Fetched(error=f"the certificate does not verify: {error.verify_message}")
        except TimeoutError:
            return Fetched(error=f"no answer within {timeout_s:g} s")
        except (OSError, ValueError) as error:
            return Fetched(error=f"{type(error).__name__}: {error}")

    def _fetch(
        self, target: Target, anchors: Sequence[Path], path: str, timeout_s: float
    ) -> Fetched:
        if target.http2:
            return _ask_http2(target, anchors, path, timeout_s)
        key = target.address, target.name
        if not target.kept:  # a new round
            for each in [each for each in self._open if each[0] == target.address]:
                self._open.pop(each).close()
        kept = self._open.pop(key, None)
        if kept is not None:
            with contextlib.suppress(ConnectionError):  # the server may end it at any time
                return self._ask(key, kept, path, timeout_s)
        return self._ask(key, _Link(target, anchors, timeout_s), path, timeout_s)

    def _ask(self, key: tuple[str, str], link: _Link, path: str, timeout_s: float) -> Fetched:
        try:
            answer = link.get(key[1], path, timeout_s)
        except BaseException:
            link.close()
            raise
        if answer.stays:
            self._open[key] = link
        else:
            link.close()
        return _fetched(answer, link)


def _connect(address: str, timeout_s: float) -> socket.socket:
    """To a listener, or to the door of one daemon of two (`unix:PATH`)."""
    if not address.startswith("unix:"):
        peer = socket.create_connection(split_address(address), timeout_s)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return peer
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        peer.settimeout(timeout_s)
        peer.connect(address.removeprefix("unix:"))
    except BaseException:
        peer.close()
        raise
    return peer


class _Link:
    """One connection. `leaf`: SHA-256 of the certificate it showed; `agreed`: by ALPN."""

    def __init__(self, target: Target, anchors: Sequence[Path], timeout_s: float) -> None:
        self.leaf = ""
        self.agreed: str | None = None
        self._peer = _connect(target.address, timeout_s)
        try:
            if target.scheme == "https":
                context = _context(anchors, target)
                secured = context.wrap_socket(self._peer, server_hostname=target.name)
                shown = secured.getpeercert(binary_form=True) or b""
                self.leaf = hashlib.sha256(shown).hexdigest()
                self.agreed = secured.selected_alpn_protocol()
                self._peer = secured
        except BaseException:
            self._peer.close()
            raise
        self._reader = http1.Reader(self._peer)

    @property
    def peer(self) -> socket.socket:
        """The connection itself, for who frames otherwise."""
        return self._peer

    def get(self, host: str, path: str, timeout_s: float) -> http1.Answer:
        self._peer.settimeout(timeout_s)
        self._peer.sendall(http1.get(host, path))
        return self._reader.read()

    def close(self) -> None:
        self._peer.close()


def _ask_http2(target: Target, anchors: Sequence[Path], path: str, timeout_s: float) -> Fetched:
    from zsops.host import http2  # 30 ms that only a host with TLS pays

    link = _Link(target, anchors, timeout_s)
    with contextlib.closing(link):
        if link.agreed != http2.ALPN:
            return Fetched(error="it does not agree to speak HTTP/2", leaf=link.leaf)
        answer = http2.ask(link.peer, target.name, path)
    return _fetched(answer, link)


def _fetched(answer: http1.Answer, link: _Link) -> Fetched:
    return Fetched(answer.status, answer.headers, answer.body, answer.sha256, leaf=link.leaf)


def _context(anchors: Sequence[Path], target: Target) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The release's own chain is the anchor: the question is whether *this* release is served, and
    # PARTIAL_CHAIN lets a leaf that is not self-signed answer it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for anchor in anchors:
        context.load_verify_locations(anchor)
    context.set_alpn_protocols(["h2"] if target.http2 else ["http/1.1"])
    return context
