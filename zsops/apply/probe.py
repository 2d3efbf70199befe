"""The external probe: the operator's own look at the new release, over a connection of its own.

The host has already compared bytes from inside. What this adds is the way in: that whoever runs
`zsops` reaches the listener and gets the new bytes there. Bytes are compared by their SHA-256, so
the certificate's chain is not what trust rests on here (a development certificate has none).
"""

# ruff: noqa: N818 - an error is named for what happened, as in `zsops.errors`.

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from urllib.parse import quote

from zsops.apply.target import Target
from zsops.config.values import split_address
from zsops.errors import HostUnreachable, ZsopsError
from zsops.host import messages as m

_FILES_MAX = 3
_BODY_BYTES_MAX = 64 << 20
_TIMEOUT_S = 5.0


class ProbeFailed(ZsopsError):
    """The operator does not get from the listener what the release holds."""

    code = "probe-failed"


def probe_from_here(target: Target) -> None:
    """Ask every HTTPS listener for some changed files and for the configured checks.

    Raises ProbeFailed, which names address, path and what came instead.
    """
    assert target.settings is not None
    # A wildcard is asked for as one of the names it stands for.
    name = target.settings.names[0].replace("*", "www", 1) if target.settings.names else None
    for listener in target.settings.tls_addresses:
        door = _Door(listener, *_way(listener, target.reach), name, target.leaf, target.dial)
        for content in target.health.content[:_FILES_MAX]:
            _compare(door, content)
        for check in target.health.checks:
            _check(door, check)
        if not target.health.content and not target.health.checks:
            _get(door, "/")


@dataclass(frozen=True)
class _Door:
    """A listener as it is written, how it is reached and called from here, and whose leaf
    certificate it has to show.
    """

    listener: str
    host: str
    port: int
    name: str | None
    leaf: str | None
    dial: Callable[[str, int], socket.socket] | None


def _way(listener: str, reach: str | None) -> tuple[str, int]:
    host, port = split_address(listener)
    # A listener on every address is reached by the host's own, here by loopback.
    if host in ("::", "0.0.0.0"):  # noqa: S104 - asked, not bound
        host = reach or ("::1" if host == "::" else "127.0.0.1")
    return host, port


def _compare(door: _Door, wanted: m.ContentCheck) -> None:
    door = replace(door, name=wanted.host or door.name)
    address, path = door.listener, "/" + quote(wanted.path)
    status, _, body = _get(door, path)
    if status != 200:
        raise ProbeFailed(f"`https://{address}{path}` answers {status}, expected 200")
    found = hashlib.sha256(body).hexdigest()
    if found != wanted.sha256:
        raise ProbeFailed(
            f"`https://{address}{path}` has other bytes than the release"
            f" (sha256 {found[:8]}…, expected {wanted.sha256[:8]}…)"
        )


def _check(door: _Door, check: m.StatusCheck) -> None:
    door = replace(door, name=check.host or door.name)
    status, headers, body = _get(door, check.path)
    where = f"`https://{door.listener}{check.path}`"
    if status not in check.status:
        wanted = " or ".join(str(each) for each in check.status)
        raise ProbeFailed(f"{where} answers {status}, expected {wanted}")
    if check.body_contains is not None and check.body_contains.encode() not in body:
        raise ProbeFailed(f"{where} does not contain `{check.body_contains}`")
    for name, value in check.header:
        if headers.get(name) != value:
            raise ProbeFailed(
                f"{where} has header `{name}: {headers.get(name, '')}`, expected `{value}`"
            )


def _get(door: _Door, path: str) -> tuple[int, dict[str, str], bytes]:
    server_name = door.name or door.host
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    connection = _NamedConnection(door, server_name, context)
    try:
        with closing(connection):
            connection.request("GET", path, headers={"Host": server_name})
            answer = connection.getresponse()
            body = answer.read(_BODY_BYTES_MAX)
            _judge_leaf(door, connection.leaf)
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body
    except (OSError, http.client.HTTPException, HostUnreachable) as error:
        said = str(error) or type(error).__name__
        raise ProbeFailed(f"`https://{door.listener}{path}`: {said}") from error


def _judge_leaf(door: _Door, shown: str) -> None:
    if door.leaf is not None and shown != door.leaf:
        raise ProbeFailed(
            f"`https://{door.listener}` shows certificate {shown[:8]}…, the release has"
            f" {door.leaf[:8]}…"
        )


class _NamedConnection(http.client.HTTPSConnection):
    """HTTPS to an address under another name, as DNS would lead there."""

    def __init__(self, door: _Door, server_name: str, context: ssl.SSLContext) -> None:
        super().__init__(door.host, door.port, timeout=_TIMEOUT_S, context=context)
        self._door = door
        self._server_name = server_name
        self._tls = context

        self.leaf = ""

    def connect(self) -> None:
        if self._door.dial is None:
            http.client.HTTPConnection.connect(self)
        else:
            self.sock = self._door.dial(self._door.host, self._door.port)
            self.sock.settimeout(_TIMEOUT_S)
        secured = self._tls.wrap_socket(self.sock, server_hostname=self._server_name)
        self.leaf = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
        self.sock = secured
