"""One GET over a new connection: TLS verified against the release's own certificate, body hashed.

A new connection each time, since a kept one would be answered by the old generation, and the
server name is sent, since a server that only works without it is broken for visitors.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
from pathlib import Path

from zsops.frozen import replace
from zsops.host.world import Fetched, Target

_BODY_BYTES_KEPT = 64 << 10
# More than any site's file that is worth fetching for a health check.
_BODY_BYTES_MAX = 1 << 30


def split_address(address: str) -> tuple[str, int]:
    """Host and port to connect to; a listener on every address is reached over loopback."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if host in ("", "::"):
        host = "::1"
    elif host == "0.0.0.0":  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return host, int(port)


def fetch(target: Target, anchor: Path, path: str, timeout_s: float) -> Fetched:
    """GET `path`; every failure is in `error`, in words. Each wait is at most `timeout_s`."""
    try:
        return _fetch(target, anchor, path, timeout_s)
    except ssl.SSLCertVerificationError as error:
        return Fetched(error=f"the certificate does not verify: {error.verify_message}")
    except TimeoutError:
        return Fetched(error=f"no answer within {timeout_s:g} s")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Fetched(error=f"{type(error).__name__}: {error}")


def _connect(address: str, timeout_s: float) -> socket.socket:
    if not address.startswith("unix:"):
        return socket.create_connection(split_address(address), timeout_s)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.settimeout(timeout_s)
        link.connect(address.removeprefix("unix:"))
    except BaseException:
        link.close()
        raise
    return link


def _fetch(target: Target, anchor: Path, path: str, timeout_s: float) -> Fetched:
    link = _connect(target.address, timeout_s)
    leaf = ""
    try:
        if target.scheme == "https":
            secured = _context(anchor).wrap_socket(link, server_hostname=target.name)
            leaf = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
            link = secured
        connection = http.client.HTTPConnection(target.name, timeout=timeout_s)
        connection.sock = link
        connection.request("GET", path, headers={"Connection": "close", "Accept-Encoding": ""})
        with connection.getresponse() as answer:
            return replace(_read(answer), leaf=leaf)
    finally:
        link.close()


def _read(answer: http.client.HTTPResponse) -> Fetched:
    total, kept, read = hashlib.sha256(), b"", 0
    while chunk := answer.read(256 << 10):
        read += len(chunk)
        if read > _BODY_BYTES_MAX:
            raise ValueError("the body does not end")
        total.update(chunk)
        kept += chunk[: _BODY_BYTES_KEPT - len(kept)]
    headers = tuple((name.lower(), value) for name, value in answer.getheaders())
    return Fetched(answer.status, headers, kept, total.hexdigest())


def _context(anchor: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The release's own chain is the anchor: the question is whether *this* release is served, and
    # PARTIAL_CHAIN lets a leaf that is not self-signed answer it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(anchor)
    context.set_alpn_protocols(["http/1.1"])
    return context
