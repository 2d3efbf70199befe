"""Limits of one invocation: handshakes and connections through a hop at a time, bytes a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Most of a login is waiting: with fewer at a time many hosts that are far away take long. With
#: more, key exchanges keep each other from the CPU until servers lose their patience.
HANDSHAKES_MAX = 16
#: Connections through one jump host at a time: it forwards all their bytes, and its sshd keeps one
#: process busy with them.
PER_JUMP_MAX = 16
_BURST_S = 0.25


class Limits:
    """Shared by all connections. For any thread."""

    def __init__(
        self,
        *,
        handshakes: int = HANDSHAKES_MAX,
        per_jump: int = PER_JUMP_MAX,
        bytes_per_s: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._handshakes = threading.BoundedSemaphore(handshakes)
        self._rate = bytes_per_s
        self.per_jump = per_jump
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock()

    @contextmanager
    def handshake(self) -> Iterator[None]:
        """Hold one of the places for connecting and logging in."""
        with self._handshakes:
            yield

    def spend(self, count: int) -> None:
        """Wait until `count` bytes may be sent: a queue whose places are given out in order."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            start = max(self._free_at, now - _BURST_S)
            self._free_at = start + count / self._rate
        if start > now:
            self._sleep(start - now)
