"""Waiting for a condition of another process: asked again and again, until a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

STEP_S = 0.01


def wait_until(
    condition: Callable[[], object],
    *,
    timeout_s: float = 20,
    what: str = "the condition",
    state: Callable[[], object] | None = None,
) -> None:
    """Return when `condition()` is true. Raises `AssertionError` naming `what` and `state()`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            shown = "" if state is None else f":\n{state()}"
            raise AssertionError(f"{what} did not come within {timeout_s} s{shown}")
        time.sleep(STEP_S)
