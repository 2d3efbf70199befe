"""Supervise: keep one instance's daemon running, and keep the revert deadline.

Started detached by the first command that needs it; outlives that command. Recovery runs before
the daemon starts. SIGTERM ends both gracefully; SIGUSR1 says "look at the journal now".
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from zeroserve.errors import ZeroserveError
from zsops import process
from zsops.errors import UnsafeDirectory, ZsopsError
from zsops.host import journal, program, recover
from zsops.host.daemon import host_argv
from zsops.host.effects import drive
from zsops.host.health import settings
from zsops.host.machine import Machine
from zsops.host.messages import InstanceSettings
from zsops.host.pauses import Pauses
from zsops.host.records import Armed, Failure, RunRecords, Settled, Supervisor
from zsops.host.service import HostService
from zsops.host.slots import Slots

_LOOK_EVERY_S = 1.0
_STEADY_S = 5.0  # a daemon that ran this long was not a failed start
_GRACE_S = 30.0  # what a revert gets to end before it is killed
_EXPIRE_FIRST_S, _EXPIRE_LAST_S = 2.0, 60.0


class Supervise:
    """The loop of one supervisor process."""

    def __init__(self, root: Path, instance: str, *, settled: bool) -> None:
        self._root = root
        self._settled = settled
        self._machine = Machine(root)
        self._records = RunRecords(root, instance)
        self._instance = instance
        self._started_at = 0.0
        self._starts = Pauses()
        self._expiry: process.Child | None = None
        self._expiries = Pauses(_EXPIRE_FIRST_S, _EXPIRE_LAST_S)
        self._stopping = False
        self._slots = Slots(
            root, self._records, self._machine.clock, self._settings, self._chosen, self._say
        )

    def _settings(self) -> InstanceSettings:
        return drive(settings(self._records.paths), self._machine)

    def _chosen(self) -> str | None:
        return drive(program.chosen(self._records.paths), self._machine)

    def run(self, wake: int) -> int:
        """Until SIGTERM. `wake`: descriptor that gets a byte for each signal.

        A fault of ours ends this process and not the daemon: the next supervisor takes that over.
        """
        self._announce()
        while not self._stopping:
            self._keep_daemon()
            self._slots.attend(self._machine.clock.now())
            self._keep_deadline()
            self._sleep(wake)
        self._end()
        return 0

    def _announce(self) -> None:
        me = process.own_identity()
        boot = self._machine.clock.boot_id()
        self._say(f"supervising `{self._instance}`")
        self._records.drop("failure.json")
        settled = self._settled or self._was_settled()
        # Now, while there is room: a deadline must be taken over on a full disk, too.
        self._records.save_in_place(Armed(0, os.getpid()), "armed.json")
        self._records.save(Supervisor(me.pid, me.started, boot), "supervise.json")
        # Recovery is for an instance whose daemon is down; with it up, a revert that is due takes
        # the usual way, reload and health check included.
        if not settled and self._slots.live is None:
            done = HostService(self._machine, str(self._root)).recover(self._instance)
            if done is not None and done.note is not None:
                self._say(f"recovery: {done.note}")

    def _was_settled(self) -> bool:
        """As `settled`, where systemd starts us and cannot say so."""
        record = self._records.load(Settled, "settled.json")
        self._records.drop("settled.json")
        return record is not None and record.identity.is_alive()

    # -- the daemon ------------------------------------------------------------------

    def _keep_daemon(self) -> None:
        now = self._machine.clock.now()
        if self._slots.live is not None:
            code = self._slots.live.poll()
            if code is None:
                self._steady(now)
                return
            self._ended(code, now)
        if self._starts.due(now):
            self._start(now)

    def _start(self, now: float) -> None:
        self._started_at = now
        try:
            self._slots.start()
        except OSError as error:
            self._failed(f"the daemon cannot be started: {error}", now)
        except (ZeroserveError, UnsafeDirectory) as error:
            self._failed(f"error[{error.code}]: {error.message}", now)

    def _steady(self, now: float) -> None:
        if self._starts.times and now - self._started_at >= _STEADY_S:
            self._starts.over()
            self._records.drop("failure.json")

    def _ended(self, code: int, now: float) -> None:
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        steady = now - self._started_at >= _STEADY_S
        if steady:
            self._starts.over()
        words = self._slots.forget(keep_sockets=steady)
        self._failed(words or f"the daemon ended with {how}", now)

    def _failed(self, error: str, now: float) -> None:
        self._say(f"{error}; next start in {self._starts.failed(now):g} s")
        failure = Failure(error, now, self._starts.times, self._starts.next_at)
        with contextlib.suppress(OSError):  # a full disk: the start is tried again all the same
            self._records.save(failure, "failure.json")

    # -- the deadline ----------------------------------------------------------------

    def _keep_deadline(self) -> None:
        """Acknowledge the journal's newest entry, and run the revert when it is due."""
        state = drive(journal.peek(self._records.paths), self._machine)
        if state is None:
            return
        armed = self._records.load(Armed, "armed.json")
        if armed is None or armed.seq != state.seq:
            self._records.save_in_place(Armed(state.seq, os.getpid()), "armed.json")
        now = self._machine.clock.now()
        if self._expiry is not None:
            code = self._expiry.poll()
            if code is None:
                return
            self._expiry = None
            if code == 0:
                self._expiries.over()
            else:
                self._expiries.failed(now)
        if not self._expiries.due(now):
            return
        if recover.overdue(state, now, self._machine.clock.boot_id()) is not None:
            self._say("the deadline passed without a confirmation: reverting")
            # A process of its own: it waits for the daemon, which this one has to keep running.
            argv = host_argv("expire", self._root, "--instance", self._instance)
            self._expiry = process.start_logged(argv, log=sys.stderr.fileno())

    def _sleep(self, wake: int) -> None:
        timeout = _LOOK_EVERY_S
        if self._slots.live is None:
            timeout = min(timeout, max(0.0, self._starts.next_at - self._machine.clock.now()))
        if not select.select([wake], [], [], timeout)[0]:
            return
        with contextlib.suppress(BlockingIOError):
            signals = set(os.read(wake, 512))
            if signals & {signal.SIGTERM, signal.SIGINT}:
                self._stopping = True
            if signal.SIGUSR1 in signals:
                self._starts.ask()

    def _end(self) -> None:
        self._say("stopping")
        if self._expiry is not None:
            self._expiry.close(_GRACE_S)
        self._slots.end()
        for record in ("supervise.json", "armed.json", "failure.json"):
            self._records.drop(record)

    def _say(self, text: str) -> None:
        stamp = self._machine.clock.wall()
        with contextlib.suppress(OSError):  # nobody is to go down because a log cannot grow
            print(f"{stamp} {text}", file=sys.stderr, flush=True)  # noqa: T201 - its log


