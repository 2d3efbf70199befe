"""Two daemons of one instance, by real processes: one takes over from the other on its sockets."""

from __future__ import annotations

import itertools
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.deployment import SETTINGS, deploy
from support.local_host import FAKE, LocalHost, local_host
from support.polling import wait_until
from support.process import run
from support.sites import site

from zsops import process
from zsops.host import messages as m
from zsops.host import sockets
from zsops.host.daemon import LocalDaemon
from zsops.host.records import Daemon, Failure, RunRecords, SlotWish, Supervisor
from zsops.host.slots import Slots
from zsops.transport.memory import MemoryClock

ONE, TWO = site("one"), site("two")
_WAIT_S = 20.0


@pytest.fixture
def host() -> Iterator[LocalHost]:
    with local_host(FAKE) as made:
        made.install()
        deploy(made.transport, ONE)
        made.supervisor()
        yield made


def _status(host: LocalHost) -> m.DaemonState:
    return LocalDaemon(host.root).status("web")


def _candidate_recorded(host: LocalHost) -> bool:
    return host.records.load(Daemon, "candidate.json") is not None


def test_a_second_daemon_takes_over_on_the_same_sockets(host: LocalHost) -> None:
    door, old, before = LocalDaemon(host.root), host.daemon(), _status(host)
    assert door.start_slot("web", None, _WAIT_S).error is None
    candidate = door.candidate("web")
    assert candidate.running
    assert candidate.pid != before.pid
    assert [each.address.partition(":")[0] for each in candidate.listeners] == ["unix"]
    assert _status(host).pid == before.pid
    assert door.swap("web", 5.0, _WAIT_S) is None
    after = _status(host)
    assert (after.pid, after.listeners) == (candidate.pid, before.listeners)
    wait_until(lambda: not old.is_alive(), what="the old daemon's end")
    assert host.page() == ONE.page
    done = deploy(host.transport, TWO)
    assert host.page(done.release) == TWO.page
    assert host.daemon().pid == candidate.pid


def test_again_and_again(host: LocalHost) -> None:
    door = LocalDaemon(host.root)
    for _ in range(4):
        assert door.start_slot("web", None, _WAIT_S).error is None
        candidate = door.candidate("web").pid
        assert door.swap("web", 5.0, _WAIT_S) is None
        assert door.keep("web", _WAIT_S) is None
        assert _status(host).pid == candidate
        assert host.page() == ONE.page
    host.daemon()


def test_a_candidate_is_dropped_and_the_old_one_stays(host: LocalHost) -> None:
    door, old = LocalDaemon(host.root), host.daemon()
    assert door.start_slot("web", None, _WAIT_S).error is None
    assert "another candidate" in (door.start_slot("web", None, _WAIT_S).error or "")
    door.drop("web", _WAIT_S)
    assert not door.candidate("web").running
    assert door.swap("web", 5.0, _WAIT_S) == "there is no candidate to take over"
    assert host.daemon() == old
    assert host.page() == ONE.page


def test_a_candidate_ends_when_whoever_asked_for_it_dies(host: LocalHost) -> None:
    old = host.daemon()
    script = f"""\
from pathlib import Path
from zsops.host.daemon import LocalDaemon
print(LocalDaemon(Path({str(host.root)!r})).start_slot("web", None, 20.0).error)
"""
    asked = run([sys.executable, "-c", script])
    assert asked.text == "None\n", asked.stderr
    wait_until(lambda: not _candidate_recorded(host), what="the candidate's end")
    assert host.daemon() == old
    assert LocalDaemon(host.root).start_slot("web", None, _WAIT_S).error is None


@pytest.mark.parametrize("supervisor_dies", [False, True])
def test_what_took_over_goes_back_when_nobody_keeps_it(
    host: LocalHost, *, supervisor_dies: bool
) -> None:
    """The chosen version, which is not the one that runs now, takes over again; no restart."""
    old, supervisor = host.daemon(), host.supervisor()
    end = f"os.kill({supervisor.pid}, signal.SIGKILL)" if supervisor_dies else ""
    script = f"""\
import json, os, signal
from pathlib import Path
from zsops.host.daemon import LocalDaemon
root = Path({str(host.root)!r})
door = LocalDaemon(root)
assert door.start_slot("web", None, 20.0).error is None
assert door.swap("web", 5.0, 20.0) is None
print(door.status("web").pid)
# As if another version were chosen: one that is installed, and is the fake daemon, too.
home = root / "opt/zeroserve/1.0.0"
(home / "bin").mkdir(parents=True)
program = home / "bin/zeroserve"
program.write_text('#!/bin/sh\\nexec {FAKE[0]} {FAKE[1]} "$@"\\n')
program.chmod(0o755)
(home / "complete.json").write_text(json.dumps({{"version": "1.0.0", "wheel": "x"}}))
(root / "i/web/program.json").write_text(json.dumps({{"version": "1.0.0"}}))
{end}
"""
    asked = run([sys.executable, "-c", script])
    assert asked.code == 0, asked.stderr
    swapped = int(asked.text)
    if supervisor_dies:
        wait_until(lambda: not supervisor.is_alive(), what="its end")
        with host.transport.connect() as session:
            session.start_daemon("web")
    wait_until(lambda: _status(host).pid not in (None, old.pid, swapped), what="the way back")
    assert host.page() == ONE.page
    host.daemon()


def test_why_a_candidate_does_not_start_is_told(host: LocalHost) -> None:
    old = host.daemon()
    missing = LocalDaemon(host.root).start_slot("web", "9.9.9", _WAIT_S)
    assert "cannot be started" in (missing.error or "")
    assert host.daemon() == old


