"""The link to one host: opened when needed, opened anew when it broke."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from zsops.apply.tell import Teller
from zsops.errors import LinkLost
from zsops.transport.base import HostSession, Transport

T = TypeVar("T")

_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.25


class Link:
    """At most one session at a time. Not for several threads."""

    def __init__(self, transport: Transport, tell: Teller) -> None:
        self._transport = transport
        self._tell = tell
        self._session: HostSession | None = None

    @property
    def is_open(self) -> bool:
        """Whether the host was reached and the session still stands."""
        return self._session is not None

    def ask(self, question: Callable[[HostSession], T]) -> T:
        """Ask the host; after a lost link connect and ask again (every request is idempotent).

        Raises what the host raised, `HostUnreachable`, or `LinkLost` after the last attempt.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if self._session is None:
                    self._session = self._transport.connect()
                return question(self._session)
            except LinkLost as lost:
                self.close()
                if attempt == _ATTEMPTS:
                    raise
                self._tell.note(f"{lost.message}; connecting again", "warning")
                time.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
        raise AssertionError("the last attempt raises")

    def close(self) -> None:
        """End the session, if there is one; the next question opens a fresh one."""
        if self._session is not None:
            self._session.close()
            self._session = None
