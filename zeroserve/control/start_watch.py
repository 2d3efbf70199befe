"""Start watch: SIGTERM and SIGINT while the first generation loads.

The main thread is inside the engine then, for seconds when a tar is large, and sees no signal: all
are blocked, and a blocked signal waits. Nothing is served yet, so there is nothing to finish.
"""

import os
import signal
import threading

from zeroserve.errors import EXIT_OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

ENDING = (signal.SIGTERM, signal.SIGINT)
_DONE = signal.SIGRTMIN  # the load is over; sent to the watching thread and to nobody else


class StartWatch:
    """Within `with`, one of `ENDING` calls `leave` in a thread of its own and ends the process with
    `EXIT_OK`. The signals must be blocked already; one that came before counts too.
    """

    def __init__(self, leave: "Callable[[], None]") -> None:
        """`leave` must not wait for the main thread."""
        self._leave = leave
        self._thread = threading.Thread(target=self._watch, name="start-watch", daemon=True)

    def __enter__(self) -> None:
        """Begin to watch."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {_DONE})  # the thread inherits it
        self._thread.start()

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        trace: "TracebackType | None",
    ) -> None:
        """Watch no longer: the next such signal waits for the main thread."""
        assert self._thread.ident is not None
        signal.pthread_kill(self._thread.ident, _DONE)
        self._thread.join()

    def _watch(self) -> None:
        if signal.sigwait({*ENDING, _DONE}) != _DONE:
            self._leave()
            os._exit(EXIT_OK)  # the main thread cannot be asked to return from the engine
