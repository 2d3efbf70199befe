"""Sends notices. A notice that cannot be sent is a warning that never shows where it was to go."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import logging
import ssl
import time
import warnings
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from zsops.config.around import Notice as Wish
from zsops.config.around import resolved
from zsops.notify.notice import Notice

_TIMEOUT_S = 10.0
_ATTEMPTS = 2
SIGNATURE, TIMESTAMP, EVENT = "X-Zsops-Signature", "X-Zsops-Timestamp", "X-Zsops-Event"


def send(wishes: Sequence[Wish], notice: Notice) -> Iterator[str]:
    """Tell everybody who wants to know of it; a warning for each who could not be told."""
    for number, wish in enumerate(wishes):
        if notice.event not in wish.on:
            continue
        try:
            problem = _post(wish, notice) if wish.webhook is not None else _apprise(wish, notice)
        except LookupError as error:
            problem = str(error.args[0])
        if problem is not None:
            yield f"notify[{number}]: {problem}"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`v1=` and the hex HMAC-SHA256 over `TIMESTAMP.BODY`: a receiver refuses old ones, too."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={digest.hexdigest()}"


def _post(wish: Wish, notice: Notice) -> str | None:
    url = urlsplit(resolved(wish.webhook or ""))
    secret = resolved(wish.secret or "")
    if url.scheme not in ("http", "https") or not url.hostname:
        return "the webhook is no URL"
    if url.scheme == "http" and not _is_loopback(url.hostname):
        return "the webhook has to be `https`"
    body = notice.model_dump_json().encode()
    stamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "zsops",
        EVENT: notice.event,
        TIMESTAMP: stamp,
        SIGNATURE: signature(secret, stamp, body),
    }
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    problem = "no attempt was made"
    for _ in range(_ATTEMPTS):
        link = _connection(url.scheme, url.hostname, url.port)
        try:
            link.request("POST", target, body, headers)
            status = link.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            problem = f"the webhook cannot be reached: {type(error).__name__}"
            continue
        finally:
            link.close()
        if 200 <= status < 300:
            return None
        problem = f"the webhook answers {status}"
        if status < 500:
            break
    return problem


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _apprise(wish: Wish, notice: Notice) -> str | None:
    address = resolved(wish.to or "")
    # What it logs names addresses, and those are secrets.
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    logging.getLogger("apprise").propagate = False
    with warnings.catch_warnings():
        # Old modules that some of its services load are not our users' concern.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        service = apprise.Apprise()
        try:
            if not service.add(address):
                return "its address is none that apprise knows"
            told = service.notify(title=notice.title, body=notice.text)
        except Exception as error:  # of whichever service; the run has ended well all the same
            return f"it could not be told: {type(error).__name__}"
    return None if told else "it could not be told"
