"""Slots: the daemons of one instance. One serves; a second may run beside it and take over.

Both accept from the listening sockets that the supervisor holds (`sockets.py`), so a change of
daemons refuses no connection: the new one serves before the old one is told to drain. Each has a
control socket and a door of its own, where it alone answers.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from zeroserve.control.client import ControlClient
from zeroserve.control.listeners import BoundListener
from zeroserve.errors import ZeroserveError
from zsops import process
from zsops.errors import UnsafeDirectory
from zsops.frozen import replace
from zsops.host import program as programs
from zsops.host import sockets
from zsops.host.leaving import Leaving, Process
from zsops.host.messages import InstanceSettings
from zsops.host.pauses import Pauses
from zsops.host.records import (
    FIRST_SLOT,
    SLOTS,
    Daemon,
    Failure,
    RunRecords,
    SlotAnswer,
    SlotWish,
)
from zsops.host.world import Clock

_GRACE_S_MAX = 3600.0  # the supervisor decides when a daemon has drained long enough, not it
_END_S = 10.0  # what a daemon gets to finish its requests when all of it is to end
_KILL_S = 5.0
_ANSWER_S = 1.0
_ERROR_TEXT_BYTES = 4096
_BACK_ANSWER_S = 20.0
_OUR_OWN = ""  # id of the wish that nobody else made: the way back


def daemon_argv(
    root: Path,
    records: RunRecords,
    wish: InstanceSettings,
    slot: str,
    listeners: list[BoundListener],
) -> list[str]:
    """The arguments of an instance's daemon that inherits its sockets."""
    paths = records.paths
    argv = ["--release", str(root / paths.current)]
    argv += ["--control", str(records.control(slot))]
    argv += ["--probe-file", str(root / paths.probe_secret), "--grace", f"{_GRACE_S_MAX:g}"]
    for each in listeners:
        flag = "--tls-addr" if each.scheme == "https" else "--addr"
        argv += [flag, f"fd:{each.sockets[0].fileno()}"]
    door = "--tls-addr" if wish.tls_addresses else "--addr"
    argv += [door, f"unix:{records.door(slot)}"]
    argv += ["--log-format", wish.log_format, "--access-log", str(root / paths.log / "access.log")]
    return [*argv, *wish.flags]


