"""The link to one host: opened when needed, opened anew when it broke."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from zsops.apply.tell import Teller
from zsops.errors import HostError, HostUnreachable, LinkLost
from zsops.transport.base import HostSession, Transport

T = TypeVar("T")

_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.25
#: For a reboot of what lies between; a host that is away for longer is one for a person to look at.
INSIST_S = 30.0
_INSIST_PAUSE_S = 1.0


class Link:
    """At most one session at a time. Not for several threads."""

    def __init__(self, transport: Transport, tell: Teller) -> None:
        self._transport = transport
        self._tell = tell
        self._session: HostSession | None = None
        self._unanswered = False  # a question was put, and the link was lost before its answer
        #: That was one that moves the service: the host may have acted on it.
        self.in_doubt = False

    @property
    def is_open(self) -> bool:
        """Whether the host was reached and the session still stands."""
        return self._session is not None

    def ask(self, question: Callable[[HostSession], T]) -> T:
        """Ask the host; after a lost link connect and ask again (every request is idempotent).

        Raises what the host raised, `HostUnreachable`, or `LinkLost` after the last attempt.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            put = False
            try:
                if self._session is None:
                    self._session = self._transport.connect()
                put = True
                answer = question(self._session)
            except LinkLost as lost:
                self._unanswered = self._unanswered or put
                self.close()
                if attempt == _ATTEMPTS:
                    raise
                self._tell.note(f"{lost.message}; connecting again", "warning")
                time.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
            except HostError:
                self._unanswered = False
                raise
            else:
                self._unanswered = False
                return answer
        raise AssertionError("the last attempt raises")

    def insist(self, question: Callable[[HostSession], T], abort: threading.Event) -> T:
        """As `ask`, for a question that moves the service: once it was put, the host acts on it
        whether or not we hear of it. So it is asked again for a while, to learn how that ended.
        """
        end = time.monotonic() + INSIST_S
        self._unanswered = False
        while True:
            try:
                return self.ask(question)
            except HostUnreachable:
                if not self._unanswered:
                    raise
                if time.monotonic() >= end or abort.wait(_INSIST_PAUSE_S):
                    self.in_doubt = True
                    raise

    def close(self) -> None:
        """End the session, if there is one; the next question opens a fresh one."""
        if self._session is not None:
            self._session.close()
            self._session = None
