"""The external probe: the operator's own look at the new release, over connections of its own.

The host has already compared bytes from inside. What this adds is the way in: that whoever runs
`zsops` reaches the listener, over each protocol that visitors use, and gets the new bytes there.
By default the certificate is judged by its hash, which the host told (a development certificate
has no authority); where the file names an authority, chain and name have to verify as well.
"""

# ruff: noqa: N818 - an error is named for what happened, as in `zsops.errors`.

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from urllib.parse import quote

from zsops.apply.target import Target
from zsops.client.http1 import Answer
from zsops.client.link import SPOKEN, Bounds, Link, Trust
from zsops.config.values import split_address
from zsops.errors import HostUnreachable, ZsopsError
from zsops.host import compare
from zsops.host import messages as m
from zsops.host.names import covering, own_name

_FILES_MAX = 3
_BODY_BYTES_MAX = 64 << 20
_BYTES_GLADLY = 64 << 10
_WAIT_S = 5.0
_QUESTION_S = 60.0


class ProbeFailed(ZsopsError):
    """The operator does not get from the listener what the release holds."""

    code = "probe-failed"


def probe_from_here(target: Target) -> None:
    """Ask every HTTPS listener, over each protocol, for some changed files and for the configured
    checks; every question over a new connection.

    Raises ProbeFailed, which names address, path, protocol and what came instead. Ends with the
    time that the host waits for a confirmation at the latest.
    """
    assert target.settings is not None
    end = time.monotonic() + target.confirm_window_s
    for listener in target.settings.tls_addresses:
        for protocol in target.health.protocols:
            _look(_Visit(target, listener, protocol, end), target)


def _look(visit: _Visit, target: Target) -> None:
    shown = target.certificates
    content = _few(target.health.content)
    for file in content:
        path = "/" + quote(file.path)
        visit.expect(path, compare.with_content(file, visit.get(path, file.host)))
    for check in target.health.checks:
        visit.expect(check.path, compare.with_check(check, visit.get(check.path, check.host)))
    if not content and not target.health.checks:
        visit.get("/")
    for each in shown if len(shown) > 1 else ():
        if (own := own_name(shown, each)) is not None:
            visit.get("/", own)


def _few(content: Sequence[m.ContentCheck]) -> list[m.ContentCheck]:
    """What is compared from here: the way may be long, and the host has compared them all. The
    smallest come first; one is asked for unless it is huge, further ones while they are small."""
    chosen: list[m.ContentCheck] = []
    for each in content:
        total = sum(one.size for one in (*chosen, each))
        if total <= (_BYTES_GLADLY if chosen else _BODY_BYTES_MAX) and len(chosen) < _FILES_MAX:
            chosen.append(each)
    return chosen


class _Visit:
    """One listener, asked over one protocol; `end`: by the monotonic clock, no answer is later."""

    def __init__(self, target: Target, listener: str, protocol: str, end: float) -> None:
        assert target.settings is not None
        self._target = target
        self._listener = listener
        self._protocol = protocol
        self._end = end
        self._way = _way(listener, target.reach)
        names = target.settings.names
        # A wildcard is asked for as one of the names it stands for.
        self._name = names[0].replace("*", "www", 1) if names else self._way[0]

    def get(self, path: str, host: str = "") -> Answer:
        """The answer, from who shows the right certificate. Raises ProbeFailed."""
        name = host or self._name
        try:
            with self._link(name) as link:
                self._compare_leaf(link.leaf, name)
                return link.get(path)
        except ssl.SSLCertVerificationError as error:
            raise self._failed(
                path, f"its certificate does not verify for `{name}`: {error.verify_message}"
            ) from error
        except ModuleNotFoundError as error:
            raise self._failed(path, f"`{error.name}` is not installed here") from error
        except (OSError, ValueError, HostUnreachable) as error:
            raise self._failed(path, str(error) or type(error).__name__) from error

    def expect(self, path: str, found: compare.Compared) -> None:
        """Raises ProbeFailed where there is a problem."""
        if found.problem is not None:
            raise self._failed(path, found.problem)

    def _link(self, name: str) -> Link:
        bounds = Bounds(
            _WAIT_S, max(0.0, min(_QUESTION_S, self._end - time.monotonic())), _BODY_BYTES_MAX
        )
        return Link(self._dial, name, bounds, trust=self._trust(name), protocol=self._protocol)

    def _dial(self, timeout_s: float) -> socket.socket:
        if self._target.dial is not None:
            return self._target.dial(*self._way)
        return socket.create_connection(self._way, timeout_s)

    def _trust(self, name: str) -> Trust:
        """The authorities of the certificates that may be shown for `name`; when one of them has
        none, its hash is what counts."""
        shown, named = self._target.certificates, self._target.authorities
        pairs = list(zip(shown, named, strict=False))
        fit = covering(shown, name)
        wanted = [each for facts, each in pairs if facts in fit] if shown else list(named)
        if not wanted or Trust() in wanted:
            return Trust()
        anchors = tuple(anchor for each in wanted for anchor in each.anchors)
        return Trust(tuple(dict.fromkeys(anchors)), any(each.system for each in wanted))

    def _compare_leaf(self, leaf: str, name: str) -> None:
        leaves = [each.leaf for each in covering(self._target.certificates, name)]
        if leaves and leaf not in leaves:
            raise ProbeFailed(
                f"`https://{self._listener}` shows certificate {leaf[:8]}… for `{name}`,"
                f" the release has {leaves[0][:8]}…"
            )

    def _failed(self, path: str, problem: str) -> ProbeFailed:
        where = f"`https://{self._listener}{compare.shown(path)}` over {SPOKEN[self._protocol]}"
        return ProbeFailed(f"{where}: {problem}")


def _way(listener: str, reach: str | None) -> tuple[str, int]:
    host, port = split_address(listener)
    # A listener on every address is reached by the host's own, here by loopback.
    if host in ("::", "0.0.0.0"):  # noqa: S104 - asked, not bound
        host = reach or ("::1" if host == "::" else "127.0.0.1")
    return host, port
