"""Sessions that stay open from the look at a host to what is done there.

A login and the start of `zsops-host` are most of what a small deployment costs. The first session
that is asked for is the one that looked; every later one is fresh, as the confirmation wants it.
"""

from __future__ import annotations

import threading

from zsops.transport.base import HostSession, Transport

#: More would be many descriptors, and many processes that wait on their hosts.
_KEPT_MAX = 200


class KeptSessions:
    """Open sessions by host name. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, HostSession] = {}

    def keep(self, host: str, session: HostSession) -> None:
        """Take a session over; it is closed at once when there are too many."""
        with self._lock:
            has_room = len(self._open) < _KEPT_MAX
            surplus = self._open.pop(host, None) if has_room else session
            if has_room:
                self._open[host] = session
        if surplus is not None:
            surplus.close()

    def take(self, host: str) -> HostSession | None:
        """Give it away, if there is one."""
        with self._lock:
            return self._open.pop(host, None)

    def drop(self, host: str) -> None:
        """End it, if there is one."""
        session = self.take(host)
        if session is not None:
            session.close()

    def close(self) -> None:
        """End all that nobody took; never raises."""
        with self._lock:
            left, self._open = list(self._open.values()), {}
        for session in left:
            session.close()


class Continued:
    """`Transport` whose first session is the kept one."""

    def __init__(self, transport: Transport, kept: KeptSessions) -> None:
        self._transport = transport
        self._kept = kept

    @property
    def host(self) -> str:
        return self._transport.host

    @property
    def may_stay(self) -> bool:
        return self._transport.may_stay

    def connect(self) -> HostSession:
        return self._kept.take(self.host) or self._transport.connect()
