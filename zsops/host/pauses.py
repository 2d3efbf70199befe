"""Pauses between attempts of what keeps failing: each twice as long as the one before, to a limit.

As systemd's `RestartSteps=` and `RestartMaxDelaySec=`, which it has from version 254 on. Pure: the
time comes in, on `Clock.now`.
"""

from __future__ import annotations


class Pauses:
    """`times`: attempts that failed one after the other. `next_at`: not before this moment."""

    def __init__(self, first_s: float = 0.2, last_s: float = 10.0) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self.times = 0
        self.next_at = 0.0

    def due(self, now: float) -> bool:
        """Whether it may be tried."""
        return now >= self.next_at

    def failed(self, now: float) -> float:
        """It was tried and failed; seconds until it may be tried again."""
        pause = min(self._first_s * 2.0 ** min(self.times, 30), self._last_s)
        self.times += 1
        self.next_at = now + pause
        return pause

    def ask(self) -> None:
        """Somebody asks for it: one attempt now, and the pauses go on from where they are."""
        self.next_at = 0.0

    def over(self) -> None:
        """It works."""
        self.times, self.next_at = 0, 0.0
