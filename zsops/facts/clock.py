"""How far a host's clock is from ours. Pure."""

from __future__ import annotations

from datetime import datetime

#: Above it a host and the operator judge certificates differently. Deadlines and leases do not
#: care: they go by the host's own boot clock.
SKEW_S_MAX = 300.0


def skew(wall: str, asked: float, took_s: float) -> float:
    """Seconds a clock that said `wall` is ahead of ours, at least; 0 within the answer's time.

    `asked`: when the question left, on our clock, in seconds since 1970.
    """
    theirs = datetime.fromisoformat(wall).timestamp()
    if theirs < asked:
        return theirs - asked
    return max(0.0, theirs - asked - took_s)
