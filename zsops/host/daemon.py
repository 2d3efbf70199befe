"""The door to an instance's daemon on this machine: its control socket, and its supervisor.

The supervisor alone starts the daemon; this side starts the supervisor, wakes it and waits.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zeroserve.control.client import ControlClient
from zeroserve.errors import DaemonNotRunning, ZeroserveError
from zsops import process
from zsops.frozen import replace
from zsops.host import in_use, systemd
from zsops.host.messages import DaemonState, Listener
from zsops.host.records import (
    FIRST_SLOT,
    SLOTS,
    Armed,
    Daemon,
    Failure,
    RunRecords,
    Settled,
    SlotAnswer,
    SlotWish,
)
from zsops.host.upkeep import Trouble, Trying
from zsops.host.world import Fetched, ReloadAnswer, Started, Target

if TYPE_CHECKING:
    from zsops.host.probe import Prober

_STATUS_TIMEOUT_S = 5.0
_STOP_TIMEOUT_S = 45.0  # above the supervisor's own patience with the daemon
_POLL_S = 0.02
_UNIT_TIMEOUT_S, _UNIT_PAUSE_S = 20.0, 0.5


class LocalDaemon:
    """`DaemonDoor` for the instances below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._prober: Prober | None = None

    def status(self, instance: str) -> DaemonState:
        records = RunRecords(self._root, instance)
        record = records.load(Daemon, "daemon.json")
        slot = FIRST_SLOT if record is None else record.slot
        supervised = records.supervisor() is not None
        trouble = _trouble(records) if supervised else ()
        try:
            answer = ControlClient(records.control(slot), _STATUS_TIMEOUT_S).status()
        except DaemonNotRunning:
            failure = records.load(Failure, "failure.json")
            error = None if failure is None else failure.error
            return DaemonState(False, supervised, error=error, trouble=trouble)
        except ZeroserveError as error:
            return DaemonState(False, supervised, error=error.message, trouble=trouble)
        shown = _state(answer, supervised, without=f"unix:{records.door(slot)}")
        return replace(shown, draining=_draining(records, slot), trouble=trouble)

    def reload(self, instance: str, expect: str, timeout_s: float) -> ReloadAnswer:
        client = ControlClient(RunRecords(self._root, instance).socket, timeout_s)
        try:
            answer = client.reload(expect)
        except DaemonNotRunning:
            return ReloadAnswer(running=False, ok=False)
        except ZeroserveError as error:
            return ReloadAnswer(running=True, ok=False, error=error.message)
        return ReloadAnswer(True, answer.ok, answer.generation, answer.release_digest, answer.error)

    def ensure(self, instance: str, timeout_s: float) -> Started:
        records = RunRecords(self._root, instance)
        asked = time.clock_gettime(time.CLOCK_BOOTTIME)
        if self.status(instance).running and records.supervisor() is not None:
            return Started(fresh=False)
        problem = self._wake_or_start(instance, records)
        if problem is not None:
            return Started(True, problem)
        state = DaemonState(running=False)

        def settled() -> bool:
            nonlocal state
            state = self.status(instance)
            return state.running or _failed_since(records, asked) is not None

        if _wait(settled, timeout_s) and state.running:
            return Started(fresh=True)
        error = _failed_since(records, asked)
        return Started(True, error or f"it did not answer within {timeout_s:g} s")

    def start_slot(self, instance: str, version: str | None, timeout_s: float) -> Started:
        records = RunRecords(self._root, instance)
        me = process.own_identity()
        wish = SlotWish(os.urandom(8).hex(), "start", me.pid, me.started, version)
        error = self._ask(records, wish, timeout_s)
        if error is not None:
            return Started(True, error)

        def answers() -> bool:
            return self.candidate(instance).running or self._answered(records, wish.id) is not None

        if _wait(answers, timeout_s) and self.candidate(instance).running:
            return Started(fresh=True)
        return Started(
            True, self._answered(records, wish.id) or f"it did not answer within {timeout_s:g} s"
        )

    def candidate(self, instance: str) -> DaemonState:
        records = RunRecords(self._root, instance)
        record = records.load(Daemon, "candidate.json")
        if record is None:
            return DaemonState(running=False, error="there is no candidate")
        try:
            answer = ControlClient(records.control(record.slot), _STATUS_TIMEOUT_S).status()
        except ZeroserveError as error:
            return DaemonState(running=False, error=error.message)
        if answer.get("pid") != record.pid:
            return DaemonState(running=False, error="its slot is still another's")
        shown = _state(answer, supervised=True)
        door = f"unix:{records.door(record.slot)}"
        return replace(
            shown, listeners=tuple(each for each in shown.listeners if each.address == door)
        )

    def swap(self, instance: str, drain_s: float, timeout_s: float) -> str | None:
        me = process.own_identity()
        wish = SlotWish(os.urandom(8).hex(), "swap", me.pid, me.started, drain_s=drain_s)
        return self._ask(RunRecords(self._root, instance), wish, timeout_s)

    def keep(self, instance: str, timeout_s: float) -> str | None:
        me = process.own_identity()
        wish = SlotWish(os.urandom(8).hex(), "keep", me.pid, me.started)
        return self._ask(RunRecords(self._root, instance), wish, timeout_s)

    def drop(self, instance: str, timeout_s: float) -> None:
        me = process.own_identity()
        wish = SlotWish(os.urandom(8).hex(), "drop", me.pid, me.started)
        self._ask(RunRecords(self._root, instance), wish, timeout_s)

    def _ask(self, records: RunRecords, wish: SlotWish, timeout_s: float) -> str | None:
        """Have the supervisor do it; why it was not done, if so."""
        supervisor = records.supervisor()
        if supervisor is None:
            return "nobody supervises the daemon; `zsops daemon start` starts a supervisor"
        records.save(wish, "slot-wish.json")
        supervisor.identity.send(signal.SIGUSR1)

        def done() -> bool:
            answer = records.load(SlotAnswer, "slot-answer.json")
            return answer is not None and answer.id == wish.id

        if not _wait(done, timeout_s):
            # It outlives the installation that it came from.
            return (
                f"the supervisor, pid {supervisor.pid}, did not answer within {timeout_s:g} s; if "
                "it is one of an earlier version, `zsops daemon restart` once brings this one's "
                "(the instance does not answer for a moment)"
            )
        return self._answered(records, wish.id)

    @staticmethod
    def _answered(records: RunRecords, wish_id: str) -> str | None:
        answer = records.load(SlotAnswer, "slot-answer.json")
        return answer.error if answer is not None and answer.id == wish_id else None

    def stop(self, instance: str) -> bool:
        supervisor = RunRecords(self._root, instance).supervisor()
        if supervisor is None or not supervisor.identity.send(signal.SIGTERM):
            return False
        return _wait(lambda: not supervisor.identity.is_alive(), _STOP_TIMEOUT_S)

    def running_programs(self) -> frozenset[str] | None:
        return in_use.versions(self._root)

    def arm(self, instance: str, journal_seq: int, timeout_s: float) -> bool:
        records = RunRecords(self._root, instance)

        def acknowledged() -> bool:
            supervisor = records.supervisor()
            armed = records.load(Armed, "armed.json")
            if supervisor is None or armed is None:
                return False
            return armed.pid == supervisor.pid and armed.seq >= journal_seq

        supervisor = records.supervisor()
        if supervisor is None or not supervisor.identity.send(signal.SIGUSR1):
            return False
        return _wait(acknowledged, timeout_s)

    def fetch(self, target: Target, path: str, timeout_s: float) -> Fetched:
        from zsops.host.probe import Prober  # TLS: only a health check needs it

        self._prober = self._prober or Prober()
        anchors = [self._root / each for each in target.anchors]
        return self._prober.fetch(target, anchors, path, timeout_s)

    def _wake_or_start(self, instance: str, records: RunRecords) -> str | None:
        supervisor = records.supervisor()
        if supervisor is not None and supervisor.identity.send(signal.SIGUSR1):
            return None
        records.drop("failure.json")
        unit = systemd.unit_of(self._root, instance)
        if unit is not None:
            return _start_unit(unit, records)
        start_supervisor(self._root, instance)
        return None


