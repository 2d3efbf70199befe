"""What a round of the health check asks, over which protocol."""

from __future__ import annotations

import pytest
from support.deployment import SETTINGS, apply, deploy, lease, stage
from support.sites import site

from zsops.frozen import replace
from zsops.host import messages as m
from zsops.host.world import Fetched, Target
from zsops.transport.memory import MemoryHost, MemoryTransport

ONE, TWO = site("one"), site("two")


@pytest.mark.parametrize(
    ("protocols", "again", "main"),
    [(("h2", "http/1.1"), True, False), (("http/1.1",), False, False), (("h2",), False, True)],
)
def test_each_protocol_of_the_policy_is_asked_and_no_other(
    protocols: tuple[str, ...], again: bool, main: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = MemoryHost()
    host.service().install(m.Install("web", SETTINGS))
    deploy(MemoryTransport(host), ONE)
    asked: list[tuple[bool, str]] = []
    fetch = host.daemon.fetch

    def fetched(target: Target, path: str, timeout_s: float) -> Fetched:
        asked.append((target.http2, "probe" if "/probe/" in path else path))
        return fetch(target, path, timeout_s)

    monkeypatch.setattr(host.daemon, "fetch", fetched)
    good = TWO.health()
    checks = (m.StatusCheck("/index.html"),)
    policy = replace(good, protocols=protocols, checks=checks, content=good.content * 2)
    session = MemoryTransport(host).connect()
    token = lease(session).token
    release = stage(session, token, TWO).release.release
    events = apply(session, token, release, policy)
    assert events[-1].outcome is m.Outcome.HEALTHY
    page = "/index.html"
    other = [(True, "probe")] if again else []
    few = [(True, page)] if again else []
    assert asked == [(main, "probe"), *other, *[(main, page)] * 3, *few]


def test_files_are_compared_in_the_first_of_several_good_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = MemoryHost()
    host.service().install(m.Install("web", SETTINGS))
    deploy(MemoryTransport(host), ONE)
    asked: list[str] = []
    fetch = host.daemon.fetch

    def fetched(target: Target, path: str, timeout_s: float) -> Fetched:
        asked.append("probe" if "/probe/" in path else path)
        answer = fetch(target, path, timeout_s)
        # The second round is bad once: then everything is in doubt again.
        return replace(answer, status=500) if asked.count("probe") == 4 and answer.body else answer

    monkeypatch.setattr(host.daemon, "fetch", fetched)
    session = MemoryTransport(host).connect()
    token = lease(session).token
    release = stage(session, token, TWO).release.release
    policy = replace(TWO.health(), successes=3)
    assert apply(session, token, release, policy)[-1].outcome is m.Outcome.HEALTHY
    whole = ["probe", "probe", "/index.html", "/index.html"]
    assert asked == [*whole, "probe", "probe", *whole, "probe", "probe", "probe", "probe"]
