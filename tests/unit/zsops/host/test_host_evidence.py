"""What a host keeps of a deployment that failed there: enough to see why, bounded, no secret."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from support.deployment import SETTINGS, apply, deploy, lease, stage
from support.sites import site

from zsops import errors
from zsops.host import messages as m
from zsops.host.upkeep import Evidence
from zsops.host.world import Fetched, Target
from zsops.transport.memory import MemoryHost, MemoryTransport

ONE, TWO = site("one"), site("two")
LOG = "i/web/log/daemon.log"


@pytest.fixture
def host() -> MemoryHost:
    made = MemoryHost()
    made.service().install(m.Install("web", SETTINGS))
    deploy(MemoryTransport(made), ONE)
    made.disk.write(LOG, b"".join(b"line %d\n" % at for at in range(100)), 0o640)
    return made


def _fail(host: MemoryHost, policy: m.HealthPolicy | None = None) -> str:
    session = MemoryTransport(host).connect()
    token = lease(session).token
    release = stage(session, token, TWO).release.release
    apply(session, token, release, policy or TWO.health())
    session.release_lease(token)
    return release


def _kept(host: MemoryHost) -> Evidence:
    (found,) = host.service().evidence("web")
    return found


def test_an_unhealthy_answer_is_kept_with_what_was_expected(host: MemoryHost) -> None:
    host.daemon.serves_badly.add(TWO.release_digest)
    release = _fail(host)
    found = _kept(host)
    assert (found.release, found.step, found.status) == (release, "health", 500)
    assert found.body == "broken on purpose"
    assert [(each.ok, each.expected, each.got) for each in found.results[-1:]] == [
        (False, "200", "500")
    ]
    assert found.results[0].ok
    assert found.log == tuple(f"line {at}" for at in range(60, 100))
    assert host.service().observe("web").current.release != release  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("check", "expected", "got"),
    [
        (m.StatusCheck("/index.html", (404, 410)), "404 or 410", "200"),
        (m.StatusCheck("/", body_contains="<title>x"), "200, a body with `<title>x`", "200, a"),
        (m.StatusCheck("/", header=(("x-zs", "ok"),)), "`x-zs: ok`", "no `x-zs`"),
    ],
)
def test_each_kind_of_check_says_both(
    host: MemoryHost, check: m.StatusCheck, expected: str, got: str
) -> None:
    _fail(host, replace(TWO.health(timeout_s=0.1), checks=(check,)))
    last = _kept(host).results[-1]
    assert last.expected == expected
    assert last.got.startswith(got)


def test_a_reload_that_is_refused(host: MemoryHost) -> None:
    host.daemon.refuses[TWO.release_digest] = "`tls/key.pem` does not fit"
    _fail(host)
    found = _kept(host)
    assert (found.step, found.problem, found.results) == (
        "reload",
        "`tls/key.pem` does not fit",
        (),
    )
    assert found.log[-1] == "line 99"


def test_a_daemon_that_does_not_start(host: MemoryHost) -> None:
    host.service().stop_daemon("web")
    host.daemon.start_error = "port 443 is in use"
    with pytest.raises(errors.DaemonFailed):
        _fail(host)
    assert (_kept(host).step, _kept(host).problem) == ("start", "port 443 is in use")


@pytest.mark.parametrize("how", ["deadline", "abort", "reboot"])
def test_one_that_nobody_confirmed(host: MemoryHost, how: str) -> None:
    session = MemoryTransport(host).connect()
    token = lease(session).token
    release = stage(session, token, TWO).release.release
    apply(session, token, release, TWO.health(), window_s=5.0)
    if how == "deadline":
        host.advance(10.0)
    elif how == "abort":
        list(session.revert(m.Revert(token, "web", "not reached from the operator")))
    else:
        host.reboot()
        assert host.service().evidence("web") == ()  # its server was gone: the audit log has it
        return
    found = _kept(host)
    assert found.step == "confirm"
    assert "not confirmed" in found.problem or "not reached" in found.problem


def test_it_stays_small_and_has_no_secret(
    host: MemoryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = (host.disk.read("i/web/secrets/probe") or b"").decode()
    host.disk.write(
        LOG, (f"GET /.zeroserve/probe/{secret} " + "\x01" * 9000 + "\n").encode() * 99, 0o640
    )
    fetch = host.daemon.fetch
    headers = (
        ("set-cookie", "id=hidden"),
        *((f"x-{at}", f"{secret} {'y' * 5000}") for at in range(500)),
    )

    def fetched(target: Target, path: str, timeout_s: float) -> Fetched:
        if "/probe/" in path:
            return fetch(target, path, timeout_s)
        return Fetched(500, headers, (secret + "\0" * 60_000).encode(), "0" * 64)

    monkeypatch.setattr(host.daemon, "fetch", fetched)
    checks = tuple(m.StatusCheck(f"/{'a' * 2000}{at}", (500,)) for at in range(500))
    release = _fail(host, replace(TWO.health(timeout_s=0.1), checks=checks))
    raw = host.disk.read(f"i/web/releases/{release}/evidence.json") or b""
    assert 10_000 < len(raw) < 80_000
    assert secret.encode() not in raw
    assert b"hidden" not in raw
    assert len(_kept(host).headers) == 40


def test_a_full_disk_keeps_none_and_goes_back_all_the_same(host: MemoryHost) -> None:
    host.daemon.serves_badly.add(TWO.release_digest)
    session = MemoryTransport(host).connect()
    token = lease(session).token
    release = stage(session, token, TWO).release.release
    host.disk.full = True
    events = apply(session, token, release, TWO.health())
    assert events[-1].outcome is m.Outcome.REVERTED
    host.disk.full = False
    assert host.service().evidence("web") == ()


def test_the_first_failure_is_kept_and_torn_files_are_none(host: MemoryHost) -> None:
    host.daemon.serves_badly.add(TWO.release_digest)
    release = _fail(host)
    assert _kept(host).step == "health"  # not that of the way back
    host.disk.write(f"i/web/releases/{release}/evidence.json", b'{"release": "0', 0o640)
    assert host.service().evidence("web") == ()
    old = json.dumps({"problem": "as another version had it"}).encode()
    host.disk.write(f"i/web/releases/{release}/evidence.json", old, 0o640)
    assert host.service().evidence("web") == ()


def test_it_goes_with_its_release(host: MemoryHost) -> None:
    host.daemon.serves_badly.add(TWO.release_digest)
    _fail(host)
    host.daemon.serves_badly.clear()
    deploy(MemoryTransport(host), site("three"))
    token = lease(MemoryTransport(host).connect()).token
    host.service().prune(m.Prune(token, "web", keep=1))
    assert host.service().evidence("web") == ()


def test_an_instance_that_is_not_there(host: MemoryHost) -> None:
    with pytest.raises(errors.NotInstalled):
        host.service().evidence("other")
