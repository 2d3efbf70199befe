"""The logs of many hosts as one stream. They come by the deploy protocol, so any key may read them.

A link that breaks is taken up again where it stopped: a log's place is an offset on the host.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge

from zsops.config.hosts import Machine
from zsops.errors import HostUnreachable, ZsopsError
from zsops.fleet import Fleet
from zsops.host.logs import time_of
from zsops.host.upkeep import Log, ReadLog

_WAIT_S = 10.0
_RETRY_S = 2.0
_LOOK_S = 0.2


@dataclass(frozen=True)
class LogWish:
    """What to read: of each log the newest `lines`, younger than `since_s`, with `contains`."""

    log: Log = Log.ACCESS
    lines: int = 100
    since_s: float | None = None
    contains: str | None = None

    def of(self, instance: str) -> ReadLog:
        """The request for one instance."""
        return ReadLog(
            instance,
            self.log,
            lines=self.lines,
            since_s=self.since_s,
            contains=self.contains,
        )


@dataclass(frozen=True)
class LogLine:
    """One line. `error`: none, but why no more come from there for now."""

    host: str
    instance: str
    text: str
    error: ZsopsError | None = None


def newest(fleet: Fleet, wish: LogWish) -> list[LogLine]:
    """The end of every log, merged by the lines' times. Raises HostUnreachable."""

    def read(machine: Machine) -> list[list[LogLine]]:
        names = _instances(fleet, machine)
        with fleet.connect(machine) as session:
            return [
                [
                    LogLine(machine.name, name, text)
                    for text in session.read_log(wish.of(name)).lines
                ]
                for name in names
            ]

    logs = [log for found in fleet.each(read) for log in found]
    return [line for _, line in merge(*map(_timed, logs), key=lambda each: each[0])]


def follow(fleet: Fleet, wish: LogWish, stop: threading.Event) -> Iterator[LogLine]:
    """The end of every log, then each line as it comes, until `stop` is set."""
    lines: queue.SimpleQueue[LogLine] = queue.SimpleQueue()
    readers = [
        threading.Thread(
            target=_Reader(fleet, each, wish.of(name), stop, lines.put).run,
            daemon=True,  # it may sit in a host's long answer; nobody waits for that at the end
        )
        for each in fleet.machines
        for name in _instances(fleet, each)
    ]
    for reader in readers:
        reader.start()
    while not stop.is_set():
        try:
            yield lines.get(timeout=_LOOK_S)
        except queue.Empty:
            continue


@dataclass(frozen=True)
class _Reader:
    """Follows one instance's log in a thread of its own."""

    fleet: Fleet
    machine: Machine
    request: ReadLog
    stop: threading.Event
    put: Callable[[LogLine], None]

    def run(self) -> None:
        request, host, name = self.request, self.machine.name, self.request.instance
        while not self.stop.is_set():
            try:
                with self.fleet.connect(self.machine) as session:
                    while not self.stop.is_set():
                        found = session.read_log(request)
                        for text in found.lines:
                            self.put(LogLine(host, name, text))
                        request = replace(request, cursor=found.cursor, wait_s=_WAIT_S)
            except ZsopsError as error:
                self.put(LogLine(host, name, "", error))
                if not isinstance(error, HostUnreachable):
                    return
                self.stop.wait(_RETRY_S)


def _instances(fleet: Fleet, machine: Machine) -> Sequence[str]:
    return [name for at, name, _ in fleet.scope if at == machine]


def _timed(log: list[LogLine]) -> Iterator[tuple[float, LogLine]]:
    """Each line with its time; one without has that of the line before."""
    at = 0.0
    for line in log:
        at = max(at, time_of(line.text.encode()) or at)
        yield at, line
