"""Daemons on their way out: each finishes the requests it has, but not for ever.

Every one is on record in `run/`, so that a supervisor after this one sees it to its end as well.
A process is known by pid and start time: whoever has that pid by then is left alone.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable

from zeroserve.control.client import ControlClient
from zeroserve.errors import ZeroserveError
from zsops import process
from zsops.frozen import frozen, replace
from zsops.host.records import SLOTS, LeavingDaemon, RunRecords

_KILL_S = 5.0  # between the second word and the kill
_ANSWER_S = 1.0

Process = process.Child | process.Adopted


@frozen
class _One:
    """A daemon that drains; `until` is on `Clock.now`."""

    child: Process
    slot: str
    until: float
    told_twice: bool = False


class Leaving:
    """Those of one instance."""

    def __init__(self, records: RunRecords, boot: str, say: Callable[[str], None]) -> None:
        """Takes over those that a killed supervisor left."""
        self._records = records
        self._boot = boot
        self._say = say
        self._all = [each for slot in SLOTS if (each := self._left(slot)) is not None]

    def _left(self, slot: str) -> _One | None:
        record = self._records.load(LeavingDaemon, _name(slot))
        if record is None:
            return None
        if record.boot_id != self._boot or not record.identity.is_alive():
            self._records.drop(_name(slot))
            return None
        self._say(f"took over a daemon that drains, pid {record.pid}")
        # It may have been recorded and not told yet. Not by a signal: a second one would cut it.
        client = ControlClient(self._records.control(slot), _ANSWER_S)
        with contextlib.suppress(ZeroserveError, KeyError):
            if client.status()["pid"] == record.pid:
                client.drain()
        return _One(process.Adopted(record.identity), slot, record.until)

    @property
    def count(self) -> int:
        """How many still drain."""
        return len(self._all)

    @property
    def slots(self) -> frozenset[str]:
        """Their slots, whose sockets are still theirs."""
        return frozenset(each.slot for each in self._all)

    @property
    def children(self) -> list[Process]:
        """Their processes."""
        return [each.child for each in self._all]

    def add(self, child: Process, slot: str, until: float) -> None:
        """Have it drain until then."""
        who = child.identity
        record = LeavingDaemon(who.pid, who.started, self._boot, slot, round(until, 3))
        with contextlib.suppress(OSError):  # a full disk: only a supervisor after us would miss it
            self._records.save_in_place(record, _name(slot))
        child.send(signal.SIGTERM)
        self._all.append(_One(child, slot, until))

    def see_off(self, now: float) -> None:
        """End those that have had their time; forget those that are gone."""
        still = []
        for each in self._all:
            kept = self._seen(each, now)
            if kept is None:
                self._records.drop(_name(each.slot))
            else:
                still.append(kept)
        self._all = still

    def _seen(self, each: _One, now: float) -> _One | None:
        if each.child.poll() is not None:
            self._say(f"the old daemon, pid {each.child.pid}, has drained")
            return None
        if now < each.until:
            return each
        if each.told_twice:
            each.child.close(0.0)
            return None
        self._say(f"the old daemon, pid {each.child.pid}, has had its time")
        each.child.send(signal.SIGTERM)  # the second one ends it at once
        return replace(each, until=now + _KILL_S, told_twice=True)

    def forget(self) -> None:
        """All have been ended."""
        for each in self._all:
            self._records.drop(_name(each.slot))
        self._all = []


def _name(slot: str) -> str:
    return f"leaving-{slot}.json"
