"""Between deployments: holds, healing, logs, facts. Any host, whatever carries the requests."""

from __future__ import annotations

import pytest
from support.contract_host import ContractHost
from support.deployment import deploy, lease
from support.sites import site

from zsops import errors
from zsops.host import messages as m
from zsops.host import upkeep

ONE, TWO = site("one"), site("two")


def test_a_hold_keeps_new_leases_away_until_it_is_lifted(host: ContractHost) -> None:
    deploy(host.transport, ONE)
    with host.transport.connect() as session:
        session.hold(upkeep.Hold("ana", "load test"))
        seen = session.observe("web").hold
        assert seen is not None
        assert (seen.who, seen.why) == ("ana", "load test")
        with pytest.raises(errors.HostHeld, match=r"`ana` paused .*\(load test\)"):
            lease(session)
        back = m.TakeLease("ana", "back", 60.0, "run-back", despite_hold=True)
        session.release_lease(session.take_lease(back).token)
        lifted = session.lift_hold("ben", "done")
        assert lifted == seen
        assert session.lift_hold("ben", "done") is None
        session.release_lease(lease(session).token)
        assert session.audit_verify().intact


def test_what_is_under_way_goes_on_under_a_hold(host: ContractHost) -> None:
    with host.transport.connect() as session:
        taken = lease(session)
        session.hold(upkeep.Hold("ana", ""))
        again = session.take_lease(m.TakeLease("ana", "a test", 60.0, taken.run))
        assert again.token == taken.token
        session.lift_hold("ana", "")
        session.release_lease(taken.token)


def test_a_stopped_daemon_is_healed(host: ContractHost) -> None:
    done = deploy(host.transport, ONE)
    with host.transport.connect() as session:
        token = lease(session).token
        assert session.heal(upkeep.Heal(token, "web")) == upkeep.Healed((), done.release)
        session.stop_daemon("web")
        healed = session.heal(upkeep.Heal(token, "web"))
        assert len(healed.done) == 1
        assert "was down" in healed.done[0]
        seen = session.observe("web")
        assert seen.daemon.release_digest == ONE.release_digest
        assert session.history("web", 1)[-1].event == "healed"
        session.release_lease(token)


def test_healing_wants_the_lease_and_a_settled_instance(host: ContractHost) -> None:
    deploy(host.transport, ONE)
    with host.transport.connect() as session, pytest.raises(errors.StaleToken):
        session.heal(upkeep.Heal(99, "web"))
    deploy(host.transport, TWO, confirm=False)
    with host.transport.connect() as session:
        held = session.observe("web").lease
        assert held is not None
        with pytest.raises(errors.DeployInFlight):
            session.heal(upkeep.Heal(held.token, "web"))
        with pytest.raises(errors.DeployInFlight):
            session.reload_daemon("web")


def test_a_daemon_is_reloaded_and_a_stopped_one_refused(host: ContractHost) -> None:
    deploy(host.transport, ONE)
    with host.transport.connect() as session:
        before = session.daemon_status("web").generation
        after = session.reload_daemon("web")
        assert after.release_digest == ONE.release_digest
        assert (after.generation or 0) > (before or 0)
        session.stop_daemon("web")
        with pytest.raises(errors.DaemonStopped):
            session.reload_daemon("web")


def test_facts_and_an_unknown_instance(host: ContractHost) -> None:
    with host.transport.connect() as session:
        found = session.facts()
        assert found.software == session.hello().software
        assert found.free_bytes > 0
        assert found.wall[:2] == "20"
        with pytest.raises(errors.NotInstalled):
            session.read_log(upkeep.ReadLog("none", upkeep.Log.DAEMON))
        with pytest.raises(errors.BadRequest):
            session.read_log(upkeep.ReadLog("web", upkeep.Log.DAEMON, cursor=-1))