def test_a_supervisor_that_took_a_daemon_over_has_its_sockets_too(host: LocalHost) -> None:
    supervisor, old, before = host.supervisor(), host.daemon(), _status(host)
    assert supervisor.send(signal.SIGKILL)
    wait_until(lambda: not supervisor.is_alive(), what="its end")
    with host.transport.connect() as session:
        session.start_daemon("web")
    assert host.supervisor() != supervisor
    door = LocalDaemon(host.root)
    assert door.start_slot("web", None, _WAIT_S).error is None
    assert door.swap("web", 5.0, _WAIT_S) is None
    wait_until(lambda: not old.is_alive(), what="the old daemon's end")
    assert _status(host).listeners == before.listeners
    assert host.page() == ONE.page


def test_a_killed_supervisors_candidate_is_ended_by_the_next(host: LocalHost) -> None:
    supervisor, old = host.supervisor(), host.daemon()
    assert LocalDaemon(host.root).start_slot("web", None, _WAIT_S).error is None
    record = host.records.load(Daemon, "candidate.json")
    assert record is not None
    supervisor.send(signal.SIGKILL)
    wait_until(lambda: not supervisor.is_alive(), what="its end")
    with host.transport.connect() as session:
        session.start_daemon("web")
    host.supervisor()
    wait_until(lambda: not record.identity.is_alive(), what="the candidate's end")
    assert host.daemon() == old
    assert host.page() == ONE.page


def test_a_way_back_that_is_no_longer_needed_leaves_no_second_daemon(tmp_path: Path) -> None:
    """The one that nobody kept died, and its restart is the chosen version already."""
    records = RunRecords(tmp_path, "web")
    records.home.mkdir(parents=True)
    slots = Slots(
        tmp_path, records, MemoryClock(), lambda: SETTINGS, lambda: None, lambda text: None
    )
    me, gone = process.own_identity(), SlotWish("1", "swap", 0, 0)
    with (tmp_path / "log").open("wb") as log:
        live, spare = (process.start_logged(["sleep", "60"], log=log.fileno()) for _ in "ab")
    try:
        slots.live, slots._probation = live, gone
        slots._candidate, slots._next_slot = spare, "b"
        slots._asked = SlotWish("", "start", me.pid, me.started)
        slots.attend(0.0)
        assert spare.wait(_WAIT_S) is not None
        assert live.poll() is None
    finally:
        for each in (live, spare):
            each.send(signal.SIGKILL)
            each.close(_WAIT_S)


def test_a_supervisor_that_knows_no_slots_is_named_with_what_to_run(tmp_path: Path) -> None:
    """One of an earlier version lives on, and looks at nothing but the journal."""
    records = RunRecords(tmp_path, "web")
    records.home.mkdir(parents=True)
    deaf = "from signal import *; pthread_sigmask(SIG_BLOCK, {SIGUSR1}); pause()"
    with (tmp_path / "log").open("wb") as log:
        old = process.start_logged([sys.executable, "-c", deaf], log=log.fileno())
    door = LocalDaemon(tmp_path)
    try:
        assert "`zsops daemon start`" in (door.swap("web", 1.0, 0.1) or "")
        records.save(Supervisor(old.pid, old.identity.started, "boot"), "supervise.json")
        wait_until(lambda: _blocks_usr1(old.pid), what="a supervisor that is deaf")
        for said in (door.swap("web", 1.0, 0.1), door.start_slot("web", None, 0.1).error):
            assert f"pid {old.pid}, did not answer within 0.1 s" in (said or "")
            assert "`zsops daemon restart`" in (said or "")
    finally:
        old.send(signal.SIGKILL)
        old.close(_WAIT_S)


def _blocks_usr1(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(mask, 16) >> (signal.SIGUSR1 - 1) & 1)


def test_the_way_back_is_tried_with_growing_pauses(tmp_path: Path) -> None:
    """The chosen version dies at once, while the one that nobody kept serves on."""
    records = RunRecords(tmp_path, "web")
    for home in (records.home, tmp_path / records.paths.log):
        home.mkdir(parents=True)
    program = tmp_path / "opt/zeroserve/1.0.0/bin/zeroserve"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho error: too old\n")
    program.chmod(0o755)
    said: list[str] = []
    clock = MemoryClock()
    slots = Slots(tmp_path, records, clock, lambda: SETTINGS, lambda: "1.0.0", said.append)
    with (tmp_path / "log").open("wb") as log:
        live = process.start_logged(["sleep", "60"], log=log.fileno())
    try:
        slots._listeners = sockets.bind(SETTINGS)
        slots.live, slots._probation = live, SlotWish("1", "swap", 0, 0)
        now, tried = 0.0, []
        while now < 60.0:
            slots.attend(now)
            if slots._candidate is not None:
                tried.append(now)
                assert slots._candidate.wait(_WAIT_S) == 0
            now = round(now + 0.1, 1)
        gaps = [later - at for at, later in itertools.pairwise(tried)]
        # A tenth or two are the looks at which its end is seen, and that it is time.
        assert gaps == pytest.approx([0.3, 0.5, 0.9, 1.7, 3.3, 6.5, *[10.1] * 4], abs=0.11)
        failure = records.load(Failure, "way-back.json")
        assert failure is not None
        assert (failure.times, failure.error) == (len(tried), "error: too old")
        assert live.poll() is None
        slots._version = "1.0.0"  # somebody chose the one that serves
        slots.attend(now)
        assert records.load(Failure, "way-back.json") is None
    finally:
        live.send(signal.SIGKILL)
        live.close(_WAIT_S)
        for each in slots._listeners:
            each.close()
