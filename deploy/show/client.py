"""A client as others write it: Python's own http.client over TLS, certificate verified."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """One response, read whole."""

    status: int
    body: bytes
    headers: dict[str, str] = field(repr=False)


def trust(pem: str) -> ssl.SSLContext:
    """TLS 1.3 that trusts the one certificate `pem`, names included."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=pem)
    return context


def shown_certificate(port: int) -> str:
    """The certificate that a server shows, as PEM: how a development certificate is first met."""
    return ssl.get_server_certificate((HOST, port), timeout=10)


def connect(port: int, context: ssl.SSLContext) -> http.client.HTTPSConnection:
    """A connection that stays open between requests."""
    return http.client.HTTPSConnection(HOST, port, context=context, timeout=20)


def ask(
    connection: http.client.HTTPSConnection,
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request. Raises OSError or http.client.HTTPException when it gets no whole answer."""
    connection.request(method, path, headers=headers or {})
    response = connection.getresponse()
    body = response.read()
    return Answer(
        response.status, body, {name.lower(): text for name, text in response.getheaders()}
    )


def protocol(connection: http.client.HTTPSConnection) -> str:
    """What was negotiated: `TLSv1.3 TLS_AES_256_GCM_SHA384`."""
    link = connection.sock
    assert isinstance(link, ssl.SSLSocket)
    cipher = link.cipher()
    return f"{link.version()} {cipher[0] if cipher else ''}".strip()
