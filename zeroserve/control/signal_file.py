"""Signal file: a file whose content is watched, for those who cannot send a signal.

Its content is compared, not its time: a file that is only touched, or written again as it was,
reloads nothing.
"""

import threading
import time

from zeroserve.control.files import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_SECONDS = 1.0
BYTES_MAX = 64 << 10


class SignalFile:
    """Looks at a file each second from `start` on, and calls `changed` when it has."""

    def __init__(self, path: str, changed: "Callable[[], None]") -> None:
        """Remember the content that is there now."""
        self._path = path
        self._changed = changed
        self._content = self._read()

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="signal-file", daemon=True).start()

    def look(self) -> None:
        """Look once. A file that cannot be read, for want of it or of rights, has not changed."""
        content = self._read()
        if content is not None and content != self._content:
            self._content = content
            self._changed()

    def _read(self) -> bytes | None:
        try:
            return read_file(None, self._path, BYTES_MAX)
        except OSError:
            return None

    def _run(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            self.look()
