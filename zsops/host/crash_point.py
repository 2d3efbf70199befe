"""A way for the crash tests to kill this very process between two effects.

Does nothing unless `ZSOPS_HOST_CRASH_TEST=1` *and* `ZSOPS_HOST_STOP_AFTER=k` are set: then the
process ends by SIGKILL right after its k-th effect that changed something.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from zsops.host.effects import Effect


def from_environment() -> Callable[[Effect[object]], None] | None:
    """The hook for `drive`, or None as it always is outside of that test."""
    if os.environ.get("ZSOPS_HOST_CRASH_TEST") != "1":
        return None
    left = int(os.environ.get("ZSOPS_HOST_STOP_AFTER", "0"))

    def after(effect: Effect[object]) -> None:
        del effect
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return after
