"""The protocol on a host in memory whose daemon, disk and timer misbehave."""

from __future__ import annotations

import pytest
from support.deployment import SETTINGS, apply, deploy, lease, stage
from support.sites import site

from zsops import errors
from zsops.host import messages as m
from zsops.transport.memory import MemoryHost, MemoryTransport

ONE, TWO, THREE = site("one"), site("two"), site("three")


@pytest.fixture
def host() -> MemoryHost:
    made = MemoryHost()
    made.service().install(m.Install("web", SETTINGS))
    return made


def _staged(host: MemoryHost) -> tuple[int, str]:
    session = MemoryTransport(host).connect()
    token = lease(session).token
    return token, stage(session, token, TWO).release.release


def _apply(host: MemoryHost, token: int, release: str) -> m.StepEvent:
    return apply(MemoryTransport(host).connect(), token, release, TWO.health())[-1]


def test_a_reload_that_is_refused_goes_back_with_the_daemons_words(host: MemoryHost) -> None:
    good = deploy(MemoryTransport(host), ONE).release
    host.daemon.refuses[TWO.release_digest] = "`tls/key.pem` does not fit"
    last = _apply(host, *_staged(host))
    assert (last.outcome, last.serving) == (m.Outcome.REVERTED, good)
    assert last.error is not None
    assert "does not fit" in last.error.message


def test_nothing_healthy_to_go_back_to_is_unsafe_and_kept_on_record(host: MemoryHost) -> None:
    deploy(MemoryTransport(host), ONE)
    host.daemon.refuses |= {TWO.release_digest: "no", ONE.release_digest: "not any more"}
    last = _apply(host, *_staged(host))
    assert last.outcome is m.Outcome.UNSAFE
    assert last.error is not None
    assert last.error.code == "unsafe"
    assert "not any more" in (host.service().observe("web").unsafe or "")
    host.daemon.refuses.clear()
    host.service().break_lease("ben", "mend it")
    assert deploy(MemoryTransport(host), THREE).confirmed
    assert host.service().observe("web").unsafe is None


def test_without_a_timer_nothing_is_switched(host: MemoryHost) -> None:
    good = deploy(MemoryTransport(host), ONE).release
    host.daemon.takes_timers = False
    token, release = _staged(host)
    with pytest.raises(errors.CannotArm):
        _apply(host, token, release)
    seen = host.service().observe("web")
    assert seen.phase is m.Phase.STAGED
    assert seen.current is not None
    assert seen.current.release == good
    host.daemon.takes_timers = True
    assert _apply(host, token, release).outcome is m.Outcome.HEALTHY


def test_a_daemon_that_cannot_start_stops_the_deployment_before_the_switch(
    host: MemoryHost,
) -> None:
    host.daemon.start_error = "port 8443 is in use"
    token, release = _staged(host)
    with pytest.raises(errors.DaemonFailed, match="port 8443"):
        _apply(host, token, release)
    seen = host.service().observe("web")
    assert seen.phase is m.Phase.STAGED
    assert seen.current is not None
    assert seen.current.number == 0


def test_a_full_disk_refuses_a_stage_and_never_stops_what_was_staged(host: MemoryHost) -> None:
    transport = MemoryTransport(host)
    good = deploy(transport, ONE).release
    token, release = _staged(host)
    host.disk.full = True
    with transport.connect() as session:
        with pytest.raises(errors.DiskFull):
            stage(session, token, THREE)
        assert _apply(host, token, release).outcome is m.Outcome.HEALTHY
        assert list(session.revert(m.Revert(token, "web", "")))[-1].serving == good
        host.disk.full = False
        release = stage(session, token, TWO).release.release
        host.disk.full = True
        assert _apply(host, token, release).outcome is m.Outcome.HEALTHY
        assert session.confirm(m.Confirm(token, "web", release)).serving == release


def test_a_reboot_before_the_confirmation_goes_back(host: MemoryHost) -> None:
    transport = MemoryTransport(host)
    deploy(transport, ONE)
    token, release = _staged(host)
    _apply(host, token, release)
    host.reboot()
    assert host.daemon.running["web"].release_digest == ONE.release_digest
    with pytest.raises(errors.SelfReverted):
        transport.connect().confirm(m.Confirm(token, "web", release))


def test_the_daemon_must_serve_what_is_confirmed(host: MemoryHost) -> None:
    deploy(MemoryTransport(host), ONE)
    token, release = _staged(host)
    _apply(host, token, release)
    host.daemon.crash("web")
    with pytest.raises(errors.DaemonFailed):
        host.service().confirm(m.Confirm(token, "web", release))
    host.advance(0.1)
    assert host.service().confirm(m.Confirm(token, "web", release)).serving == release


def test_a_moved_link_is_shown_as_drift_and_a_lost_one_is_mended(host: MemoryHost) -> None:
    first = deploy(MemoryTransport(host), ONE).release
    second = deploy(MemoryTransport(host), TWO).release
    host.disk.unlink("i/web/current")
    host.disk.symlink(f"releases/{first}", "i/web/current")
    assert first in (host.service().observe("web").drift or "")
    host.disk.unlink("i/web/current")
    host.disk.symlink("releases/nowhere", "i/web/current")
    assert host.service().observe("web").drift == "`current` leads to no release"
    host.service().start_daemon("web")
    seen = host.service().observe("web")
    assert seen.current is not None
    assert (seen.current.release, seen.drift) == (second, None)


def test_a_lease_ends_by_itself_and_a_late_operator_is_fenced_off(host: MemoryHost) -> None:
    transport = MemoryTransport(host)
    session = transport.connect()
    token = lease(session, "ana", ttl_s=10.0).token
    with pytest.raises(errors.LeaseHeld, match="10 s left"):
        lease(session, "ben")
    host.advance(11.0)
    stage(session, token, ONE)  # it ran out, but nobody else came: still the newest
    host.advance(11.0)
    newer = lease(session, "ben").token
    assert newer == token + 1
    with pytest.raises(errors.StaleToken):
        stage(session, token, ONE)


def test_the_probe_secret_is_in_no_answer(host: MemoryHost) -> None:
    transport = MemoryTransport(host)
    deploy(transport, ONE)
    secret = host.disk.read("i/web/secrets/probe") or b""
    host.daemon.serves_badly.add(TWO.release_digest)
    token, release = _staged(host)
    events = apply(transport.connect(), token, release, TWO.health())
    assert events[-1].outcome is m.Outcome.REVERTED
    evidence = host.disk.read(f"i/web/releases/{release}/evidence.json") or b""
    told = repr((events, host.service().history("web", 99), evidence))
    assert b"broken on purpose" in evidence
    assert secret.decode() not in told


def test_the_certificate_in_service_is_judged_once_until_it_expires(
    host: MemoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(MemoryTransport(host), ONE)
    tools = host.world.tools
    judged: list[bool] = []
    check = tools.findings

    def findings(path: str, *, tls: bool) -> tuple[str, ...]:
        judged.append(tls)
        return check(path, tls=tls)

    monkeypatch.setattr(tools, "findings", findings)
    before = host.service().observe("web").current
    deploy(MemoryTransport(host), TWO)
    after = host.service().observe("web").current
    assert judged == [False]
    assert before is not None
    assert after is not None
    assert after.certificate == before.certificate
    host.world.clock.seconds += 600 * 86_400.0
    deploy(MemoryTransport(host), THREE)
    assert judged == [False, True]
