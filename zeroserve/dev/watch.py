"""Watch: tells which files in some folders changed, once for a burst of changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from zeroserve.errors import ZeroserveError

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent

#: An editor writes several files in a row; a build starts when it was quiet for so long.
QUIET_SECONDS = 0.1
#: Reading a file is no change: packing does it.
_CHANGES = frozenset({"created", "modified", "deleted", "moved", "closed"})


class Watched(Protocol):
    """What is looked at. Two that are equal need no new watch."""

    def folders(self) -> tuple[tuple[Path, bool], ...]:
        """Folders; True: with all below them. Those that are not there are left out."""
        ...

    def counts(self, path: Path) -> bool:
        """Whether a change of `path` is one."""
        ...


@dataclass(frozen=True, slots=True)
class WholeFolder:
    """A folder and all below it."""

    directory: Path

    def folders(self) -> tuple[tuple[Path, bool], ...]:
        """The one."""
        return ((self.directory, True),)

    def counts(self, path: Path) -> bool:
        """Always."""
        return True


class Changes:
    """What changed since it was asked last."""

    def __init__(self, watched: Watched) -> None:
        """Nothing did yet."""
        self._watched = watched
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._paths: dict[Path, None] = {}  # in the order in which they came

    def note(self, event: FileSystemEvent) -> None:
        """Take in what a watcher saw."""
        # A folder is "modified" by what happens in it, which has an event of its own.
        if event.event_type not in _CHANGES or (
            event.is_directory and event.event_type == "modified"
        ):
            return
        named = (event.src_path, event.dest_path)
        paths = [Path(str(each)) for each in named if each]
        counting = [path for path in paths if self._watched.counts(path)]
        if counting:
            with self._lock:
                self._paths.update(dict.fromkeys(counting))
            self._changed.set()

    def wait(self, seconds_max: float) -> tuple[Path, ...]:
        """Wait for a change, and then until it is quiet. Nothing when none came in that time."""
        if not self._changed.wait(seconds_max):
            return ()
        while self._changed.is_set():
            self._changed.clear()
            self._changed.wait(QUIET_SECONDS)
        with self._lock:
            found = tuple(self._paths)
            self._paths.clear()
        return found


@contextmanager
def watching(watched: Watched) -> Iterator[Changes]:
    """Watch until the end of the block. Raises `ZeroserveError` (`dev-watch`)."""
    try:
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer
    except ImportError as error:
        raise ZeroserveError(
            "dev-watch",
            "to see changes, a library is needed",
            hint="`pip install 'zeroserve[dev-server]'`",
        ) from error
    changes = Changes(watched)

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            changes.note(event)

    observer = Observer()
    handler = Handler()
    at = Path()
    try:
        for at, whole in watched.folders():
            if at.is_dir():
                observer.schedule(handler, str(at), recursive=whole)
        observer.start()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ZeroserveError("dev-watch", f"`{at}` cannot be watched: {why}") from error
    try:
        yield changes
    finally:
        observer.stop()
        observer.join()
