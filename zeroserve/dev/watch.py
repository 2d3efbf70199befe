"""Watch: tells that something in a folder changed, once for a burst of changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zeroserve.errors import ZeroserveError

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent

#: An editor writes several files in a row; a build starts when it was quiet for so long.
QUIET_SECONDS = 0.1
#: Reading a file is no change: packing does it.
_CHANGES = frozenset({"created", "modified", "deleted", "moved", "closed"})


class Changes:
    """Whether something changed since it was asked last."""

    def __init__(self) -> None:
        """Nothing did yet."""
        self._changed = threading.Event()

    def note(self, event: FileSystemEvent) -> None:
        """Take in what a watcher saw."""
        if event.event_type in _CHANGES:
            self._changed.set()

    def wait(self, seconds_max: float) -> bool:
        """Wait for a change, and then until it is quiet. False when none came in that time."""
        if not self._changed.wait(seconds_max):
            return False
        while self._changed.is_set():
            self._changed.clear()
            self._changed.wait(QUIET_SECONDS)
        return True


@contextmanager
def watching(directory: Path) -> Iterator[Changes]:
    """Watch a folder and all below it. Raises `ZeroserveError` (`dev-watch`)."""
    try:
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer
    except ImportError as error:
        raise ZeroserveError(
            "dev-watch",
            "`zeroserve dev` needs a library to see changes",
            hint="`pip install 'zeroserve[dev-server]'`",
        ) from error
    changes = Changes()

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            changes.note(event)

    observer = Observer()
    try:
        observer.schedule(Handler(), str(directory), recursive=True)
        observer.start()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ZeroserveError("dev-watch", f"`{directory}` cannot be watched: {why}") from error
    try:
        yield changes
    finally:
        observer.stop()
        observer.join()