def _start_unit(unit: systemd.Unit, records: RunRecords) -> str | None:
    me = process.own_identity()
    records.save(Settled(me.pid, me.started), "settled.json")
    end = time.monotonic() + _UNIT_TIMEOUT_S
    try:
        while time.monotonic() < end:
            problem = unit.start(records.home / systemd.WISH)
            if problem is not None:
                return problem
            if _wait(lambda: records.supervisor() is not None, _UNIT_PAUSE_S):
                return None
    finally:
        records.drop("settled.json")
    return (
        f"`{unit.service}` was started, and no supervisor came within {_UNIT_TIMEOUT_S:g} s; "
        f"`journalctl -u {unit.service}` on the host has its words"
    )


def host_argv(command: str, root: Path, *more: str) -> list[str]:
    """How to run another `zsops-host` command of this very installation."""
    return [sys.executable, "-m", "zsops.host", command, "--root", str(root), *more]


def start_supervisor(root: Path, instance: str) -> None:
    """Start a detached supervisor that outlives us; what it says goes to `log/supervise.log`.

    The caller holds the host's lock and has settled the instance.
    """
    log_path = root / RunRecords(root, instance).paths.log / "supervise.log"
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        argv = host_argv("supervise", root, "--instance", instance, "--detach", "--settled")
        process.start_logged(argv, log=log, own_session=True).close(10.0)
    finally:
        os.close(log)


