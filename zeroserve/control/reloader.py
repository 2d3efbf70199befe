"""Reloader: signals ask for reloads faster than they can be done, and are answered by fewer.

One thread does the work, so that the main thread goes on waiting for signals. However many requests
come while a reload runs, exactly one more follows it: the last request always sees a load that
began after it.
"""

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Reloader:
    """Runs `reload` in a thread of its own, once for any number of requests that came meanwhile."""

    def __init__(self, reload: "Callable[[], object]") -> None:
        """`reload` must not raise."""
        self._reload = reload
        self._changed = threading.Condition()
        self._wanted = False
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def start(self) -> None:
        """Begin to serve requests."""
        self._thread.start()

    def request(self) -> None:
        """Ask for a reload that begins after now. Returns at once."""
        with self._changed:
            self._wanted = True
            self._changed.notify()

    def end(self, timeout_s: float) -> bool:
        """Take no more requests. Returns whether the thread has ended within the time."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._wanted or self._ending):
                    self._changed.wait()
                if self._ending:
                    return
                self._wanted = False
            self._reload()
