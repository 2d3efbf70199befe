"""Acceptor: a listening socket whose connections are few and short, a thread each. How many there
are at a time is bounded; so is, by whoever serves them, their size in bytes and seconds.
"""

import socket
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTIONS_MAX = 16
STACK_BYTES = 256 << 10
PAUSE_SECONDS = 0.1  # out of descriptors: the next moment may have some


class Acceptor:
    """Accepts from `open` to `close` and hands each connection to `serve`, which must not close it.

    What the peer does wrong ends its own connection only: `serve` may raise `OSError`.
    """

    def __init__(self, name: str, serve: "Callable[[socket.socket], None]") -> None:
        """Name the threads and what they do; nothing is opened yet."""
        self._name = name
        self._serve = serve
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._listener: socket.socket | None = None
        self.closed = False

    def open(self, listener: socket.socket) -> None:
        """Accept on a listening socket, in threads of our own."""
        listener.setblocking(True)
        self._listener = listener
        threading.stack_size(STACK_BYTES)
        threading.Thread(target=self._accept, name=self._name, daemon=True).start()

    def close(self) -> None:
        """Accept nothing more."""
        self.closed = True
        if self._listener is not None:
            # Closing alone would leave the accepting thread asleep.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def wait_quiet(self, timeout_s: float) -> bool:
        """Whether every connection has ended, after waiting `timeout_s` seconds for each at most.
        To be called once, after `close`.
        """
        return all(self._free.acquire(timeout=timeout_s) for _ in range(CONNECTIONS_MAX))

    def _accept(self) -> None:
        assert self._listener is not None
        while not self.closed:
            self._free.acquire()
            try:
                peer, _ = self._listener.accept()
            except OSError:
                self._free.release()
                if self.closed:
                    return
                threading.Event().wait(PAUSE_SECONDS)
                continue
            threading.Thread(target=self._run, args=(peer,), name=self._name, daemon=True).start()

    def _run(self, peer: socket.socket) -> None:
        try:
            with peer:
                self._serve(peer)
        except OSError:
            return  # the peer went away, or was too slow
        finally:
            self._free.release()
