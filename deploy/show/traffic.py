"""Clients that ask without a pause over kept-alive TLS, and judge every answer by its bytes."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections import Counter
from collections.abc import Mapping

from show.client import ask, connect

#: For each path the bodies that may come, each with the name of its version.
Expected = Mapping[str, Mapping[bytes, str]]


class Traffic:
    """Threads, one connection each. Counts answers by version, and failures with their reason."""

    def __init__(
        self, port: int, context: ssl.SSLContext, expected: Expected, clients: int = 4
    ) -> None:
        self._port, self._context, self._expected = port, context, expected
        self._counts: Counter[str] = Counter()
        self._failures: list[str] = []
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(clients)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    @property
    def failures(self) -> list[str]:
        """Why requests failed; must stay empty."""
        with self._lock:
            return list(self._failures)

    def count(self, version: str | None = None) -> int:
        """Answers so far, of one version or of all."""
        with self._lock:
            return self._counts[version] if version else self._counts.total()

    def wait_count(self, wanted: int, version: str | None = None, timeout_s: float = 30) -> bool:
        """Wait until that many more answers came. False when they do not come in time."""
        target = self.count(version) + wanted
        deadline = time.monotonic() + timeout_s
        while self.count(version) < target:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _ask_on(self) -> None:
        connection = connect(self._port, self._context)
        paths = list(self._expected)
        turn = 0
        while not self._end.is_set():
            path = paths[turn % len(paths)]
            turn += 1
            try:
                answer = ask(connection, path)
            except (OSError, http.client.HTTPException) as error:
                self._fail(f"{path}: {type(error).__name__}: {error}")
                connection.close()
                connection = connect(self._port, self._context)
                self._end.wait(0.05)  # a server that is gone must not make this a busy loop
                continue
            version = self._expected[path].get(answer.body)
            if answer.status == 200 and version is not None:
                with self._lock:
                    self._counts[version] += 1
            else:
                self._fail(f"{path}: status {answer.status}, {len(answer.body)} unknown bytes")
        connection.close()

    def _fail(self, reason: str) -> None:
        with self._lock:
            self._failures.append(reason)
