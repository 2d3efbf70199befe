"""The supervisor with real processes: restarts, the deadline, graceful ends, nothing left."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from support.deployment import deploy
from support.local_host import FAKE, LocalHost, local_host
from support.polling import wait_until
from support.sites import site

from zsops.errors import DaemonFailed
from zsops.facts.status import troubles
from zsops.host import messages as m
from zsops.host.daemon import LocalDaemon
from zsops.host.upkeep import Trying

ONE, TWO = site("one"), site("two")


@pytest.fixture
def host() -> Iterator[LocalHost]:
    with local_host(FAKE) as made:
        made.install()
        yield made


def _status(host: LocalHost) -> m.DaemonState:
    return LocalDaemon(host.root).status("web")


def test_a_daemon_that_dies_is_started_again(host: LocalHost) -> None:
    release = deploy(host.transport, ONE).release
    supervisor, first = host.supervisor(), host.daemon()
    assert first.send(signal.SIGKILL)
    wait_until(lambda: not first.is_alive(), what="its end")
    wait_until(lambda: _status(host).running, what="the next daemon")
    assert host.daemon().pid != first.pid
    assert host.supervisor() == supervisor
    assert host.page(release) == ONE.page


def test_sigterm_ends_supervisor_and_daemon(host: LocalHost) -> None:
    deploy(host.transport, ONE)
    supervisor, daemon = host.supervisor(), host.daemon()
    assert supervisor.send(signal.SIGTERM)
    wait_until(lambda: not supervisor.is_alive(), what="the supervisor's end")
    assert not daemon.is_alive()
    assert host.records.supervisor() is None


def test_a_killed_supervisor_leaves_a_daemon_that_the_next_takes_over(host: LocalHost) -> None:
    release = deploy(host.transport, ONE).release
    supervisor, daemon = host.supervisor(), host.daemon()
    assert supervisor.send(signal.SIGKILL)
    wait_until(lambda: not supervisor.is_alive(), what="its end")
    assert host.page(release) == ONE.page
    done = deploy(host.transport, TWO)
    assert host.daemon() == daemon
    assert host.supervisor() != supervisor
    assert host.page(done.release) == TWO.page


def test_a_second_supervisor_ends_at_once(host: LocalHost) -> None:
    from zsops import process
    from zsops.host.daemon import host_argv

    deploy(host.transport, ONE)
    supervisor = host.supervisor()
    done = process.run(host_argv("supervise", host.root, "--instance", "web"), timeout_s=20)
    assert (done.code, host.supervisor()) == (0, supervisor)


def test_why_a_daemon_does_not_start_is_told(host: LocalHost) -> None:
    with local_host(FAKE) as other:
        other.install()
        deploy(host.transport, ONE)
        host.supervisor()
        taken = _status(host).listeners[0].address
        with other.transport.connect() as session:
            settings = m.InstanceSettings(("localhost",), (taken,), program=FAKE)
            session.install(m.Install("web", settings))
            with pytest.raises(DaemonFailed, match="is in use already"):
                session.start_daemon("web")
            other.supervisor()
            assert session.stop_daemon("web")


def test_a_daemon_that_dies_at_once_is_told_of_with_its_next_start() -> None:
    dies = (sys.executable, "-c", "raise SystemExit('error: broken')")
    with local_host(dies) as host:
        host.install()
        with host.transport.connect() as session, pytest.raises(DaemonFailed, match="broken"):
            session.start_daemon("web")
        host.supervisor()

        def tried() -> int:
            return sum(each.times for each in _status(host).trouble)

        wait_until(lambda: tried() > 3, what="four attempts")
        (trouble,) = _status(host).trouble
        assert (trouble.trying, trouble.error) == (Trying.START, "error: broken")
        assert 0.0 <= trouble.next_s <= 10.0
        (line,) = troubles(_status(host))
        assert line.endswith("s: error: broken")


def test_a_deadline_that_passed_while_all_was_down_is_kept_at_the_next_start(
    host: LocalHost,
) -> None:
    first = deploy(host.transport, ONE).release
    unconfirmed = deploy(host.transport, TWO, confirm=False)
    supervisor, daemon = host.supervisor(), host.daemon()
    _shorten_deadline(host)
    supervisor.send(signal.SIGKILL)
    daemon.send(signal.SIGKILL)
    wait_until(lambda: not (supervisor.is_alive() or daemon.is_alive()), what="their end")
    assert unconfirmed.outcome is m.Outcome.HEALTHY
    with host.transport.connect() as session:
        session.start_daemon("web")
        seen = session.observe("web")
    assert seen.current is not None
    assert (seen.current.release, seen.phase) == (first, m.Phase.IDLE)
    assert host.page(first) == ONE.page


def _shorten_deadline(host: LocalHost) -> None:
    """As if the window had been short: the journal's newest entry with a deadline in the past."""
    from dataclasses import replace

    from zsops.host import journal

    file = host.root / host.paths.journal
    state = journal.decode(file.read_bytes())
    assert state is not None
    handle = os.open(file, os.O_WRONLY)
    try:
        past = journal.encode(replace(state, deadline=0.0))
        os.pwrite(handle, past, journal.slot_offset(state.seq))
    finally:
        os.close(handle)
