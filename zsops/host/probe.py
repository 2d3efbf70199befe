"""GETs over connections that are made for them: TLS verified against the release's own
certificate, bodies hashed.

A connection never outlives the round of a health check that made it, since an older one would be
answered by the old generation. The server name is sent, since a server that only works without it
is broken for visitors.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from zsops.client.http1 import Answer
from zsops.client.link import HTTP1, HTTP2, AlpnError, Bounds, Link, Trust
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
        self._open: dict[tuple[str, str], Link] = {}

    def fetch(
        self, target: Target, anchors: Sequence[Path], path: str, timeout_s: float
    ) -> Fetched:
        """GET `path`; every failure is in `error`, in words. Each wait is at most `timeout_s`."""
        try:
            return self._fetch(target, anchors, path, timeout_s)
        except ssl.SSLCertVerificationError as error:
            return Fetched(error=f"the certificate does not verify: {error.verify_message}")
        except AlpnError as error:
            return Fetched(error=str(error), leaf=error.leaf)
        except TimeoutError as error:
            return Fetched(error=str(error))
        except ModuleNotFoundError:
            return Fetched(error="the host has no `h2` to ask over HTTP/2 with; `pip install h2`")
        except (OSError, ValueError) as error:
            return Fetched(error=f"{type(error).__name__}: {error}")

    def _fetch(
        self, target: Target, anchors: Sequence[Path], path: str, timeout_s: float
    ) -> Fetched:
        key = target.address, target.name
        if not target.kept and not target.http2:  # a new round
            for each in [each for each in self._open if each[0] == target.address]:
                self._open.pop(each).close()
        kept = None if target.http2 else self._open.pop(key, None)
        if kept is not None:
            with contextlib.suppress(ConnectionError):  # the server may end it at any time
                kept.renew()
                return self._ask(key, kept, path)
        link = Link(
            functools.partial(_connect, target.address),
            target.name,
            Bounds(timeout_s),
            trust=Trust(tuple(anchors)) if target.scheme == "https" else None,
            protocol=HTTP2 if target.http2 else HTTP1,
        )
        return self._ask(key, link, path)

    def _ask(self, key: tuple[str, str], link: Link, path: str) -> Fetched:
        try:
            answer = link.get(path)
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


def _fetched(answer: Answer, link: Link) -> Fetched:
    return Fetched(answer.status, answer.headers, answer.body, answer.sha256, leaf=link.leaf)
