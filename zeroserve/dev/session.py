"""Session: packs, loads, and tells, again and again. The server is a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from zeroserve.control.client import ControlClient
from zeroserve.dev.events import EventServer
from zeroserve.dev.page import EMPTY_PAGE, page_suffix
from zeroserve.errors import DaemonNotRunning, ZeroserveError
from zeroserve.pack.archive import PackOptions, atomic_output, pack
from zeroserve.process import Child

START_SECONDS_MAX = 60.0
CONTROL_SECONDS_MAX = 30.0
END_SECONDS_MAX = 5.0

Say = Callable[[str], None]
#: Writes the tarball to a path, the text added to its pages; its warnings. Raises `NotBuilt`.
Build = Callable[[Path, bytes], Sequence[str]]


class NotBuilt(Exception):  # noqa: N818 # named for what happened, as in `zeroserve.errors`
    """The site can't be built; the text is what a person reads, in the terminal and the browser."""


def build_folder(directory: Path, tar: Path, suffix: bytes) -> Sequence[str]:
    """Pack `directory` as it is."""
    try:
        with atomic_output(tar) as output:
            return pack(directory, output, PackOptions(page_suffix=suffix)).warnings
    except ZeroserveError as error:
        raise NotBuilt(error.render()) from error


class Session:
    """One site in service. `place` is a folder for the tarball and the control socket."""

    def __init__(self, build: Build, place: Path, events: EventServer, say: Say, warn: Say) -> None:
        """Prepare; nothing is started yet. `warn` is told what is wrong, `say` the rest."""
        self._write = build
        self._place = place
        self._events = events
        self._say = say
        self._warn = warn
        self._built = 0
        self._client = ControlClient(place / "control.sock", CONTROL_SECONDS_MAX)

    @property
    def tar(self) -> Path:
        """The tarball that is served."""
        return self._place / "site.tar"

    def build(self) -> bool:
        """Build the site. False when it can't be: the former build stays, and pages show why."""
        try:
            warnings = self._write(self.tar, self._suffix())
        except NotBuilt as fault:
            self._fault(str(fault))
            return False
        for warning in warnings:
            self._warn(f"warning: {warning}")
        return True

    def build_first(self) -> None:
        """Build the site, or a page that shows why it can't be."""
        if self.build():
            self._events.site(self._built)
        else:
            empty = self._place / "empty"
            empty.mkdir()
            for name in ("index.html", "404.html"):
                (empty / name).write_bytes(EMPTY_PAGE)
            build_folder(empty, self.tar, self._suffix())

    def start(self, arguments: list[str]) -> Child:
        """Start the server and wait until it serves. Raises `ZeroserveError` (`dev-server`)."""
        child = Child([*arguments, "--control", str(self._place / "control.sock"), str(self.tar)])
        try:
            deadline = time.monotonic() + START_SECONDS_MAX
            while time.monotonic() < deadline and not child.has_ended():
                try:
                    self._client.status()
                except DaemonNotRunning:
                    time.sleep(0.05)
                    continue
                return child
        except BaseException:
            child.end(END_SECONDS_MAX)  # it must not outlive us
            raise
        child.end(END_SECONDS_MAX)
        raise ZeroserveError("dev-server", "the server did not start; its own words are above")

    def refresh(self) -> None:
        """Build after a change, and put it into service."""
        began = time.monotonic()
        self._built += 1
        if not self.build():
            return
        answer = self._client.reload(None)
        if not answer.ok:
            self._fault(f"error[reload-refused]: {answer.error}")
            return
        self._say(f"built in {(time.monotonic() - began) * 1000:.0f} ms")
        self._events.site(self._built)

    def _suffix(self) -> bytes:
        return page_suffix(self._events.url, self._built)

    def _fault(self, text: str) -> None:
        self._warn(text)
        self._events.fault(text)
