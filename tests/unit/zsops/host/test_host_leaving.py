"""Daemons that drain while their supervisor is killed: the next one sees them to their end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.deployment import deploy
from support.local_host import FAKE, local_host
from support.polling import wait_until
from support.sites import site

from zsops import process
from zsops.host.daemon import LocalDaemon
from zsops.host.leaving import Leaving
from zsops.host.records import Daemon, LeavingDaemon, RunRecords

ONE = site("one")
_WAIT_S = 20.0


@pytest.fixture
def records(tmp_path: Path) -> RunRecords:
    made = RunRecords(tmp_path, "web")
    made.home.mkdir(parents=True)
    return made


@pytest.fixture
def child(tmp_path: Path) -> Iterator[process.Child]:
    with (tmp_path / "log").open("wb") as log:
        made = process.start_logged(["sleep", "60"], log=log.fileno())
    yield made
    made.send(signal.SIGKILL)
    made.close(_WAIT_S)


def _leaving(records: RunRecords) -> Leaving:
    return Leaving(records, "boot", lambda text: None)


def _put(records: RunRecords, who: process.Identity, boot: str = "boot") -> None:
    record = LeavingDaemon(who.pid, who.started, boot, "b", 0.0)
    records.save(record, "leaving-b.json")


def test_a_draining_daemon_outlives_its_killed_supervisor_and_not_its_time() -> None:
    with local_host(FAKE) as host:
        host.install("--deaf")
        deploy(host.transport, ONE)
        supervisor, old = host.supervisor(), host.daemon()
        door = LocalDaemon(host.root)
        assert door.start_slot("web", None, _WAIT_S).error is None
        assert door.swap("web", 2.0, _WAIT_S) is None
        assert door.keep("web", _WAIT_S) is None
        new = host.daemon()
        assert supervisor.send(signal.SIGKILL)
        wait_until(lambda: not supervisor.is_alive(), what="its end")
        assert old.is_alive()
        with host.transport.connect() as session:
            session.start_daemon("web")
        host.supervisor()
        wait_until(lambda: not old.is_alive(), what="the old daemon's end")
        assert host.daemon() == new
        assert host.page() == ONE.page
        wait_until(
            lambda: host.records.load(LeavingDaemon, "leaving-a.json") is None, what="no record"
        )


def test_what_was_recorded_and_not_told_yet_is_asked_to_drain() -> None:
    with local_host(FAKE) as host:
        host.install()
        deploy(host.transport, ONE)
        host.supervisor()
        assert LocalDaemon(host.root).start_slot("web", None, _WAIT_S).error is None
        record = host.records.load(Daemon, "candidate.json")
        assert record is not None
        wish = LeavingDaemon(record.pid, record.started, record.boot_id, record.slot, 1e9)
        host.records.save(wish, f"leaving-{record.slot}.json")
        left = Leaving(host.records, record.boot_id, lambda text: None)
        assert left.slots == {record.slot}
        wait_until(lambda: not record.identity.is_alive(), what="its end")


def test_one_that_has_had_its_time_is_told_again_and_then_killed(
    records: RunRecords, child: process.Child
) -> None:
    _put(records, child.identity)
    child.send(signal.SIGSTOP)  # hears nothing
    left = _leaving(records)
    left.see_off(1.0)
    assert child.poll() is None
    left.see_off(5.0)
    assert child.poll() is None
    left.see_off(7.0)
    assert child.wait(_WAIT_S) == -signal.SIGKILL
    assert (left.count, records.load(LeavingDaemon, "leaving-b.json")) == (0, None)


@pytest.mark.parametrize("how", ["another start", "another boot"])
def test_whoever_has_the_pid_by_now_is_left_alone(
    records: RunRecords, child: process.Child, how: str
) -> None:
    who = child.identity
    if how == "another start":
        _put(records, process.Identity(who.pid, who.started - 1))
    else:
        _put(records, who, "an older boot")
    left = _leaving(records)
    for now in (1.0, 100.0, 200.0):
        left.see_off(now)
    assert child.poll() is None
    assert (left.count, records.load(LeavingDaemon, "leaving-b.json")) == (0, None)


def test_a_record_is_there_before_the_signal(
    records: RunRecords, child: process.Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two, the next supervisor must know of it."""
    seen: list[LeavingDaemon | None] = []

    def told(number: signal.Signals) -> None:
        seen.append(records.load(LeavingDaemon, "leaving-b.json"))
        assert number is signal.SIGTERM

    left = _leaving(records)
    with monkeypatch.context() as patch:
        patch.setattr(child, "send", told)
        left.add(child, "b", 9.5)
    who = child.identity
    assert seen == [LeavingDaemon(who.pid, who.started, "boot", "b", 9.5)]