def supervise(root: Path, instance: str, *, detach: bool, settled: bool) -> int:
    """Supervise the instance until SIGTERM; 0 at once when it is supervised already.

    `settled`: a request that holds the host's lock starts us and has recovered what there was to;
    waiting for its lock here would be waiting for ourselves.
    """
    records = RunRecords(root, instance)
    if not (root / records.paths.journal).is_file():
        raise ZsopsError(f"there is no instance `{instance}` below `{root}`")
    if detach and os.fork() != 0:
        return 0
    with _alone(records) as first, _signals() as wake:
        return Supervise(root, instance, settled=settled).run(wake) if first else 0


@contextlib.contextmanager
def _alone(records: RunRecords) -> Iterator[bool]:
    """A lock held for the supervisor's life: two that start at once must not both stay."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    handle = os.open(records.home / "supervise.lock", flags, 0o640)
    try:
        # One that is just ending holds it a moment longer.
        end = time.monotonic() + 2.0
        first = False
        while not first and time.monotonic() < end:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                first = True
            except BlockingIOError:
                if records.supervisor() is not None:
                    break
                time.sleep(0.02)
        yield first
    finally:
        os.close(handle)


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """Signals as bytes on a pipe. Handlers, not SIG_IGN: a daemon would inherit being deaf."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def nothing(number: int, frame: FrameType | None) -> None:
        del number, frame

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, nothing)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)
