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
from contextlib import suppress
from functools import cache
from typing import Self
from urllib.parse import quote

from zsops.apply.target import Target
from zsops.config.values import split_address
from zsops.errors import HostUnreachable, ZsopsError
from zsops.host import messages as m
from zsops.host.names import covering, own_name

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
        way = _way(listener, target.reach)
        shown = target.certificates
        with _Visit(listener, *way, name, shown, target.dial) as visit:
            for content in target.health.content[:_FILES_MAX]:
                _compare(visit, content)
            for check in target.health.checks:
                _check(visit, check)
            if not target.health.content and not target.health.checks:
                visit.get("/")
            for each in shown if len(shown) > 1 else ():
                if (own := own_name(shown, each)) is not None:
                    visit.get("/", own)


def _way(listener: str, reach: str | None) -> tuple[str, int]:
    host, port = split_address(listener)
    # A listener on every address is reached by the host's own, here by loopback.
    if host in ("::", "0.0.0.0"):  # noqa: S104 - asked, not bound
        host = reach or ("::1" if host == "::" else "127.0.0.1")
    return host, port


def _compare(visit: _Visit, wanted: m.ContentCheck) -> None:
    address, path = visit.listener, "/" + quote(wanted.path)
    status, _, body = visit.get(path, wanted.host)
    if status != 200:
        raise ProbeFailed(f"`https://{address}{path}` answers {status}, expected 200")
    found = hashlib.sha256(body).hexdigest()
    if found != wanted.sha256:
        raise ProbeFailed(
            f"`https://{address}{path}` has other bytes than the release"
            f" (sha256 {found[:8]}…, expected {wanted.sha256[:8]}…)"
        )


def _check(visit: _Visit, check: m.StatusCheck) -> None:
    status, headers, body = visit.get(check.path, check.host)
    where = f"`https://{visit.listener}{check.path}`"
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


class _Visit:
    """One listener, asked over connections that are made now: one for each name it is asked by.

    They are as new as the release. That they are used for several questions is what a browser
    does, and a login for each would be most of what a look costs.
    """

    def __init__(
        self,
        listener: str,
        host: str,
        port: int,
        name: str | None,
        certificates: tuple[m.CertificateFacts, ...],
        dial: Callable[[str, int], socket.socket] | None,
    ) -> None:
        """`listener`: as it is written; `host`, `port`: how it is reached; `name`: who is asked
        for by default; `certificates`: what it has to show one of."""
        self.listener = listener
        self._way = (host, port)
        self._name = name or host
        self._certificates = certificates
        self._dial = dial
        self._open: dict[str, _NamedConnection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for each in self._open.values():
            each.close()

    def get(self, path: str, host: str = "") -> tuple[int, dict[str, str], bytes]:
        """Status, headers by their names in lower case, and body. Raises ProbeFailed."""
        name = host or self._name
        try:
            if name in self._open:
                with suppress(OSError, http.client.HTTPException):
                    return self._ask(self._open[name], path, name)
                self._open.pop(name).close()  # the server has ended it, as it may
            made = self._open[name] = _NamedConnection(self._way, self._dial, name)
            return self._ask(made, path, name)
        except (OSError, http.client.HTTPException, HostUnreachable) as error:
            said = str(error) or type(error).__name__
            raise ProbeFailed(f"`https://{self.listener}{path}`: {said}") from error

    def _ask(
        self, connection: _NamedConnection, path: str, name: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection.request("GET", path, headers={"Host": name})
        answer = connection.getresponse()
        body = answer.read(_BODY_BYTES_MAX)
        if not answer.isclosed():  # longer than what is looked at: the next answer is not in sight
            connection.close()
        leaves = [each.leaf for each in covering(self._certificates, name)]
        if leaves and connection.leaf not in leaves:
            raise ProbeFailed(
                f"`https://{self.listener}` shows certificate {connection.leaf[:8]}… for `{name}`,"
                f" the release has {leaves[0][:8]}…"
            )
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body


@cache
def _context() -> ssl.SSLContext:
    """One for all: what it shows is judged by its hash, so no authority is loaded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    return context


class _NamedConnection(http.client.HTTPSConnection):
    """HTTPS to an address under another name, as DNS would lead there."""

    def __init__(
        self,
        way: tuple[str, int],
        dial: Callable[[str, int], socket.socket] | None,
        server_name: str,
    ) -> None:
        super().__init__(*way, timeout=_TIMEOUT_S, context=_context())
        self._dial = dial
        self._server_name = server_name
        self.leaf = ""

    def connect(self) -> None:
        if self._dial is None:
            http.client.HTTPConnection.connect(self)
        else:
            self.sock = self._dial(self.host, self.port)
            self.sock.settimeout(_TIMEOUT_S)
        secured = _context().wrap_socket(self.sock, server_hostname=self._server_name)
        self.leaf = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
        self.sock = secured