def _trouble(records: RunRecords) -> tuple[Trouble, ...]:
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    names = ((Trying.START, "failure.json"), (Trying.WAY_BACK, "way-back.json"))
    found = ((trying, records.load(Failure, name)) for trying, name in names)
    return tuple(
        Trouble(trying, each.times, each.error, max(0.0, each.next_at - now))
        for trying, each in found
        if each is not None
    )


def _failed_since(records: RunRecords, asked: float) -> str | None:
    failure = records.load(Failure, "failure.json")
    return failure.error if failure is not None and failure.at >= asked else None


def _wait(condition: Callable[[], bool], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(_POLL_S)
    return True


def _draining(records: RunRecords, live: str) -> int:
    """How many daemons that were taken over from still finish their requests."""
    candidate = records.load(Daemon, "candidate.json")
    known = {live} if candidate is None else {live, candidate.slot}
    others = [records.control(each) for each in SLOTS if each not in known]
    return sum(_answers(each) for each in others if each.exists())


def _answers(control: Path) -> bool:
    try:
        ControlClient(control, _STATUS_TIMEOUT_S).status()
    except ZeroserveError:
        return False
    return True


def _text(answer: Mapping[str, object], key: str) -> str | None:
    value = answer.get(key)
    return value if isinstance(value, str) else None


def _number(answer: Mapping[str, object], key: str) -> int | None:
    value = answer.get(key)
    return value if isinstance(value, int) else None


def _state(answer: Mapping[str, object], supervised: bool, without: str = "") -> DaemonState:
    listeners = answer.get("listeners")
    reload = answer.get("last_reload")
    return DaemonState(
        running=True,
        supervised=supervised,
        pid=_number(answer, "pid"),
        version=_text(answer, "version"),
        generation=_number(answer, "generation"),
        release=_text(answer, "release"),
        release_digest=_text(answer, "release_digest"),
        site_digest=_text(answer, "site_digest"),
        started_at=_text(answer, "started_at"),
        listeners=tuple(
            Listener(str(one["scheme"]), str(one["address"]))
            for one in (listeners if isinstance(listeners, list) else [])
            if one["address"] != without
        ),
        error=_text(reload, "error") if isinstance(reload, dict) else None,
    )
