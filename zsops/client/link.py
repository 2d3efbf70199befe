"""One connection to a server, under a name, and what it shows on the way: certificate and ALPN.

Every wait on it is bounded, and so is the whole of a question: a server that sends one byte now
and then would begin a timeout of the socket's anew for ever.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Self

from zsops.client import http1
from zsops.frozen import frozen

#: Names of ALPN (RFC 7301) that are asked for, and what people call them.
HTTP1, HTTP2 = "http/1.1", "h2"
SPOKEN = {HTTP1: "HTTP/1.1", HTTP2: "HTTP/2"}


@frozen
class Bounds:
    """`wait_s`: for a connection, a handshake, or the next bytes; `whole_s`: for a question from
    beginning to end; `body_bytes`: of an answer, more is refused."""

    wait_s: float
    whole_s: float = 60.0
    body_bytes: int = http1.BODY_BYTES_MAX


@frozen
class Trust:
    """What a certificate has to lead to: one of `anchors` (PEM files; a leaf may be one itself), or
    with `system` also an authority that this machine trusts. With neither whoever asks judges it
    by its `leaf`: the handshake proves only that the server has its key."""

    anchors: tuple[Path, ...] = ()
    system: bool = False


class Link:
    """A connection, made at once. Raises OSError (`TimeoutError` in words, SSLError among them),
    and ValueError for a server that does not agree to the protocol.

    `leaf`: SHA-256 of the certificate that was shown, bare hex; empty without TLS.
    """

    def __init__(
        self,
        dial: Callable[[float], socket.socket],
        name: str,
        bounds: Bounds,
        *,
        trust: Trust | None,
        protocol: str = HTTP1,
    ) -> None:
        """`dial`: makes the stream, within so many seconds. `name`: the host that is asked for, as
        SNI and in the request. `trust`: None is plain HTTP."""
        self.leaf = ""
        self._name = name
        self._authority = f"[{name}]" if ":" in name else name  # RFC 3986, section 3.2.2
        self._bounds = bounds
        self._timed = _Timed(bounds)
        with self._timed.words():
            peer = dial(self._timed.left())
        try:
            if trust is not None:
                peer = self._secured(peer, trust, protocol)
        except BaseException:
            peer.close()
            raise
        self._timed.peer = self._peer = peer
        self._protocol = protocol
        self._reader = http1.Reader(self._timed, bounds.body_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def get(self, path: str) -> http1.Answer:
        """GET `path`. Another question may follow when the answer `stays`."""
        if self._protocol == HTTP2:
            from zsops.client import http2

            return http2.ask(self._timed, self._authority, path, self._bounds.body_bytes)
        self._timed.sendall(http1.get(self._authority, path))
        return self._reader.read()

    def renew(self) -> None:
        """The next question has its own time."""
        self._timed.begin()

    def close(self) -> None:
        """Without a goodbye."""
        self._peer.close()

    def _secured(self, peer: socket.socket, trust: Trust, protocol: str) -> socket.socket:
        peer.settimeout(self._timed.left())
        with self._timed.words():
            secured = context(trust, protocol).wrap_socket(peer, server_hostname=self._name)
        shown = secured.getpeercert(binary_form=True) or b""
        self.leaf = hashlib.sha256(shown).hexdigest()
        # A server without ALPN speaks HTTP/1.1 (RFC 9112, section 3).
        if (secured.selected_alpn_protocol() or HTTP1) != protocol:
            secured.close()
            raise AlpnError(f"it does not agree to speak {SPOKEN[protocol]}", self.leaf)
        return secured


class AlpnError(ValueError):
    """The server speaks something else. `leaf`: what it showed nevertheless."""

    def __init__(self, message: str, leaf: str) -> None:
        super().__init__(message)
        self.leaf = leaf


@lru_cache(maxsize=64)
def context(trust: Trust, protocol: str) -> ssl.SSLContext:
    """For a client that trusts so, and speaks nothing but `protocol`. Made once: to load a system's
    authorities takes 0.1 s.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols([protocol])
    if trust == Trust():
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if trust.system:
        made.load_default_certs(ssl.Purpose.SERVER_AUTH)
    for anchor in trust.anchors:
        # Whoever is named is trusted, a leaf or an intermediate that is not self-signed as well.
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        made.load_verify_locations(anchor)
    return made


class _Timed:
    """The stream's two calls, each with the time that is left for it."""

    def __init__(self, bounds: Bounds) -> None:
        self.peer: socket.socket | None = None
        self._bounds = bounds
        self._end = 0.0
        self.begin()

    def begin(self) -> None:
        self._end = time.monotonic() + self._bounds.whole_s

    def left(self) -> float:
        """Seconds that may be waited now. Raises TimeoutError when there are none."""
        whole = self._end - time.monotonic()
        if whole <= 0:
            raise TimeoutError(f"the answer is not whole after {self._bounds.whole_s:g} s")
        return min(self._bounds.wait_s, whole)

    @contextmanager
    def words(self) -> Iterator[None]:
        """Around a wait: a timeout says which of the two bounds it was."""
        try:
            yield
        except TimeoutError:
            self.left()
            raise TimeoutError(f"no answer within {self._bounds.wait_s:g} s") from None

    def recv(self, size: int, /) -> bytes:
        assert self.peer is not None
        self.peer.settimeout(self.left())
        with self.words():
            return self.peer.recv(size)

    def sendall(self, data: bytes, /) -> None:
        assert self.peer is not None
        self.peer.settimeout(self.left())
        with self.words():
            self.peer.sendall(data)