class Slots:
    """The processes and sockets of one instance, for its supervisor's loop."""

    def __init__(
        self,
        root: Path,
        records: RunRecords,
        clock: Clock,
        wish: Callable[[], InstanceSettings],
        chosen: Callable[[], str | None],
        say: Callable[[str], None],
    ) -> None:
        self._root = root
        self._records = records
        self._clock = clock
        self._boot = clock.boot_id()
        self._wish = wish
        self._chosen = chosen
        self._say = say
        self._given = sockets.passed()
        self._store = sockets.Store()
        self._listeners: list[BoundListener] = []
        self._candidate: process.Child | None = None
        self._next_slot = ""
        self._asked: SlotWish | None = None  # whose candidate it is
        self._probation: SlotWish | None = None  # the swap that is not kept yet
        self._way_back = Pauses()
        self._back_until = 0.0  # what a candidate of our own has to answer
        self._version: str | None = None  # of the daemon that serves
        self._leaving = Leaving(records, self._boot, say)
        self._log_start = 0
        record = records.load(Daemon, "daemon.json")
        self._slot = FIRST_SLOT if record is None else record.slot
        self.live: Process | None = self._left(record)
        self._resume_probation()
        self._end_left_candidate()

    def _left(self, record: Daemon | None) -> process.Adopted | None:
        """The daemon of a supervisor that was killed: it serves on, and is ours now."""
        if record is None or record.boot_id != self._boot or not record.identity.is_alive():
            return None
        self._say(f"took over the daemon, pid {record.pid}")
        return process.Adopted(record.identity)

    def _resume_probation(self) -> None:
        """A supervisor that was killed left a swap that nobody had kept yet."""
        if self.live is None:  # the next start takes the chosen version anyway
            self._end_probation()
            return
        self._probation = self._records.load(SlotWish, "probation.json")
        if self._probation is None:
            self._end_probation()
        else:
            self._version = self._probation.version

    def _end_probation(self) -> None:
        self._probation = None
        self._way_back.over()
        self._records.drop("probation.json")
        self._records.drop("way-back.json")

    def _end_left_candidate(self) -> None:
        """A candidate whose swap nobody will ask for any more."""
        record = self._records.load(Daemon, "candidate.json")
        mine = self.live is not None and record is not None and record.pid == self.live.pid
        known = record is not None and record.boot_id == self._boot and not mine
        if record is not None and known and record.identity.is_alive():
            # It has the listening sockets, and so visitors of its own.
            left = process.Adopted(record.identity)
            self._leaving.add(left, record.slot, self._clock.now() + _END_S)
        self._records.drop("candidate.json")

    # -- the daemon that serves ------------------------------------------------------

    def start(self) -> None:
        """Start the chosen version. Raises OSError, ListenRefused, UnsafeDirectory."""
        self._version = self._chosen()
        if not self._listeners:
            self._listeners = self._given_back() or sockets.bind(self._wish())
            self._store.keep(self._listeners)
        self.live = self._spawn(self._slot, self._version)
        with contextlib.suppress(OSError):  # it serves without its record as well
            self._record(self.live, self._slot, "daemon.json")
        self._say(f"started the daemon, pid {self.live.pid}")

    def forget(self, *, keep_sockets: bool) -> str:
        """The daemon has ended: its last words. One that cannot stay up lets the ports go, too."""
        self.live = None
        if not keep_sockets and self._candidate is None:
            self._store.forget()
            for each in self._listeners:
                each.close()
            self._listeners = []
        return self._last_words()

    def _given_back(self) -> list[BoundListener] | None:
        """What systemd kept of the supervisor before us, if it is what is wished now."""
        given, self._given = self._given, []
        return sockets.matching(given, self._wish()) if given else None

    def _spawn(self, slot: str, version: str | None) -> process.Child:
        self._records.make_room_for_sockets(slot)
        log_path = self._root / self._records.paths.log / "daemon.log"
        log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            self._log_start = os.fstat(log).st_size
            argv = daemon_argv(self._root, self._records, self._wish(), slot, self._listeners)
            program = programs.argv(self._root, self._wish(), version)
            numbers = [each.sockets[0].fileno() for each in self._listeners]
            return process.start_logged([*program, *argv], log=log, passed=numbers)
        finally:
            os.close(log)

    def _record(self, child: Process, slot: str, name: str) -> None:
        who = child.identity
        self._records.save_in_place(Daemon(who.pid, who.started, self._boot, slot), name)

    def _last_words(self) -> str:
        """The error line of the daemon that just ended, else its last line."""
        log_path = self._root / self._records.paths.log / "daemon.log"
        with log_path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - _ERROR_TEXT_BYTES))
            lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line]
        errors = [line for line in lines if line.startswith("error")]
        return (errors or lines or [""])[-1].strip()

    # -- the other slot --------------------------------------------------------------

    def attend(self, now: float) -> None:
        """Do what was asked about the other slot, and see to those that drain."""
        self._leaving.see_off(now)
        self._keep_candidate(now)
        self._keep_probation(now)
        asked = self._records.load(SlotWish, "slot-wish.json")
        if asked is None:
            return
        answer = self._records.load(SlotAnswer, "slot-answer.json")
        if answer is not None and answer.id == asked.id:
            return
        self._answer(asked.id, self._do(asked, now))

    def _do(self, asked: SlotWish, now: float) -> str | None:
        if asked.action == "start":
            if not process.Identity(asked.owner, asked.owner_started).is_alive():
                return "whoever asked for it is gone"
            return self._start_candidate(asked)
        if asked.action == "swap":
            return self._swap(asked, now)
        if asked.action == "keep":
            self._end_probation()
            return None
        self._drop_candidate(now)
        return None

    def _start_candidate(self, asked: SlotWish) -> str | None:
        taken = {self._slot, *self._leaving.slots}
        slot = next((each for each in SLOTS if each not in taken), None)
        problem = self._hindrance(slot)
        if problem is not None or slot is None:
            return problem
        try:
            child = self._spawn(slot, asked.version)
        except OSError as error:
            return f"`{error.filename}` cannot be started: {error.strerror}"
        except UnsafeDirectory as error:
            return error.message
        self._candidate, self._asked, self._next_slot = child, asked, slot
        try:
            # Without it a supervisor after us would not know of a process that serves visitors.
            self._record(child, slot, "candidate.json")
        except OSError as error:
            self._drop_candidate(self._clock.now())
            return f"the candidate cannot be recorded: {error.strerror}"
        self._say(f"started a candidate in slot {slot}, pid {child.pid}")
        return None

    def _hindrance(self, slot: str | None) -> str | None:
        """Why no candidate can be started now; sees to the sockets it is to inherit."""
        if self.live is None:
            return "no daemon is running"
        if self._candidate is not None:
            return "another candidate is running"
        if slot is None:
            return "the daemons that were taken over from still drain"
        if not self._listeners:
            found = self._given_back() or sockets.matching(
                sockets.of_process(self.live.pid), self._wish()
            )
            if found is None:
                return (
                    "this supervisor took over a running daemon and may not have copies of its "
                    "listening sockets; `zsops daemon restart` once mends that"
                )
            self._listeners = found
        return None

    def _swap(self, asked: SlotWish, now: float) -> str | None:
        old, fresh, origin = self.live, self._candidate, self._asked
        if fresh is None or origin is None:
            return "there is no candidate to take over"
        former, self._slot = self._slot, self._next_slot
        # Recorded first (in place, so without need of space): whoever asks, asks the new one.
        with contextlib.suppress(OSError):
            self._record(fresh, self._slot, "daemon.json")
        self._records.drop("candidate.json")
        self.live, self._candidate, self._asked = fresh, None, None
        self._version, self._probation = origin.version, replace(asked, version=origin.version)
        with contextlib.suppress(OSError):  # only a supervisor after us would miss it
            self._records.save(self._probation, "probation.json")
        self._say(f"slot {self._slot} serves, pid {fresh.pid}")
        if old is not None:
            self._leaving.add(old, former, now + asked.drain_s)
        return None

    def _keep_probation(self, now: float) -> None:
        """Whoever had it take over died before it was proven to serve: back, as it came."""
        asked = self._probation
        if asked is None or process.Identity(asked.owner, asked.owner_started).is_alive():
            return
        chosen = self._chosen()
        if self.live is None or chosen == self._version:
            self._end_probation()
            self._drop_candidate(now)  # for the way back: nobody else would end it
        elif self._candidate is None:
            if self._way_back.due(now):
                self._go_back(asked, chosen, now)
        elif self._asked is not None and self._asked.id == _OUR_OWN:
            if self._candidate_answers():
                self._swap(self._asked, now)
                self._end_probation()
            elif now >= self._back_until:
                self._drop_candidate(now)
                self._not_back(f"it did not answer within {_BACK_ANSWER_S:g} s", now)

    def _go_back(self, asked: SlotWish, chosen: str | None, now: float) -> None:
        self._say("nobody kept the daemon that took over: going back")
        me = process.own_identity()
        back = SlotWish(_OUR_OWN, "start", me.pid, me.started, chosen, asked.drain_s)
        self._back_until = now + _BACK_ANSWER_S
        problem = self._start_candidate(back)
        if problem is not None:
            self._not_back(problem, now)

    def _not_back(self, error: str, now: float) -> None:
        pause = self._way_back.failed(now)
        self._say(f"the way back: {error}; tried again in {pause:g} s")
        failure = Failure(error, now, self._way_back.times, self._way_back.next_at)
        with contextlib.suppress(OSError):
            self._records.save(failure, "way-back.json")

    def _candidate_answers(self) -> bool:
        client = ControlClient(self._records.control(self._next_slot), _ANSWER_S)
        try:
            return self._candidate is not None and client.status()["pid"] == self._candidate.pid
        except (ZeroserveError, KeyError):
            return False

    def _keep_candidate(self, now: float) -> None:
        candidate, asked = self._candidate, self._asked
        if candidate is None or asked is None:
            return
        if candidate.poll() is not None:
            self._candidate = self._asked = None
            self._records.drop("candidate.json")
            words = self._last_words() or "it ended without a word"
            if asked.id == _OUR_OWN:
                self._not_back(words, now)
            else:
                self._answer(asked.id, words)
        elif not process.Identity(asked.owner, asked.owner_started).is_alive():
            self._say("whoever asked for the candidate is gone")
            self._drop_candidate(now)

    def _drop_candidate(self, now: float) -> None:
        if self._candidate is not None:
            self._leaving.add(self._candidate, self._next_slot, now + _END_S)
        self._candidate = self._asked = None
        self._records.drop("candidate.json")

    def _answer(self, wish_id: str, error: str | None) -> None:
        if error is not None:
            self._say(f"slot: {error}")
        with contextlib.suppress(OSError):  # unanswered, the request runs into its time limit
            self._records.save(SlotAnswer(wish_id, error), "slot-answer.json")

    # -- ends ------------------------------------------------------------------------

    def end(self) -> None:
        """End all of them: each finishes the requests it has, but not for long."""
        mine = (self.live, self._candidate, *self._leaving.children)
        children = [one for one in mine if one is not None]
        for one in children:
            one.send(signal.SIGTERM)
        for one in children:
            if one.wait(_END_S) is None:
                one.send(signal.SIGTERM)
            self._say(f"the daemon ended with {one.close(_KILL_S)}")
        self._leaving.forget()
        for name in (
            "daemon.json",
            "candidate.json",
            "probation.json",
            "slot-wish.json",
            "slot-answer.json",
            "way-back.json",
        ):
            self._records.drop(name)
